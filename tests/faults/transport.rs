//! The transport to the scripted cloud: the operator's client sends through it instead of through sockets. It injects the faults of the
//! way.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use rds_backup_operator::{
    clock::Clock,
    no_answer::NoAnswer,
    rpc::{Failure, HttpRequest, HttpResponse, HttpTransport},
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::{
    cloud::{self, Call, Reply},
    faults::{Fault, Point},
    step::Step,
    world::{self, AnyRequest, State, World},
};

/// The transport of one process.
pub struct ScriptedTransport {
    pub world: Arc<World>,
    pub life: u32,
    pub process: u32,
    /// The process's own clock, which may be wrong.
    pub clock: Clock,
}

impl HttpTransport for ScriptedTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        Box::pin(async move {
            let reply = self.ask(request).await?;
            let mut headers = HeaderMap::new();
            for (name, value) in reply.headers {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).expect("a header's value"));
            }
            Ok(HttpResponse { status: reply.status, headers, body: reply.body, received: self.clock.now() })
        })
    }
}

impl ScriptedTransport {
    async fn ask(&self, HttpRequest { method: _, url, headers, body, used: _ }: HttpRequest) -> Result<Reply, Failure> {
        let world = &self.world;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let call = Call::read(url.query().unwrap_or_default(), &body, header);
        world.alive(self.process).await;
        if call.action == "AssumeRole" {
            return self.assume_role(&call).await;
        }
        let (travel, step, fault) = world.with(|state, now| {
            let step = step_of(state, &call);
            state.cloud.echo.clone_from(&call.echo);
            if state.dead || state.life != self.life {
                return (Duration::ZERO, step, None);
            }
            let fault = state.fault_plan.next(step, now);
            if fault != Some(Fault::Unreachable) {
                state.sent(&AnyRequest::Cloud(step, call.clone()), now);
            }
            (state.travel(true), step, fault)
        });
        tokio::time::sleep(travel / 2).await;
        world.alive(self.process).await;
        if world.with(|state, _| state.hung.iter().any(|key| call.key.starts_with(key))) {
            return std::future::pending().await;
        }
        let asked = AnyRequest::Cloud(step, call.clone());
        let execute = || match world.with(|state, now| state.execute(&asked, now)) {
            world::Reply::Cloud(reply) => reply,
            world::Reply::Api(_) => unreachable!("asked of the cloud"),
        };
        let lost = || Failure::Lost { why: "connection reset by peer".to_owned(), cause: NoAnswer::Reset };
        let reply = match fault {
            None => execute(),
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
                let reply = execute();
                world.die(step, Point::Answered);
                return Ok(reply);
            }
            Some(Fault::Crash(Point::Stopped)) => {
                world.stop(self.process, step);
                execute()
            }
            Some(Fault::Deleted { again }) => {
                world.with(|state, now| state.delete_under(&asked, again, now));
                execute()
            }
            Some(Fault::Odd { which }) => odd(which, execute()),
            Some(Fault::Dated { hours }) => {
                let shown = world.with(|_, now| cloud::http_date(now + SignedDuration::from_hours(hours)));
                let mut reply = execute();
                reply.headers.retain(|(name, _)| *name != "date");
                reply.headers.push(("date", shown));
                reply
            }
            Some(Fault::Unreachable) => return Err(Failure::NotSent { why: "connection refused".to_owned(), cause: NoAnswer::Refused }),
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
                return Err(lost());
            }
            Some(fault @ (Fault::Late(by) | Fault::Freeze(by))) => {
                let id = world.with(|state, now| {
                    if let Fault::Freeze(_) = fault {
                        state.frozen.insert(self.process, now + by);
                    }
                    state.execute_later(&asked, now + by, true)
                });
                tokio::time::sleep(by).await;
                world.alive(self.process).await;
                match world.with(|state, _| state.take_answer(id)) {
                    Some(world::Reply::Cloud(reply)) => reply,
                    _ => return Err(lost()),
                }
            }
            Some(Fault::Twice { second_answers, gap }) => {
                let first = execute();
                if !second_answers {
                    world.with(|state, now| state.execute_later(&asked, now + gap, false));
                    first
                } else {
                    tokio::time::sleep(gap).await;
                    world.alive(self.process).await;
                    execute()
                }
            }
            Some(Fault::Broken { status, executed }) => {
                if executed {
                    execute();
                }
                world.with(|state, now| state.cloud.refuse(status, if status == 500 { "InternalError" } else { "ServiceUnavailable" }, now))
            }
            Some(Fault::Garbage { which, executed }) => {
                let whole = if executed { execute().body } else { Vec::new() };
                garbage(which, whole, &call.echo)
            }
            Some(Fault::Throttled { pause_ms }) => world.with(|state, now| {
                state.cloud.consume(&call, now);
                let mut reply = state.cloud.refuse(400, "Throttling.User", now);
                if pause_ms > 0 {
                    reply.headers.push(("x-acs-retry-after", pause_ms.to_string()));
                    let until = now + travel / 2 + Duration::from_millis(pause_ms);
                    state.note(now, format!("the cloud asks for a pause until {until}"));
                }
                reply
            }),
            Some(Fault::Refused { code, status }) => world.with(|state, now| {
                state.cloud.consume(&call, now);
                state.cloud.refuse(status, code, now)
            }),
            Some(other) => unreachable!("{other:?} is not for the cloud"),
        };
        tokio::time::sleep(travel / 2).await;
        world.alive(self.process).await;
        Ok(reply)
    }
}

impl ScriptedTransport {
    /// STS is no step of the protocol: a key is renewed whenever it is time.
    async fn assume_role(&self, call: &Call) -> Result<Reply, Failure> {
        let world = &self.world;
        let half = world.with(|state, _| state.travel(true)) / 2;
        tokio::time::sleep(half).await;
        let reply = world.with(|state, now| state.cloud.sts.answer(call, state.begins, now));
        tokio::time::sleep(half).await;
        world.alive(self.process).await;
        reply.ok_or_else(|| Failure::NotSent { why: "connection refused".to_owned(), cause: NoAnswer::Refused })
    }
}

/// An answer as a proxy or a torn connection corrupts it.
fn garbage(which: u8, whole: Vec<u8>, echo: &str) -> Reply {
    let html = |status: u16| (status, format!("<html><body>It works! {echo}</body></html>").into_bytes());
    let (status, body) = match which {
        0 => html(200),
        1 => html(502),
        2 => (200, whole[..whole.len() / 2].to_vec()),
        // The answer to another request.
        3 => (200, br#"{"RequestId":"0A1B2C3D-2","Items":{"Engines":[]},"TotalRecordCount":0}"#.to_vec()),
        4 => (200, [0x1f, 0x8b, 0x08, 0x00].into_iter().chain((0..2000).map(|n| (n * 37 % 251) as u8)).collect()),
        // Nearly the largest body that the operator reads.
        5 => (200, [b"{\"RequestId\":\"0A1B2C3D-3\",\"Padding\":\"".as_slice(), &vec![b'x'; 1024 * 1024 - 60], b"\"}"].concat()),
        _ => (200, br#"{"RequestId":"0A1B2C3D-1"}"#.to_vec()),
    };
    Reply { status, headers: Vec::new(), body }
}

/// An answer whose rows differ from the service's documentation.
fn odd(which: u8, reply: Reply) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return reply };
    let Some(rows) = body["Items"].as_object_mut().and_then(|items| items.values_mut().next()).and_then(Value::as_array_mut) else {
        return reply;
    };
    match which {
        0 => {
            let twice = rows.first().cloned();
            rows.reverse();
            rows.extend(twice);
        }
        other => {
            for state in rows.iter_mut().flat_map(|row| {
                let states = ["BackupStatus", "BackupProgressStatus", "DBInstanceStatus"];
                row.as_object_mut().into_iter().flatten().filter(move |(name, _)| states.contains(&name.as_str()))
            }) {
                *state.1 = if other == 1 { Value::Null } else { Value::from("Mysterious") };
            }
        }
    }
    Reply { body: body.to_string().into_bytes(), ..reply }
}

/// The step of a request.
fn step_of(state: &State, call: &Call) -> Step {
    let id = call.param("DBInstanceId");
    let looking = || {
        state.api.backups().any(|object| {
            let submission = &object["status"]["submission"];
            object["spec"]["dbInstanceId"] == id && submission["cleared"] == true && submission["outcome"].is_null()
        })
    };
    match call.action.as_str() {
        "CreateBackup" => Step::Create,
        "DescribeDBInstanceAttribute" => Step::Instance,
        "DescribeBackupPolicy" => Step::Policy,
        "DescribeBackupTasks" if call.params.contains_key("BackupJobId") => Step::TaskById,
        "DescribeBackups" if call.params.contains_key("BackupId") => Step::SetById,
        "DescribeBackupTasks" if looking() => Step::TasksLook,
        "DescribeBackupTasks" => Step::TasksBefore,
        "DescribeBackups" if looking() => Step::SetsLook,
        "DescribeBackups" => Step::SetsBefore,
        action => panic!("the operator is not expected to ask for {action}"),
    }
}

/// The end of the pause that the cloud asks for in this note, if it is such a note.
pub fn pause_of(note: &str) -> Option<Timestamp> {
    note.strip_prefix("the cloud asks for a pause until ")?.parse().ok()
}
