//! Drives a pass: asks it for a request, has it done, gives it the answer, until it rests.

use std::sync::Arc;

use kube::runtime::controller::Action;
use tokio::time::Instant;
use tracing::warn;

use super::{
    context::Context,
    io::Io,
    pass::Pass,
    request::{Answer, Error, Next, Rest},
};
use crate::{api::RdsBackupSchedule, controller::PassFailure};

/// One pass over one RdsBackupSchedule, made again after a growing pause when it cannot be finished.
pub async fn reconcile(schedule: Arc<RdsBackupSchedule>, context: Arc<Context>) -> Action {
    let began = Instant::now();
    let uid = schedule.metadata.uid.clone().unwrap_or_default();
    let mut state = context.tracker.lock(&uid).await;
    let (mut pass, io) = (Pass::start(schedule), Io::new(context.clone()));
    let mut answer = Answer::Begin;
    let rest = loop {
        match pass.next(&mut state, answer, io.present()) {
            Next::Do(request) => answer = io.perform(pass.object(), request).await,
            Next::Rest(rest) => break rest,
        }
    };
    context.objectives.note(&uid, state.objective());
    context.counts.passes.ended(began.elapsed(), failure(&rest));
    match rest {
        Rest::Requeue(after) => {
            context.tracker.succeeded(&uid);
            Action::requeue(after)
        }
        Rest::AwaitChange => {
            context.tracker.succeeded(&uid);
            Action::await_change()
        }
        Rest::Failed { error, again_within } => {
            let growing = context.tracker.failed(&uid);
            let pause = again_within.map_or(growing, |longest| growing.min(longest));
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass over a schedule could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}

fn failure(rest: &Rest) -> Option<PassFailure> {
    let Rest::Failed { error, .. } = rest else { return None };
    Some(match error.as_ref() {
        Error::Cluster(error) => error.into(),
        Error::NoRest(_) | Error::Mismatch => PassFailure::Internal,
    })
}
