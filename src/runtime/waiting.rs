//! A pod whose configuration cannot be used: /readyz says why, and the operator starts as soon as the file is valid.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{error::RunError, listen::listen};
use crate::config::{Config, ConfigError, ConfigText};

/// The time between two reads of the file. A kubelet updates a mounted ConfigMap within about a minute.
const PAUSE: Duration = Duration::from_secs(2);

/// Reads the file until it is valid: what it says, and its text. None if `stop` is cancelled before. Meanwhile /healthz answers 200, because a restart would not help,
/// and /readyz answers 503 with the mistake.
pub async fn wait_for_config(
    path: &Path,
    health_addr: SocketAddr,
    stop: &CancellationToken,
) -> Result<Option<(Config, ConfigText)>, RunError> {
    let mut wrong = match read(path) {
        Ok(found) => return Ok(Some(found)),
        Err(wrong) => wrong.to_string(),
    };
    let said = Arc::new(Mutex::new(wrong.clone()));
    let served = CancellationToken::new();
    let serving = serve(health_addr, said.clone(), served.clone()).await?;
    error!("{wrong}");
    let found = loop {
        tokio::select! {
            () = stop.cancelled() => break None,
            () = tokio::time::sleep(PAUSE) => {}
        }
        match read(path) {
            Ok(found) => break Some(found),
            Err(still) if still.to_string() == wrong => {}
            Err(other) => {
                wrong = other.to_string();
                error!("{wrong}");
                said.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&wrong);
            }
        }
    };
    served.cancel();
    // The operator binds the same address next.
    let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
    Ok(found)
}

fn read(path: &Path) -> Result<(Config, ConfigText), ConfigError> {
    let text = ConfigText::read(path)?;
    Ok((text.parse(path)?, text))
}

async fn serve(address: SocketAddr, said: Arc<Mutex<String>>, stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>, RunError> {
    let (listener, address) = listen(address).await?;
    let ready = move || {
        let wrong = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { (StatusCode::SERVICE_UNAVAILABLE, format!("{wrong}\n")) }
    };
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    tracing::info!(%address, "serving health while the configuration cannot be used");
    #[expect(clippy::disallowed_methods, reason = "it ends when the configuration can be used")]
    let task = tokio::spawn(async move {
        let _ = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    });
    Ok(task)
}
