//! RdsBackup: observe (reads) -> decide (pure) -> apply (writes). All rules live in [`decide`], all I/O in `observe`, `effects` and `apply`.

mod apply;
mod context;
pub mod decide;
mod desk;
mod effects;
mod observe;
pub mod plan;
pub mod seen;
mod store;

use std::sync::Arc;

use kube::runtime::controller::Action;
use tracing::warn;

pub use context::{Cache, Context, Scope};
pub use desk::Desk;
pub use store::StoreError;

use crate::api::RdsBackup;
use apply::Step;
use decide::decide;
use desk::Turn;

/// A pass that has not come to rest after this many steps is a fault of ours: it is stopped, said aloud and tried again later, never hot.
/// A good pass has 6: preflight, intent, clear, send, record, first wait.
const MOST_STEPS: usize = 30;

/// Why a pass could not be finished. It is tried again after a growing pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task that sends and records ended before it had recorded: only a shutdown does that.
    #[error("the operator is shutting down while a request is under way")]
    ShuttingDown,
    /// [`MOST_STEPS`].
    #[error("no rest after {MOST_STEPS} steps")]
    NoRest,
}

/// One pass over one RdsBackup: look, decide, act, until there is something to wait for.
pub async fn reconcile(backup: Arc<RdsBackup>, context: Arc<Context>) -> Action {
    let mut turn = Turn::take(backup, &context).await;
    let uid = turn.uid().to_owned();
    match pass(&mut turn, &context).await {
        Ok(action) => {
            if let Some(turn) = turn.live() {
                turn.seat.failures = 0;
            }
            action
        }
        Err(error) => {
            let pause = turn.live().map_or(std::time::Duration::from_secs(5), |turn| turn.seat.back_off());
            context.metrics.reconcile_failed();
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}
