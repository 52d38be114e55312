//! What `cargo sandbox up --monitoring` starts: a real Prometheus beside the real operator, with our rules and our dashboards' queries.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rds_backup_sandbox::{
    plane::{Prometheus, Signal},
    rds::{Effect, Fault, Settings},
    world::{Monitoring, Operator, StartOperator, World, WorldOptions},
};
use serde_json::{Value, json};

/// Queries that return nothing in a small and young world, by the title of their panel.
const WITHOUT_DATA: [(&str, &str); 1] = [("Growth in 30 days", "no sample is 30 days old")];

/// For what takes 5 to 20 s on 2 idle cores: a backup with its listing lag, the first rate of a counter.
const LIMIT: Duration = Duration::from_secs(120);

const OPERATOR_DOWN: &str = "RdsBackupOperatorDown";

/// The `for` of RdsBackupOperatorDown: a minute is a second here.
const DOWN_FOR: Duration = Duration::from_secs(10);

struct Query {
    dashboard: String,
    panel: String,
    expr: String,
}

impl Query {
    fn name(&self) -> String {
        format!("{}, {}: {}", self.dashboard, self.panel, self.expr)
    }
}

/// Every query of every dashboard, with the variables as Grafana puts them in when all values are chosen.
fn queries() -> Vec<Query> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring/dashboards");
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the dashboards") {
        let path = entry.expect("an entry").path();
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a dashboard")).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("queries") {
                let expr = target["expr"].as_str().expect("a query").replace("$__rate_interval", "30s");
                let expr = ["$namespace", "$account", "$job"].iter().fold(expr, |expr, name| expr.replace(name, ".+"));
                assert!(!expr.contains('$'), "an unknown variable: {expr}");
                let (dashboard, panel) = (dashboard["title"].to_string(), panel["title"].as_str().unwrap_or_default().to_owned());
                queries.push(Query { dashboard, panel, expr });
            }
        }
    }
    queries
}

/// A backup that succeeds and one that fails, each with its schedule; one that a person must act on, one that waits for another, a lost
/// answer, a call that is throttled.
async fn apply_objects(world: &World) {
    let object = |kind: &str, name: &str, spec: Value| {
        let metadata = json!({ "name": name, "namespace": "team-a" });
        json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec })
    };
    let backup = |name: &str, instance: &str, account: &str| {
        object("RdsBackup", name, json!({ "dbInstanceId": instance, "method": "Physical", "account": account }))
    };
    let schedule = |name: &str, instance: &str, method: &str| {
        let spec = json!({ "dbInstanceId": instance, "method": method });
        let (schedule, retention) = ("0 0 29 2 *", json!({ "keepLast": 7 }));
        let spec = json!({ "schedule": schedule, "runOnCreate": true, "retention": retention, "template": { "spec": spec } });
        object("RdsBackupSchedule", name, spec)
    };
    world.rds.add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance("rm-mysql-lost").times(1));
    world.rds.add_fault(Fault::on("CreateBackup", Effect::Throttle { retry_after_ms: Some(500) }).instance("rm-mysql-orders").times(1));
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team-a" } },
        schedule("works", "rm-mysql-orders", "Physical"),
        schedule("fails", "rm-mysqlcloud-search", "Logical"), // Not on cloud disks.
        backup("stalled", "rm-mysql-stalled", "missing"),
        backup("lost", "rm-mysql-lost", "default"),
        backup("waits", "rm-mysql-lost", "default"),
    ] });
    world.kubectl().run_with_input(&["apply", "--filename=-"], &objects.to_string()).await.expect("they are taken");
}

async fn query(monitoring: &Monitoring, expr: &str) -> Vec<Value> {
    monitoring.query(expr).await.unwrap_or_else(|error| panic!("{expr}: {error:?}"))
}

/// The alert of this name, if it is pending or firing.
async fn alert(monitoring: &Monitoring, name: &str) -> Option<Value> {
    let alerts = monitoring.alerts().await.expect("the alerts");
    alerts.into_iter().find(|alert| alert["labels"]["alertname"] == name)
}

fn fires(alert: Option<&Value>) -> bool {
    alert.is_some_and(|alert| alert["state"] == "firing")
}

/// Waits until the alert is as wanted, and returns how long that took.
async fn until_alert(monitoring: &Monitoring, name: &str, what: &str, wanted: impl Fn(Option<&Value>) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let alert = alert(monitoring, name).await;
        if wanted(alert.as_ref()) {
            return began.elapsed();
        }
        assert!(began.elapsed() < LIMIT, "{name} is not {what}: {alert:?}\n{}", monitoring.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_leading(monitoring: &Monitoring, operator: &Operator) {
    let pod = operator.log().file_stem().expect("a name").to_string_lossy().into_owned();
    let leads = format!(r#"rdsbackup_operator_leader{{pod="{pod}"}} == 1"#);
    let began = Instant::now();
    while query(monitoring, &leads).await.is_empty() {
        assert!(began.elapsed() < LIMIT, "{pod} does not lead:\n{}\n{}", monitoring.log_tail(), operator.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The leader ends as in a rolling update while the alert about a stalled backup fires, and another operator leads next. An alert that was over
/// for one evaluation would have another `activeAt`.
async fn an_alert_keeps_firing_when_the_leader_changes(world: &World, monitoring: &Monitoring, mut leader: Operator) {
    const STALLED: &str = "RdsBackupStalled";
    let mut next = world.start_operator(StartOperator { leader_elect: true, ..StartOperator::default() }).expect("it starts");
    monitoring.scrape(&[&leader, &next]).expect("its targets");
    until_alert(monitoring, STALLED, "firing", fires).await;
    let before = alert(monitoring, STALLED).await.expect("it fires");
    leader.stop().await.expect("it ends");
    let ended = Instant::now();
    monitoring.scrape(&[&next]).expect("its target");
    until_leading(monitoring, &next).await;
    println!("the next leader's series are there {:.1} s after the first one ended", ended.elapsed().as_secs_f64());
    // As long as the rules look back for the last sample (5 s here), and as long again.
    while ended.elapsed() < Duration::from_secs(10) {
        let now = alert(monitoring, STALLED).await;
        assert!(fires(now.as_ref()), "it does not fire any more: {now:?}");
        assert_eq!(now.map(|now| now["activeAt"].clone()), Some(before["activeAt"].clone()), "it was over for a moment");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(alert(monitoring, OPERATOR_DOWN).await.is_none(), "an operator runs");
    next.stop().await.expect("it ends");
}

async fn the_target_is_up(monitoring: &Monitoring, operator: &Operator) {
    let up = r#"up{job="rds-backup-operator-metrics",namespace="rds-backup-system"} == 1"#;
    let began = Instant::now();
    while query(monitoring, up).await.len() != 1 {
        assert!(began.elapsed() < LIMIT, "the operator is not scraped:\n{}\n{}", monitoring.log_tail(), operator.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn every_query_returns_a_series(monitoring: &Monitoring) {
    let (exceptions, mut open): (Vec<Query>, Vec<Query>) =
        queries().into_iter().partition(|query| WITHOUT_DATA.iter().any(|(panel, _)| *panel == query.panel));
    assert_eq!(exceptions.len(), WITHOUT_DATA.len(), "a panel without data is not in the dashboards, or has several queries");
    for exception in &exceptions {
        query(monitoring, &exception.expr).await; // Accepted, at least.
    }
    assert!(open.len() > 30, "{} queries", open.len());
    let began = Instant::now();
    loop {
        let mut without = Vec::new();
        for open in open {
            match query(monitoring, &open.expr).await.len() {
                0 => without.push(open),
                series => println!("{:5.1} s, {series} series: {}", began.elapsed().as_secs_f64(), open.name()),
            }
        }
        if without.is_empty() {
            return;
        }
        open = without;
        let names = || open.iter().map(Query::name).collect::<Vec<_>>().join("\n");
        assert!(began.elapsed() < LIMIT, "no series within {LIMIT:?}:\n{}", names());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn prometheus_has_the_operators_series_fills_every_panel_and_fires_through_a_change_of_leader_and_when_the_operator_stops() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = Prometheus::find(&(Box::new(|line: &str| eprintln!("{line}")) as _)).await.unwrap_or_else(|error| panic!("{error}"));
    let second = Duration::from_secs(1);
    let settings = Settings { expiry: 3 * second, lag: second, job_time: 2 * second, ..Settings::sandbox() };
    let options = WorldOptions { settings, ..WorldOptions::new(env!("CARGO_BIN_EXE_rds-backup-operator"), repository) };
    let world = World::start(options).await.unwrap_or_else(|error| panic!("{error:?}"));
    let mut operator = world.start_operator(StartOperator { leader_elect: true, ..StartOperator::default() }).expect("it starts");
    operator.wait_ready(LIMIT).await.unwrap_or_else(|error| panic!("{error}"));

    let mut monitoring = Monitoring::start(&programs, world.dir(), repository).await.unwrap_or_else(|error| panic!("{error:?}"));
    let (log, dir) = (monitoring.log().to_owned(), world.dir().to_owned());
    assert!(log == dir.join("logs/prometheus.log") && log.is_file(), "{}", log.display());
    monitoring.scrape(&[&operator]).expect("its target");
    the_target_is_up(&monitoring, &operator).await;
    until_alert(&monitoring, OPERATOR_DOWN, "over", |alert| alert.is_none()).await;

    apply_objects(&world).await;
    every_query_returns_a_series(&monitoring).await;
    let of_schedules =
        query(&monitoring, r#"rdsbackup_schedule_created_timestamp_seconds{namespace="team-a",exported_namespace=""}"#).await;
    assert_eq!(of_schedules.len(), 2, "the namespace is the object's own: {of_schedules:?}");
    an_alert_keeps_firing_when_the_leader_changes(&world, &monitoring, operator).await;

    // Without a lease, since one that stood still for longer than its lease lasts ends itself.
    let mut operator = world.start_operator(StartOperator::default()).expect("it starts");
    operator.wait_ready(LIMIT).await.unwrap_or_else(|error| panic!("{error}"));
    monitoring.scrape(&[&operator]).expect("its target");
    the_target_is_up(&monitoring, &operator).await;
    // A process that is stopped keeps its port and does not answer.
    operator.signal(Signal::Stop).expect("stopped");
    let took = until_alert(&monitoring, OPERATOR_DOWN, "firing", fires).await;
    println!("RdsBackupOperatorDown fires {:.1} s after the operator stopped", took.as_secs_f64());
    assert!(took >= DOWN_FOR, "it fires after {took:?}, before its `for` is over");
    // One scrape that is not answered, and one evaluation: 3 s in all. The rest is for machines with much to do.
    assert!(took < DOWN_FOR + 15 * second, "it fires after {took:?}");
    operator.signal(Signal::Cont).expect("continued");
    until_alert(&monitoring, OPERATOR_DOWN, "over", |alert| alert.is_none()).await;

    let pid = monitoring.pid();
    monitoring.stop().await.expect("it ends");
    assert!(!Path::new("/proc").join(pid.to_string()).exists(), "Prometheus is still there");
    operator.stop().await.expect("it ends");
    world.stop().await;
    assert!(!dir.exists(), "the directory outlived its world");
}
