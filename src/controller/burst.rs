//! Whether many schedules create backups at this moment: at midnight they all do.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use super::policy::{BURST, BURST_SIZE};

/// The newest creations of all schedules of this process.
#[derive(Debug, Default)]
pub struct CreationBurst {
    newest: Mutex<VecDeque<Instant>>,
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
    use std::time::Duration;

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
