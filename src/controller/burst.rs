//! Whether many schedules create backups at this moment: at midnight they all do.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// More creations than this within [`BURST`] are a burst: what is not a creation waits until it is over.
const BURST_SIZE: usize = 8;

const BURST: Duration = Duration::from_secs(2);

/// The newest creations of all schedules of this process. Shared by the passes of both kinds.
#[derive(Clone, Debug, Default)]
pub struct CreationBurst {
    newest: Arc<Mutex<VecDeque<Instant>>>,
}

impl CreationBurst {
    /// A backup was created.
    pub fn created(&self, now: Instant) {
        let mut newest = self.locked();
        newest.push_back(now);
        if newest.len() > BURST_SIZE {
            newest.pop_front();
        }
    }

    /// Whether eight backups were created within the last two seconds.
    pub fn is_on(&self, now: Instant) -> bool {
        let newest = self.locked();
        newest.len() >= BURST_SIZE && newest.front().is_some_and(|oldest| now.saturating_duration_since(*oldest) < BURST)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_is_eight_creations_within_two_seconds() {
        let (burst, begins) = (CreationBurst::default(), Instant::now());
        let after = |millis| begins + Duration::from_millis(millis);
        for nth in 0..8 {
            assert!(!burst.is_on(after(nth * 100)), "{nth} creations");
            burst.created(after(nth * 100));
        }
        assert!(burst.is_on(after(1999)));
        assert!(!burst.is_on(after(2000)), "the first of the eight is two seconds ago");
        burst.created(after(2050));
        assert!(burst.is_on(after(2099)) && !burst.is_on(after(2100)), "the first is forgotten");
    }
}
