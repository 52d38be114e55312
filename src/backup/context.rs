use std::sync::{Arc, OnceLock};

use futures::channel::mpsc;
use kube::runtime::reflector::{self, ObjectRef};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{
    counts::Counts,
    locks::{InstanceLocks, Noted},
    siblings,
    state::ObjectState,
    unfinished::{Guarded, Unfinished},
};
use crate::{
    accounts::Accounts,
    api::RdsBackup,
    audit::Audits,
    clock::Clock,
    controller::{Cluster, CreationBurst, InitialSync, ObjectTracker, ServerClock},
    entropy::Entropy,
};

/// What every pass works with.
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// The accounts of the configuration.
    pub accounts: Accounts,
    /// What this process remembers about each object; one pass at a time works on it.
    pub tracker: ObjectTracker<ObjectState>,
    /// The locks of the instances.
    pub locks: InstanceLocks,
    /// The objects whose end this process wrote.
    pub ended: Noted,
    /// The objects whose status the API server does not take, because the object would become too large.
    pub too_large: Noted,
    /// The unfinished objects of each instance.
    pub unfinished: Unfinished,
    /// The caches of the watches, one for each namespace of the scope; set before the first pass.
    pub caches: OnceLock<Vec<reflector::Store<Guarded>>>,
    /// Which of the watches have listed their objects; set with the caches.
    pub listed: OnceLock<InitialSync>,
    /// Objects that should be looked at now, because another of their instance came to its end.
    pub wake: mpsc::UnboundedSender<ObjectRef<Guarded>>,
    /// Tasks that outlive the pass that began them; drained at shutdown.
    pub tasks: TaskTracker,
    /// The time.
    pub clock: Clock,
    /// The time of the API server.
    pub server_clock: ServerClock,
    /// Whether many schedules create their backups now.
    pub burst: CreationBurst,
    /// The randomness.
    pub entropy: Entropy,
    /// What was found of the sets of succeeded objects.
    pub audits: Audits,
    /// What cannot be computed from the objects.
    pub counts: Counts,
    /// The passes that work at the same time. One that waits for the service is not among them: see [`super::policy::PASSES`].
    pub passes: Arc<Semaphore>,
}

impl Context {
    /// The unfinished objects of an instance that the caches show.
    pub fn unfinished_of(&self, instance: &str) -> Vec<Arc<Guarded>> {
        self.unfinished.of(instance, self.caches.get().map(Vec::as_slice).unwrap_or_default())
    }

    /// Has the unfinished objects looked at now that something depended on which has changed. What was read of their instances before that
    /// counts no more.
    pub fn wake_where(&self, depends: impl Fn(&RdsBackup) -> bool) {
        self.wake_each(depends, |object| {
            // Where a pass is under way, the next one comes within a minute.
            if let Some(mut state) = self.tracker.try_lock(object.metadata.uid.as_deref().unwrap_or_default()) {
                state.memory.preflight = None;
            }
        });
    }

    /// Has the unfinished objects decided anew now, by what was read of their instances before. Answers how many there are.
    pub fn decide_again_where(&self, depends: impl Fn(&RdsBackup) -> bool) -> usize {
        self.wake_each(depends, |_| {})
    }

    fn wake_each(&self, depends: impl Fn(&RdsBackup) -> bool, before: impl Fn(&RdsBackup)) -> usize {
        let mut woken = 0usize;
        for guarded in self.cached() {
            let Ok(object) = &guarded.0 else { continue };
            if !siblings::is_unfinished(object) || !depends(object) {
                continue;
            }
            before(object);
            let metadata = &object.metadata;
            let (name, namespace) = (metadata.name.as_deref().unwrap_or_default(), metadata.namespace.as_deref().unwrap_or_default());
            // A closed channel means that the process is about to end.
            let _ = self.wake.unbounded_send(ObjectRef::new(name).within(namespace));
            woken = woken.saturating_add(1);
        }
        woken
    }

    /// All objects of the caches: for what is told of all of them, not for a pass over one.
    pub fn cached(&self) -> impl Iterator<Item = Arc<Guarded>> + '_ {
        self.caches.get().into_iter().flatten().flat_map(reflector::Store::state)
    }
}
