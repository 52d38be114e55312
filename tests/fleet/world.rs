//! An account with instances, a cluster with objects, and the program between them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Output,
    sync::{Arc, Mutex},
    time::Duration,
};

use rds_backup_sandbox::rds::{Catalogue, Endpoint, Engine, InstanceSpec, Key, Options, Quirks, Settings};
use serde_json::{Value, json};

pub const KEY: &str = "key-of-the-fleet";
pub const SECRET: &str = "secret-of-the-fleet";

/// What the API server has.
#[derive(Default)]
pub struct Objects {
    pub schedules: Vec<Value>,
    pub backups: Vec<Value>,
    /// Kinds that nobody may list.
    pub forbidden: Vec<&'static str>,
    /// The paths that were asked for.
    pub asked: Vec<String>,
}

pub struct World {
    pub endpoint: Endpoint,
    pub objects: Arc<Mutex<Objects>>,
    directory: tempfile::TempDir,
}

/// What the program said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl World {
    pub async fn new(catalogue: Catalogue) -> Self {
        Self::with_keys(catalogue, vec![Key::new(KEY, SECRET)]).await
    }

    pub async fn with_keys(catalogue: Catalogue, keys: Vec<Key>) -> Self {
        let settings = Settings {
            job_time: Duration::from_millis(1),
            lag: Duration::ZERO,
            latency: Duration::ZERO,
            quirks: Quirks { numeric_ids: true, ..Quirks::default() },
            ..Settings::sandbox()
        };
        let endpoint = Endpoint::start(Options { keys, catalogue, settings, ..Options::default() }).await.expect("a port");
        let objects = Arc::new(Mutex::new(Objects::default()));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("an address");
        let held = objects.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| serve(connection, &held)));
        let directory = tempfile::tempdir().expect("a directory");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{ name: c, cluster: {{ server: 'http://{server}' }} }}]\n\
             users: [{{ name: u, user: {{ token: hidden-token }} }}]\n\
             contexts: [{{ name: here, context: {{ cluster: c, user: u, namespace: team-a }} }}]\n"
        );
        let account = |credentials: &str| {
            format!(
                "{{ regionId: cn-hangzhou, endpoint: '{}', credentials: {credentials}, allow: [], limits: {{ describePerSecond: 1000 }} }}",
                endpoint.url()
            )
        };
        let config = format!(
            "accounts:\n  main: {}\n  by-secret: {}\n  tenants: {}\n",
            account("{ type: Auto }"),
            account("{ type: Secret, name: rds-key }"),
            account("{ type: TenantSecret, name: rds-key }")
        );
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig).expect("a file");
        std::fs::write(directory.path().join("config.yaml"), config).expect("a file");
        Self { endpoint, objects, directory }
    }

    pub fn config(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }

    pub fn has(&self, change: impl FnOnce(&mut Objects)) {
        change(&mut self.objects.lock().expect("not poisoned"));
    }

    /// The program with these arguments, the configuration and the account `main`; it knows the account's key from its environment.
    pub async fn run(&self, command: &str, args: &[&str]) -> Said {
        self.run_for("main", command, args).await
    }

    pub async fn run_for(&self, account: &str, command: &str, args: &[&str]) -> Said {
        let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"));
        program.arg(command).arg("--account").arg(account).arg("--config").arg(self.config()).args(args).env_clear();
        program.env("KUBECONFIG", self.directory.path().join("kubeconfig")).env("HOME", "/nowhere");
        program.env("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET);
        let Output { status, stdout, stderr } = program.output().await.expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let said = Said { code: status.code(), out: text(stdout), err: text(stderr) };
        for hidden in [SECRET, "hidden-token", "Signature="] {
            assert!(!said.out.contains(hidden) && !said.err.contains(hidden), "{}\n{}", said.out, said.err);
        }
        said
    }

    /// The instances that were asked for a backup or whose sets were deleted: none, whatever is run here.
    pub fn nothing_was_changed(&self) {
        assert_eq!((self.endpoint.ledger().len(), self.endpoint.deletions().len()), (0, 0));
    }
}

/// Answers one request, and closes the connection.
fn serve(mut connection: TcpStream, objects: &Mutex<Objects>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match connection.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut objects = objects.lock().expect("not poisoned");
    objects.asked.push(format!("{method} {path}"));
    let kind = path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let of_namespace = path.split("/namespaces/").nth(1).and_then(|rest| rest.split('/').next());
    let list = |objects: &[Value]| {
        let in_scope = |object: &&Value| of_namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace);
        json!({ "kind": "List", "apiVersion": "rdsbackup.io/v1alpha1", "metadata": {}, "items": objects.iter().filter(in_scope).collect::<Vec<_>>() })
    };
    let refusal = |code: u16, message: String| {
        (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code }))
    };
    let (status, body) = match kind {
        _ if method != "GET" => refusal(405, "only reads are expected here".to_owned()),
        kind if objects.forbidden.contains(&kind) => {
            refusal(403, format!("{kind}.rdsbackup.io is forbidden: User \"anna\" cannot list resource"))
        }
        "rdsbackupschedules" => (200, list(&objects.schedules)),
        "rdsbackups" => (200, list(&objects.backups)),
        "rds-key" if of_namespace == Some("ops") => {
            // "key-of-the-fleet" and "secret-of-the-fleet" in Base64.
            let data = json!({ "accessKeyId": "a2V5LW9mLXRoZS1mbGVldA==", "accessKeySecret": "c2VjcmV0LW9mLXRoZS1mbGVldA==" });
            (200, json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": "rds-key", "namespace": "ops" }, "data": data }))
        }
        _ => refusal(404, "not found".to_owned()),
    };
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes()));
}

/// `daily`: tagged with `backup=daily`.
pub fn daily(engine: Engine, version: &str, disk: &str) -> InstanceSpec {
    let mut spec = InstanceSpec::new(engine, version, disk);
    spec.tags.insert("backup".into(), "daily".into());
    spec
}

/// A schedule of every night, created a year ago.
pub fn schedule(name: &str, instance: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
        "metadata": { "name": name, "namespace": "team-a", "uid": format!("uid-of-{name}"), "generation": 1, "creationTimestamp": "2025-01-01T00:00:00Z" },
        "spec": { "schedule": "0 2 * * *", "template": { "spec": { "dbInstanceId": instance, "account": "main" } } },
    });
    for (key, value) in spec.as_object().expect("fields") {
        object["spec"][key] = value.clone();
    }
    object
}

/// A backup of that schedule that began so many hours ago and succeeded.
pub fn success(schedule: &str, instance: &str, hours_ago: i64, set: &str) -> Value {
    let began = rds_backup_operator::clock::Clock::system().now() - jiff::SignedDuration::from_hours(hours_ago);
    let ended = began + jiff::SignedDuration::from_mins(5);
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": {
            "name": format!("{schedule}-{set}"), "namespace": "team-a", "creationTimestamp": began,
            "labels": { "rdsbackup.io/schedule-name": schedule, "rdsbackup.io/schedule-uid": format!("uid-of-{schedule}") },
        },
        "spec": { "dbInstanceId": instance, "account": "main" },
        "status": { "observedGeneration": 1, "phase": "Succeeded", "backupId": set, "startedAt": began, "completedAt": ended },
    })
}
