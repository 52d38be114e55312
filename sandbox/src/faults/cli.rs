//! `sandbox faults` on the command line.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};

use super::check::Evidence;
use super::error::FaultsError;
use super::outcome::Outcome;
use super::plan::{self, Plan};
use super::plan_run;
use super::report::{self, Judged};
use super::rows::{self, OwnWorldOptions, Row};

use super::scenario::Scenario;
use super::upstream::Upstream;
use crate::rds::Settings;
use crate::world::cli::{Interrupts, WorldArgs};
use crate::world::{World, WorldOptions};

/// Inject a fault at every request that the operator makes, and run the rows of the fault matrix that take more than that.
///
/// First, a run without faults lists the requests of each scenario. Then, for each request and each fault: the operator is killed before
/// the request arrives, after it was executed, or when it has the answer, or is asked to end; or the answer is dropped, is a 409, 429 or
/// 500, or comes 20 s late. The rows: a crash loop, two replicas, two installs, leases, a control plane that is killed, an API server that
/// misbehaves, clocks, Secrets, limits. When the operator is at rest, the ledger, the objects and the audit log are compared with the
/// undisturbed run. 12 minutes for all of it with `--jobs 40`.
#[derive(Debug, clap::Args)]
pub struct FaultsArgs {
    /// Only the plans whose id contains this; without --output json, with the operator's logs. Can be repeated.
    #[arg(long, value_name = "ID")]
    pub plan: Vec<String>,
    /// Run each of them N times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub repeat: u16,
    /// Only every N-th plan, and of the rows of the fault matrix a sample of six.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub every: u16,
    /// How many plans run at the same time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=64))]
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

/// Runs the plans and returns the exit code: 1 if a rule was broken; 130 after Ctrl-C.
pub async fn run(args: FaultsArgs) -> Result<u8, FaultsError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        kept = run_plans(&args) => Ok(u8::from(!kept?)),
        // Dropping it kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}

async fn run_plans(args: &FaultsArgs) -> Result<bool, FaultsError> {
    let options = args.world.prepare().await?;
    let settings = args.world.dialect(Settings { job_time: Duration::from_secs(2), ..Settings::sandbox() });
    let own_world =
        OwnWorldOptions { operator: options.operator.clone(), repository: options.repository.clone(), settings: settings.clone() };
    let world = World::start(WorldOptions { settings, ..options }).await?;
    let upstream = Upstream::api_server(&world)?;

    let (undisturbed, plans) = run_undisturbed(&world, &upstream).await?;
    let (plans, rows) = chosen(args, plans)?;
    let first = Scenario::ALL.len();
    let first_row = first + plans.len();
    let count = plans.len() + rows.len();
    let progress = Progress { done: AtomicUsize::new(0), count };

    let rows = rows.into_iter().enumerate().map(|(number, row)| {
        let (world, upstream, own_world, progress) = (&world, &upstream, &own_world, &progress);
        async move {
            let outcome = rows::run(world, upstream, own_world, first_row + number, row).await;
            if let Ok((outcome, _)) = &outcome {
                eprintln!(
                    "{}: {:.0} s{}",
                    outcome.id,
                    outcome.took.as_secs_f64(),
                    if outcome.troubles.is_empty() { "" } else { ", with troubles" }
                );
            }
            progress.step();
            outcome
        }
    });
    let plans = plans.into_iter().enumerate().map(|(number, plan)| {
        let (world, upstream, progress) = (&world, &upstream, &progress);
        async move {
            let outcome = plan_run::run(world, upstream, first + number, plan.scenario, Some(plan)).await;
            progress.step();
            outcome
        }
    });
    let plans = futures::stream::iter(plans).buffer_unordered(usize::from(args.jobs)).try_collect::<Vec<Outcome>>();
    let mut outcome = plans.await?;
    // Fewer rows at a time: their operators wait for leases, and their control planes need a core.
    let rows = futures::stream::iter(rows).buffer_unordered(usize::from(args.jobs.div_ceil(3))).try_collect::<Vec<_>>().await?;

    let mut judged: Judged = Vec::new();
    for (row, evidence) in rows {
        match evidence {
            Some(evidence) => judged.extend(report::judged(vec![row], &undisturbed, &evidence)),
            None => outcome.push(row),
        }
    }
    judged.extend(report::judged(outcome, &undisturbed, &Evidence::of(&world)?));
    judged.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let logs = !args.plan.is_empty() && args.output == Output::Text;
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

/// Runs every scenario undisturbed, and makes the plans from the requests of that run.
async fn run_undisturbed(world: &World, upstream: &Upstream) -> Result<(Vec<Outcome>, Vec<Plan>), FaultsError> {
    let (mut undisturbed, mut plans) = (Vec::new(), Vec::new());
    for (number, scenario) in Scenario::ALL.into_iter().enumerate() {
        let outcome = plan_run::run(world, upstream, number, scenario, None).await?;
        if let Some(trouble) = outcome.troubles.first() {
            return Err(FaultsError::Undisturbed { scenario: scenario.to_string(), trouble: trouble.what.clone() });
        }
        let of_scenario = plan::all(scenario, &outcome.requests);
        eprintln!("{scenario}: {} requests, {} plans", outcome.requests.len(), of_scenario.len());
        plans.extend(of_scenario);
        undisturbed.push(outcome);
    }
    Ok((undisturbed, plans))
}

/// The plans and rows to run.
fn chosen(args: &FaultsArgs, plans: Vec<Plan>) -> Result<(Vec<Plan>, Vec<Row>), FaultsError> {
    let every = usize::from(args.every);
    let mut rows = rows::ROWS.to_vec();
    let mut plans = plans;
    if args.plan.is_empty() {
        rows.retain(|row| every == 1 || row.is_sample());
        plans = plans.into_iter().step_by(every).collect();
    } else {
        let named = |id: &str| args.plan.iter().any(|part| id.contains(part.as_str()));
        if let Some(part) =
            args.plan.iter().find(|part| !plans.iter().map(Plan::id).chain(rows.iter().map(Row::id)).any(|id| id.contains(part.as_str())))
        {
            return Err(FaultsError::NoPlan(part.clone()));
        }
        rows.retain(|row| named(&row.id()));
        plans.retain(|plan| named(&plan.id()));
    }
    let repeat = usize::from(args.repeat);
    let again = |plan: Plan| std::iter::repeat_n(plan, repeat);
    Ok((plans.into_iter().flat_map(again).collect(), rows.repeat(repeat)))
}

/// Counts the plans that are done.
struct Progress {
    done: AtomicUsize,
    count: usize,
}

impl Progress {
    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(25) || done == self.count {
            eprintln!("{done} of {} plans", self.count);
        }
    }
}
