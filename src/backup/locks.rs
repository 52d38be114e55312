//! What the objects of one process know of each other beside the cache: which of them submits on an instance, which have ended, and which
//! cannot be written.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// One lock for each instance: one object of this process submits at a time.
#[derive(Default)]
pub struct InstanceLocks(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl InstanceLocks {
    /// The instance's lock, if it is free.
    pub fn lock(&self, instance: &str) -> Option<OwnedMutexGuard<()>> {
        let lock = self.locked().entry(instance.to_owned()).or_default().clone();
        lock.try_lock_owned().ok()
    }

    /// Forgets the locks that are not held.
    pub fn sweep(&self) {
        self.locked().retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The uids of objects of which this process knows something that the cache does not show.
///
/// One is that it wrote their end. The cache may not show it yet, or never: a watch that leaves an event out would make every other object
/// of the instance wait until its queueTimeout (found by tests/faults, row 19).
#[derive(Debug, Default)]
pub struct Noted(Mutex<HashSet<String>>);

impl Noted {
    /// Notes an object.
    pub fn insert(&self, uid: &str) {
        self.locked().insert(uid.to_owned());
    }

    /// The object needs no memory any more.
    pub fn remove(&self, uid: &str) {
        self.locked().remove(uid);
    }

    /// Whether the object was noted.
    pub fn contains(&self, uid: &str) -> bool {
        self.locked().contains(uid)
    }

    /// Forgets every object for which `exists` says no.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        self.locked().retain(|uid| exists(uid));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_at_a_time_submits_on_an_instance() {
        let locks = InstanceLocks::default();
        let held = locks.lock("rm-1").expect("free");
        assert!(locks.lock("rm-1").is_none());
        assert!(locks.lock("rm-2").is_some());
        locks.sweep();
        assert!(locks.lock("rm-1").is_none(), "a lock that is held is not swept away");
        drop(held);
        assert!(locks.lock("rm-1").is_some());
    }

    #[test]
    fn an_end_is_known_until_the_object_is_gone() {
        let ended = Noted::default();
        ended.insert("a");
        ended.insert("b");
        ended.sweep(|uid| uid == "a");
        assert!(ended.contains("a") && !ended.contains("b"));
        ended.remove("a");
        assert!(!ended.contains("a"));
    }
}
