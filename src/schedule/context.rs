use std::sync::{Arc, OnceLock};

use kube::runtime::reflector;
use tokio_util::task::TaskTracker;

use super::{
    children::{Children, Guarded},
    counts::Counts,
    native::NativeWindows,
    objectives::Objectives,
    state::ObjectState,
};
use crate::{
    audit::Audits,
    clock::Clock,
    controller::{Cluster, CreationBurst, InitialSync, ObjectTracker, ServerClock},
};

/// What every pass works with.
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// The backups of each schedule.
    pub children: Children,
    /// The caches of the watches; set before the first pass.
    pub caches: OnceLock<Vec<reflector::Store<Guarded>>>,
    /// Which of the watches have listed their objects; set with the caches.
    pub listed: OnceLock<InitialSync>,
    /// What this process remembers about each schedule; one pass at a time works on it.
    pub tracker: ObjectTracker<ObjectState>,
    /// Whether many schedules create backups at this moment.
    pub burst: CreationBurst,
    /// What each schedule promises, for the metrics.
    pub objectives: Objectives,
    /// What cannot be computed from the objects.
    pub counts: Counts,
    /// What was found of the sets of succeeded backups.
    pub audits: Audits,
    /// The instances' own backup windows.
    pub native_windows: NativeWindows,
    /// Tasks that outlive the pass that began them; drained at shutdown.
    pub tasks: TaskTracker,
    /// The time.
    pub clock: Clock,
    /// The time of the API server.
    pub server_clock: ServerClock,
}

impl Context {
    /// All schedules of the caches.
    pub fn cached(&self) -> impl Iterator<Item = Arc<Guarded>> + '_ {
        self.caches.get().into_iter().flatten().flat_map(reflector::Store::state)
    }
}
