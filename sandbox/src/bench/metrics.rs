//! `sandbox bench metrics`: what a scrape of a large operator costs.

use std::io::Write as _;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Value, json};

use crate::plane::{Kubectl, audit};
use crate::world::cli::WorldArgs;
use crate::world::{NAMESPACE, Operator, SERVICE_ACCOUNT, StartOperator, World};

use super::error::BenchError;
use super::figures::Figures;
use super::objects::{self, TEAM};

/// Many schedules with finished backups: the time and size of a scrape for each value of `metrics.perSchedule`, and what it asks for.
///
/// The operator is built with --release. It is started anew for each value, on a control plane that has the objects already.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// How many schedules, each of an instance of its own.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub schedules: u32,
    /// How many finished backups, in equal parts of each schedule.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub backups: u32,
    /// One JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// How long the operator may take to have listed everything.
const READY: Duration = Duration::from_secs(300);

/// It has written what it had to when it wrote nothing for so long.
const QUIET: SignedDuration = SignedDuration::from_secs(10);

/// How long that may take: 2,000 first statuses take 20 s on 2 cores.
const LIMIT: Duration = Duration::from_secs(600);

/// One each second, as often as nobody scrapes.
const SCRAPES: usize = 20;
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    schedules: u32,
    backups: u32,
    of_values: Vec<Cost>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    per_schedule: &'static str,
    bytes: usize,
    series: usize,
    median_ms: i128,
    slowest_ms: i128,
    /// `VmRSS` before the first scrape and after the last one.
    resident_before_kib: u64,
    resident_after_kib: u64,
    /// Requests of the operator to the API server while it was scraped, without leases, and how many of them wrote.
    requests: usize,
    writes: usize,
    /// Calls of the cloud meanwhile.
    cloud_calls: usize,
}

/// Whether no scrape wrote or called the cloud.
pub(super) async fn run(args: &MetricsArgs) -> Result<bool, BenchError> {
    let world = World::start(args.world.prepare_release().await?).await?;
    create(&world.kubectl(), args).await?;
    let mut of_values = Vec::new();
    for per_schedule in ["All", "Freshness", "None"] {
        let config = world.operator_config(&format!("metrics: {{ perSchedule: {per_schedule} }}\n"));
        let config = world.write_config(&format!("{per_schedule}.yaml"), &config)?;
        let mut operator = world.start_operator(StartOperator { config: Some(config), ..StartOperator::default() })?;
        operator.wait_ready(READY).await?;
        quiet(&world).await?;
        of_values.push(measure(&world, &operator, per_schedule).await?);
        operator.stop().await?;
    }
    world.stop().await;
    let report = Report { schedules: args.schedules, backups: args.backups, of_values };
    let text = if args.json { format!("{}\n", json!(report)) } else { report.text() };
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(report.wrong() == 0)
}

async fn measure(world: &World, operator: &Operator, per_schedule: &'static str) -> Result<Cost, BenchError> {
    let (calls, requests) = (world.rds.calls().len(), requests(world)?.len());
    let resident_before_kib = operator.memory_kib("VmRSS");
    let (mut times, mut text) = (Vec::new(), String::new());
    for _ in 0..SCRAPES {
        tokio::time::sleep(INTERVAL).await;
        let began = Instant::now();
        text = operator.get("/metrics").await?.body;
        times.push(SignedDuration::try_from(began.elapsed()).unwrap_or_default());
    }
    let times = Figures::of(times);
    let asked = self::requests(world)?.split_off(requests);
    Ok(Cost {
        per_schedule,
        bytes: text.len(),
        series: text.lines().filter(|line| !line.starts_with('#')).count(),
        median_ms: times.percentile(50).as_millis(),
        slowest_ms: times.percentile(100).as_millis(),
        resident_before_kib,
        resident_after_kib: operator.memory_kib("VmRSS"),
        requests: asked.len(),
        writes: asked.iter().filter(|writes| **writes).count(),
        cloud_calls: world.rds.calls().len() - calls,
    })
}

/// The operator's requests in their order, without leases: whether each was a write.
fn requests(world: &World) -> Result<Vec<bool>, BenchError> {
    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    let events = audit::read(world.plane.audit_log())?;
    Ok(audit::by_user(&events, &user).filter(|event| event.resource != "leases").map(|event| event.write().is_some()).collect())
}

async fn quiet(world: &World) -> Result<(), BenchError> {
    let (began, mut last) = (Instant::now(), (0, Instant::now()));
    while last.1.elapsed() < QUIET.unsigned_abs() && began.elapsed() < LIMIT {
        tokio::time::sleep(INTERVAL).await;
        let writes = requests(world)?.iter().filter(|writes| **writes).count();
        if writes != last.0 {
            last = (writes, Instant::now());
        }
    }
    Ok(())
}

async fn create(kubectl: &Kubectl, args: &MetricsArgs) -> Result<(), BenchError> {
    eprintln!("creating {} schedules and {} finished backups", args.schedules, args.backups);
    kubectl.run(&["create", "namespace", TEAM]).await?;
    let backup = |number: u32| {
        let of = number % args.schedules;
        let mut backup = objects::finished(number, &instance(of));
        backup["metadata"]["labels"] = json!({ "rdsbackup.io/schedule-name": name(of) });
        backup
    };
    objects::create(kubectl, args.backups, 0, backup).await?;
    objects::give_status(kubectl, args.backups, backup).await?;
    // Last, so that each finds its backups.
    objects::create(kubectl, args.schedules, 0, schedule).await?;
    Ok(())
}

fn name(schedule: u32) -> String {
    format!("schedule-{schedule:05}")
}

fn instance(schedule: u32) -> String {
    format!("rm-mysql-{schedule:05}")
}

/// A schedule that makes no backup for the next years.
fn schedule(number: u32) -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
        "metadata": { "name": name(number), "namespace": TEAM },
        "spec": { "schedule": "0 0 29 2 *", "template": { "spec": { "dbInstanceId": instance(number), "method": "Physical" } } },
    })
}

impl Report {
    fn wrong(&self) -> usize {
        self.of_values.iter().map(|cost| cost.writes + cost.cloud_calls).sum()
    }

    fn text(&self) -> String {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let line = |cost: &Cost| {
            format!(
                "perSchedule {:9} {:6} series, {:7.1} KiB; p50 {} ms, max {} ms; resident {:.1} MiB before, {:.1} MiB after; \
                 {} requests, {} writes, {} cloud calls\n",
                cost.per_schedule,
                cost.series,
                cost.bytes as f64 / 1024.0,
                cost.median_ms,
                cost.slowest_ms,
                mib(cost.resident_before_kib),
                mib(cost.resident_after_kib),
                cost.requests,
                cost.writes,
                cost.cloud_calls,
            )
        };
        let lines: String = self.of_values.iter().map(line).collect();
        let end = if self.wrong() == 0 { "no scrape wrote or called the cloud" } else { "WRONG: a scrape wrote or called the cloud" };
        format!("{} schedules, {} backups; {SCRAPES} scrapes for each value\n{lines}bench: {end}\n", self.schedules, self.backups)
    }
}
