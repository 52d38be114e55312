//! The process around the reconcile loop: the client of the API server, the watches, health and metrics, and a shutdown that drains.

mod controllers;
mod environment;
mod health;
mod metrics;
mod readiness;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt, channel::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    accounts::{AccountSettings, Accounts, CredentialsSettings, Source},
    api::FIELD_MANAGER,
    backup::{Context, Counters, Desk},
    clock::Clock,
    cluster::{Cluster, Scope},
    config::Config,
    entropy::Entropy,
    schedule,
};
use environment::Environment;
use readiness::Readiness;

/// How long the work under way may take to end after the signal. Kubernetes kills after 30 s.
const DRAIN: Duration = Duration::from_secs(20);

/// How often memory of objects that no longer exist is given back.
const SWEEP: Duration = Duration::from_secs(300);

/// What the process is started with.
pub struct Options {
    /// The checked configuration.
    pub config: Config,
    /// The namespaces to watch; none stands for all.
    pub watch_namespaces: Vec<String>,
    /// Where health and metrics are served.
    pub health_addr: SocketAddr,
}

/// Why the process ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No kubeconfig and no pod.
    #[error("there is no API server to talk to: set KUBECONFIG, or run in a pod with a ServiceAccount ({0})")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The client of the API server could not be made.
    #[error("the client of the API server cannot be made: {0}")]
    Client(#[from] kube::Error),
    /// The health server could not listen.
    #[error("health and metrics cannot be served on {address}: {source}; choose another --health-addr")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn run(options: Options) -> Result<(), RunError> {
    // Another part of the process may have chosen one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = stop_on_signal()?;
    let environment = Environment::read();

    let mut cluster = kube::Config::infer().await?;
    // kube would resend by itself for minutes; every call here has its own timeout and its own retry.
    cluster.default_retry = false;
    let namespace = environment.namespace.clone().unwrap_or_else(|| cluster.default_namespace.clone());
    let server = cluster.cluster_url.to_string();
    let client = kube::Client::try_from(cluster)?;

    let scope = scope(options.watch_namespaces);
    let readiness = Arc::new(Readiness::default());
    let (wake, woken_backups) = mpsc::unbounded();
    let (wake_schedule, woken_schedules) = mpsc::unbounded();
    let clock = Clock::system();
    let entropy = Entropy::system();
    let tasks = TaskTracker::new();
    let Config { submissions, accounts } = options.config;
    warn_of_unusable(&accounts);
    let source = |settings: &AccountSettings| match &settings.credentials {
        CredentialsSettings::Auto {} => Source::environment(|key| environment.get(key)),
        CredentialsSettings::Secret { name } => Source::secret(client.clone(), &namespace, name),
    };
    let cluster = Cluster::new(client.clone(), scope.clone(), environment.instance.clone());
    let schedules = Arc::new(schedule::Context {
        cluster: cluster.clone(),
        children: schedule::Children::new(wake_schedule),
        caches: std::sync::OnceLock::new(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        desk: schedule::Desk::default(),
    });
    let context = Arc::new(Context {
        cluster,
        accounts: Accounts::new(accounts, submissions, source, clock.clone(), entropy.clone()),
        desk: Desk::default(),
        caches: std::sync::OnceLock::new(),
        wake,
        tasks: tasks.clone(),
        clock,
        entropy,
        counters: Counters::default(),
    });

    let health = health::serve(options.health_addr, context.clone(), readiness.clone(), stop.clone()).await?;
    info!(version = env!("CARGO_PKG_VERSION"), %server, %namespace, scope = %scope, "{FIELD_MANAGER} starts");
    let runtime = controllers::Runtime { client, scope: &scope, readiness, stop: stop.clone() };
    let controllers = controllers::run(runtime, context.clone(), schedules.clone(), woken_backups, woken_schedules);
    let sweep = sweep(&context, &schedules).fuse();
    futures::pin_mut!(controllers, sweep);
    futures::select! {
        () = (&mut controllers).fuse() => {}
        () = sweep => {}
        () = stop.cancelled().fuse() => {
            info!("stopping: no new work is taken, what is under way is finished");
            if tokio::time::timeout(DRAIN, drain(controllers, &tasks)).await.is_err() {
                warn!("what was under way did not end within {} s; the next start resolves it", DRAIN.as_secs());
            }
        }
    }
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), health).await;
    info!("stopped");
    Ok(())
}

async fn drain(controllers: impl Future<Output = ()>, tasks: &TaskTracker) {
    controllers.await;
    tasks.close();
    tasks.wait().await;
}

fn scope(namespaces: Vec<String>) -> Scope {
    let mut namespaces: Vec<String> = namespaces.into_iter().filter(|name| !name.is_empty()).collect();
    namespaces.sort();
    namespaces.dedup();
    if namespaces.is_empty() { Scope::Cluster } else { Scope::Namespaces(namespaces) }
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
        let uids: std::collections::HashSet<String> =
            context.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        context.desk.sweep(|uid| uids.contains(uid));
        let uids: std::collections::HashSet<String> =
            schedules.cached().filter_map(|object| kube::Resource::meta(object.as_ref()).uid.clone()).collect();
        schedules.desk.sweep(|uid| uids.contains(uid));
    }
}

/// A token that SIGTERM and SIGINT cancel.
fn stop_on_signal() -> Result<CancellationToken, RunError> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the process")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}
