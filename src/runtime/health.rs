use std::{net::SocketAddr, sync::Arc};

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

struct Served {
    readiness: Arc<Readiness>,
    context: Arc<Context>,
    metrics: Metrics,
}

impl Served {
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
pub(super) async fn serve(
    address: SocketAddr,
    context: Arc<Context>,
    readiness: Arc<Readiness>,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(SocketAddr, JoinHandle<()>), RunError> {
    let (listener, address) = listen(address).await?;
    let served = Arc::new(Served { readiness, context, metrics });
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(served);
    info!(%address, "serving health and metrics");
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the process, and is joined at its end")]
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
            warn!(%error, "health and metrics are no longer served");
        }
    });
    Ok((address, task))
}

/// `?verbose` adds what concerns a part of the work only, one line each.
async fn ready(State(served): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let blocker = served.readiness.blocker();
    let status = if blocker.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut lines = vec![blocker.unwrap_or_else(|| "ok".to_owned())];
    if query.is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose"))) {
        lines.extend(served.readiness.details());
        lines.extend(served.limits_of_sight());
        lines.extend(served.unseen_pauses());
    }
    (status, format!("{}\n", lines.join("\n"))).into_response()
}

async fn scrape(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    // A client may send several of these headers.
    let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::of_accept(Some(&accepted.join(",")));
    match served.metrics.scrape(format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
