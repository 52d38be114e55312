//! The service as a value: started, changed, queried, stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::exchange::{self, Directory};
use super::roles::{Provider, Role};
use crate::http::{self, Reply, Service};
use crate::rds::{ApiError, Clock, Key, Nonces, Now, OK, RawRequest, SystemClock};
use crate::tasks::Tasks;

/// Receives each key that is given out.
pub type OnIssue = Box<dyn Fn(Key) + Send + Sync>;

/// What a service is made of.
pub struct Options {
    /// The OIDC providers there are.
    pub providers: Vec<Provider>,
    /// The roles there are.
    pub roles: Vec<Role>,
    /// The access keys that it knows.
    pub keys: Vec<Key>,
    /// How it behaves at first.
    pub settings: Settings,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Receives each key that is given out: [`crate::rds::Endpoint::key_sink`].
    pub on_issue: Option<OnIssue>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            roles: Vec::new(),
            keys: Vec::new(),
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            on_issue: None,
        }
    }
}

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keys live so long, whatever is asked for. The real service's shortest is 15 minutes.
    pub life: Option<Duration>,
    /// Its clock is so many milliseconds ahead of the machine's.
    pub clock_offset_ms: i64,
    /// How long an answer takes.
    pub latency: Duration,
    /// It takes what the official Python clients send, as the real service does: GET, and a token or another proof in the query. Both are
    /// written to logs on the way, so it refuses them unless it is told.
    pub takes_queries: bool,
    /// What is wrong with it.
    pub trouble: Option<Trouble>,
}

/// What is wrong with the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It answers so, whatever is asked.
    Error {
        /// The HTTP status.
        status: u16,
        /// `Code`
        code: String,
    },
    /// It answers with this text.
    Garbage(String),
    /// It never answers.
    Silent,
    /// It closes every connection without an answer.
    Closed,
    /// It resets every connection.
    Reset,
}

/// One request that reached it. It never holds a token, a signature or a key's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsCall {
    /// When, by the service's clock.
    pub time: Timestamp,
    /// The action.
    pub action: String,
    /// `RoleArn`
    pub role_arn: String,
    /// `RoleSessionName`
    pub session_name: String,
    /// `DurationSeconds`
    pub duration_seconds: Option<u32>,
    /// `Policy`
    pub policy: Option<String>,
    /// `OK`, or the code of the error; none if nothing was answered.
    pub outcome: Option<String>,
    /// The id of the key that was given out.
    pub key_id: Option<String>,
}

/// A running service. It stops when it is dropped.
pub struct Sts {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    on_issue: Option<OnIssue>,
    tasks: Tasks,
}

struct State {
    directory: Directory,
    settings: Settings,
    calls: Vec<StsCall>,
}

impl Sts {
    /// Starts one on a free port of the loopback interface.
    pub async fn start(options: Options) -> io::Result<Self> {
        let Options { providers, roles, keys, settings, clock, on_issue } = options;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let directory = Directory {
            providers,
            roles,
            keys,
            principals: Default::default(),
            nonces: Nonces::default(),
            life: None,
            issued: 0,
            port: addr.port(),
        };
        let state = Mutex::new(State { directory, settings, calls: Vec::new() });
        let shared = Arc::new(Shared { state, clock, on_issue, tasks: Tasks::default() });
        shared.tasks.spawn(http::accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared })
    }

    /// Its address as a client takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Changes how it behaves.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.state().settings);
    }

    /// The roles that there are from now on.
    pub fn set_roles(&self, roles: Vec<Role>) {
        self.shared.state().directory.roles = roles;
    }

    /// The access keys that it knows from now on, besides those that it gave out.
    pub fn set_keys(&self, keys: Vec<Key>) {
        let mut state = self.shared.state();
        let given_out = state.directory.keys.iter().filter(|key| key.ends_at.is_some()).cloned();
        let all = keys.into_iter().chain(given_out).collect();
        state.directory.keys = all;
    }

    /// Every call, in the order in which they came.
    pub fn calls(&self) -> Vec<StsCall> {
        self.shared.state().calls.clone()
    }

    /// How many keys it gave out.
    pub fn exchanges(&self) -> usize {
        self.shared.state().calls.iter().filter(|call| call.key_id.is_some()).count()
    }

    /// What time it is there.
    pub fn now(&self) -> Timestamp {
        let state = self.shared.state();
        self.shared.now(&state.settings)
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.shared.tasks.close();
        self.shared.tasks.ended().await;
    }
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.shared.tasks.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, settings: &Settings) -> Timestamp {
        Now::new(self.clock.now(), settings.clock_offset_ms).service
    }

    /// Performs the request, and what is answered.
    fn handle(&self, request: &RawRequest) -> Option<(u16, Value, Timestamp)> {
        let mut state = self.state();
        let now = self.now(&state.settings);
        let State { directory, settings, calls } = &mut *state;
        directory.life = settings.life;
        let result = match &settings.trouble {
            None => Some(directory.perform(request, settings.takes_queries, now)),
            Some(Trouble::Error { status, code }) => Some(Err(ApiError::new(*status, code, "The service is as the test wants it."))),
            Some(_) => None,
        };
        let parameter = |name: &str| request.parameter(name).unwrap_or_default();
        let mut call = StsCall {
            time: now,
            action: exchange::action(request),
            role_arn: parameter("RoleArn"),
            session_name: parameter("RoleSessionName"),
            duration_seconds: request.parameter("DurationSeconds").and_then(|text| text.parse().ok()),
            policy: request.parameter("Policy"),
            outcome: None,
            key_id: None,
        };
        let request_id = format!("00000000-0000-4000-8000-{:012X}", calls.len() + 1);
        let answer = result.map(|result| match result {
            Ok(issued) => {
                (call.outcome, call.key_id) = (Some(OK.to_owned()), Some(issued.key.id.clone()));
                if let Some(on_issue) = &self.on_issue {
                    on_issue(issued.key);
                }
                let mut answer = issued.answer;
                answer["RequestId"] = request_id.into();
                (200, answer, now)
            }
            Err(error) => {
                call.outcome = Some(error.code.clone());
                let answer = json!({ "RequestId": request_id, "HostId": "sts", "Code": error.code, "Message": error.message });
                (error.status, answer, now)
            }
        });
        calls.push(call);
        answer
    }
}

impl Service for Shared {
    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, Reply> {
        Box::pin(async move {
            let (latency, trouble) = {
                let state = self.state();
                (state.settings.latency, state.settings.trouble.clone())
            };
            tokio::time::sleep(latency).await;
            let answer = self.handle(&request);
            match (trouble, answer) {
                (Some(Trouble::Closed), _) => Reply::Close,
                (Some(Trouble::Reset), _) => Reply::Reset,
                (Some(Trouble::Silent), _) => std::future::pending().await,
                (Some(Trouble::Garbage(body)), _) => {
                    let date = self.clock.now();
                    Reply::Answer { status: 200, headers: vec![("content-type", "text/html".to_owned())], body: body.into(), date }
                }
                (_, Some((status, body, date))) => {
                    let headers = vec![("content-type", "application/json;charset=utf-8".to_owned())];
                    Reply::Answer { status, headers, body: body.to_string().into(), date }
                }
                (_, None) => Reply::Close,
            }
        })
    }

    fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}
