//! `sandbox bench schedules`: many schedules that are due in the same minute.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::plane::audit::{self, AuditEvent, Write};
use crate::rds::Settings;
use crate::world::cli::WorldArgs;
use crate::world::{NAMESPACE, SERVICE_ACCOUNT, StartOperator, World, WorldOptions};

use super::error::BenchError;
use super::figures::{Figures, seconds};

/// Many schedules due in the same minute: how late their backups are created, and what that writes.
///
/// The operator is built with --release and runs with its default settings; times are from the API server's audit log.
#[derive(Debug, clap::Args)]
pub struct SchedulesArgs {
    /// How many schedules, each of an instance of its own.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub count: u16,
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// Where the schedules are.
const TEAM: &str = "bench";

/// How long the operator may take to become ready.
const READY: Duration = Duration::from_secs(60);

/// kubectl sends 50 requests a second at most, and the API server needs its time on two cores.
const CREATED_PER_SECOND: u64 = 25;

/// How long after the creation of the last schedule the machine counts as idle.
const SETTLE: Duration = Duration::from_secs(15);

/// The writes of a fire are over when there was none for so long.
const QUIET: Duration = Duration::from_secs(10);

/// How long all schedules may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Whether every schedule made one backup, and none before its slot.
pub(super) async fn run(args: &SchedulesArgs) -> Result<bool, BenchError> {
    let count = usize::from(args.count);
    // The real service's figures, and jobs that end after the measurement.
    let settings = Settings { job_time: Duration::from_secs(3600), ..Settings::default() };
    let world = World::start(WorldOptions { settings: args.world.dialect(settings), ..args.world.prepare_release().await? }).await?;
    let config = world.write_config("bench.yaml", &default_settings(&world.operator_config("")))?;
    let mut operator = world.start_operator(StartOperator { config: Some(config), ..StartOperator::default() })?;
    operator.wait_ready(READY).await?;
    let slot = create(&world, count).await?;
    eprintln!("{count} schedules are due at {slot}");
    sleep_until(slot).await;

    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    let begun = Instant::now();
    let writes = loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let events = audit::read(world.plane.audit_log())?;
        let writes: Vec<AuditEvent> =
            audit::by_user(&events, &user).filter(|event| event.write().is_some() && event.at >= slot - EARLY).cloned().collect();
        let of_schedules = writes.iter().filter(|event| about_schedules(event)).map(|event| event.written).max();
        let quiet = of_schedules.is_some_and(|last| now().duration_since(last).unsigned_abs() > QUIET);
        if quiet && created(&writes).count() >= count || begun.elapsed() > LIMIT {
            break writes;
        }
    };
    let (right, report) = report(&writes, slot, count);
    let mut out = std::io::stdout();
    out.write_all(report.as_bytes())?;
    out.flush()?;
    operator.stop().await?;
    world.stop().await;
    Ok(right)
}

/// Creations this long before the slot would be seen as too early; what lies before belongs to the creation of the schedules.
const EARLY: SignedDuration = SignedDuration::from_secs(10);

/// The sandbox's configuration without the small figures that make tests fast.
fn default_settings(config: &str) -> String {
    let small = |line: &&str| !["protocol:", "poll:"].iter().any(|key| line.trim_start().starts_with(key));
    config.lines().filter(small).fold(String::new(), |text, line| text + line + "\n")
}

/// Creates the schedules and answers when they are due.
async fn create(world: &World, count: usize) -> Result<Timestamp, BenchError> {
    let kubectl = world.kubectl();
    kubectl.run(&["create", "namespace", TEAM]).await?;
    let needed = count as u64 / CREATED_PER_SECOND + SETTLE.as_secs() + EARLY.unsigned_abs().as_secs();
    let slot = minute_after(now() + Duration::from_secs(needed));
    let minute = slot.strftime("%M %H %d %m *").to_string();
    for chunk in (0..count).collect::<Vec<_>>().chunks(250) {
        let item = |number: &usize| {
            json!({
                "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
                "metadata": { "name": format!("schedule-{number:04}"), "namespace": TEAM },
                "spec": {
                    "schedule": minute,
                    "template": { "spec": { "dbInstanceId": format!("rm-mysql-{number:04}"), "method": "Physical" } },
                },
            })
        };
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": chunk.iter().map(item).collect::<Vec<_>>() });
        kubectl.run_with_input(&["create", "--filename", "-"], &list.to_string()).await?;
    }
    if now() + SETTLE > slot {
        return Err(BenchError::TooSlow { count, seconds: needed });
    }
    Ok(slot)
}

fn report(writes: &[AuditEvent], slot: Timestamp, count: usize) -> (bool, String) {
    let children: Vec<&AuditEvent> = created(writes).collect();
    let schedules: BTreeSet<String> = children.iter().filter_map(|event| label(event)).collect();
    // Received for what must not be early, answered for how late it is: each the stricter of the two.
    let early = children.iter().filter(|event| event.at < slot).count();
    let late = Figures::of(children.iter().map(|event| event.written.duration_since(slot)).collect());
    let first = Figures::of(children.iter().map(|event| event.at.duration_since(slot)).collect());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in writes {
        *kinds.entry(kind(event)).or_default() += 1;
    }
    let of = |kind: &str| kinds.get(kind).copied().unwrap_or_default();
    let fires = (of(CHILD) + of(SCHEDULE_STATUS)) as f64 / count as f64;
    let [p50, p99, max] = [50, 99, 100].map(|percent| late.percentile(percent));
    let refused = writes.iter().filter(|event| !event.accepted()).count();
    let right = children.len() == count && schedules.len() == count && early == 0;
    let mut text = String::new();
    let goal = |met: bool| if met { "met" } else { "missed" };
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "backups: {} of {} schedules, {} due at {slot}, {early} created before it", children.len(), schedules.len(), count);
    let _ = writeln!(
        text,
        "created after the slot: first {}, p50 {}, p99 {}, max {}",
        seconds(first.min()),
        seconds(p50),
        seconds(p99),
        seconds(max)
    );
    let _ = writeln!(text, "writes per fire, until the child finishes: {fires:.2}");
    for (kind, number) in &kinds {
        let _ = writeln!(text, "  {number:>6}  {:.2} per fire  {kind}", *number as f64 / count as f64);
    }
    let _ = writeln!(text, "  {refused:>6}  of them refused");
    let _ = writeln!(
        text,
        "goals: p99 at most 3 s: {}; at most 2 writes per fire: {}",
        goal(p99 <= SignedDuration::from_secs(3)),
        goal(fires <= 2.0)
    );
    let verdict = if right { "one backup for each schedule, none early" } else { "WRONG" };
    let _ = writeln!(text, "bench: {verdict}");
    (right, text)
}

const CHILD: &str = "RdsBackup created";
const SCHEDULE_STATUS: &str = "status of an RdsBackupSchedule";

fn kind(event: &AuditEvent) -> &'static str {
    match event.write() {
        Some(Write::ScheduleStatus) => SCHEDULE_STATUS,
        Some(Write::BackupStatus) => "status of an RdsBackup (its own budget)",
        Some(Write::Event) => "Event",
        Some(Write::Lease) => "Lease",
        Some(Write::Other) if is_creation(event) => CHILD,
        Some(Write::Other) | None => "other",
    }
}

fn about_schedules(event: &AuditEvent) -> bool {
    matches!(kind(event), CHILD | SCHEDULE_STATUS)
}

fn is_creation(event: &AuditEvent) -> bool {
    event.verb == "create" && event.resource == "rdsbackups" && event.subresource.is_empty()
}

/// Accepted creations of backups.
fn created(writes: &[AuditEvent]) -> impl Iterator<Item = &AuditEvent> {
    writes.iter().filter(|event| is_creation(event) && event.accepted())
}

/// The schedule that the created backup names.
fn label(event: &AuditEvent) -> Option<String> {
    let labels = &event.request_body.as_ref()?["metadata"]["labels"];
    labels["rdsbackup.io/schedule-name"].as_str().map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The next whole minute after `at`.
fn minute_after(at: Timestamp) -> Timestamp {
    let minutes = at.as_second().div_euclid(60) + 1;
    Timestamp::from_second(minutes * 60).unwrap_or(at)
}

async fn sleep_until(at: Timestamp) {
    tokio::time::sleep(at.duration_since(now()).max(SignedDuration::ZERO).unsigned_abs()).await;
}
