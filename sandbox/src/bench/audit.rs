//! `sandbox bench audit`: what it costs to look at the backup sets of many finished backups.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::plane::audit;
use crate::rds::JobKind;
use crate::world::cli::WorldArgs;
use crate::world::{NAMESPACE, SERVICE_ACCOUNT, StartOperator, World};

use super::error::BenchError;
use super::objects::{self, TEAM};

/// Finished backups whose sets the operator looks at: calls, memory and writes of one round, in which nothing has changed.
///
/// The operator is built with --release. The account looks every two minutes, and may call every second.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// How many finished backups, each with its set.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sets: u32,
    /// Over how many instances they spread.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub instances: u32,
    /// One JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// How long the operator may take to have listed all of them.
const READY: Duration = Duration::from_secs(300);

/// How long the round may take: two minutes until it begins, two in which instances are due, and a second for each call.
const ROUND: Duration = Duration::from_secs(600);

/// The account looks so often.
const EVERY: &str = "    audit: { every: 2m, callsPerHour: 3600 }\n    signature:";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    sets: u32,
    instances: u32,
    /// Calls of the service until each instance was looked at once, by action.
    calls: BTreeMap<String, usize>,
    /// Instances that were looked at again meanwhile.
    again: usize,
    /// `VmRSS` before the first look and after the last: KiB of the process.
    resident_before_kib: u64,
    resident_after_kib: u64,
    /// Requests to the API server in the round, without leases; and how many of them write.
    requests: usize,
    writes: usize,
}

/// Whether every instance was looked at, and nothing was written.
pub(super) async fn run(args: &AuditArgs) -> Result<bool, BenchError> {
    let world = World::start(args.world.prepare_release().await?).await?;
    create(&world, args).await?;
    let text = world.operator_config("").replacen("    signature:", EVERY, 1);
    let config = world.write_config("audit.yaml", &text)?;
    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    let mut operator = world.start_operator(StartOperator { config: Some(config), ..StartOperator::default() })?;
    operator.wait_ready(READY).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let resident_before_kib = operator.memory_kib("VmRSS");
    let before = audit::by_user(&audit::read(world.plane.audit_log())?, &user).count();
    let begun = Instant::now();
    let looks = loop {
        let mut looks: BTreeMap<String, usize> = BTreeMap::new();
        for call in world.rds.calls().into_iter().filter(|call| call.action == "DescribeBackups") {
            *looks.entry(call.instance).or_default() += 1;
        }
        if looks.len() == args.instances as usize || begun.elapsed() > ROUND {
            break looks;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let mut calls = BTreeMap::new();
    for call in world.rds.calls() {
        *calls.entry(call.action).or_default() += 1;
    }
    let events = audit::read(world.plane.audit_log())?;
    let asked: Vec<_> = audit::by_user(&events, &user).skip(before).filter(|event| event.resource != "leases").collect();
    let report = Report {
        sets: args.sets,
        instances: args.instances,
        calls,
        again: looks.values().filter(|count| **count > 1).count(),
        resident_before_kib,
        resident_after_kib: operator.memory_kib("VmRSS"),
        requests: asked.len(),
        writes: asked.iter().filter(|event| event.write().is_some()).count(),
    };
    let mut out = std::io::stdout();
    let text = if args.json { format!("{}\n", json!(report)) } else { report.text(looks.len()) };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    operator.stop().await?;
    world.stop().await;
    Ok(report.writes == 0 && looks.len() == args.instances as usize)
}

impl Report {
    fn text(&self, looked: usize) -> String {
        let mib = |kib: u64| kib as f64 / 1024.0;
        format!(
            "{} sets over {} instances; {looked} instances were looked at, {} of them twice\n\
             calls of the service: {:?}\n\
             resident {:.1} MiB before, {:.1} MiB after; {} requests to the API server\n\
             bench: {}\n",
            self.sets,
            self.instances,
            self.again,
            self.calls,
            mib(self.resident_before_kib),
            mib(self.resident_after_kib),
            self.requests,
            if self.writes == 0 { "nothing was written".to_owned() } else { format!("WRONG: {} writes", self.writes) },
        )
    }
}

/// Creates the sets at the service, and the backups that made them.
async fn create(world: &World, args: &AuditArgs) -> Result<(), BenchError> {
    let kubectl = world.kubectl();
    kubectl.run(&["create", "namespace", TEAM]).await?;
    eprintln!("creating {} finished backups and their sets", args.sets);
    let instance = |number: u32| format!("rm-mysql-{:04}", number % args.instances);
    for number in 0..args.sets {
        // Each is over before the next begins.
        let _ = world.rds.start_job(&instance(number), JobKind::Manual, Duration::ZERO);
    }
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..args.instances {
        let sets = world.rds.sets(&instance(number)).into_iter().map(|set| set.backup_id).collect();
        ids.insert(instance(number), sets);
    }
    let backup = |number: u32| {
        let mut backup: Value = objects::finished(number, &instance(number));
        let id = ids.get(&instance(number)).and_then(|ids| ids.get((number / args.instances) as usize));
        backup["status"]["backupId"] = json!(id);
        backup
    };
    objects::create(&kubectl, args.sets, 0, backup).await?;
    objects::give_status(&kubectl, args.sets, backup).await?;
    Ok(())
}
