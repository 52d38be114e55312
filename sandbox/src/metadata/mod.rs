//! A simulated metadata service of a node, and a server of keys such as `CredentialsURI` names: both hand out temporary keys to whoever
//! reaches them. Version 2 of the metadata service wants a token first, and there is no version 1 unless a test says so.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{self, Reply, Service};
use crate::rds::{Clock, Key, RawRequest, SystemClock, later};
use crate::tasks::Tasks;

/// The path of a key's document, with a word in it that must never be shown.
pub const URI_PATH: &str = "/keys/uri-canary-path?ticket=uri-canary-ticket";

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials/";

/// How it behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The node's role; none if it has none.
    pub role: Option<String>,
    /// How long keys live.
    pub life: Duration,
    /// How old a key is when it is handed out: the real service hands out one key for hours.
    pub age: Duration,
    /// Whether it gives tokens: version 2.
    pub gives_tokens: bool,
    /// Whether it serves without a token: version 1.
    pub serves_without_token: bool,
    /// `Code` of the documents.
    pub code: String,
    /// It answers nothing.
    pub silent: bool,
    /// Members that its documents lack.
    pub lacks: Vec<String>,
    /// Its documents are no JSON.
    pub garbage: bool,
    /// The name of its role ends with a line break, as what stands in its place may write it. The official clients do not cut it off.
    pub ends_lines: bool,
}

impl Default for Settings {
    /// A node with the role `node-role`, version 2 alone.
    fn default() -> Self {
        Self {
            role: Some("node-role".to_owned()),
            life: Duration::from_secs(6 * 3600),
            age: Duration::ZERO,
            gives_tokens: true,
            serves_without_token: false,
            code: "Success".to_owned(),
            silent: false,
            lacks: Vec::new(),
            garbage: false,
            ends_lines: false,
        }
    }
}

/// A running service. It stops when it is dropped.
pub struct Metadata {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    on_issue: Box<dyn Fn(Key) + Send + Sync>,
    tasks: Tasks,
}

struct State {
    settings: Settings,
    /// Part of the ids of its keys: several services may hand theirs to one endpoint.
    port: u16,
    tokens: u32,
    issued: u32,
    requests: Vec<String>,
}

impl Metadata {
    /// Starts one on a free port of the loopback interface; `on_issue` receives each key that is handed out.
    pub async fn start(settings: Settings, on_issue: impl Fn(Key) + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let state = Mutex::new(State { settings, port: addr.port(), tokens: 0, issued: 0, requests: Vec::new() });
        let shared = Arc::new(Shared { state, on_issue: Box::new(on_issue), tasks: Tasks::default() });
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

    /// Method and path of every request, in the order in which they came.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.shared.tasks.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, request: &RawRequest, now: Timestamp) -> (u16, String) {
        let mut state = self.state();
        state.requests.push(format!("{} {}", request.method, request.path));
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
        let not_found = (404, "<h1>404 - Not Found</h1>".to_owned());
        let path_of_uri = URI_PATH.split_once('?');
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", TOKEN_PATH) if state.settings.gives_tokens => {
                let ttl = number(request.header("x-aliyun-ecs-metadata-token-ttl-seconds"));
                if !ttl.is_some_and(|ttl| (1..=21_600).contains(&ttl)) || !request.body.is_empty() {
                    return (400, "the header X-aliyun-ecs-metadata-token-ttl-seconds is missing or wrong".to_owned());
                }
                state.tokens += 1;
                (200, format!("metadata-token-canary-{}", state.tokens))
            }
            ("GET", path) if path.starts_with(ROLES_PATH) => {
                let tokens = state.tokens;
                let is_ours =
                    |token: &str| number(token.strip_prefix("metadata-token-canary-")).is_some_and(|token| (1..=tokens).contains(&token));
                match request.header("x-aliyun-ecs-metadata-token") {
                    Some(token) if !is_ours(token) => return (401, "the token is not known".to_owned()),
                    None if !state.settings.serves_without_token => return (403, "a token is needed".to_owned()),
                    Some(_) | None => {}
                }
                let role = state.settings.role.clone();
                match (path.strip_prefix(ROLES_PATH).unwrap_or_default(), role) {
                    ("", Some(role)) => (200, if state.settings.ends_lines { format!("{role}\n") } else { role }),
                    (asked, Some(role)) if asked == role => (200, self.document(&mut state, now)),
                    _ => not_found,
                }
            }
            ("GET", path) if path_of_uri == Some((path, request.query.as_str())) => (200, self.document(&mut state, now)),
            _ => not_found,
        }
    }

    fn document(&self, state: &mut State, now: Timestamp) -> String {
        if state.settings.garbage { "<h1>Welcome</h1>".to_owned() } else { self.key(state, now).to_string() }
    }

    fn key(&self, state: &mut State, now: Timestamp) -> Value {
        state.issued += 1;
        let (number, settings) = (format!("{}-{}", state.port, state.issued), &state.settings);
        let end = later(now, settings.life.saturating_sub(settings.age));
        let end = if settings.age > settings.life { now.checked_sub(settings.age - settings.life).unwrap_or(now) } else { end };
        let end = Timestamp::from_second(end.as_second()).unwrap_or(end);
        let (id, secret, token) =
            (format!("STS.metadata-{number}"), format!("metadata-secret-canary-{number}"), format!("metadata-sts-token-canary-{number}"));
        (self.on_issue)(Key::new(&id, &secret).token(&token).ends_at(end));
        let mut document = json!({
            "Code": settings.code, "AccessKeyId": id, "AccessKeySecret": secret, "SecurityToken": token, "Expiration": end.to_string(),
            "LastUpdated": now.to_string(),
        });
        for name in &settings.lacks {
            if let Some(members) = document.as_object_mut() {
                members.remove(name);
            }
        }
        document
    }
}

impl Service for Shared {
    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, Reply> {
        Box::pin(async move {
            if self.state().settings.silent {
                std::future::pending::<()>().await;
            }
            let date = SystemClock.now();
            let (status, body) = self.handle(&request, date);
            Reply::Answer { status, headers: vec![("content-type", "text/plain".to_owned())], body: body.into(), date }
        })
    }

    fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}
