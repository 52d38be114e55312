//! The operator itself, once its configuration and its environment have been read. The process and the tests use the same one; tests pass
//! in a simulated API server, cloud and clock.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{FutureExt, channel::mpsc};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    controllers::{self, Wake},
    coverage,
    error::RunError,
    health::{self, Served},
    live::{Live, warn_of_unusable},
    native_windows::{self, Waking},
    readiness::Readiness,
};
use crate::{
    accounts::{Accounts, ClientDeps, Sources},
    api::{RdsBackup, RdsBackupSchedule, Reason},
    audit::Audits,
    backup::{self, Context, Counts, InstanceLocks, Noted, PASSES, Unfinished},
    config::Config,
    controller::{Cluster, CreationBurst, Fence, KubeRequests, ObjectTracker, Scope, ServerClock, answering},
    coverage::Listings,
    metrics::{self, ConfigState, Metrics},
    schedule,
};

/// How long the work under way may take to end after the signal. Kubernetes kills the process after 30 s.
const DRAIN: Duration = Duration::from_secs(20);

/// How often the memory kept for deleted objects is freed.
const SWEEP: Duration = Duration::from_secs(300);

/// What the operator is given to work with.
pub struct Deps {
    /// The API server.
    pub client: kube::Client,
    /// The namespaces to watch.
    pub scope: Scope,
    /// The operator's own namespace: where its Secrets are.
    pub namespace: String,
    /// The operator's name in events.
    pub instance: String,
    /// The clock, the source of randomness and the transport to the cloud.
    pub client_deps: ClientDeps,
    /// Closed while another replica leads: then nothing new is begun.
    pub fence: Fence,
    /// Stops the operator when cancelled: it takes no new work and finishes the work under way.
    pub stop: CancellationToken,
}

/// Everything that works on objects. Health and metrics are served outside of it.
pub struct Operator {
    client: kube::Client,
    scope: Scope,
    stop: CancellationToken,
    config: Arc<ConfigState>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) backups: Arc<Context>,
    schedules: Arc<schedule::Context>,
    listings: Arc<Listings>,
    woken_backups: Wake<RdsBackup>,
    woken_schedules: Wake<RdsBackupSchedule>,
    wake_schedule: Waking,
}

impl Operator {
    /// Sets the operator up, without a request to the API server or the cloud. `variable` reads an environment variable.
    pub fn new(config: Config, deps: Deps, variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let Deps { client, scope, namespace, instance, client_deps, fence, stop } = deps;
        let server_clock = ServerClock::default();
        let client = server_clock.reading(client);
        let Config { submissions, accounts, metrics: metrics_settings } = config;
        warn_of_unusable(&accounts, |_| true);
        let (wake, woken_backups) = mpsc::unbounded();
        let (wake_schedule, woken_schedules) = mpsc::unbounded();
        let tasks = TaskTracker::new();
        let sources = Sources::new(client.clone(), &namespace, variable, client_deps.clone());
        let cluster = Cluster::new(client.clone(), scope.clone(), instance, fence);
        let (clock, entropy) = (client_deps.clock.clone(), client_deps.entropy.clone());
        let config = Arc::new(ConfigState::new(metrics_settings, clock.now()));
        let (burst, audits) = (CreationBurst::default(), Audits::default());
        let schedules = Arc::new(schedule::Context {
            cluster: cluster.clone(),
            children: schedule::Children::new(wake_schedule.clone()),
            caches: OnceLock::new(),
            listed: OnceLock::new(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            server_clock: server_clock.clone(),
            tracker: ObjectTracker::default(),
            burst: burst.clone(),
            objectives: schedule::Objectives::default(),
            counts: schedule::Counts::default(),
            audits: audits.clone(),
            native_windows: schedule::NativeWindows::default(),
        });
        let accounts = Accounts::new(accounts, submissions, move |settings, namespace| sources.of(settings, namespace), client_deps);
        let counts = Counts::of_accounts(accounts.names());
        let backups = Arc::new(Context {
            cluster,
            accounts,
            tracker: ObjectTracker::default(),
            locks: InstanceLocks::default(),
            ended: Noted::default(),
            too_large: Noted::default(),
            unfinished: Unfinished::default(),
            caches: OnceLock::new(),
            listed: OnceLock::new(),
            wake,
            tasks,
            clock,
            server_clock,
            burst,
            entropy,
            audits,
            counts,
            passes: Arc::new(Semaphore::new(PASSES)),
        });
        let readiness = Arc::new(Readiness::default());
        let listings = Arc::new(Listings::default());
        Self { client, scope, stop, config, readiness, backups, schedules, listings, woken_backups, woken_schedules, wake_schedule }
    }

    /// What takes another configuration while the operator runs.
    pub fn live(&self) -> Live {
        Live::new(self.backups.clone(), self.config.clone())
    }

    /// Serves `/healthz`, `/readyz` and `/metrics` until `stop` is cancelled; returns the address, and the task that serves.
    ///
    /// # Errors
    /// Nothing can be served at the address.
    pub async fn serve_health(
        &self,
        address: SocketAddr,
        kube_requests: KubeRequests,
        stop: CancellationToken,
    ) -> Result<(SocketAddr, JoinHandle<()>), RunError> {
        health::serve(address, self.served(kube_requests), stop).await
    }

    /// What is served there.
    pub fn served(&self, kube_requests: KubeRequests) -> Served {
        let (backups, schedules) = (self.backups.clone(), self.schedules.clone());
        let metrics = Metrics::new(metrics::Sources {
            backups,
            schedules,
            listings: self.listings.clone(),
            kube_requests,
            config: self.config.clone(),
        });
        Served::new(self.backups.clone(), self.readiness.clone(), metrics)
    }

    /// Works until `stop` is cancelled, and then until the work under way has ended, at most 20 s.
    pub async fn run(self) {
        let Self { client, scope, stop, config: _, readiness, backups, schedules, listings, woken_backups, woken_schedules, wake_schedule } =
            self;
        let held = backups.clone();
        let waits_for_claims =
            |object: &RdsBackup| object.status.as_ref().and_then(|status| status.ready_reason()) == Some(Reason::ClaimsUnreadable.as_str());
        let runtime = controllers::Runtime {
            client: answering(client),
            cluster: backups.cluster.clone(),
            scope: &scope,
            readiness,
            namespace_opened: Arc::new(move || held.wake_where(waits_for_claims)),
            stop: stop.clone(),
        };
        let controllers = controllers::run(runtime, backups.clone(), schedules.clone(), woken_backups, woken_schedules);
        let sweep = sweep(&backups, &schedules).fuse();
        let audit = backup::audit(backups.clone()).fuse();
        let coverage = coverage::run(backups.clone(), listings).fuse();
        let native_windows = native_windows::run(backups.clone(), schedules.clone(), wake_schedule).fuse();
        futures::pin_mut!(controllers, sweep, audit, coverage, native_windows);
        futures::select! {
            // The controllers end by themselves on `stop`, so this arm and the last one may be ready at once.
            () = (&mut controllers).fuse() => drained(&backups.tasks).await,
            () = sweep => {}
            () = coverage => {}
            () = native_windows => {}
            () = audit => {}
            () = stop.cancelled().fuse() => {
                info!("stopping: the operator takes no new work and finishes the work under way");
                drain(controllers, &backups.tasks).await;
            }
        }
    }
}

/// Waits for the passes and the requests that are under way, at most [`DRAIN`].
async fn drain(controllers: impl Future<Output = ()>, tasks: &TaskTracker) {
    let all = async {
        controllers.await;
        tasks.close();
        tasks.wait().await;
    };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        warn!("the work under way did not end within {} s; the operator resolves it at its next start", DRAIN.as_secs());
    }
}

/// Waits for the requests that are under way, after the passes were dropped.
pub(super) async fn drained(tasks: &TaskTracker) {
    drain(std::future::ready(()), tasks).await;
}

/// Frees the memory kept for deleted objects: they are never reconciled again, so no pass can do it. Never ends.
async fn sweep(context: &Context, schedules: &schedule::Context) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let uids: HashSet<String> = context.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        context.tracker.sweep(|uid| uids.contains(uid));
        context.ended.sweep(|uid| uids.contains(uid));
        context.too_large.sweep(|uid| uids.contains(uid));
        context.audits.sweep(|uid| uids.contains(uid));
        let namespaces: HashSet<String> =
            context.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).namespace.clone()).collect();
        context.cluster.forget_namespaces(|namespace| namespaces.contains(namespace));
        context.accounts.forget_namespaces(|namespace| namespaces.contains(namespace));
        context.unfinished.sweep();
        context.locks.sweep();
        let uids: HashSet<String> = schedules.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        schedules.tracker.sweep(|uid| uids.contains(uid));
        schedules.objectives.sweep(|uid| uids.contains(uid));
    }
}
