//! Who has the turn: one pass per object, one submission per instance, and what this process remembers between passes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as Lock, OwnedMutexGuard},
    time::Instant,
};

use super::{Context, flap_damping::FlapDamping, observation::Memory};
use crate::{
    api::{RdsBackup, RdsBackupStatus},
    controller::{self, Freshest},
};

/// The seats of all unfinished objects, and the locks of their instances.
#[derive(Default)]
pub struct Desk {
    seats: Mutex<HashMap<String, Arc<Lock<Seat>>>>,
    instances: Mutex<HashMap<String, Arc<Lock<()>>>>,
    failures: Mutex<HashMap<String, u32>>,
    ended: Mutex<HashSet<String>>,
}

/// What this process remembers about one object.
#[derive(Default)]
pub(super) struct Seat {
    pub memory: Memory,
    freshest: Freshest<RdsBackup>,
    /// What this process said last, where another one contradicts it.
    pub damping: FlapDamping,
    /// When the own intent was written, by a clock that nobody sets.
    pub intent_written: Option<Instant>,
    /// The object let go of its instance, and those that wait for it were not told yet.
    pub owes_wake: bool,
}

/// One object's turn. Nobody else in this process works on the object while it is held.
pub(super) struct Turn {
    pub object: Arc<RdsBackup>,
    pub status: RdsBackupStatus,
    pub seat: OwnedMutexGuard<Seat>,
    /// Held from the preflight to the recorded outcome.
    pub instance: Option<OwnedMutexGuard<()>>,
}

impl Desk {
    /// A pass came to rest.
    pub fn succeeded(&self, uid: &str) {
        locked(&self.failures).remove(uid);
    }

    /// A pass failed: 1 s, 2 s, 4 s ... up to a minute, counted per object.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut failures = locked(&self.failures);
        let count = failures.entry(uid.to_owned()).or_default();
        *count += 1;
        Duration::from_secs(1 << (*count - 1).min(6)).min(Duration::from_secs(60))
    }

    /// The instance's lock, if nobody holds it.
    pub(super) fn lock_instance(&self, id: &str) -> Option<OwnedMutexGuard<()>> {
        let lock = locked(&self.instances).entry(id.to_owned()).or_default().clone();
        lock.try_lock_owned().ok()
    }

    /// This process wrote the end of an object.
    pub(super) fn wrote_end(&self, uid: &str) {
        locked(&self.ended).insert(uid.to_owned());
    }

    /// Whether this process wrote the object's end, which the cache may not show yet, or never: a watch that leaves an event out would make
    /// every other object of the instance wait until its queueTimeout (found by tests/faults, row 19).
    pub(super) fn has_ended(&self, uid: &str) -> bool {
        locked(&self.ended).contains(uid)
    }

    /// Forgets an object that needs no memory any more.
    pub(super) fn forget(&self, uid: &str) {
        locked(&self.seats).remove(uid);
        locked(&self.failures).remove(uid);
        locked(&self.ended).remove(uid);
    }

    /// Forgets every object for which `exists` says no, and unheld locks. Objects that were deleted are never reconciled again, so nobody
    /// else would.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        locked(&self.seats).retain(|uid, seat| Arc::strong_count(seat) > 1 || exists(uid));
        locked(&self.failures).retain(|uid, _| exists(uid));
        locked(&self.ended).retain(|uid| exists(uid));
        locked(&self.instances).retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    fn seat(&self, uid: &str) -> Arc<Lock<Seat>> {
        locked(&self.seats).entry(uid.to_owned()).or_default().clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Waits for the object's turn, and starts from the newest copy that this process has.
    pub async fn take(cached: Arc<RdsBackup>, context: &Context) -> Result<Self, controller::Error> {
        let uid = cached.metadata.uid.clone().unwrap_or_default();
        let seat = context.desk.seat(&uid).lock_owned().await;
        let status = status_of(&cached);
        let mut turn = Self { object: cached, status, seat, instance: None };
        if turn.seat.freshest.is_unsure() {
            // One that is gone is found out at its next write.
            turn.refresh(context).await?;
            turn.seat.freshest.see_again();
            return Ok(turn);
        }
        let newest = turn.seat.freshest.newest(turn.object.clone());
        turn.status = status_of(&newest);
        turn.object = newest;
        Ok(turn)
    }

    /// Another version of the object is the newest now.
    pub fn moved_to(&mut self, newest: RdsBackup) {
        let newest = Arc::new(newest);
        self.seat.freshest.moved(&self.object, newest.clone());
        self.status = status_of(&newest);
        self.object = newest;
    }

    /// Reads the newest copy if only the API server knows it. Answers whether the object still exists.
    pub async fn refresh(&mut self, context: &Context) -> Result<bool, controller::Error> {
        if self.seat.freshest.is_unsure() {
            match context.cluster.get(self.object.as_ref()).await? {
                Some(fresh) => self.moved_to(fresh),
                None => return Ok(false),
            }
            self.seat.freshest.see_again();
        }
        Ok(true)
    }

    /// Whether the object is the cache's: nothing newer is known.
    pub fn is_cached(&self) -> bool {
        self.seat.freshest.is_cached()
    }

    /// A write was made and its answer was lost.
    pub fn unsure(&mut self) {
        self.seat.freshest.lose_sight();
    }

    pub fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    pub fn namespace(&self) -> &str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }
}

fn status_of(object: &RdsBackup) -> RdsBackupStatus {
    object.status.clone().unwrap_or_else(RdsBackupStatus::fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_for_each_object_and_start_anew_after_a_success() {
        let desk = Desk::default();
        let pauses: Vec<u64> = (0..9).map(|_| desk.failed("a").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(desk.failed("b").as_secs(), 1, "another object's failures are its own");
        desk.succeeded("a");
        assert_eq!(desk.failed("a").as_secs(), 1);
    }

    #[test]
    fn one_at_a_time_submits_on_an_instance() {
        let desk = Desk::default();
        let held = desk.lock_instance("rm-1").expect("free");
        assert!(desk.lock_instance("rm-1").is_none());
        assert!(desk.lock_instance("rm-2").is_some());
        desk.sweep(|_| false);
        assert!(desk.lock_instance("rm-1").is_none(), "a lock that is held is not swept away");
        drop(held);
        assert!(desk.lock_instance("rm-1").is_some());
    }

    #[test]
    fn what_no_longer_exists_is_forgotten() {
        let desk = Desk::default();
        let worked_on = desk.seat("held");
        drop((desk.seat("gone"), desk.seat("here")));
        desk.failed("gone");
        desk.sweep(|uid| uid == "here");
        let mut left: Vec<String> = locked(&desk.seats).keys().cloned().collect();
        left.sort();
        assert_eq!(left, ["held", "here"]);
        assert!(locked(&desk.failures).is_empty());
        drop(worked_on);
    }
}
