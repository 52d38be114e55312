//! An API server that knows a few objects, refuses what it is told to refuse, and keeps what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rds-backup-operator");

/// What the group of our kinds is served under.
const OURS: &str = "/apis/rdsbackup.io/v1alpha1";

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub content_type: String,
    pub body: Value,
}

#[derive(Default)]
struct State {
    /// By path.
    objects: BTreeMap<String, Value>,
    /// What is refused: method and the beginning of the path, and the answer.
    refused: Vec<(String, String, u16, Value)>,
    requests: Vec<Request>,
}

/// A server on a free port, and a kubeconfig for it. Its thread ends with the test's process.
pub struct Server {
    state: Arc<Mutex<State>>,
    dir: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| serve(&shared, &connection)));
        let dir = tempfile::tempdir().expect("a directory");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{ name: c, cluster: {{ server: 'http://{address}' }} }}]\n\
             users: [{{ name: u, user: {{ token: hidden-token }} }}]\n\
             contexts: [{{ name: here, context: {{ cluster: c, user: u, namespace: team-a }} }}]\n"
        );
        std::fs::write(dir.path().join("config"), text).expect("a file");
        Self { state, dir }
    }

    pub fn with_backup(self, name: &str, change: &Value) -> Self {
        let mut object = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
            "metadata": { "namespace": "team-a", "name": name, "uid": format!("uid-of-{name}"), "creationTimestamp": "2026-11-29T02:00:00Z" },
            "spec": { "dbInstanceId": "rm-orders" },
        });
        merge(&mut object, change);
        self.put(&format!("{OURS}/namespaces/team-a/rdsbackups/{name}"), object)
    }

    pub fn with_schedule(self, name: &str, change: &Value) -> Self {
        let mut object = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
            "metadata": { "namespace": "team-a", "name": name, "uid": format!("uid-of-{name}") },
            "spec": { "schedule": "@daily", "template": { "spec": { "dbInstanceId": "rm-orders" } } },
        });
        merge(&mut object, change);
        self.put(&format!("{OURS}/namespaces/team-a/rdsbackupschedules/{name}"), object)
    }

    pub fn with_namespace(self, name: &str, annotations: &Value) -> Self {
        let metadata = json!({ "name": name, "uid": format!("uid-of-{name}"), "annotations": annotations });
        self.put(&format!("/api/v1/namespaces/{name}"), json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }))
    }

    pub fn with_event(self, name: &str, change: &Value) -> Self {
        let mut object = json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "namespace": "team-a", "name": name } });
        merge(&mut object, change);
        self.put(&format!("/apis/events.k8s.io/v1/namespaces/team-a/events/{name}"), object)
    }

    /// Without the right to do this, as RBAC refuses it.
    pub fn forbidding(self, method: &str, path: &str, verb: &str, resource: &str) -> Self {
        let message = format!("{resource} is forbidden: User \"ann@example.org\" cannot {verb} resource \"{resource}\" in API group \"\"");
        self.refusing(
            method,
            path,
            403,
            json!({ "kind": "Status", "status": "Failure", "reason": "Forbidden", "message": message, "code": 403 }),
        )
    }

    pub fn refusing(self, method: &str, path: &str, code: u16, answer: Value) -> Self {
        self.state.lock().unwrap().refused.push((method.to_owned(), path.to_owned(), code, answer));
        self
    }

    fn put(self, path: &str, object: Value) -> Self {
        self.state.lock().unwrap().objects.insert(path.to_owned(), object);
        self
    }

    /// Puts a backup there while a command runs.
    pub fn later(&self, name: &str, object: Value) {
        self.state.lock().unwrap().objects.insert(format!("{OURS}/namespaces/team-a/rdsbackups/{name}"), object);
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(Path::new(PROGRAM), args).output().expect("it runs"))
    }

    pub fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("HOME", "/nowhere").env("KUBECONFIG", self.dir.path().join("config"));
        command
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// What was written, by path.
    pub fn patches(&self) -> Vec<(String, Value)> {
        let requests = self.requests();
        let patches: Vec<&Request> = requests.iter().filter(|request| request.method != "GET").collect();
        for patch in &patches {
            assert_eq!((patch.method.as_str(), patch.content_type.as_str()), ("PATCH", "application/merge-patch+json"), "{patch:?}");
            assert!(patch.query.contains("fieldManager=kubectl-rdsbackup"), "{patch:?}");
        }
        patches.iter().map(|patch| (patch.path.clone(), patch.body.clone())).collect()
    }
}

/// The program under another name.
pub fn called(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::os::unix::fs::symlink(PROGRAM, &path).expect("a link");
    path
}

pub fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended { code: output.status.code().expect("a code"), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!ended.stdout.contains("hidden-token") && !ended.stderr.contains("hidden-token"), "{ended:?}");
    ended
}

pub fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}

fn serve(state: &Mutex<State>, connection: &TcpStream) {
    let Some(request) = read(connection) else { return };
    let (code, answer) = answer(&mut state.lock().unwrap(), request);
    let body = answer.to_string();
    let head =
        format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut connection = connection;
    let _ = connection.write_all((head + &body).as_bytes());
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => content_type = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), content_type, body })
}

fn answer(state: &mut State, request: Request) -> (u16, Value) {
    state.requests.push(request.clone());
    let is_refused =
        |(method, path, ..): &&(String, String, u16, Value)| request.method == *method && request.path.starts_with(path.as_str());
    if let Some((_, _, code, answer)) = state.refused.iter().find(is_refused) {
        return (*code, answer.clone());
    }
    // A list: of a namespace, or of all.
    if request.method == "GET" && !state.objects.contains_key(&request.path) {
        let kind = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let is_list = ["rdsbackups", "rdsbackupschedules", "events"].contains(&kind.as_str());
        if is_list {
            let fits = |path: &str| {
                let (of, _) = path.rsplit_once('/').unwrap_or_default();
                of == request.path || (!request.path.contains("/namespaces/") && of.ends_with(&format!("/{kind}")))
            };
            let items: Vec<&Value> = state.objects.iter().filter(|(path, _)| fits(path)).map(|(_, object)| object).collect();
            return (200, json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items }));
        }
    }
    let name = request.path.rsplit('/').next().unwrap_or_default().to_owned();
    let Some(object) = state.objects.get_mut(&request.path) else {
        let details = json!({ "name": name });
        return (
            404,
            json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "details": details, "code": 404 }),
        );
    };
    if request.method == "PATCH" {
        if request.body["metadata"]["uid"] != object["metadata"]["uid"] {
            return (409, json!({ "kind": "Status", "status": "Failure", "reason": "Conflict", "message": "uid", "code": 409 }));
        }
        merge(object, &request.body);
    }
    (200, object.clone())
}
