//! An endpoint on a clock that the test moves, and a client that knows its key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rds_backup_sandbox::rds::{Endpoint, ManualClock, Options, Quirks, Rate, Settings};
use serde_json::Value;

use super::client::{Lost, Request, Response, send};

pub const KEY: &str = "sandbox-key";
pub const SECRET: &str = "sandbox-secret";
/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub endpoint: Endpoint,
    clock: Arc<ManualClock>,
    nonces: AtomicU64,
}

impl World {
    /// Jobs of 100 s, a lag of 10 s, no latency, and no quirk but those of the documentation.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        // Noon, so that a test may move the clock by hours without changing the day.
        let clock = Arc::new(ManualClock::new("2026-03-04T12:00:00.5Z".parse().unwrap()));
        let settings = Settings {
            job_time: Duration::from_secs(100),
            lag: Duration::from_secs(10),
            latency: Duration::ZERO,
            quirks: Quirks { process125: false, ..Quirks::default() },
            ..Settings::sandbox()
        };
        let mut options = Options { clock: clock.clone(), settings, ..Options::default() };
        change(&mut options);
        Self { endpoint: Endpoint::start(options).await.unwrap(), clock, nonces: AtomicU64::new(1) }
    }

    /// Lets so many calls of the action through in any so many seconds.
    pub fn throttle(&self, action: &str, calls: u32, seconds: u64) {
        let rate = Rate { calls, window: Duration::from_secs(seconds) };
        self.endpoint.update(|settings| {
            settings.throttle.insert(action.to_owned(), rate);
        });
    }

    pub fn addr(&self) -> SocketAddr {
        self.endpoint.addr()
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A request with a fresh nonce and the service's time.
    pub fn request(&self, action: &str, parameters: &[(&str, &str)]) -> Request {
        let nonce = format!("nonce-{}", self.nonces.fetch_add(1, Ordering::Relaxed));
        Request::new(self.addr(), action, parameters, &nonce, self.endpoint.now().service)
    }

    pub async fn send(&self, request: &Request) -> Result<Response, Lost> {
        send(self.addr(), &request.signed(KEY, SECRET), PATIENCE).await
    }

    pub async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Response {
        self.send(&self.request(action, parameters)).await.unwrap()
    }

    pub async fn verdict(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.call(action, parameters).await.verdict()
    }

    /// Has a backup accepted and returns its job's id.
    pub async fn create(&self, instance: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.call("CreateBackup", &[&[("DBInstanceId", instance)], parameters].concat()).await;
        assert_eq!(answer.verdict(), "OK", "{:?}", answer.json());
        text(&answer.json()["BackupJobId"])
    }

    /// What DescribeBackupTasks says of one job.
    pub async fn task(&self, instance: &str, job: &str) -> Value {
        let answer = self.call("DescribeBackupTasks", &[("DBInstanceId", instance), ("BackupJobId", job)]).await.json();
        answer["Items"]["BackupJob"][0].clone()
    }

    /// The tasks that DescribeBackupTasks shows without an id.
    pub async fn tasks(&self, instance: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.call("DescribeBackupTasks", &[&[("DBInstanceId", instance)], parameters].concat()).await.json();
        answer["Items"]["BackupJob"].as_array().unwrap().clone()
    }

    /// One page of sets.
    pub async fn sets(&self, instance: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.call("DescribeBackups", &[&[("DBInstanceId", instance)], parameters].concat()).await.json();
        answer["Items"]["Backup"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// A backup from its request to its place in the list, which is returned.
    pub async fn backup(&self, instance: &str, parameters: &[(&str, &str)]) -> Value {
        self.create(instance, parameters).await;
        self.wait(110);
        self.sets(instance, &[]).await.remove(0)
    }
}

/// An id as text, whichever way it is written.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
