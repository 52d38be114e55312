//! The operator as a process: started as its ServiceAccount, queried, stopped and killed.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::plane::{Signal, Supervised};

use super::health::{self, Answer};
use super::installed::NAMESPACE;

/// How an operator is started.
#[derive(Debug, Clone, Default)]
pub struct StartOperator {
    /// Its configuration file. The world's by default.
    pub config: Option<PathBuf>,
    /// Its kubeconfig: as another user, or through a proxy. That of its ServiceAccount by default.
    pub kubeconfig: Option<PathBuf>,
    /// How it logs.
    pub log_format: LogFormat,
    /// Whether it waits until it has the lease, as it does by default for users. Not here: an operator that was killed keeps its lease for
    /// 15 s.
    pub leader_elect: bool,
    /// Appended to its command line.
    pub args: Vec<String>,
    /// Added to its environment, which otherwise is KUBECONFIG, HOME, PATH and POD_NAMESPACE.
    pub env: Vec<(String, String)>,
}

/// How the operator logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For programs.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Why an operator did not start, answer or end as it should.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// It could not be started or signalled.
    #[error("the operator's process, with its log at {}", log.display())]
    Process {
        /// Its log.
        log: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It ended.
    #[error("the operator ended ({status}); the end of its log {}:\n{tail}", log.display())]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// It runs, and did not become ready.
    #[error("the operator was not ready after {limit:?}: {last}; the end of its log {}:\n{tail}", log.display())]
    NotReady {
        /// How long it was given.
        limit: Duration,
        /// What it last answered.
        last: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// Its health and metrics server gave no answer.
    #[error("the operator did not answer GET {path}; the end of its log {}:\n{tail}", log.display())]
    Http {
        /// What was asked for.
        path: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
        /// Why not.
        source: io::Error,
    },
}

/// A running operator. Dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    process: Supervised,
    health: OnceLock<SocketAddr>,
}

impl Operator {
    pub(super) fn spawn(
        number: usize,
        program: &Path,
        dir: &Path,
        kubeconfig: &Path,
        config: &Path,
        start: StartOperator,
    ) -> Result<Self, OperatorError> {
        let StartOperator { config: other_config, kubeconfig: other_kubeconfig, log_format, leader_elect, args, env } = start;
        let log = dir.join("logs").join(format!("operator-{number}.log"));
        let config = other_config.as_deref().unwrap_or(config).display().to_string();
        let format = match log_format {
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        };
        let elects = format!("--leader-elect={leader_elect}");
        let ours = ["run", "--config", &config, &elects, "--health-addr", "127.0.0.1:0", "--log-format", format].map(str::to_owned);
        let environment = [
            ("KUBECONFIG", other_kubeconfig.as_deref().unwrap_or(kubeconfig).display().to_string()),
            ("HOME", dir.join("home").display().to_string()),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("POD_NAMESPACE", NAMESPACE.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(env);
        let process = Supervised::spawn("rds-backup-operator", program, ours.into_iter().chain(args), environment, &log);
        Ok(Self { process: process.map_err(|source| OperatorError::Process { log, source })?, health: OnceLock::new() })
    }

    /// Its pid; of an ended one, the pid that it had.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A figure of its memory in KiB, as `/proc/PID/status` names it: `VmRSS`, `VmHWM` (the peak of it), `RssAnon` (without the pages of
    /// files). 0 if it cannot be read.
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or_default()
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Where its health and metrics server listens, once its log says so.
    pub fn health_address(&self) -> Option<SocketAddr> {
        if let Some(known) = self.health.get() {
            return Some(*known);
        }
        let log = std::fs::read(self.log()).unwrap_or_default();
        let address = health::address_in(&String::from_utf8_lossy(&log))?;
        Some(*self.health.get_or_init(|| address))
    }

    /// `GET` of its health and metrics server: `/metrics`, `/healthz`, `/readyz`.
    pub async fn get(&self, path: &str) -> Result<Answer, OperatorError> {
        let answer = match self.health_address() {
            Some(address) => health::get(address, path).await,
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "its log does not say where it listens")),
        };
        answer.map_err(|source| OperatorError::Http { path: path.to_owned(), log: self.log().to_owned(), tail: self.log_tail(), source })
    }

    /// Waits until it says that it is ready, and returns where it says so.
    pub async fn wait_ready(&mut self, limit: Duration) -> Result<SocketAddr, OperatorError> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended_already()? {
                return Err(self.ended_with(status));
            }
            let last = match self.health_address() {
                None => "its log does not say where it listens".to_owned(),
                Some(address) => match health::get(address, "/readyz").await {
                    Ok(Answer { status: 200, .. }) => return Ok(address),
                    Ok(Answer { status, body }) => format!("GET /readyz is {status} {}", body.trim()),
                    Err(error) => format!("GET /readyz: {error}"),
                },
            };
            if began.elapsed() > limit {
                return Err(OperatorError::NotReady { limit, last, log: self.log().to_owned(), tail: self.log_tail() });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How it ended, if it has.
    pub fn ended_already(&mut self) -> Result<Option<ExitStatus>, OperatorError> {
        let ended = self.process.try_wait();
        ended.map_err(|source| self.process_error(source))
    }

    /// Waits until it ends by itself, which is an error with the end of its log.
    pub async fn broken(&mut self) -> OperatorError {
        match self.process.wait().await {
            Ok(status) => self.ended_with(status),
            Err(source) => self.process_error(source),
        }
    }

    /// Sends it a signal, and does not wait for its end.
    pub fn signal(&self, signal: Signal) -> Result<(), OperatorError> {
        self.process.signal(signal).map_err(|source| self.process_error(source))
    }

    /// Kills it (SIGKILL), and returns when it is gone.
    pub async fn kill_9(&mut self) -> Result<ExitStatus, OperatorError> {
        if let Some(status) = self.ended_already()? {
            return Ok(status);
        }
        self.signal(Signal::Kill)?;
        let ended = self.process.wait().await;
        ended.map_err(|source| self.process_error(source))
    }

    /// Asks it to end (SIGTERM) and returns when it has; kills it if that takes longer than 30 s.
    pub async fn stop(&mut self) -> Result<ExitStatus, OperatorError> {
        let ended = self.process.stop(GRACE).await;
        ended.map_err(|source| self.process_error(source))
    }

    fn ended_with(&self, status: ExitStatus) -> OperatorError {
        OperatorError::Ended { status, log: self.log().to_owned(), tail: self.log_tail() }
    }

    fn process_error(&self, source: io::Error) -> OperatorError {
        OperatorError::Process { log: self.log().to_owned(), source }
    }
}

/// What Kubernetes gives a Pod by default. The operator itself drains for at most 20 s.
const GRACE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program in place of the operator.
    fn stand_in(dir: &Path, script: &str, start: StartOperator) -> Operator {
        let program = dir.join("stand-in");
        std::fs::create_dir(dir.join("logs")).expect("a directory");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a mode");
        Operator::spawn(1, &program, dir, Path::new("/k/config"), Path::new("/o.yaml"), start).expect("it starts")
    }

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn it_is_given_its_command_line_and_nothing_of_our_environment() {
        let dir = tempfile::tempdir().expect("a directory");
        let start = StartOperator {
            log_format: LogFormat::Text,
            args: vec!["--once".into()],
            env: vec![("POD_NAME".into(), "a".into())],
            ..StartOperator::default()
        };
        let mut operator = stand_in(dir.path(), r#"echo "$@"; env | sed 's/=.*//' | sort | tr '\n' ' '"#, start);
        let error = tokio::time::timeout(LIMIT, operator.broken()).await.expect("in time").to_string();
        let line = "run --config /o.yaml --leader-elect=false --health-addr 127.0.0.1:0 --log-format text --once";
        assert!(error.starts_with("the operator ended (exit status: 0)") && error.contains("operator-1.log"), "{error}");
        assert!(error.contains(line), "{error}");
        let printed = error.rsplit('\n').next().unwrap_or_default();
        let names: Vec<&str> = printed.split_whitespace().filter(|name| !matches!(*name, "PWD" | "SHLVL" | "_" | "OLDPWD")).collect();
        assert_eq!(names, ["HOME", "KUBECONFIG", "PATH", "POD_NAME", "POD_NAMESPACE"]);
    }

    #[tokio::test]
    async fn one_that_ends_before_it_is_ready_is_an_error_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut operator = stand_in(dir.path(), "echo no account; exit 2", StartOperator::default());
        let error = operator.wait_ready(LIMIT).await.expect_err("not ready").to_string();
        assert!(error.starts_with("the operator ended (exit status: 2)") && error.ends_with("no account"), "{error}");
    }

    #[tokio::test]
    async fn one_that_is_ready_says_where_and_can_be_stopped_or_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            for answer in ["HTTP/1.0 503 No\r\n\r\nno leader", "HTTP/1.0 200 OK\r\n\r\nok"] {
                let (mut stream, _) = listener.accept().await.expect("a client");
                // Closing a connection with something unread in it resets it.
                assert!(stream.read(&mut [0; 1024]).await.expect("a request") > 0);
                stream.write_all(answer.as_bytes()).await.expect("written");
            }
            std::future::pending::<()>().await
        };
        let line = format!(r#"{{"message":"serving health and metrics","address":"{address}"}}"#);
        let script = format!("echo '{line}'; trap 'exit 3' TERM; while :; do sleep 0.05; done");
        let mut operator = stand_in(dir.path(), &script, StartOperator::default());
        let ready = tokio::select! { ready = operator.wait_ready(LIMIT) => ready, () = server => unreachable!() };
        assert_eq!(ready.expect("ready"), address);
        assert_eq!(operator.stop().await.expect("stopped").code(), Some(3));
        assert_eq!(operator.kill_9().await.expect("ended").code(), Some(3), "an ended process is never signalled");
    }
}
