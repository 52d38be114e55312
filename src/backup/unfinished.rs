//! The unfinished objects of each instance, found without looking through all objects.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use kube::{
    Resource,
    runtime::{
        reflector::{self, ObjectRef},
        watcher,
    },
};

use super::siblings;
use crate::{api::RdsBackup, controller};

/// An object of the watch; one that does not deserialise is an `Err` of its own and never stops the watch.
pub type Guarded = controller::Guarded<RdsBackup>;

/// Namespace and name.
type Key = (String, String);

/// The unfinished objects by their instance, kept by the watch. Those that do not deserialise are among them.
#[derive(Default)]
pub struct Unfinished(Mutex<HashMap<String, BTreeSet<Key>>>);

impl Unfinished {
    /// Takes note of an event of the watch of a namespace, or of all (`None`), after its cache has.
    pub fn saw(&self, event: &watcher::Event<Guarded>, namespace: Option<&str>, cache: &reflector::Store<Guarded>) {
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) if is_unfinished(object) => {
                if let (Some(instance), Some(key)) = (instance_of(object), key_of(object)) {
                    self.locked().entry(instance.to_owned()).or_default().insert(key);
                }
            }
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) | watcher::Event::Delete(object) => self.remove(object),
            watcher::Event::Init => {}
            // What was deleted while the watch was broken is in no event, and not in the list.
            watcher::Event::InitDone => {
                let is_listed = |key: &Key| {
                    namespace.is_some_and(|namespace| namespace != key.0) || cache.get(&ObjectRef::new(&key.1).within(&key.0)).is_some()
                };
                self.locked().values_mut().for_each(|keys| keys.retain(is_listed));
            }
        }
    }

    /// The unfinished objects of an instance, as these caches show them.
    pub fn of(&self, instance: &str, caches: &[reflector::Store<Guarded>]) -> Vec<Arc<Guarded>> {
        let keys = self.locked().get(instance).cloned().unwrap_or_default();
        let cached = keys.iter().filter_map(|(namespace, name)| {
            let reference = ObjectRef::<Guarded>::new(name).within(namespace);
            caches.iter().find_map(|cache| cache.get(&reference))
        });
        // While a list is on its way the cache shows what was before it.
        cached.filter(|object| is_unfinished(object) && instance_of(object) == Some(instance)).collect()
    }

    /// Forgets the instances that have no unfinished object.
    pub fn sweep(&self) {
        self.locked().retain(|_, keys| !keys.is_empty());
    }

    fn remove(&self, object: &Guarded) {
        if let (Some(instance), Some(key)) = (instance_of(object), key_of(object))
            && let Some(keys) = self.locked().get_mut(instance)
        {
            keys.remove(&key);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, BTreeSet<Key>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_unfinished(object: &Guarded) -> bool {
    match &object.0 {
        Ok(object) => siblings::is_unfinished(object),
        Err(unreadable) => !siblings::has_ended(unreadable),
    }
}

fn instance_of(object: &Guarded) -> Option<&str> {
    match &object.0 {
        Ok(object) => Some(&object.spec.db_instance_id),
        Err(unreadable) => unreadable.instance.as_deref(),
    }
}

fn key_of(object: &Guarded) -> Option<Key> {
    let meta = object.meta();
    Some((meta.namespace.clone()?, meta.name.clone()?))
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store::Writer;
    use serde_json::json;

    use super::*;

    fn object(name: &str, instance: &str, phase: &str) -> Guarded {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "team-a" }, "spec": { "dbInstanceId": instance }, "status": { "observedGeneration": 1, "phase": phase },
        }))
        .unwrap()
    }

    fn names(unfinished: &Unfinished, instance: &str, cache: &reflector::Store<Guarded>) -> Vec<String> {
        unfinished.of(instance, std::slice::from_ref(cache)).iter().filter_map(|object| object.meta().name.clone()).collect()
    }

    #[test]
    fn the_watch_keeps_the_unfinished_objects_of_each_instance() {
        let (cache, mut writer): (_, Writer<Guarded>) = reflector::store();
        let unfinished = Unfinished::default();
        let mut see = |event: watcher::Event<Guarded>| {
            writer.apply_watcher_event(&event);
            unfinished.saw(&event, None, &cache);
        };
        see(watcher::Event::Init);
        for (name, phase) in [("a", "Queued"), ("b", "Succeeded"), ("c", "Restoring"), ("gone", "Queued")] {
            see(watcher::Event::InitApply(object(name, "rm-1", phase)));
            assert!(names(&unfinished, "rm-1", &cache).is_empty(), "the cache shows nothing yet");
        }
        see(watcher::Event::InitDone);
        see(watcher::Event::Apply(object("d", "rm-2", "Running")));
        assert_eq!(names(&unfinished, "rm-1", &cache), ["a", "c", "gone"], "one that cannot be read is among them");
        see(watcher::Event::Apply(object("a", "rm-1", "Failed")));
        see(watcher::Event::Delete(object("d", "rm-2", "Running")));
        assert_eq!((names(&unfinished, "rm-1", &cache).len(), names(&unfinished, "rm-2", &cache).len()), (2, 0));
        // The watch broke, and its next list does not have one of them.
        see(watcher::Event::Init);
        see(watcher::Event::InitApply(object("c", "rm-1", "Restoring")));
        see(watcher::Event::InitDone);
        unfinished.sweep();
        assert_eq!(names(&unfinished, "rm-1", &cache), ["c"]);
        assert_eq!(unfinished.locked().values().flatten().count(), 1);
    }
}
