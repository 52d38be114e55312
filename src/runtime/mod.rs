//! The process around the reconcile loop: the client of the API server, the watches, health and metrics, and a shutdown that drains.

mod controllers;
mod environment;
mod health;
mod metrics;
mod operator;
mod readiness;

use std::{net::SocketAddr, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::info;

pub use operator::{Operator, Place};

use crate::{accounts::Surroundings, api::FIELD_MANAGER, clock::Clock, cluster::Scope, config::Config, entropy::Entropy};
use environment::Environment;

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
    let place = Place {
        client,
        scope: scope.clone(),
        namespace: namespace.clone(),
        instance: environment.instance.clone(),
        surroundings: Surroundings { clock: Clock::system(), entropy: Entropy::system(), carrier: None },
        stop: stop.clone(),
    };
    let operator = Operator::new(options.config, place, |key| environment.get(key));
    let health = health::serve(options.health_addr, operator.backups.clone(), operator.readiness.clone(), stop.clone()).await?;
    info!(version = env!("CARGO_PKG_VERSION"), %server, %namespace, scope = %scope, "{FIELD_MANAGER} starts");
    operator.run().await;
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), health).await;
    info!("stopped");
    Ok(())
}

fn scope(namespaces: Vec<String>) -> Scope {
    let mut namespaces: Vec<String> = namespaces.into_iter().filter(|name| !name.is_empty()).collect();
    namespaces.sort();
    namespaces.dedup();
    if namespaces.is_empty() { Scope::Cluster } else { Scope::Namespaces(namespaces) }
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
