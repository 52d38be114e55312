use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::{core::DeserializeGuard, runtime::reflector};
use tokio::{
    sync::{Mutex as Lock, OwnedMutexGuard},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::task::TaskTracker;

use super::{
    Children,
    observation::Memory,
    spec::{Problem, ValidatedSpec},
};
use crate::{
    api::RdsBackupSchedule,
    clock::Clock,
    controller::{Cluster, Freshest},
};

/// A schedule of the watch; one that does not deserialise is an `Err` of its own and never stops the others.
pub type Guarded = DeserializeGuard<RdsBackupSchedule>;

/// More creations than this within [`BURST`] are a burst: statuses wait until it is over.
const BURST_SIZE: usize = 8;
const BURST: Duration = Duration::from_secs(2);

/// What every pass over a schedule works with.
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// The backups of each schedule.
    pub children: Children,
    /// The caches of the watches; set before the first pass.
    pub caches: OnceLock<Vec<reflector::Store<Guarded>>>,
    /// Tasks that outlive the pass that began them; drained at shutdown.
    pub tasks: TaskTracker,
    /// The time.
    pub clock: Clock,
    /// What this process remembers about each schedule.
    pub desk: Desk,
}

impl Context {
    /// All schedules of the caches.
    pub fn cached(&self) -> impl Iterator<Item = Arc<Guarded>> + '_ {
        self.caches.get().into_iter().flatten().flat_map(reflector::Store::state)
    }
}

/// The seats of all schedules, and how many backups were created just now.
#[derive(Default)]
pub struct Desk {
    seats: Mutex<HashMap<String, Arc<Lock<Seat>>>>,
    failures: Mutex<HashMap<String, u32>>,
    creations: Mutex<VecDeque<Instant>>,
}

/// What this process remembers about one schedule.
#[derive(Default)]
pub(super) struct Seat {
    pub memory: Memory,
    /// The validated spec of a generation, and the day on which it was made: `freshness` looks a year ahead.
    valid: Option<(i64, i64, Result<ValidatedSpec, Problem>)>,
    pub freshest: Freshest<RdsBackupSchedule>,
    /// A status waits for the end of a burst.
    pub deferred: bool,
    /// Objects beyond the limits are being deleted.
    pub deleting: Option<JoinHandle<()>>,
}

impl Desk {
    /// The seat of a schedule, once nobody else works on it.
    pub(super) async fn seat(&self, uid: &str) -> OwnedMutexGuard<Seat> {
        let seat = locked(&self.seats).entry(uid.to_owned()).or_default().clone();
        seat.lock_owned().await
    }

    /// A pass came to rest.
    pub(super) fn succeeded(&self, uid: &str) {
        locked(&self.failures).remove(uid);
    }

    /// A pass failed: 1 s, 2 s, 4 s ... up to a minute, counted per schedule.
    pub(super) fn failed(&self, uid: &str) -> Duration {
        let mut failures = locked(&self.failures);
        let count = failures.entry(uid.to_owned()).or_default();
        *count += 1;
        Duration::from_secs(1 << (*count - 1).min(6)).min(Duration::from_secs(60))
    }

    /// A backup was created.
    pub(super) fn created(&self) {
        let mut creations = locked(&self.creations);
        creations.push_back(Instant::now());
        if creations.len() > BURST_SIZE {
            creations.pop_front();
        }
    }

    /// Whether many schedules create backups at this moment.
    pub(super) fn is_burst(&self) -> bool {
        let creations = locked(&self.creations);
        creations.len() >= BURST_SIZE && creations.front().is_some_and(|oldest| oldest.elapsed() < BURST)
    }

    /// Forgets every schedule for which `exists` says no.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        locked(&self.seats).retain(|uid, seat| Arc::strong_count(seat) > 1 || exists(uid));
        locked(&self.failures).retain(|uid, _| exists(uid));
    }
}

impl Seat {
    /// What the spec asks for, worked out once for each generation and day.
    pub fn plan(&mut self, object: &RdsBackupSchedule, now: Timestamp) -> &Result<ValidatedSpec, Problem> {
        let (generation, day) = (object.metadata.generation.unwrap_or_default(), now.as_second().div_euclid(86_400));
        if self.valid.as_ref().is_some_and(|(g, d, _)| (*g, *d) != (generation, day)) {
            self.valid = None;
        }
        let (_, _, valid) = self.valid.get_or_insert_with(|| {
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            let name = object.metadata.name.as_deref().unwrap_or_default();
            (generation, day, ValidatedSpec::new(namespace, name, &object.spec, now))
        });
        valid
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
