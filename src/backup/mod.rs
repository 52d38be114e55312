//! RdsBackup: observe (reads) -> decide (pure) -> apply (writes). All rules live in [`mod@decide`], all I/O in `observe`, `effects` and `apply`.

mod apply;
mod context;
pub mod decide;
mod desk;
mod effects;
pub mod flap_damping;
pub mod observation;
mod observe;
pub mod siblings;
pub mod spec;

use std::sync::Arc;

use kube::runtime::controller::Action;
use tracing::warn;

pub use context::{Context, Counters, Guarded};
pub use desk::Desk;
pub use effects::preflight;

use crate::{api::RdsBackup, controller};
use apply::{Step, apply};
use decide::decide;
use desk::Turn;
use observe::observe;

/// A pass that has not come to rest after this many steps is a fault of ours: it is stopped, said aloud and tried again later, never hot.
/// A good pass has 6: preflight, intent, clear, send, record, first wait.
const MOST_STEPS: usize = 30;

/// Why a pass could not be finished. It is tried again after a growing pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] controller::Error),
    /// The task that sends and records was ended: only the end of the process does that.
    #[error("the operator is shutting down while a request is under way")]
    ShuttingDown,
    /// Something was decided that needs the cloud, without credentials for it.
    #[error("an effect was decided without credentials at hand")]
    Means,
    /// The steps went round in a circle.
    #[error("no rest after {MOST_STEPS} steps")]
    NoRest,
}

/// One pass over one RdsBackup, tried again after a growing pause when it cannot be finished.
pub async fn reconcile(backup: Arc<RdsBackup>, context: Arc<Context>) -> Action {
    let uid = backup.metadata.uid.clone().unwrap_or_default();
    match pass(backup, &context).await {
        Ok(action) => {
            context.desk.succeeded(&uid);
            action
        }
        Err(error) => {
            let pause = context.desk.failed(&uid);
            context.counters.failed_passes.inc();
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}

/// Look, decide, act, until there is something to wait for.
async fn pass(backup: Arc<RdsBackup>, context: &Arc<Context>) -> Result<Action, Error> {
    let mut turn = Turn::take(backup, context).await?;
    for _ in 0..MOST_STEPS {
        let observed = observe(&turn, context).await;
        let decision = decide(&turn.object.spec, &observed.seen(&turn), observed.now);
        match apply(turn, decision, observed, context).await? {
            Step::Again(next) => turn = next,
            Step::Rest(action) => return Ok(action),
        }
    }
    Err(Error::NoRest)
}
