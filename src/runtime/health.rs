use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{error::RunError, metrics::Metrics, readiness::Readiness};
use crate::backup::Context;

struct Served {
    readiness: Arc<Readiness>,
    metrics: Metrics,
}

/// Serves /healthz, /readyz and /metrics until `stop`.
pub(super) async fn serve(
    address: SocketAddr,
    context: Arc<Context>,
    readiness: Arc<Readiness>,
    stop: CancellationToken,
) -> Result<JoinHandle<()>, RunError> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| RunError::Listen { address, source })?;
    let served = Arc::new(Served { readiness, metrics: Metrics::new(context) });
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(served);
    info!(%address, "serving health and metrics");
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the process, and is joined at its end")]
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
            warn!(%error, "health and metrics are no longer served");
        }
    });
    Ok(task)
}

async fn ready(State(served): State<Arc<Served>>) -> Response {
    match served.readiness.blocker() {
        None => "ok\n".into_response(),
        Some(blocker) => (StatusCode::SERVICE_UNAVAILABLE, format!("{blocker}\n")).into_response(),
    }
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    match served.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
