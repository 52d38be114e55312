//! What the endpoint answers on a connection: its own control paths, or what is delivered of the API.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::answer::Answer;
use super::clock::Now;
use super::control;
use super::delivery::{Reply, deliver};
use super::request::RawRequest;
use super::shared::Shared;
use crate::http;
use crate::tasks::Tasks;

impl http::Service for Shared {
    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, http::Reply> {
        Box::pin(async move {
            if request.path == "/sandbox" || request.path.starts_with("/sandbox/") {
                return dated(&self, control::answer(&self, &request));
            }
            // In a task of its own: a request whose client goes away is executed all the same.
            let (sender, reply) = oneshot::channel();
            self.tasks.spawn(deliver(Arc::clone(&self), request, sender));
            match reply.await {
                Ok(Reply::Answer(answer)) => dated(&self, answer),
                Ok(Reply::Reset) => http::Reply::Reset,
                Ok(Reply::Close) | Err(_) => http::Reply::Close,
            }
        })
    }

    fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

/// The answer with the time that the endpoint shows.
fn dated(shared: &Shared, Answer { status, headers, body }: Answer) -> http::Reply {
    let state = shared.state();
    let date = Now::new(shared.now(&state).service, state.settings.quirks.date_offset_ms).service;
    http::Reply::Answer { status, headers, body, date }
}
