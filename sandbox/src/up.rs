//! `sandbox up`: a world that runs until Ctrl-C.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::plane::cli::quoted;
use crate::plane::{BinariesError, Prometheus, StartError};
use crate::world::cli::{Interrupts, PrepareError, WorldArgs};
use crate::world::{LogFormat, Monitoring, MonitoringError, Operator, OperatorError, StartOperator, World, WorldError};

/// Start everything and leave it running until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
    /// Start a Prometheus too, which scrapes the operator and has the alert rules with short times: a minute is a second.
    #[arg(long)]
    pub monitoring: bool,
    /// Print the addresses and paths as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Why a world did not start, or did not keep running.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The operator could not be built.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The operator does not run.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// There is no Prometheus to start.
    #[error(transparent)]
    Prometheus(#[from] BinariesError),
    /// Prometheus does not run.
    #[error(transparent)]
    Monitoring(#[from] MonitoringError),
    /// A component of the control plane ended.
    #[error(transparent)]
    Plane(#[from] StartError),
    /// Standard output is closed, or signals cannot be received.
    #[error("standard output or signals")]
    Io(#[from] io::Error),
}

/// How long the operator may take to become ready.
const READY: Duration = Duration::from_secs(60);

/// Runs until Ctrl-C or SIGTERM, or until something breaks.
pub async fn run(args: UpArgs) -> Result<(), UpError> {
    let mut interrupts = Interrupts::listen()?;
    let (mut world, mut operator, mut monitoring) = tokio::select! {
        started = start(&args) => started?,
        _ = interrupts.come() => return Ok(()), // Dropping the start kills and removes what there is so far.
    };
    let addresses = Addresses::of(&world, &operator, monitoring.as_ref());
    let text = if args.json { json(&addresses)? } else { addresses.text(&args.world.repository()?, args.world.keep) };
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()?;

    let ended = loop {
        tokio::select! {
            _ = interrupts.come() => break Ok(()),
            error = world.plane.broken() => break Err(error.into()),
            error = broken(&mut monitoring) => break Err(error.into()),
            // The operator is started again, as a cluster would do: a user who kills it wants to see what happens to its work.
            error = operator.broken() => {
                eprintln!("{error}\nstarting the operator again");
                operator = tokio::select! {
                    again = start_operator(&world) => match again {
                        Ok(operator) => operator,
                        Err(error) => break Err(error.into()),
                    },
                    _ = interrupts.come() => break Ok(()),
                };
                if let Some(Err(error)) = monitoring.as_ref().map(|monitoring| monitoring.scrape(&[&operator])) {
                    break Err(error.into());
                }
                let Addresses { operator_pid, operator_log, health, .. } = Addresses::of(&world, &operator, None);
                eprintln!("the operator is ready again: pid {operator_pid}, log {}, {health}", operator_log.display());
            }
        }
    };
    eprintln!("stopping");
    // First, so that it does not see the others end.
    if let Some(monitoring) = &mut monitoring
        && let Err(error) = monitoring.stop().await
    {
        eprintln!("{error}");
    }
    let stopped = operator.stop().await;
    world.stop().await;
    ended.and(stopped.map(|_| ()).map_err(UpError::from))
}

async fn start(args: &UpArgs) -> Result<(World, Operator, Option<Monitoring>), UpError> {
    // Before the world: the first time it has to be downloaded, which may fail.
    let prometheus = match args.monitoring {
        true => Some(Prometheus::find(&(Box::new(|line: &str| eprintln!("{line}")) as _)).await?),
        false => None,
    };
    let world = World::start(args.world.prepare().await?).await?;
    let operator = start_operator(&world).await?;
    let Some(prometheus) = prometheus else { return Ok((world, operator, None)) };
    let monitoring = Monitoring::start(&prometheus, world.dir(), &args.world.repository()?).await?;
    monitoring.scrape(&[&operator])?;
    Ok((world, operator, Some(monitoring)))
}

/// An error as soon as Prometheus has ended by itself; never returns while it runs, or where there is none.
async fn broken(monitoring: &mut Option<Monitoring>) -> MonitoringError {
    match monitoring {
        Some(monitoring) => monitoring.broken().await,
        None => std::future::pending().await,
    }
}

async fn start_operator(world: &World) -> Result<Operator, OperatorError> {
    let mut operator =
        world.start_operator(StartOperator { log_format: LogFormat::Text, leader_elect: true, ..StartOperator::default() })?;
    operator.wait_ready(READY).await?;
    Ok(operator)
}

/// The addresses and paths of a world.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Addresses {
    kubeconfig: PathBuf,
    endpoint: String,
    kubectl: PathBuf,
    operator_log: PathBuf,
    operator_config: PathBuf,
    operator_pid: u32,
    health: String,
    audit_log: PathBuf,
    /// Only with `--monitoring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    prometheus: Option<String>,
}

impl Addresses {
    fn of(world: &World, operator: &Operator, monitoring: Option<&Monitoring>) -> Self {
        Self {
            kubeconfig: world.plane.kubeconfig().to_owned(),
            endpoint: world.rds.url(),
            kubectl: world.kubectl().program().to_owned(),
            operator_log: operator.log().to_owned(),
            operator_config: world.config().to_owned(),
            operator_pid: operator.pid(),
            health: operator.health_address().map(|address| format!("http://{address}")).unwrap_or_default(),
            audit_log: world.plane.audit_log().to_owned(),
            prometheus: monitoring.map(Monitoring::url),
        }
    }

    fn text(&self, repository: &Path, keep: bool) -> String {
        let Self { kubeconfig, endpoint, kubectl, operator_log, operator_config, operator_pid, health, audit_log, prometheus } = self;
        let samples = repository.join("deploy").join("samples");
        let (kubeconfig, kubectl, namespace, samples) =
            (quoted(kubeconfig), quoted(kubectl), quoted(&samples.join("namespace.yaml")), quoted(&samples));
        let monitoring = prometheus.as_ref().map(|url| {
            format!(
                "\
# Prometheus       {url}    its alerts: curl -s {url}/api/v1/alerts
#                  A minute of a rule is a second here. With `kill -STOP {operator_pid}` RdsBackupOperatorDown fires, until `kill -CONT`.
"
            )
        });
        let end = if keep { " and keeps its directory" } else { " and removes all of it" };
        format!(
            "\
export KUBECONFIG={kubeconfig}
# kubectl          {kubectl}
# RDS endpoint     {endpoint}    what it has accepted: curl -s {endpoint}/sandbox/ledger
# operator         pid {operator_pid}, log {log}
# its config       {config}
# health, metrics  {health}/readyz, {health}/metrics
# audit log        {audit}
{monitoring}# The samples (two are refused, which is what they show):
{kubectl} apply --filename {namespace} --filename {samples}
{kubectl} get rdsbackups --all-namespaces --watch
# Ctrl-C stops it{end}.
",
            log = operator_log.display(),
            config = operator_config.display(),
            audit = audit_log.display(),
            monitoring = monitoring.unwrap_or_default(),
        )
    }
}

fn json(addresses: &Addresses) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string(addresses)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(prometheus: Option<&str>) -> Addresses {
        Addresses {
            kubeconfig: "/w/kubeconfig".into(),
            endpoint: "http://127.0.0.1:1".to_owned(),
            kubectl: "/k/kubectl".into(),
            operator_log: "/w/logs/operator-1.log".into(),
            operator_config: "/w/operator.yaml".into(),
            operator_pid: 7,
            health: "http://127.0.0.1:2".to_owned(),
            audit_log: "/w/logs/audit.log".into(),
            prometheus: prometheus.map(str::to_owned),
        }
    }

    #[test]
    fn monitoring_adds_one_member_to_the_json_and_changes_no_other() {
        let paths = r#"{"kubeconfig":"/w/kubeconfig","endpoint":"http://127.0.0.1:1","kubectl":"/k/kubectl","#;
        let of_operator = r#""operatorLog":"/w/logs/operator-1.log","operatorConfig":"/w/operator.yaml","operatorPid":7,"#;
        let last = r#""health":"http://127.0.0.1:2","auditLog":"/w/logs/audit.log"}"#;
        let without = format!("{paths}{of_operator}{last}");
        assert_eq!(json(&addresses(None)).expect("JSON"), format!("{without}\n"));
        let with = without.replace('}', r#","prometheus":"http://127.0.0.1:3"}"#);
        assert_eq!(json(&addresses(Some("http://127.0.0.1:3"))).expect("JSON"), format!("{with}\n"));
    }

    #[test]
    fn monitoring_adds_two_lines_to_the_text_and_changes_no_other() {
        let text = |prometheus| addresses(prometheus).text(Path::new("/r"), false);
        let (with, without) = (text(Some("http://127.0.0.1:3")), text(None));
        let (ours, others): (Vec<&str>, Vec<&str>) = with.lines().partition(|line| !without.lines().any(|other| other == *line));
        assert_eq!(others, without.lines().collect::<Vec<_>>());
        assert!(ours.len() == 2 && ours[0].contains("http://127.0.0.1:3/api/v1/alerts") && ours[1].contains("kill -STOP 7`"), "{ours:?}");
        assert!(without.contains("# audit log        /w/logs/audit.log\n# The samples"), "{without}");
    }
}
