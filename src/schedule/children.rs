//! The backups of each schedule, found without looking through all of them, and the request to reconcile a schedule when one of its
//! backups has ended.

use std::{
    collections::{BTreeSet, HashMap},
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

/// The backups of each schedule.
pub struct Children {
    by_schedule: Mutex<HashMap<Key, BTreeSet<String>>>,
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
        self.locked().entry(key.clone()).or_default().insert(name);
        if live && ended {
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
        let found = names.iter().filter_map(|name| {
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

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Key, BTreeSet<String>>> {
        self.by_schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schedule that the object names, and the object's own name.
fn of_schedule(object: &GuardedBackup) -> Option<(Key, String)> {
    let meta = object.meta();
    let schedule = meta.labels.as_ref()?.get(SCHEDULE_NAME_LABEL)?;
    Some(((meta.namespace.clone()?, schedule.clone()), meta.name.clone()?))
}
