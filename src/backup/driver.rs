//! Drives a pass: asks it for a request, has it done, gives it the answer, until it rests.

use std::sync::Arc;

use kube::runtime::controller::Action;
use tokio::time::Instant;
use tracing::warn;

use super::{
    context::Context,
    io::Io,
    pass::Pass,
    request::{Answer, Error, Next, Request, Rest},
    state::ObjectState,
};
use crate::{
    api::RdsBackup,
    controller::{PassFailure, PassGuard},
};

/// A pass under way, and what it works with.
struct Work {
    pass: Pass,
    state: PassGuard<ObjectState>,
    io: Io,
}

/// Where a pass is handed back.
enum Handed {
    /// It is over.
    Rest(Rest),
    /// This request is next, and must not be dropped with what follows from it.
    Send(Request),
}

/// One pass over one RdsBackup, made again after a growing pause when it cannot be finished.
pub async fn reconcile(backup: Arc<RdsBackup>, context: Arc<Context>) -> Action {
    let began = Instant::now();
    let uid = backup.metadata.uid.clone().unwrap_or_default();
    let state = context.tracker.lock(&uid).await;
    let mut work = Work { pass: Pass::start(backup), state, io: Io::begin(context.clone()).await };
    let rest = match work.until_it_sends().await {
        Handed::Rest(rest) => rest,
        // A pass can be dropped at any await; the request and the record of its answer cannot.
        Handed::Send(request) => {
            context.tasks.spawn(work.finish(request)).await.unwrap_or_else(|_| Rest::Failed(Arc::new(Error::ShuttingDown)))
        }
    };
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
        Rest::Failed(error) => {
            let pause = context.tracker.failed(&uid);
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}

fn failure(rest: &Rest) -> Option<PassFailure> {
    let Rest::Failed(error) = rest else { return None };
    Some(match error.as_ref() {
        Error::Cluster(error) => error.into(),
        Error::ShuttingDown => PassFailure::ShuttingDown,
        Error::NoRest(_) | Error::Mismatch => PassFailure::Internal,
    })
}

impl Work {
    async fn until_it_sends(&mut self) -> Handed {
        let mut answer = Answer::Begin;
        loop {
            match self.pass.next(&mut self.state, answer, self.io.present()) {
                Next::Do(request @ Request::Send { .. }) => return Handed::Send(request),
                Next::Do(request) => answer = self.io.perform(self.pass.object(), request).await,
                Next::Rest(rest) => return Handed::Rest(rest),
            }
        }
    }

    async fn finish(mut self, first: Request) -> Rest {
        let mut request = first;
        loop {
            let answer = self.io.perform(self.pass.object(), request).await;
            match self.pass.next(&mut self.state, answer, self.io.present()) {
                Next::Do(next) => request = next,
                Next::Rest(rest) => return rest,
            }
        }
    }
}
