//! The delivery of a request and its answer over the network, with the faults that change it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::answer::{Answer, Format};
use super::error::ApiError;
use super::faults::{Delivery, Effect, Garbage, When};
use super::request::RawRequest;
use super::shared::Shared;
use super::state::Reach;

/// What the connection is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Answer(Answer),
    /// Close it.
    Close,
    /// Reset it.
    Reset,
}

/// What happens to the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AnswerDelivery {
    /// It is sent.
    Sent,
    /// Something else is sent in its place.
    Replaced(Substitute),
    /// The connection is closed.
    Closed,
    /// The connection is reset.
    Reset,
    /// Nothing happens, ever.
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Substitute {
    Status(u16),
    Garbage(Garbage),
    Error(ApiError),
}

/// How a request and its answer are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeliveryPlan {
    /// The request arrives after so long.
    before: Duration,
    reach: Reach,
    /// Delivered a second time right after the first; which of the two is answered.
    duplicate: Option<Delivery>,
    /// The answer arrives after so long.
    after: Duration,
    way: AnswerDelivery,
}

impl DeliveryPlan {
    fn undisturbed() -> Self {
        Self { before: Duration::ZERO, reach: Reach::Service, duplicate: None, after: Duration::ZERO, way: AnswerDelivery::Sent }
    }
}

fn plan(effect: Option<&Effect>) -> DeliveryPlan {
    let plain = DeliveryPlan::undisturbed();
    let reach = |executed: &bool| if *executed { Reach::Service } else { Reach::Nowhere };
    let ms = |ms: &u64| Duration::from_millis(*ms);
    match effect {
        None | Some(Effect::FailJob | Effect::SpoilJob) => plain,
        Some(Effect::DropBefore) => DeliveryPlan { reach: Reach::Nowhere, way: AnswerDelivery::Closed, ..plain },
        Some(Effect::LoseAnswer) => DeliveryPlan { way: AnswerDelivery::Closed, ..plain },
        Some(Effect::Reset { executed }) => DeliveryPlan { reach: reach(executed), way: AnswerDelivery::Reset, ..plain },
        Some(Effect::Delay { ms: time, when: When::Before }) => DeliveryPlan { before: ms(time), ..plain },
        Some(Effect::Delay { ms: time, when: When::After }) => DeliveryPlan { after: ms(time), ..plain },
        Some(Effect::Status5xx { status, executed }) => {
            DeliveryPlan { reach: reach(executed), way: AnswerDelivery::Replaced(Substitute::Status(*status)), ..plain }
        }
        Some(Effect::Garbage { body, executed }) => {
            DeliveryPlan { reach: reach(executed), way: AnswerDelivery::Replaced(Substitute::Garbage(*body)), ..plain }
        }
        Some(Effect::Throttle { retry_after_ms }) => DeliveryPlan { reach: Reach::Throttled(*retry_after_ms), ..plain },
        Some(Effect::ApiError { code, http_status, message, executed }) => {
            let error = ApiError::new(*http_status, code, message.clone());
            match executed {
                true => DeliveryPlan { way: AnswerDelivery::Replaced(Substitute::Error(error)), ..plain },
                false => DeliveryPlan { reach: Reach::Gateway(error), ..plain },
            }
        }
        Some(Effect::Hold { ms: time, executed }) => {
            DeliveryPlan { reach: reach(executed), after: ms(time), way: AnswerDelivery::Closed, ..plain }
        }
        Some(Effect::Hang { executed }) => DeliveryPlan { reach: reach(executed), way: AnswerDelivery::Never, ..plain },
        Some(Effect::Duplicate { answer }) => DeliveryPlan { duplicate: Some(*answer), ..plain },
    }
}

/// Delivers a request and its answer. A task of its own, because a late request still arrives after its sender has closed the connection.
pub(super) async fn deliver(shared: Arc<Shared>, request: RawRequest, reply: oneshot::Sender<Reply>) {
    let (effect, latency) = {
        let mut state = shared.state();
        let effect = state.faults.next_effect(&request.action(), &request.instance());
        (effect, state.settings.latency)
    };
    let plan = plan(effect.as_ref());
    let fault = effect.as_ref().map(Effect::name);
    pause(plan.before + latency / 2).await;

    let second_answers = plan.duplicate == Some(Delivery::Second);
    let first = execute(&shared, &request, &plan, fault, !second_answers);
    let second = plan.duplicate.map(|_| execute(&shared, &request, &plan, fault, second_answers));
    let (place, answer) = if second_answers { second.unwrap_or(first) } else { first };

    pause(plan.after + latency / 2).await;
    let outgoing = match plan.way {
        AnswerDelivery::Sent | AnswerDelivery::Replaced(_) => Reply::Answer(answer),
        AnswerDelivery::Closed => Reply::Close,
        AnswerDelivery::Reset => Reply::Reset,
        AnswerDelivery::Never => {
            shared.report(place);
            // Until the client gives up, or the endpoint stops.
            let mut reply = reply;
            reply.closed().await;
            return;
        }
    };
    if reply.send(outgoing).is_err() {
        shared.state().undelivered(place);
    }
    shared.report(place);
}

/// Executes as far as the plan says, and records the call before a client can ask for it.
fn execute(shared: &Shared, request: &RawRequest, plan: &DeliveryPlan, fault: Option<&str>, answers: bool) -> (usize, Answer) {
    let mut state = shared.state();
    let now = shared.now(&state);
    let handled = state.handle(request, &plan.reach, now);
    let answer = match &plan.way {
        AnswerDelivery::Replaced(substitute) => substitute.answer(handled.answer, Format::of(request, &state.settings.quirks)),
        AnswerDelivery::Sent | AnswerDelivery::Closed | AnswerDelivery::Reset | AnswerDelivery::Never => handled.answer,
    };
    let sent = answers && matches!(plan.way, AnswerDelivery::Sent | AnswerDelivery::Replaced(_));
    let place = state.record(request, handled.outcome, sent.then_some(answer.status), fault, now.service);
    drop(state);
    if !answers {
        shared.report(place);
    }
    (place, answer)
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Substitute {
    fn answer(&self, original: Answer, format: Format) -> Answer {
        match self {
            Self::Status(status) => server_error(*status, format),
            Self::Error(error) => super::wire::failure(error, "00000000-0000-4000-8000-00000000FA17", format),
            Self::Garbage(garbage) => garbage.answer(original),
        }
    }
}

/// The service's own errors are documents; a gateway in front of it answers in pages.
fn server_error(status: u16, format: Format) -> Answer {
    let request_id = "00000000-0000-4000-8000-000000005000";
    match status {
        500 => {
            let message = "The request processing has failed due to some unknown error, exception or failure.";
            super::wire::failure(&ApiError::new(500, "InternalError", message), request_id, format)
        }
        503 => {
            let message = "The request has failed due to a temporary failure of the server.";
            super::wire::failure(&ApiError::new(503, "ServiceUnavailable", message), request_id, format)
        }
        _ => Answer::html(status, &format!("<html><body><h1>{status}</h1></body></html>")),
    }
}

impl Garbage {
    fn answer(self, original: Answer) -> Answer {
        let json = |body: Vec<u8>| Answer { status: 200, headers: vec![("content-type", "application/json;charset=utf-8".into())], body };
        match self {
            Self::Html => Answer::html(200, "<!doctype html><html><body><h1>Please log in to this network</h1></body></html>"),
            Self::TruncatedJson => {
                // What was not executed has no answer of its own that could be cut.
                let own = original.body.starts_with(b"{") || original.body.starts_with(b"<?xml");
                let whole = || json(br#"{"RequestId":"00000000-0000-4000-8000-000000000000"}"#.to_vec());
                let mut answer = if own { Answer { status: 200, ..original } } else { whole() };
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            Self::Huge => {
                let filler = "x".repeat(10 * 1024 * 1024);
                json(format!("{{\"RequestId\":\"0\",\"Filler\":\"{filler}\"}}").into_bytes())
            }
            Self::Empty => json(Vec::new()),
            Self::Nested => json([vec![b'['; 100_000], vec![b']'; 100_000]].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_executed_reaches_the_service() {
        let error = |executed| Effect::ApiError { code: "X".into(), http_status: 400, message: "x".into(), executed };
        for (effect, reaches) in [
            (Effect::DropBefore, false),
            (Effect::LoseAnswer, true),
            (Effect::Reset { executed: true }, true),
            (Effect::Reset { executed: false }, false),
            (Effect::Delay { ms: 1, when: When::Before }, true),
            (Effect::Status5xx { status: 503, executed: true }, true),
            (Effect::Status5xx { status: 503, executed: false }, false),
            (Effect::Garbage { body: Garbage::Html, executed: true }, true),
            (Effect::Garbage { body: Garbage::Html, executed: false }, false),
            (Effect::Throttle { retry_after_ms: None }, false),
            (error(true), true),
            (error(false), false),
            (Effect::Hold { ms: 1, executed: true }, true),
            (Effect::Hold { ms: 1, executed: false }, false),
            (Effect::Hang { executed: true }, true),
            (Effect::Hang { executed: false }, false),
            (Effect::Duplicate { answer: Delivery::First }, true),
        ] {
            assert_eq!(plan(Some(&effect)).reach == Reach::Service, reaches, "{effect:?}");
        }
    }
}
