//! The process around the reconcile loop: the client of the API server, leader election, watches, health, metrics, and a shutdown that
//! finishes the work under way.

mod controllers;
mod coverage;
mod credential_check;
mod environment;
mod error;
mod health;
mod install;
mod lease;
mod listen;
mod live;
mod native_windows;
mod operator;
mod readiness;
mod reload;
mod served_schema;
mod unreadable;
mod waiting;

use std::{net::SocketAddr, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::info;

pub use environment::get as environment_variable;
pub use error::RunError;
pub use health::Served;
pub use live::{Live, Taken};
pub use operator::{Deps, Operator};
pub use reload::ConfigFile;
pub use waiting::wait_for_config;

use crate::{
    accounts::ClientDeps,
    api::FIELD_MANAGER,
    clock::Clock,
    config::Config,
    controller::{Fence, KubeRequests, Scope},
    entropy::Entropy,
};
use environment::Environment;
use install::Install;
use lease::Candidate;

/// The options of `run`, after the configuration file was read.
pub struct Options {
    /// The checked configuration.
    pub config: Config,
    /// The file that it was read from.
    pub file: ConfigFile,
    /// The namespaces to watch; none stands for all.
    pub watch_namespaces: Vec<String>,
    /// Whether the operator works only while it holds the lease, so that several replicas may run.
    pub leader_elect: bool,
    /// The namespace of the lease. None: `kube-system` for an operator of all namespaces, else the operator's own.
    pub lease_namespace: Option<String>,
    /// Where health and metrics are served.
    pub health_addr: SocketAddr,
}

/// Runs the operator until `stop` is cancelled, then finishes the work under way.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), RunError> {
    // This fails when a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = Environment::read();

    let mut cluster = kube::Config::infer().await?;
    // With this retry kube would repeat a request for minutes; every call here has its own timeout and its own retry.
    cluster.default_retry = false;
    let namespace = environment.namespace.clone().unwrap_or_else(|| cluster.default_namespace.clone());
    let server = cluster.cluster_url.to_string();
    let kube_requests = KubeRequests::default();
    let client = kube_requests.counting(kube::Client::try_from(cluster)?);

    let scope = scope(options.watch_namespaces);
    let entropy = Entropy::system();
    let fence = if options.leader_elect { Fence::shut() } else { Fence::none() };
    let deps = Deps {
        client: client.clone(),
        scope: scope.clone(),
        namespace: namespace.clone(),
        instance: environment.instance.clone(),
        client_deps: ClientDeps { clock: Clock::system(), entropy: entropy.clone(), transport: None },
        fence: fence.clone(),
        stop: stop.clone(),
    };
    let operator = Operator::new(options.config, deps, environment::get);
    let (_, health) = operator.serve_health(options.health_addr, kube_requests, stop.clone()).await?;
    info!(version = env!("CARGO_PKG_VERSION"), %server, %namespace, scope = %scope, "{FIELD_MANAGER} starts");
    let credential_check = credential_check::run(operator.backups.clone(), operator.readiness.clone());
    #[expect(clippy::disallowed_methods, reason = "it is aborted at the end")]
    let credential_check = tokio::spawn(credential_check);
    served_schema::not_compared_yet(&operator.readiness);
    let served_schema = served_schema::run(client.clone(), operator.readiness.clone());
    #[expect(clippy::disallowed_methods, reason = "it is aborted at the end")]
    let served_schema = tokio::spawn(served_schema);
    let reload = reload::run(options.file, operator.live(), operator.readiness.clone());
    #[expect(clippy::disallowed_methods, reason = "it is aborted at the end")]
    let reload = tokio::spawn(reload);
    let mut lost = None;
    if options.leader_elect {
        // The pod's name alone is not enough: a request of the pod's previous process may still be under way.
        let process = format!("{}_{}", environment.instance, entropy.nonce());
        let lease_namespace = options.lease_namespace.unwrap_or_else(|| lease::namespace_of(&scope, &namespace).to_owned());
        let install = Install { namespace, name: environment.install_name };
        let candidate = Candidate::new(client, &lease_namespace, &scope, install, &process, fence, operator.readiness.clone());
        let (tasks, lease) = (operator.backups.tasks.clone(), candidate.lease());
        if candidate.lead(operator.run(), &stop).await == lease::Ended::Lost {
            operator::drained(&tasks).await;
            lost = Some(lease);
        }
    } else {
        operator.run().await;
    }
    stop.cancel();
    credential_check.abort();
    reload.abort();
    served_schema.abort();
    let _ = tokio::time::timeout(Duration::from_secs(1), health).await;
    info!("stopped");
    lost.map_or(Ok(()), |lease| Err(RunError::LeaseLost(lease)))
}

fn scope(namespaces: Vec<String>) -> Scope {
    let mut namespaces: Vec<String> = namespaces.into_iter().filter(|name| !name.is_empty()).collect();
    namespaces.sort();
    namespaces.dedup();
    if namespaces.is_empty() { Scope::Cluster } else { Scope::Namespaces(namespaces) }
}

/// A token that SIGTERM and SIGINT cancel. Fails when signals cannot be received.
pub fn stop_on_signal() -> Result<CancellationToken, RunError> {
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
