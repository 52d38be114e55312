//! `sandbox faults`: the real operator, struck at every request that it ever makes.

mod check;
mod label;
mod plan;
mod proxy;
mod report;
mod run;
mod scenario;
mod strike;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::{TlsConnector, rustls};

use self::check::Evidence;
use self::plan::Plan;
use self::proxy::Upstream;
use self::run::Ran;
use self::scenario::Scenario;
use crate::plane::{KubectlError, audit};
use crate::rds::Settings;
use crate::world::cli::{Interrupts, PrepareError, WorldArgs};
use crate::world::{OperatorError, World, WorldError, WorldOptions};

/// Strike the operator at every request that it makes, and judge what is left.
///
/// A learning run lists the requests of each scenario. Then, for each request and each blow: the operator is killed before the request arrives,
/// after it was executed, or when it has the answer; or the answer is dropped, is a 409 or a 500, or comes 20 s late. It is started again, and
/// when all is quiet the ledger, the objects and the audit log are compared with the undisturbed run.
#[derive(Debug, clap::Args)]
pub struct FaultsArgs {
    /// Only the plans whose id contains this; without --output json, with the operator's logs.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// Only every N-th plan.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub every: u16,
    /// How many plans run at the same time.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// What is printed.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table.
    Text,
    /// One document.
    Json,
}

/// Why nothing can be struck.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The operator could not be built.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The operator cannot be started or stopped.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The API server's certificate cannot be used.
    #[error("the certificate of the API server cannot be used: {0}")]
    Certificate(String),
    /// No plan has such an id.
    #[error("no plan's id contains {0:?}; without --plan all of them run, and are named")]
    NoPlan(String),
    /// The learning run did not end well.
    #[error("undisturbed, {scenario} did not end: {trouble}")]
    Undisturbed {
        /// Which.
        scenario: String,
        /// Why.
        trouble: String,
    },
    /// The proxies, the audit log, the standard output or signals.
    #[error("the proxies, the audit log, standard output or signals")]
    Io(#[from] io::Error),
}

/// Runs the plans and returns the exit code: 1 if a rule was broken; 130 after Ctrl-C.
pub async fn run(args: FaultsArgs) -> Result<u8, FaultsError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        kept = strike_all(&args) => Ok(u8::from(!kept?)),
        // Dropping it kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}

async fn strike_all(args: &FaultsArgs) -> Result<bool, FaultsError> {
    let settings = Settings { job_time: Duration::from_secs(2), ..Settings::sandbox() };
    let world = World::start(WorldOptions { settings: args.world.dialect(settings), ..args.world.prepare().await? }).await?;
    let upstream = upstream(&world)?;

    let mut undisturbed = Vec::new();
    let mut plans = Vec::new();
    for (number, scenario) in Scenario::ALL.into_iter().enumerate() {
        let ran = run::run(&world, &upstream, number, scenario, None).await?;
        if let Some(trouble) = ran.troubles.first() {
            return Err(FaultsError::Undisturbed { scenario: scenario.to_string(), trouble: trouble.clone() });
        }
        let of_scenario = plan::all(scenario, &ran.requests);
        eprintln!("{scenario}: {} requests, {} plans", ran.requests.len(), of_scenario.len());
        plans.extend(of_scenario);
        undisturbed.push(ran);
    }
    let chosen: Vec<Plan> = match &args.plan {
        Some(id) => plans.into_iter().filter(|plan| plan.id().contains(id)).collect(),
        None => plans.into_iter().step_by(usize::from(args.every)).collect(),
    };
    if let (Some(id), true) = (&args.plan, chosen.is_empty()) {
        return Err(FaultsError::NoPlan(id.clone()));
    }

    let count = chosen.len();
    let first = Scenario::ALL.len();
    let runs = chosen.into_iter().enumerate().map(|(number, plan)| {
        let (world, upstream) = (&world, &upstream);
        async move { run::run(world, upstream, first + number, plan.scenario, Some(plan)).await }
    });
    let mut running = futures::stream::iter(runs).buffer_unordered(usize::from(args.jobs));
    let mut ran: Vec<Ran> = Vec::new();
    while let Some(one) = running.next().await {
        ran.push(one?);
        if ran.len().is_multiple_of(25) || ran.len() == count {
            eprintln!("{} of {count} plans", ran.len());
        }
    }
    drop(running);

    let evidence = Evidence { audit: audit::read(world.plane.audit_log())?, calls: world.rds.calls(), ledger: world.rds.ledger() };
    let judged = report::judged(ran, &undisturbed, &evidence);
    let logs = args.plan.is_some() && args.output == Output::Text;
    let text = match args.output {
        Output::Text => report::text(&judged, logs),
        Output::Json => report::json(&judged),
    };
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    world.stop().await;
    Ok(judged.iter().all(|(_, violations)| violations.is_empty()))
}

/// The way to the API server.
fn upstream(world: &World) -> Result<Upstream, FaultsError> {
    let wrong = |why: &dyn std::fmt::Display| FaultsError::Certificate(why.to_string());
    let address: SocketAddr = world.plane.server().trim_start_matches("https://").parse().map_err(|error| wrong(&error))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(world.plane.ca()).map_err(|error| wrong(&error))? {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Upstream::Tls(address, TlsConnector::from(Arc::new(config))))
}
