//! What a process remembers about each object between passes, and whose pass is under way: one pass per object at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::backoff::Backoff;

/// A pass that could not be finished is made again after 1 s, 2 s, 4 s ... up to a minute.
const FAILED_PASS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// The state of every object of one kind, by uid.
pub struct ObjectTracker<S> {
    objects: Mutex<HashMap<String, Tracked<S>>>,
}

struct Tracked<S> {
    state: Arc<AsyncMutex<S>>,
    /// How many passes in a row could not be finished. Beside the state, because a pass that waits for the state may fail too.
    failures: u32,
}

/// The state of one object, for one pass. While it is held no other pass of this process works on the object.
pub type PassGuard<S> = OwnedMutexGuard<S>;

impl<S> Default for ObjectTracker<S> {
    fn default() -> Self {
        Self { objects: Mutex::default() }
    }
}

impl<S: Default> ObjectTracker<S> {
    /// The object's state, once no other pass works on it.
    pub async fn lock(&self, uid: &str) -> PassGuard<S> {
        let state = self.locked().entry(uid.to_owned()).or_default().state.clone();
        state.lock_owned().await
    }

    /// The object's state, if no other pass works on it now.
    pub fn try_lock(&self, uid: &str) -> Option<PassGuard<S>> {
        self.locked().entry(uid.to_owned()).or_default().state.clone().try_lock_owned().ok()
    }

    /// A pass came to rest.
    pub fn succeeded(&self, uid: &str) {
        if let Some(tracked) = self.locked().get_mut(uid) {
            tracked.failures = 0;
        }
    }

    /// A pass could not be finished: when to make it again.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut objects = self.locked();
        let tracked = objects.entry(uid.to_owned()).or_default();
        tracked.failures = tracked.failures.saturating_add(1);
        FAILED_PASS.pause(tracked.failures)
    }

    /// Forgets an object that needs no memory any more.
    pub fn forget(&self, uid: &str) {
        self.locked().remove(uid);
    }

    /// Forgets every object for which `exists` says no, unless a pass works on it. A deleted object is never reconciled again, so its own
    /// pass cannot do this.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        self.locked().retain(|uid, tracked| Arc::strong_count(&tracked.state) > 1 || exists(uid));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Tracked<S>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Default> Default for Tracked<S> {
    fn default() -> Self {
        Self { state: Arc::default(), failures: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_for_each_object_and_start_anew_after_a_success() {
        let tracker = ObjectTracker::<()>::default();
        let pauses: Vec<u64> = (0..9).map(|_| tracker.failed("a").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(tracker.failed("b").as_secs(), 1, "another object's failures are its own");
        tracker.succeeded("a");
        assert_eq!(tracker.failed("a").as_secs(), 1);
    }

    #[test]
    fn one_pass_at_a_time_works_on_an_object() {
        let tracker = ObjectTracker::<u8>::default();
        let mut held = tracker.try_lock("a").expect("free");
        *held = 7;
        assert!(tracker.try_lock("a").is_none());
        assert!(tracker.try_lock("b").is_some());
        drop(held);
        assert_eq!(*tracker.try_lock("a").expect("free again"), 7);
    }

    #[test]
    fn an_object_that_no_longer_exists_is_forgotten_unless_a_pass_works_on_it() {
        let tracker = ObjectTracker::<u8>::default();
        for uid in ["gone", "here", "held"] {
            *tracker.try_lock(uid).expect("free") = 1;
        }
        let held = tracker.try_lock("held").expect("free");
        tracker.failed("gone");
        tracker.sweep(|uid| uid == "here");
        drop(held);
        let mut left: Vec<String> = tracker.locked().keys().cloned().collect();
        left.sort();
        assert_eq!(left, ["held", "here"]);
        assert_eq!(tracker.failed("gone").as_secs(), 1, "its failures are forgotten too");
    }
}
