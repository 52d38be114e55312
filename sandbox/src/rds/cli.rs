//! `sandbox rds`: the endpoint on the command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::auth::Key;
use super::catalogue::Catalogue;
use super::endpoint::{Endpoint, Options};
use super::ledger::CallRecord;
use super::settings::Settings;
use super::shared::OnCall;

/// Run a simulated RDS endpoint until Ctrl-C
#[derive(Clone, clap::Args)]
pub struct RdsArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The instances there are: a YAML mapping of patterns to what their instances are, instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub instances: Option<PathBuf>,
    /// The access key id
    #[arg(long, value_name = "ID", default_value = "sandbox-key")]
    pub key: String,
    /// The access key secret
    #[arg(long, value_name = "SECRET", default_value = "sandbox-secret")]
    pub secret: String,
    /// Settings that differ from the defaults (YAML)
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Append every call to this file, one line of JSON each
    #[arg(long, value_name = "FILE")]
    pub call_log: Option<PathBuf>,
    /// Begin with the real service's figures (requests expire after 15 minutes, jobs run for minutes) rather than the sandbox's
    #[arg(long)]
    pub strict_defaults: bool,
    /// Decides ids and job times
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl fmt::Debug for RdsArgs {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RdsArgs").field("listen", &self.listen).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Why the endpoint does not run.
#[derive(Debug, thiserror::Error)]
pub enum RdsCliError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file does not say what it should.
    #[error("{}: {message}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The endpoint cannot start.
    #[error("the endpoint cannot start: {0}")]
    Start(std::io::Error),
    /// A signal handler could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs the endpoint until Ctrl-C or SIGTERM, and prints each call as it comes.
pub async fn run(args: RdsArgs) -> Result<(), RdsCliError> {
    // First, so that a signal that comes during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(RdsCliError::Signals)?;
    let key_id = args.key.clone();
    let options = options(args)?;
    let patterns: Vec<String> = options.catalogue.patterns().map(str::to_owned).collect();
    let endpoint = Endpoint::start(options).await.map_err(RdsCliError::Start)?;
    println!("{}", greeting(&endpoint.url(), &key_id, &patterns));
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(RdsCliError::Signals)?,
        _ = terminate.recv() => {}
    }
    let (calls, accepted) = (endpoint.calls().len(), endpoint.ledger().len());
    endpoint.stop().await;
    println!("stopped after {calls} calls, {accepted} accepted backups");
    Ok(())
}

fn options(args: RdsArgs) -> Result<Options, RdsCliError> {
    let RdsArgs { listen, instances, key, secret, settings, call_log, strict_defaults, seed } = args;
    let base = if strict_defaults { Settings::default() } else { Settings::sandbox() };
    let settings = match settings {
        Some(path) => {
            let text = read(&path)?;
            let patch: serde_json::Value = serde_saphyr::from_str(&text).map_err(|error| content(&path, &error))?;
            base.patched(&patch).map_err(|error| content(&path, &error))?
        }
        None => base,
    };
    let catalogue = match instances {
        Some(path) => Catalogue::from_yaml(&read(&path)?).map_err(|error| content(&path, &error))?,
        None => Catalogue::default(),
    };
    let on_call: OnCall = Box::new(|call| println!("{}", line(call)));
    let keys = vec![Key::new(&key, &secret)];
    Ok(Options { listen, keys, catalogue, settings, seed, call_log_file: call_log, on_call: Some(on_call), ..Options::default() })
}

fn read(path: &Path) -> Result<String, RdsCliError> {
    std::fs::read_to_string(path).map_err(|source| RdsCliError::File { path: path.to_owned(), source })
}

fn content(path: &Path, error: &dyn std::error::Error) -> RdsCliError {
    RdsCliError::Content { path: path.to_owned(), message: error.to_string() }
}

fn greeting(url: &str, key_id: &str, patterns: &[String]) -> String {
    format!(
        "simulated RDS endpoint at {url}\n\
         access key id: {key_id}\n\
         instances: {}\n\
         what it has accepted:  curl -s {url}/sandbox/ledger\n\
         what else it can do:   curl -s {url}/sandbox\n\
         lose an answer:        curl -s {url}/sandbox/faults -d '{{\"action\":\"CreateBackup\",\"times\":1,\"effect\":{{\"kind\":\"loseAnswer\"}}}}'\n\
         stop with Ctrl-C; calls follow",
        patterns.join(", ")
    )
}

fn named(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// One call: time, action, key, instance, outcome.
fn line(call: &CallRecord) -> String {
    let fault = call.fault.as_ref().map(|fault| format!(" fault={fault}")).unwrap_or_default();
    let lost = if call.delivered { "" } else { " (no answer)" };
    let text = format!(
        "{} {:<27} {} {} {}{fault}{lost}",
        call.time.strftime("%H:%M:%S%.3f"),
        call.action,
        named(&call.access_key_id),
        named(&call.instance),
        call.outcome
    );
    // Text that a client sends must not move the cursor of a terminal.
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rds::{Format, SignatureVersion};
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn args(settings: Option<&Path>, instances: Option<&Path>) -> RdsArgs {
        RdsArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            instances: instances.map(Path::to_owned),
            key: "k".into(),
            secret: "hidden".into(),
            settings: settings.map(Path::to_owned),
            call_log: None,
            strict_defaults: false,
            seed: 1,
        }
    }

    #[test]
    fn files_say_what_differs_from_the_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let (settings, instances) = (directory.path().join("settings.yaml"), directory.path().join("instances.yaml"));
        std::fs::write(
            &settings,
            "lag: 9s\ndailyLimit: 3\nquirks: { nothing: nullText }\nthrottle: { CreateBackup: { calls: 2, window: 1s } }\n",
        )
        .unwrap();
        std::fs::write(&instances, "rm-a-*: { engineVersion: 8.0, region: cn-beijing }\n").unwrap();
        let options = options(args(Some(&settings), Some(&instances))).unwrap();
        let sandbox = Settings::sandbox();
        assert_eq!((options.settings.lag, options.settings.daily_limit), (Duration::from_secs(9), 3));
        assert_eq!((options.settings.expiry, options.settings.quirks.numeric_ids), (sandbox.expiry, true));
        assert_eq!(options.settings.throttle["CreateBackup"].calls, 2);
        assert_eq!(options.catalogue.find("rm-a-1").unwrap().region, "cn-beijing");
        assert_eq!(options.catalogue.find("rm-mysql-1"), None, "the built-in instances are gone");
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings.yaml");
        let message = |path: &Path| options(args(Some(path), None)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message(&path).contains("settings.yaml"));
        std::fs::write(&path, "lagg: 9s\n").unwrap();
        let message = message(&path);
        assert!(message.contains("settings.yaml") && message.contains("lagg"), "{message}");
    }

    #[test]
    fn strict_defaults_are_the_real_services() {
        let options = options(RdsArgs { strict_defaults: true, ..args(None, None) }).unwrap();
        assert_eq!(options.settings, Settings::default());
    }

    #[test]
    fn a_call_is_one_line_whatever_a_client_sent() {
        let call = CallRecord {
            number: 1,
            time: "2026-03-04T12:00:00.25Z".parse().unwrap(),
            action: "CreateBackup".into(),
            access_key_id: "k".into(),
            instance: "rm-1\n\u{1b}[2J".into(),
            parameters: BTreeMap::new(),
            signature: SignatureVersion::V3,
            answer: Format::Json,
            nonce: "n".into(),
            outcome: "OK".into(),
            status: None,
            delivered: false,
            fault: Some("loseAnswer".into()),
        };
        assert_eq!(line(&call), "12:00:00.250 CreateBackup                k rm-1??[2J OK fault=loseAnswer (no answer)");
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", args(None, None)).contains("hidden"));
    }
}
