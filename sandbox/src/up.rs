//! `sandbox up`: a world that runs until Ctrl-C.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::plane::StartError;
use crate::plane::cli::quoted;
use crate::world::cli::{Interrupts, PrepareError, WorldArgs};
use crate::world::{LogFormat, Operator, OperatorError, StartOperator, World, WorldError};

/// Start everything and leave it running until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
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
    let (mut world, mut operator) = tokio::select! {
        started = start(&args) => started?,
        _ = interrupts.come() => return Ok(()), // Dropping the start kills and removes what there is so far.
    };
    let addresses = Addresses::of(&world, &operator);
    let text = if args.json { json(&addresses)? } else { addresses.text(&args.world.repository()?, args.world.keep) };
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()?;

    let ended = loop {
        tokio::select! {
            _ = interrupts.come() => break Ok(()),
            error = world.plane.broken() => break Err(error.into()),
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
                let Addresses { operator_pid, operator_log, health, .. } = Addresses::of(&world, &operator);
                eprintln!("the operator is ready again: pid {operator_pid}, log {}, {health}", operator_log.display());
            }
        }
    };
    eprintln!("stopping");
    let stopped = operator.stop().await;
    world.stop().await;
    ended.and(stopped.map(|_| ()).map_err(UpError::from))
}

async fn start(args: &UpArgs) -> Result<(World, Operator), UpError> {
    let world = World::start(args.world.prepare().await?).await?;
    let operator = start_operator(&world).await?;
    Ok((world, operator))
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
}

impl Addresses {
    fn of(world: &World, operator: &Operator) -> Self {
        Self {
            kubeconfig: world.plane.kubeconfig().to_owned(),
            endpoint: world.rds.url(),
            kubectl: world.kubectl().program().to_owned(),
            operator_log: operator.log().to_owned(),
            operator_config: world.config().to_owned(),
            operator_pid: operator.pid(),
            health: operator.health_address().map(|address| format!("http://{address}")).unwrap_or_default(),
            audit_log: world.plane.audit_log().to_owned(),
        }
    }

    fn text(&self, repository: &Path, keep: bool) -> String {
        let Self { kubeconfig, endpoint, kubectl, operator_log, operator_config, operator_pid, health, audit_log } = self;
        let samples = repository.join("deploy").join("samples");
        let (kubeconfig, kubectl, namespace, samples) =
            (quoted(kubeconfig), quoted(kubectl), quoted(&samples.join("namespace.yaml")), quoted(&samples));
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
# The samples (two are refused, which is what they show):
{kubectl} apply --filename {namespace} --filename {samples}
{kubectl} get rdsbackups --all-namespaces --watch
# Ctrl-C stops it{end}.
",
            log = operator_log.display(),
            config = operator_config.display(),
            audit = audit_log.display(),
        )
    }
}

fn json(addresses: &Addresses) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string(addresses)?))
}
