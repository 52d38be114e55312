//! `sandbox bench memory`: what an operator needs whose cluster has many finished backups.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::plane::{Kubectl, audit};
use crate::world::cli::WorldArgs;
use crate::world::{NAMESPACE, SERVICE_ACCOUNT, StartOperator, World};

use super::error::BenchError;
use super::objects::{self, TEAM};

/// Many backups that have ended: what the operator's process takes while it starts, and at rest.
///
/// The operator is built with --release, and starts on a control plane that has the objects already.
#[derive(Debug, clap::Args)]
pub struct MemoryArgs {
    /// How many finished backups, each of an instance of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// How many KiB of annotations each of them has.
    #[arg(long, value_name = "KIB", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=250))]
    pub annotations: u32,
    /// One JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// How long the operator may take to have listed all of them.
const READY: Duration = Duration::from_secs(300);

/// So long after it is ready the process counts as at rest.
const REST: Duration = Duration::from_secs(60);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    count: u32,
    annotations_kib: u32,
    /// From the start of the process to a first list that is complete.
    start_seconds: f64,
    /// Requests of the operator while it started, without leases.
    start_requests: usize,
    /// `VmHWM` when the first list was complete, and at rest `VmRSS` and `RssAnon`: KiB of the process.
    peak_at_start_kib: u64,
    resident_at_rest_kib: u64,
    heap_at_rest_kib: u64,
    /// Writes to the backups: none, since all of them have ended.
    writes: usize,
}

/// Whether the operator came to rest without a write.
pub(super) async fn run(args: &MemoryArgs) -> Result<bool, BenchError> {
    let world = World::start(args.world.prepare_release().await?).await?;
    create(&world.kubectl(), args).await?;
    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);

    let begun = Instant::now();
    let mut operator = world.start_operator(StartOperator::default())?;
    operator.wait_ready(READY).await?;
    let start_seconds = begun.elapsed().as_secs_f64();
    let peak_at_start_kib = operator.memory_kib("VmHWM");
    tokio::time::sleep(REST).await;
    let events = audit::read(world.plane.audit_log())?;
    let asked: Vec<_> = audit::by_user(&events, &user).filter(|event| event.resource != "leases").collect();
    let report = Report {
        count: args.count,
        annotations_kib: args.annotations,
        start_seconds,
        start_requests: asked.len(),
        peak_at_start_kib,
        resident_at_rest_kib: operator.memory_kib("VmRSS"),
        heap_at_rest_kib: operator.memory_kib("RssAnon"),
        writes: asked.iter().filter(|event| event.write().is_some()).count(),
    };
    let mut out = std::io::stdout();
    let text = if args.json { format!("{}\n", json!(report)) } else { report.text() };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    operator.stop().await?;
    world.stop().await;
    Ok(report.writes == 0 && report.resident_at_rest_kib > 0)
}

impl Report {
    fn text(&self) -> String {
        let mib = |kib: u64| kib as f64 / 1024.0;
        format!(
            "{} finished backups, {} KiB of annotations each\n\
             ready after {:.2} s and {} requests, {:.1} MiB at the peak\n\
             at rest: {:.1} MiB resident, {:.1} MiB of them the process's own\n\
             bench: {}\n",
            self.count,
            self.annotations_kib,
            self.start_seconds,
            self.start_requests,
            mib(self.peak_at_start_kib),
            mib(self.resident_at_rest_kib),
            mib(self.heap_at_rest_kib),
            if self.writes == 0 { "nothing was written".to_owned() } else { format!("WRONG: {} writes", self.writes) },
        )
    }
}

/// Creates the backups, then gives each the status of a backup that succeeded.
async fn create(kubectl: &Kubectl, args: &MemoryArgs) -> Result<(), BenchError> {
    kubectl.run(&["create", "namespace", TEAM]).await?;
    eprintln!("creating {} finished backups", args.count);
    let annotations = ballast(args.annotations);
    let backup = |number: u32| objects::finished(number, &format!("rm-mysql-{number:06}"));
    let annotated = |number| {
        let mut backup = backup(number);
        backup["metadata"]["annotations"] = annotations.clone();
        backup
    };
    objects::create(kubectl, args.count, args.annotations, annotated).await?;
    objects::give_status(kubectl, args.count, backup).await?;
    Ok(())
}

/// Annotations of so many KiB.
fn ballast(kib: u32) -> Value {
    let full = (0..kib / 25).map(|part| (format!("example.com/ballast-{part}"), "x".repeat(25 << 10).into()));
    let rest = (!kib.is_multiple_of(25)).then(|| ("example.com/ballast".to_owned(), "x".repeat((kib as usize % 25) << 10).into()));
    Value::Object(full.chain(rest).collect())
}
