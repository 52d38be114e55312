use std::{fmt, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{error::RunError, listen::listen, readiness::Readiness};
use crate::{
    api::NAMESPACE_SUBMISSIONS_ANNOTATION,
    backup::Context,
    metrics::{Format, Metrics},
};

/// What is served.
pub struct Served {
    readiness: Arc<Readiness>,
    context: Arc<Context>,
    metrics: Metrics,
}

impl Served {
    pub(super) fn new(context: Arc<Context>, readiness: Arc<Readiness>, metrics: Metrics) -> Self {
        Self { readiness, context, metrics }
    }

    /// What `/readyz` says, and whether the operator is ready. `verbose` adds what concerns a part of the work only, one line each.
    pub fn readiness(&self, verbose: bool) -> (bool, String) {
        let blocker = self.readiness.blocker();
        let is_ready = blocker.is_none();
        let mut lines = vec![blocker.unwrap_or_else(|| "ok".to_owned())];
        if verbose {
            lines.extend(self.readiness.details());
            lines.extend(self.limits_of_sight());
            lines.extend(self.unseen_pauses());
        }
        (is_ready, format!("{}\n", lines.join("\n")))
    }

    /// What `/metrics` says.
    ///
    /// # Errors
    /// Never in practice: nothing can fail that writes into memory.
    pub fn metrics(&self, format: Format) -> Result<String, fmt::Error> {
        self.metrics.scrape(format)
    }

    /// Where an annotation has no effect.
    fn unseen_pauses(&self) -> impl Iterator<Item = String> {
        let unseen = self.context.cluster.unseen_pauses().into_iter();
        unseen.map(|name| format!("namespace {name}: the operator may not read the Namespace, so {NAMESPACE_SUBMISSIONS_ANNOTATION} there pauses nothing: grant get on it"))
    }

    /// What other operators of this cluster may do unseen.
    fn limits_of_sight(&self) -> Option<String> {
        let sees_all = self.context.cluster.namespaces().reads_everywhere()?;
        (!sees_all).then(|| {
            "the operator may not list the RdsBackups of the whole cluster, so it cannot see the requests of other operators: no instance may be in the allow-list of two".to_owned()
        })
    }
}

/// Serves /healthz, /readyz and /metrics until `stop`.
pub(super) async fn serve(address: SocketAddr, served: Served, stop: CancellationToken) -> Result<(SocketAddr, JoinHandle<()>), RunError> {
    let (listener, address) = listen(address).await?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(Arc::new(served));
    info!(%address, "serving health and metrics");
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the process, and is joined at its end")]
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
            warn!(%error, "health and metrics are no longer served");
        }
    });
    Ok((address, task))
}

async fn ready(State(served): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")));
    let (is_ready, text) = served.readiness(verbose);
    (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

async fn scrape(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    // A client may send several of these headers.
    let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::of_accept(Some(&accepted.join(",")));
    match served.metrics(format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
