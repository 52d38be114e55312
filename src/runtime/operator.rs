//! The operator itself, once its configuration and its environment have been read: the same for the process and for tests, which give it an
//! API server, a cloud and a clock of their own.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{FutureExt, channel::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    controllers::{self, Wake},
    readiness::Readiness,
};
use crate::{
    accounts::{AccountSettings, Accounts, ClientDeps, CredentialsSettings, Source},
    api::{RdsBackup, RdsBackupSchedule},
    backup::{Context, Counters, Ended, InstanceLocks},
    config::Config,
    controller::{Cluster, Fence, ObjectTracker, Scope, answering},
    schedule,
};

/// How long the work under way may take to end after the signal. Kubernetes kills after 30 s.
const DRAIN: Duration = Duration::from_secs(20);

/// How often memory of objects that no longer exist is given back.
const SWEEP: Duration = Duration::from_secs(300);

/// Where the operator runs.
pub struct Deps {
    /// The API server.
    pub client: kube::Client,
    /// The namespaces to watch.
    pub scope: Scope,
    /// The operator's own namespace: where its Secrets are.
    pub namespace: String,
    /// The operator's name in events.
    pub instance: String,
    /// The clock, the dice and the way to the cloud.
    pub client_deps: ClientDeps,
    /// Shut when nothing may be begun: another replica leads.
    pub fence: Fence,
    /// Ends it when cancelled: no new work is taken, what is under way is finished.
    pub stop: CancellationToken,
}

/// Everything that works on objects. Health and metrics are served beside it.
pub struct Operator {
    client: kube::Client,
    scope: Scope,
    stop: CancellationToken,
    pub(super) readiness: Arc<Readiness>,
    pub(super) backups: Arc<Context>,
    schedules: Arc<schedule::Context>,
    woken_backups: Wake<RdsBackup>,
    woken_schedules: Wake<RdsBackupSchedule>,
}

impl Operator {
    /// Sets it up; nothing is asked yet. `variable` reads the environment.
    pub fn new(config: Config, deps: Deps, variable: impl Fn(&str) -> Option<String>) -> Self {
        let Deps { client, scope, namespace, instance, client_deps, fence, stop } = deps;
        let Config { submissions, accounts } = config;
        warn_of_unusable(&accounts);
        let (wake, woken_backups) = mpsc::unbounded();
        let (wake_schedule, woken_schedules) = mpsc::unbounded();
        let tasks = TaskTracker::new();
        let source = |settings: &AccountSettings| match &settings.credentials {
            CredentialsSettings::Auto {} => Source::environment(&variable),
            CredentialsSettings::Secret { name } => Source::secret(client.clone(), &namespace, name),
        };
        let cluster = Cluster::new(client.clone(), scope.clone(), instance, fence);
        let (clock, entropy) = (client_deps.clock.clone(), client_deps.entropy.clone());
        let schedules = Arc::new(schedule::Context {
            cluster: cluster.clone(),
            children: schedule::Children::new(wake_schedule),
            caches: OnceLock::new(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            desk: schedule::Desk::default(),
        });
        let backups = Arc::new(Context {
            cluster,
            accounts: Accounts::new(accounts, submissions, source, client_deps),
            tracker: ObjectTracker::default(),
            locks: InstanceLocks::default(),
            ended: Ended::default(),
            caches: OnceLock::new(),
            wake,
            tasks,
            clock,
            entropy,
            counters: Counters::default(),
        });
        let readiness = Arc::new(Readiness::default());
        Self { client, scope, stop, readiness, backups, schedules, woken_backups, woken_schedules }
    }

    /// Works until it is stopped, and then until what is under way has ended.
    pub async fn run(self) {
        let Self { client, scope, stop, readiness, backups, schedules, woken_backups, woken_schedules } = self;
        let runtime = controllers::Runtime { client: answering(client), scope: &scope, readiness, stop: stop.clone() };
        let controllers = controllers::run(runtime, backups.clone(), schedules.clone(), woken_backups, woken_schedules);
        let sweep = sweep(&backups, &schedules).fuse();
        futures::pin_mut!(controllers, sweep);
        futures::select! {
            // Both this and the stop may be ready at once.
            () = (&mut controllers).fuse() => drained(&backups.tasks).await,
            () = sweep => {}
            () = stop.cancelled().fuse() => {
                info!("stopping: no new work is taken, what is under way is finished");
                drain(controllers, &backups.tasks).await;
            }
        }
    }
}

/// Waits for the passes and requests that are under way.
async fn drain(controllers: impl Future<Output = ()>, tasks: &TaskTracker) {
    let all = async {
        controllers.await;
        tasks.close();
        tasks.wait().await;
    };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        warn!("what was under way did not end within {} s; the next start resolves it", DRAIN.as_secs());
    }
}

/// Waits for the requests that are under way, once the passes were dropped.
pub(super) async fn drained(tasks: &TaskTracker) {
    drain(std::future::ready(()), tasks).await;
}

/// An account that nobody may use is valid, and most likely a mistake.
fn warn_of_unusable(accounts: &BTreeMap<String, AccountSettings>) {
    for (name, settings) in accounts {
        if settings.allow.is_empty() {
            warn!(account = name.as_str(), "the account's allow-list is empty: nobody may use it");
        }
    }
}

/// Deleted objects are never reconciled again, so their memory is given back here. Never ends.
async fn sweep(context: &Context, schedules: &schedule::Context) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let uids: HashSet<String> = context.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        context.tracker.sweep(|uid| uids.contains(uid));
        context.ended.sweep(|uid| uids.contains(uid));
        context.locks.sweep();
        let uids: HashSet<String> = schedules.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        schedules.desk.sweep(|uid| uids.contains(uid));
    }
}
