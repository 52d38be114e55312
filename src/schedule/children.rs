//! The backups of each schedule, found without looking through all of them, and the request to reconcile a schedule when one of its
//! backups has ended, or begins or ceases to need a person.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use futures::channel::mpsc;
use kube::{
    Resource,
    runtime::{
        reflector::{self, ObjectRef},
        watcher,
    },
};

use super::stalled::Stalled;
use crate::{
    api::{RdsBackup, RdsBackupSchedule, SCHEDULE_NAME_LABEL},
    controller::{self, InitialSync},
};

/// A schedule of the watch; one that does not deserialise is an `Err` of its own and never stops the others.
pub type Guarded = controller::Guarded<RdsBackupSchedule>;

/// Namespace and name.
type Key = (String, String);

/// An RdsBackup of the watch; one that does not deserialise is an `Err` of its own.
pub type GuardedBackup = controller::Guarded<RdsBackup>;

/// Names, and the reason of each one that is Stalled.
type Names = BTreeMap<String, Option<String>>;

/// The backups of each schedule.
pub struct Children {
    by_schedule: Mutex<HashMap<Key, Names>>,
    caches: OnceLock<(Vec<reflector::Store<GuardedBackup>>, InitialSync)>,
    wake: mpsc::UnboundedSender<ObjectRef<Guarded>>,
}

impl Children {
    /// None are known. `wake` takes the schedules that should be reconciled.
    pub fn new(wake: mpsc::UnboundedSender<ObjectRef<Guarded>>) -> Self {
        Self { by_schedule: Mutex::default(), caches: OnceLock::new(), wake }
    }

    /// The caches of the watches, and whether each has listed its objects once; set once, before the first pass.
    pub fn set_caches(&self, caches: Vec<reflector::Store<GuardedBackup>>, listed: InitialSync) {
        // A second set would be a mistake of this process's start, and changes nothing.
        let _ = self.caches.set((caches, listed));
    }

    /// Waits until the watch of the namespace has listed its objects once: before that, a backup that runs could be overlooked. A namespace
    /// that cannot be listed holds up no schedule of another.
    pub async fn listed(&self, namespace: &str) {
        if let Some((_, listed)) = self.caches.get() {
            listed.of(namespace).await;
        }
    }

    /// Takes note of an event of the watch, after the cache has.
    pub fn saw(&self, event: &watcher::Event<GuardedBackup>) {
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                self.applied(object, matches!(event, watcher::Event::Apply(_)))
            }
            watcher::Event::Delete(object) => {
                if let Some((key, name)) = of_schedule(object) {
                    if let Some(names) = self.locked().get_mut(&key) {
                        names.remove(&name);
                    }
                    self.wake(&key);
                }
            }
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }

    fn applied(&self, object: &GuardedBackup, live: bool) {
        let Some((key, name)) = of_schedule(object) else { return };
        let ended = object.meta().deletion_timestamp.is_some()
            || object.0.as_ref().is_ok_and(|backup| backup.status.as_ref().is_some_and(|status| status.phase.is_terminal()));
        let stalled = object.0.as_ref().ok().and_then(|backup| Stalled::of(backup)).map(|stalled| stalled.reason);
        let before = self.locked().entry(key.clone()).or_default().insert(name, stalled.clone()).flatten();
        if live && (ended || stalled != before) {
            self.wake(&key);
        }
    }

    fn wake(&self, (namespace, name): &Key) {
        // A closed channel means that the process is about to end.
        let _ = self.wake.unbounded_send(ObjectRef::new(name).within(namespace));
    }

    /// The backups that carry the schedule's name. One that does not deserialise is left out.
    pub fn of(&self, namespace: &str, schedule: &str) -> Vec<Arc<GuardedBackup>> {
        let key = (namespace.to_owned(), schedule.to_owned());
        let names = self.locked().get(&key).cloned().unwrap_or_default();
        let caches = self.caches.get().map(|(caches, _)| caches.as_slice()).unwrap_or_default();
        let found = names.keys().filter_map(|name| {
            let reference = ObjectRef::<GuardedBackup>::new(name).within(namespace);
            caches.iter().find_map(|cache| cache.get(&reference))
        });
        // A label may have been taken away since.
        found.filter(|object| of_schedule(object).is_some_and(|(found, _)| found == key)).collect()
    }

    /// The backup of that name, whoever made it; none if it is not in the caches, or does not deserialise.
    pub fn named(&self, namespace: &str, name: &str) -> Option<Arc<RdsBackup>> {
        let (caches, _) = self.caches.get()?;
        let reference = ObjectRef::<GuardedBackup>::new(name).within(namespace);
        caches.iter().find_map(|cache| cache.get(&reference))?.0.as_ref().ok().cloned()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Names>> {
        self.by_schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schedule that the object names, and the object's own name.
fn of_schedule(object: &GuardedBackup) -> Option<(Key, String)> {
    let meta = object.meta();
    let schedule = meta.labels.as_ref()?.get(SCHEDULE_NAME_LABEL)?;
    Some(((meta.namespace.clone()?, schedule.clone()), meta.name.clone()?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(phase: &str, stalled: Option<&str>, message: &str) -> watcher::Event<GuardedBackup> {
        let time = "2027-01-15T08:00:00Z";
        let of =
            |reason: &str| json!({ "type": "Stalled", "status": "True", "reason": reason, "message": message, "lastTransitionTime": time });
        let conditions: Vec<Value> = stalled.map(of).into_iter().collect();
        let object = json!({
            "metadata": { "name": "nightly-1", "namespace": "team-a", "labels": { "rdsbackup.io/schedule-name": "nightly" } },
            "spec": { "dbInstanceId": "rm-1" }, "status": { "observedGeneration": 1, "phase": phase, "conditions": conditions },
        });
        watcher::Event::Apply(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_schedule_is_woken_when_a_backup_begins_or_ceases_to_need_a_person_and_when_it_ends() {
        let (wake, mut woken) = mpsc::unbounded();
        let children = Children::new(wake);
        for (phase, stalled, message, wakes) in [
            ("Pending", None, "", false),
            ("Pending", Some("NotAllowed"), "a", true),
            ("Pending", Some("NotAllowed"), "b", false),
            ("Pending", Some("AccessDenied"), "b", true),
            ("Queued", None, "", true),
            ("Running", None, "", false),
            ("Failed", Some("BackupFailed"), "", true),
        ] {
            children.saw(&event(phase, stalled, message));
            let found = woken.try_recv().ok().map(|schedule| (schedule.namespace, schedule.name));
            let wanted = wakes.then(|| (Some("team-a".to_owned()), "nightly".to_owned()));
            assert_eq!(found, wanted, "{phase} {stalled:?} {message}");
        }
    }
}
