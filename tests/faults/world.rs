//! One world: everything that outlives the process. The API server, the cloud, time, the requests that are under way between them, and a
//! log of all requests in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Api},
    cloud::{self, Cloud},
    faults::{FaultPlan, Point},
    randomness::Randomness,
    step::Step,
};

/// Every secret contains this text, so that a search finds a leak. It is another text when it is percent-encoded.
pub const CANARY: &str = "CANARY/+=07";

pub struct World {
    state: Mutex<State>,
    /// Notified when the history of the API server grows.
    pub changed: Notify,
    /// Notified when the process dies.
    pub died: Notify,
}

pub struct State {
    pub api: Api,
    pub cloud: Cloud,
    pub fault_plan: FaultPlan,
    /// When the world began.
    pub begins: Timestamp,
    pub log: Vec<LogEntry>,
    pub pace: Pace,
    pub randomness: Randomness,
    /// Requests that are executed at their time, also when their caller waits no more.
    late: Vec<Late>,
    /// Answers to late requests.
    answers: Vec<(u64, Reply)>,
    made: u64,
    time: Time,
    /// The number of process lives so far.
    pub life: u32,
    pub dead: bool,
    /// The number of times that all watches were cut. A watch that was opened before the last cut ends.
    pub watches_cut: u64,
    pub next_cut: Option<Timestamp>,
    /// How far the clocks of the operator's nodes were set since the beginning.
    pub leap: SignedDuration,
    /// Ends the processes, by their number.
    pub stops: Vec<CancellationToken>,
    /// Processes that have ended.
    pub ended: BTreeSet<u32>,
    /// Keys whose calls are never answered.
    pub hung: BTreeSet<&'static str>,
    /// Frozen processes, each with the time when it goes on.
    pub frozen: BTreeMap<u32, Timestamp>,
}

/// How fast requests, answers and watch events travel.
#[derive(Clone, Debug)]
pub struct Pace {
    /// A call to the API server, milliseconds.
    pub api: (u64, u64),
    /// A call to the cloud, milliseconds.
    pub cloud: (u64, u64),
    /// A watch shows a change this much later.
    pub watch_lag: Duration,
    /// The time after which every watch breaks.
    pub watch_cut: Option<Duration>,
    /// A list that fills a cache shows the state of so long ago.
    pub list_lag: Duration,
}

/// Time goes on while no process runs.
struct Time {
    base: Timestamp,
    since: Option<Instant>,
}

/// A request that is still under way.
struct Late {
    at: Timestamp,
    id: u64,
    what: AnyRequest,
    /// Whether a caller may still ask for the answer.
    answered: bool,
}

/// A request to the API server or to the cloud.
#[derive(Clone, Debug)]
pub enum AnyRequest {
    Api(Step, api::Call),
    Cloud(Step, cloud::Call),
}

/// Its answer.
#[derive(Clone, Debug)]
pub enum Reply {
    Api(api::Answer),
    Cloud(cloud::Reply),
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub at: Timestamp,
    pub life: u32,
    pub what: LogEvent,
}

#[derive(Clone, Debug)]
pub enum LogEvent {
    /// The operator sent a request.
    Sent(AnyRequest),
    /// A server executed a request.
    Done(AnyRequest, Reply),
    /// Another event, as text.
    Note(String),
}

/// How a world begins.
pub struct Beginning {
    pub cloud: Cloud,
    pub fault_plan: FaultPlan,
    pub pace: Pace,
    pub randomness: Randomness,
    pub largest_page: usize,
    pub at: Timestamp,
}

impl World {
    pub fn new(beginning: Beginning) -> Self {
        let Beginning { cloud, fault_plan, pace, randomness, largest_page, at } = beginning;
        let next_cut = pace.watch_cut.map(|every| at + every);
        let state = State {
            api: Api::new(largest_page, pace.list_lag),
            cloud,
            fault_plan,
            begins: at,
            log: Vec::new(),
            pace,
            randomness,
            late: Vec::new(),
            answers: Vec::new(),
            made: 0,
            time: Time { base: at, since: None },
            life: 0,
            dead: false,
            watches_cut: 0,
            next_cut,
            leap: SignedDuration::ZERO,
            stops: Vec::new(),
            ended: BTreeSet::new(),
            hung: BTreeSet::new(),
            frozen: BTreeMap::new(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), died: Notify::new() }
    }

    /// Reads or changes the world, after everything that is due has happened.
    pub fn with<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.lock();
        let now = state.now();
        state.catch_up(now);
        let before = state.api.version();
        let result = act(&mut state, now);
        let moved = state.api.version() != before;
        drop(state);
        if moved {
            self.changed.notify_waiters();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// A process begins, in a runtime of its own.
    pub fn begin_life(&self) -> u32 {
        let mut state = self.lock();
        state.time.since = Some(Instant::now());
        state.life += 1;
        state.dead = false;
        state.stops.clear();
        state.ended.clear();
        state.frozen.clear();
        state.life
    }

    /// The process and its runtime are about to be gone, and nothing runs for a while.
    pub fn end_life(&self, pause: Duration) {
        let mut state = self.lock();
        let now = state.now();
        state.time = Time { base: now + pause, since: None };
    }

    /// Kills the process at this point.
    pub fn die(&self, step: Step, point: Point) {
        let mut state = self.lock();
        state.dead = true;
        let at = state.now();
        state.note(at, format!("the process dies: {point:?}, {}", step.name()));
        drop(state);
        self.died.notify_one();
    }

    /// Signals a process to end.
    pub fn stop(&self, process: u32, step: Step) {
        let mut state = self.lock();
        let at = state.now();
        state.note(at, format!("process {process} is told to end: {}", step.name()));
        let stop = state.stops[process as usize].clone();
        drop(state);
        stop.cancel();
    }

    /// The process has ended by itself.
    pub fn has_ended(&self, process: u32) {
        let mut state = self.lock();
        let at = state.now();
        state.note(at, format!("process {process} has ended"));
        state.ended.insert(process);
    }

    /// The clock of the operator's node.
    pub fn node_time(&self) -> Timestamp {
        let state = self.lock();
        state.now() + state.leap
    }

    /// Waits while the process is frozen, and for ever once it is dead or has ended.
    pub async fn alive(&self, process: u32) {
        loop {
            let still_for = {
                let state = self.lock();
                if state.dead || state.ended.contains(&process) {
                    None
                } else {
                    let now = state.now();
                    Some(state.frozen.get(&process).filter(|until| **until > now).map(|until| until.duration_since(now).unsigned_abs()))
                }
            };
            match still_for {
                None => std::future::pending().await,
                Some(None) => return,
                Some(Some(time)) => tokio::time::sleep(time).await,
            }
        }
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.time.base + self.time.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub fn note(&mut self, at: Timestamp, text: String) {
        let life = self.life;
        self.log.push(LogEntry { at, life, what: LogEvent::Note(text) });
    }

    pub fn sent(&mut self, asked: &AnyRequest, at: Timestamp) {
        let life = self.life;
        self.log.push(LogEntry { at, life, what: LogEvent::Sent(asked.clone()) });
    }

    /// Whether a GET of a backup is the schedule's: a creation under that name was refused because the name is taken, and the schedule has
    /// not read the object since.
    pub fn is_of_a_namesake(&self, call: &api::Call) -> bool {
        let Some(name) = &call.name else { return false };
        let about = |entry: &LogEntry| match &entry.what {
            LogEvent::Done(AnyRequest::Api(Step::ChildCreate, create), Reply::Api(answer)) if answer.code == 409 => {
                let body: Value = serde_json::from_str(&create.body).unwrap_or_default();
                (body["metadata"]["name"] == name.as_str()).then_some(true)
            }
            LogEvent::Done(AnyRequest::Api(Step::Namesake, read), _) => (read.name.as_ref() == Some(name)).then_some(false),
            _ => None,
        };
        self.log.iter().rev().find_map(about).unwrap_or(false)
    }

    /// A user deletes an object.
    pub fn delete(&mut self, plural: &str, namespace: &str, name: &str, now: Timestamp) {
        if let Some(uid) = self.api.delete(plural, namespace, name, now) {
            self.note(now, format!("deleted {uid}"));
        }
    }

    /// A user deletes the object that a request is about, or the first object of its instance, and may create it again.
    pub fn delete_under(&mut self, asked: &AnyRequest, again: bool, now: Timestamp) {
        let is_meant = |object: &&Value| match asked {
            AnyRequest::Api(_, call) if call.plural == api::BACKUPS && call.name.is_some() => {
                object["metadata"]["name"] == call.name.as_deref().unwrap_or_default()
            }
            AnyRequest::Api(..) => true,
            AnyRequest::Cloud(_, call) => object["spec"]["dbInstanceId"] == call.param("DBInstanceId"),
        };
        let Some(object) = self.api.backups().find(is_meant).cloned() else { return };
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
        self.delete(api::BACKUPS, &text("namespace"), &text("name"), now);
        if again {
            self.api.create(api::BACKUPS, &text("namespace"), &text("name"), json!({ "spec": object["spec"] }), now);
        }
    }

    /// Executes a request.
    pub fn execute(&mut self, asked: &AnyRequest, now: Timestamp) -> Reply {
        let reply = match asked {
            AnyRequest::Api(_, call) => Reply::Api(self.api.execute(call, now)),
            AnyRequest::Cloud(_, call) => Reply::Cloud(self.cloud.arrive(call, now)),
        };
        let life = self.life;
        self.log.push(LogEntry { at: now, life, what: LogEvent::Done(asked.clone(), reply.clone()) });
        if let (AnyRequest::Api(Step::ChildDelete, call), Reply::Api(answer)) = (asked, &reply)
            && answer.code == 200
        {
            let uid = serde_json::from_str::<Value>(&call.body).unwrap_or_default()["preconditions"]["uid"].clone();
            self.note(now, format!("deleted {}", uid.as_str().unwrap_or_default()));
        }
        reply
    }

    /// Executes a request later; its caller takes the answer by the number that this returns.
    pub fn execute_later(&mut self, asked: &AnyRequest, at: Timestamp, answered: bool) -> u64 {
        self.made += 1;
        let id = self.made;
        self.late.push(Late { at, id, what: asked.clone(), answered });
        id
    }

    pub fn take_answer(&mut self, id: u64) -> Option<Reply> {
        let index = self.answers.iter().position(|(answered, _)| *answered == id)?;
        Some(self.answers.swap_remove(index).1)
    }

    /// Whether nothing is under way any more.
    pub fn is_settled(&self) -> bool {
        self.late.is_empty()
    }

    fn catch_up(&mut self, now: Timestamp) {
        while let Some(index) = (0..self.late.len()).filter(|&index| self.late[index].at <= now).min_by_key(|&index| self.late[index].at) {
            let Late { at, id, what, answered } = self.late.swap_remove(index);
            let reply = self.execute(&what, at);
            if answered {
                self.answers.push((id, reply));
            }
        }
    }

    /// A random travel time for the next call.
    pub fn travel(&mut self, cloud: bool) -> Duration {
        let (least, most) = if cloud { self.pace.cloud } else { self.pace.api };
        Duration::from_millis(self.randomness.in_range(least..=most))
    }
}

/// Minutes, seconds and milliseconds since the world began, for people.
pub fn clock(at: Timestamp, since: Timestamp) -> String {
    let millis = at.duration_since(since).as_millis();
    format!("{:3}:{:02}.{:03}", millis / 60_000, millis / 1000 % 60, millis % 1000)
}

impl fmt::Display for AnyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(step, call) => {
                write!(f, "api   {:26} {} {}", step.name(), call.method, call.path)?;
                if call.is_watch() { f.write_str(" (watch)") } else { Ok(()) }
            }
            Self::Cloud(step, call) => {
                write!(f, "cloud {:26} {} {}", step.name(), call.action, call.param("DBInstanceId"))?;
                for name in ["BackupJobId", "BackupId"] {
                    if let Some(value) = call.params.get(name) {
                        write!(f, " {name}={value}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(answer) => {
                write!(f, "{}", answer.code)?;
                let Some(written) = &answer.written else { return Ok(()) };
                let after = &written.after;
                let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                let submission = &after["submission"];
                write!(
                    f,
                    " -> {} {} cleared={} outcome={} job={} set={}",
                    text(&after["phase"]),
                    text(&submission["nonce"]).chars().take(8).collect::<String>(),
                    submission["cleared"],
                    text(&submission["outcome"]),
                    text(&after["backupJobId"]),
                    text(&after["backupId"]),
                )
            }
            Self::Cloud(reply) => {
                write!(f, "{} {}", reply.status, String::from_utf8_lossy(&reply.body).chars().take(160).collect::<String>())
            }
        }
    }
}

/// A length of time in whole seconds, for messages.
pub fn whole(time: SignedDuration) -> String {
    format!("{} s", time.as_secs())
}
