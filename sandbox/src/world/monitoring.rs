//! A real Prometheus beside a world: it scrapes the operator, and has the repository's alert rules with short times.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::health;
use super::installed::NAMESPACE;
use super::operator::Operator;
use super::short_rules::{RulesError, shortened};
use crate::plane::{Prometheus, Supervised};

/// The job that the rule RdsBackupOperatorDown looks for, in the operator's namespace.
const JOB: &str = "rds-backup-operator-metrics";

/// It is ready after 0.5 s on 2 idle cores; compilers beside it may make that 10 s.
const READY: Duration = Duration::from_secs(60);

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Why there is no monitoring, or why it gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    /// The alert rules cannot be shortened.
    #[error("the alert rules {}", path.display())]
    Rules {
        /// Their file.
        path: PathBuf,
        /// Why not.
        source: RulesError,
    },
    /// A file of it cannot be read or written.
    #[error("Prometheus: {} cannot be used", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It could not be started or signalled.
    #[error("the process of Prometheus")]
    Process(#[source] io::Error),
    /// It ended.
    #[error("Prometheus ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        tail: String,
    },
    /// It runs, and did not become ready.
    #[error("Prometheus was not ready after {limit:?}; the end of its log:\n{tail}")]
    NotReady {
        /// How long it was given.
        limit: Duration,
        /// The end of its log.
        tail: String,
    },
    /// It gave no answer.
    #[error("Prometheus did not answer GET {path}")]
    Http {
        /// What was asked for.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It refused a request.
    #[error("Prometheus answered GET {path} with {status}: {body}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: String,
    },
}

/// A running Prometheus. Dropping it kills it.
#[derive(Debug)]
pub struct Monitoring {
    process: Supervised,
    address: SocketAddr,
    targets: PathBuf,
}

impl Monitoring {
    /// Starts it in the world's directory `dir`, with the rules of the repository, and returns when it is ready. It scrapes nothing before
    /// [`Monitoring::scrape`].
    pub async fn start(programs: &Prometheus, dir: &Path, repository: &Path) -> Result<Self, MonitoringError> {
        let rules = repository.join("deploy").join("monitoring").join("alerts.yaml");
        let text = std::fs::read_to_string(&rules).map_err(file(&rules))?;
        let short = shortened(&text).map_err(|source| MonitoringError::Rules { path: rules, source })?;
        let own = dir.join("prometheus");
        std::fs::create_dir(&own).map_err(file(&own))?;
        let config = own.join("prometheus.yaml");
        for (path, text) in [(&config, config_text()), (&own.join(RULES), short), (&own.join(TARGETS), "[]".to_owned())] {
            std::fs::write(path, text).map_err(file(path))?;
        }
        let flags = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", own.join("data").display()),
            // A free port, which its log then names: no other process can take it first.
            "--web.listen-address=127.0.0.1:0".to_owned(),
        ];
        let log = dir.join("logs").join("prometheus.log");
        let environment = [("HOME", dir.join("home"))];
        let mut process = Supervised::spawn("prometheus", &programs.server, flags, environment, &log).map_err(MonitoringError::Process)?;
        let address = ready(&mut process).await?;
        Ok(Self { process, address, targets: own.join(TARGETS) })
    }

    /// From now on it scrapes these operators, and no others.
    pub fn scrape(&self, operators: &[&Operator]) -> Result<(), MonitoringError> {
        let target = |operator: &&Operator| {
            let address = operator.health_address().map(|address| address.to_string());
            let pod = operator.log().file_stem().map(|name| name.to_string_lossy());
            json!({ "targets": address.as_slice(), "labels": { "namespace": NAMESPACE, "pod": pod } })
        };
        let targets = Value::Array(operators.iter().map(target).collect());
        // Renamed into place: it reads the file as soon as it changes, and half a file is an error in its log.
        let new = self.targets.with_extension("new");
        std::fs::write(&new, targets.to_string()).map_err(file(&new))?;
        std::fs::rename(&new, &self.targets).map_err(file(&self.targets))
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// The series that an expression has now.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, MonitoringError> {
        let data = self.ask(&format!("/api/v1/query?query={}", utf8_percent_encode(expression, NON_ALPHANUMERIC))).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The alerts that are pending or firing now.
    pub async fn alerts(&self) -> Result<Vec<Value>, MonitoringError> {
        let data = self.ask("/api/v1/alerts").await?;
        Ok(data["alerts"].as_array().cloned().unwrap_or_default())
    }

    async fn ask(&self, path: &str) -> Result<Value, MonitoringError> {
        let answer = health::get(self.address, path).await.map_err(|source| MonitoringError::Http { path: path.to_owned(), source })?;
        match serde_json::from_str::<Value>(&answer.body) {
            Ok(mut body) if answer.status == 200 && body["status"] == "success" => Ok(body["data"].take()),
            _ => Err(MonitoringError::Refused { path: path.to_owned(), status: answer.status, body: answer.body }),
        }
    }

    /// Waits until it ends by itself, which is an error with the end of its log.
    pub async fn broken(&mut self) -> MonitoringError {
        match self.process.wait().await {
            Ok(status) => MonitoringError::Ended { status, tail: self.process.log_tail() },
            Err(source) => MonitoringError::Process(source),
        }
    }

    /// Asks it to end (SIGTERM) and returns when it has; kills it if that takes longer than 5 s.
    pub async fn stop(&mut self) -> Result<(), MonitoringError> {
        self.process.stop(GRACE).await.map(|_| ()).map_err(MonitoringError::Process)
    }
}

const RULES: &str = "alerts.yaml";
const TARGETS: &str = "targets.json";

/// As `docs/guides/monitoring.md` has it, with a second for a minute: what the rules are shortened by. JSON is YAML.
fn config_text() -> String {
    json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
        "rule_files": [RULES],
        "scrape_configs": [{ "job_name": JOB, "honor_labels": true, "file_sd_configs": [{ "files": [TARGETS] }] }],
    })
    .to_string()
}

/// Where it listens, once it says that it is ready.
async fn ready(process: &mut Supervised) -> Result<SocketAddr, MonitoringError> {
    let began = Instant::now();
    loop {
        if let Some(status) = process.try_wait().map_err(MonitoringError::Process)? {
            return Err(MonitoringError::Ended { status, tail: process.log_tail() });
        }
        let log = std::fs::read(process.log()).unwrap_or_default();
        if let Some(address) = address_in(&String::from_utf8_lossy(&log))
            && health::get(address, "/-/ready").await.is_ok_and(|answer| answer.status == 200)
        {
            return Ok(address);
        }
        if began.elapsed() > READY {
            return Err(MonitoringError::NotReady { limit: READY, tail: process.log_tail() });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn address_in(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains(r#"msg="Listening on""#))?;
    line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> MonitoringError {
    move |source| MonitoringError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_as_prometheus_2_and_3_write_it() {
        let two = r#"caller=web.go:503 level=info component=web msg="Start listening for connections" address=127.0.0.1:0
ts=2026-03-04T12:00:00Z caller=tls_config.go:232 level=info component=web msg="Listening on" address=127.0.0.1:4001"#;
        let three =
            r#"time=2026-03-04T12:00:00Z level=INFO source=tls_config.go:347 msg="Listening on" component=web address=127.0.0.1:4002"#;
        let port = |log| address_in(log).map(|address| address.port());
        assert_eq!((port(two), port(three), port("")), (Some(4001), Some(4002), None));
    }
}
