//! Whether this process may still begin to change something.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::Instant;

/// Open for as long as this process leads, by its own monotonic clock. A process that stood still (SIGSTOP, a frozen node) finds it shut
/// when it goes on, before it has asked the API server.
///
/// It keeps two leaders from writing at the same time, no more: what keeps them from making two backups is the resourceVersion of each
/// write.
#[derive(Clone, Default)]
pub struct Fence(Option<Arc<Mutex<State>>>);

#[derive(Default)]
struct State {
    until: Option<Instant>,
    closed: bool,
}

impl Fence {
    /// Always open: there is no election.
    pub fn none() -> Self {
        Self(None)
    }

    /// Shut, until the lease is granted.
    pub fn shut() -> Self {
        Self(Some(Arc::default()))
    }

    /// Opens it until then. Without effect once it was closed.
    pub fn open_until(&self, end: Instant) {
        if let Some(state) = &self.0 {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.until = Some(end).filter(|_| !state.closed);
        }
    }

    /// Shuts it for good.
    pub fn close(&self) {
        if let Some(state) = &self.0 {
            *state.lock().unwrap_or_else(PoisonError::into_inner) = State { until: None, closed: true };
        }
    }

    /// Whether something may be begun now.
    pub fn is_open(&self) -> bool {
        self.0.as_ref().is_none_or(|state| {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.until.is_some_and(|end| Instant::now() < end)
        })
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({})", if self.is_open() { "open" } else { "shut" })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_open_while_the_lease_lasts() {
        let fence = Fence::shut();
        let seconds = |count| Instant::now() + Duration::from_secs(count);
        assert!(!fence.is_open());
        fence.open_until(seconds(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(fence.is_open());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!fence.is_open(), "the time is up, whatever the API server would say");
        fence.open_until(seconds(10));
        assert!(fence.is_open());
        fence.close();
        fence.open_until(seconds(10));
        assert!(!fence.is_open(), "released is released");
    }

    #[test]
    fn without_an_election_it_is_always_open() {
        assert!(Fence::none().is_open());
    }
}
