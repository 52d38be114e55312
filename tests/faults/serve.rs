//! The API server as the operator's client meets it: a tower service that injects the faults of the way, and the watches.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame},
};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};

use crate::{
    api::{Answer, BACKUPS, Call},
    cloud::http_date,
    faults::{Fault, Point},
    people::SCHEDULES,
    step::Step,
    world::{AnyRequest, Reply, State, World},
};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answered = Response<UnsyncBoxBody<Bytes, Error>>;

/// The API server closes a watch without `timeoutSeconds` after this at most.
const LONGEST_WATCH: u64 = 300;
const BOOKMARKS: Duration = Duration::from_secs(60);

/// Answers one request of a process.
pub async fn serve(world: Arc<World>, life: u32, process: u32, request: Request<Body>) -> Result<Answered, Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let call = Call::read(&parts, &body);
    world.alive(process).await;
    let (travel, step, fault) = world.with(|state, now| {
        let step = step_of(state, &call);
        if state.dead || state.life != life {
            return (Duration::ZERO, step, None);
        }
        state.sent(&AnyRequest::Api(step, call.clone()), now);
        // Lists and watches are counted for backups only: with those of schedules, the second would be the first of the other kind.
        let of_schedules = call.plural == SCHEDULES && matches!(step, Step::List | Step::Watch);
        let fault = if of_schedules { None } else { state.fault_plan.next(step, now) };
        (state.travel(false), step, fault)
    });
    let asked = AnyRequest::Api(step, call.clone());
    tokio::time::sleep(travel).await;
    world.alive(process).await;
    let execute = || execute(&world, &asked);
    match fault {
        None => reply(&world, process, &call, execute()),
        Some(Fault::Crash(Point::Before)) => {
            world.die(step, Point::Before);
            std::future::pending().await
        }
        Some(Fault::Crash(Point::Executed)) => {
            execute();
            world.die(step, Point::Executed);
            std::future::pending().await
        }
        Some(Fault::Crash(Point::Answered)) => {
            let answer = execute();
            world.die(step, Point::Answered);
            reply(&world, process, &call, answer)
        }
        Some(Fault::Crash(Point::Stopped)) => {
            world.stop(process, step);
            reply(&world, process, &call, execute())
        }
        Some(Fault::Deleted { again }) => {
            world.with(|state, now| state.delete_under(&asked, again, now));
            reply(&world, process, &call, execute())
        }
        Some(Fault::Hang { executed }) => {
            if executed {
                execute();
            }
            std::future::pending().await
        }
        Some(Fault::Lost { executed }) => {
            if executed {
                execute();
            }
            Err("connection reset by peer".into())
        }
        Some(fault @ (Fault::Late(by) | Fault::Freeze(by))) => {
            let id = world.with(|state, now| {
                if let Fault::Freeze(_) = fault {
                    state.frozen.insert(process, now + by);
                }
                state.execute_later(&asked, now + by, true)
            });
            tokio::time::sleep(by).await;
            world.alive(process).await;
            match world.with(|state, _| state.take_answer(id)) {
                Some(Reply::Api(answer)) => reply(&world, process, &call, answer),
                _ => Err("the answer is gone".into()),
            }
        }
        Some(Fault::Conflict) => {
            let (namespace, name) = (call.namespace.as_deref().unwrap_or_default(), call.name.as_deref().unwrap_or_default());
            world.with(|state, now| state.api.touch(namespace, name, now));
            reply(&world, process, &call, execute())
        }
        Some(Fault::Status { code, executed }) => {
            if executed {
                execute();
            }
            reply(&world, process, &call, Answer::error(code, reason(code), "scripted"))
        }
        Some(Fault::Garbled { which }) => {
            let (code, body) = garbled(which, &execute().body.to_string());
            let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
            Ok(Response::builder().status(code).header("content-type", "application/json").body(body)?)
        }
        Some(other) => unreachable!("{other:?} is not for the API server"),
    }
}

/// An answer as a proxy or a torn connection damages it.
fn garbled(which: u8, whole: &str) -> (u16, Vec<u8>) {
    match which {
        0 => (200, whole[..whole.len() / 2].into()),
        1 => (200, json!({ "kind": "Secret", "data": whole }).to_string().into()),
        2 => (200, json!({ "kind": "Secret", "data": { "accessKeyId": [whole], "accessKeySecret": 7 } }).to_string().into()),
        3 => (200, [whole.as_bytes(), b"\xff\xfe"].concat()),
        4 => (502, format!("<html><body>Bad gateway: {whole}</body></html>").into()),
        5 => (200, json!({ "kind": "Secret", "data": { "accessKeyId": whole } }).to_string().into()),
        // The key alone, where a parser shows what it found instead of an object.
        _ => {
            let secret: Value = serde_json::from_str(whole).unwrap_or_default();
            (200, json!({ "kind": "Secret", "data": secret["data"]["accessKeySecret"] }).to_string().into())
        }
    }
}

fn execute(world: &World, asked: &AnyRequest) -> Answer {
    // A watch has no answer but its events.
    if let AnyRequest::Api(Step::Watch, call) = asked {
        let refused = world.with(|state, _| call.namespace.as_ref().is_some_and(|namespace| state.api.forbidden.contains(namespace)));
        if refused {
            return Answer::error(403, "Forbidden", "the operator has no rights here");
        }
        return Answer { code: 200, body: Value::Null, written: None };
    }
    match world.with(|state, now| state.execute(asked, now)) {
        Reply::Api(answer) => answer,
        Reply::Cloud(_) => unreachable!("asked of the API server"),
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        // The reason of a quota that another client uses at the same moment.
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    }
}

/// The step of a request. The status of the object tells a look from a preflight.
fn step_of(state: &State, call: &Call) -> Step {
    match (call.method.as_str(), call.plural.as_str()) {
        ("GET", "secrets") => Step::Secret,
        ("GET", "namespaces") => Step::NamespaceGet,
        (_, "events") => Step::Event,
        ("GET", _) if call.is_watch() => Step::Watch,
        ("GET", SCHEDULES) if call.name.is_some() => Step::ScheduleGet,
        ("GET", BACKUPS) if state.is_of_a_namesake(call) => Step::Namesake,
        ("GET", _) if call.name.is_some() => Step::Reread,
        ("GET", _) if call.query.contains_key("fieldSelector") => {
            let id = call.query["fieldSelector"].trim_start_matches("spec.dbInstanceId=");
            let clearing = state.api.backups().any(|object| {
                let submission = &object["status"]["submission"];
                object["spec"]["dbInstanceId"] == id && submission["cleared"] == false && submission["outcome"].is_null()
            });
            if clearing { Step::ClearList } else { Step::ClaimsList }
        }
        ("GET", _) => Step::List,
        ("POST", BACKUPS) => Step::ChildCreate,
        ("DELETE", BACKUPS) => Step::ChildDelete,
        ("PUT", SCHEDULES) if call.is_status_write() => Step::ScheduleWrite,
        _ if call.is_status_write() => {
            let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
            Step::of_write(&state.api.status_of(call), &body["status"])
        }
        (method, _) => panic!("the operator is not expected to {method} {}", call.path),
    }
}

fn reply(world: &Arc<World>, process: u32, call: &Call, answer: Answer) -> Result<Answered, Error> {
    let date = http_date(world.now());
    let builder = Response::builder().status(answer.code).header("content-type", "application/json").header("date", date);
    if call.is_watch() && answer.code == 200 {
        return Ok(builder.body(StreamBody::new(watch(world.clone(), process, call)).boxed_unsync())?);
    }
    let body = Full::new(Bytes::from(answer.body.to_string()));
    Ok(builder.body(body.map_err(|never| match never {}).boxed_unsync())?)
}

/// One watch.
struct Watching {
    world: Arc<World>,
    plural: String,
    namespace: Option<String>,
    /// The version up to which changes were shown.
    shown: u64,
    bookmark: Timestamp,
    end: Timestamp,
    cuts: u64,
    /// It shows nothing but bookmarks.
    mute: bool,
    over: bool,
}

/// The next action of a watch.
enum Next {
    Show(Value),
    /// Shows this error and ends.
    Refuse(Value),
    /// Shows half of this event and ends.
    Tear(Value),
    Break,
    End,
    Wait(Timestamp),
}

fn watch(world: Arc<World>, process: u32, call: &Call) -> impl Stream<Item = Result<Frame<Bytes>, Error>> + Send + 'static {
    let number = |name: &str| call.query.get(name).and_then(|text| text.parse::<u64>().ok());
    let bounded = number("timeoutSeconds").unwrap_or(LONGEST_WATCH).min(LONGEST_WATCH);
    let shown = number("resourceVersion").unwrap_or(0);
    let (plural, namespace) = (call.plural.clone(), call.namespace.clone());
    let (now, cuts) = world.with(|state, now| (now, state.watches_cut));
    let end = now + Duration::from_secs(bounded);
    let watching = Watching { world, plural, namespace, shown, bookmark: now + BOOKMARKS, end, cuts, mute: false, over: false };
    stream::unfold(watching, move |mut watching| async move {
        if watching.over {
            return None;
        }
        loop {
            let world = watching.world.clone();
            // Subscribed before the history is read, so that no change in between is missed.
            let changed = world.changed.notified();
            world.alive(process).await;
            let until = match world.with(|state, now| watching.next(state, now)) {
                Next::Show(event) => return Some((Ok(line(&event)), watching)),
                Next::Refuse(event) => {
                    watching.over = true;
                    return Some((Ok(line(&event)), watching));
                }
                Next::Tear(event) => {
                    watching.over = true;
                    let text = event.to_string();
                    let half = Frame::data(Bytes::from(text.as_bytes()[..text.len() / 2].to_vec()));
                    return Some((Ok(half), watching));
                }
                Next::Break => {
                    watching.over = true;
                    return Some((Err("connection reset by peer".into()), watching));
                }
                Next::End => return None,
                Next::Wait(until) => until.duration_since(world.now()).unsigned_abs(),
            };
            let _ = tokio::time::timeout(until.max(Duration::from_millis(1)), changed).await;
        }
    })
}

fn line(event: &Value) -> Frame<Bytes> {
    Frame::data(Bytes::from(format!("{event}\n")))
}

impl Watching {
    fn bookmark(&self) -> Value {
        let kind = if self.plural == BACKUPS { "RdsBackup" } else { "RdsBackupSchedule" };
        let metadata = json!({ "resourceVersion": self.shown.to_string() });
        json!({ "type": "BOOKMARK", "object": { "apiVersion": crate::api::GROUP, "kind": kind, "metadata": metadata } })
    }

    fn next(&mut self, state: &mut State, now: Timestamp) -> Next {
        if state.watches_cut > self.cuts {
            return Next::Break;
        }
        if self.shown < state.api.compacted {
            let gone = json!({ "type": "ERROR", "object": Answer::error(410, "Expired", "too old resource version").body });
            return Next::Refuse(gone);
        }
        let first = state.api.changes.partition_point(|change| change.version <= self.shown);
        let due = state.api.changes[first..].iter().find(|change| {
            change.plural == self.plural
                && self.namespace.as_ref().is_none_or(|wanted| change.object["metadata"]["namespace"] == wanted.as_str())
        });
        let mut wait = self.end.min(state.next_cut.unwrap_or(self.end));
        match due {
            Some(change) if change.at + state.pace.watch_lag <= now && !self.mute => {
                let (version, event) = (change.version, json!({ "type": change.kind, "object": change.object }));
                let fault = if self.plural == BACKUPS { state.fault_plan.next(Step::Shown, now) } else { None };
                match fault {
                    Some(Fault::Torn) => return Next::Tear(event),
                    Some(Fault::Mute) => {
                        self.mute = true;
                        return Next::Wait(now + Duration::from_millis(1));
                    }
                    // An object whose ADDED or DELETED event is lost is noticed only when it changes or is listed again, by any informer.
                    // So these events are not lost: the watch breaks, and they come over another connection.
                    Some(Fault::Dropped) if change.kind != "MODIFIED" => return Next::Break,
                    Some(Fault::Dropped) => {
                        self.shown = version;
                        return Next::Wait(now + Duration::from_millis(1));
                    }
                    _ => self.shown = version,
                }
                return Next::Show(event);
            }
            _ if self.mute => {
                if now >= self.bookmark {
                    self.bookmark = now + BOOKMARKS;
                    return Next::Show(self.bookmark());
                }
                wait = wait.min(self.bookmark);
            }
            Some(change) => wait = wait.min(change.at + state.pace.watch_lag),
            None if now >= self.bookmark => {
                self.bookmark = now + BOOKMARKS;
                self.shown = self.shown.max(state.api.version());
                return Next::Show(self.bookmark());
            }
            None => wait = wait.min(self.bookmark),
        }
        if now >= self.end {
            return Next::End;
        }
        if state.next_cut.is_some_and(|at| now >= at) {
            state.watches_cut += 1;
            state.next_cut = state.pace.watch_cut.map(|every| now + every);
            state.fault_plan.note("watch cut", now);
            return Next::Break;
        }
        Next::Wait(wait.max(now + Duration::from_millis(1)))
    }
}
