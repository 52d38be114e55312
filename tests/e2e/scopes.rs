//! An operator of some namespaces, with the chart's rights and no sight of the rest of the cluster, in a world of its own: a namespace is
//! deleted under it.

use std::time::{Duration, Instant};

use rds_backup_sandbox::{
    plane::audit,
    rds::{Effect, Fault, Settings},
    world::{Operator, StartOperator, World, WorldOptions},
};
use serde_json::{Value, json};

use crate::{
    environment::world_options,
    rights,
    site::{RunningTest, note},
};

const PATIENCE: Duration = Duration::from_secs(180);
const TEAMS: [&str; 2] = ["team-a", "team-b"];

async fn started(world: &World, namespaces: &[&str]) -> Operator {
    let args = namespaces.iter().map(|namespace| format!("--watch-namespace={namespace}")).collect();
    let mut operator = world.start_operator(StartOperator { args, ..StartOperator::default() }).unwrap_or_else(|error| panic!("{error}"));
    operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
    operator
}

async fn items(world: &World, namespace: &str) -> Vec<Value> {
    world.reader().objects("rdsbackups", namespace).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn until(world: &World, namespace: &str, what: &str, wanted: impl Fn(&[Value]) -> bool) {
    let began = Instant::now();
    loop {
        let found = items(world, namespace).await;
        if wanted(&found) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "not {what}: {found:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn in_phase(items: &[Value], prefix: &str, phase: &str) -> usize {
    let of_phase =
        |item: &&Value| item["status"]["phase"] == phase && item["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix));
    items.iter().filter(of_phase).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_holds_up_no_backup_and_no_schedule_of_another_also_after_a_restart() {
    let _running = RunningTest::begin();
    let options = WorldOptions { settings: Settings { job_time: Duration::from_secs(15), ..Settings::sandbox() }, ..world_options() };
    let world = World::start(options).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    let kubectl = world.kubectl();
    for namespace in TEAMS {
        kubectl.run(&["create", "namespace", namespace]).await.unwrap();
    }
    rights::narrow(&world).await;
    rights::grant_with(&world, "team-a,team-b", &["--set=rbac.clusterWideClaims=false"]).await;
    let mut operator = started(&world, &TEAMS).await;

    let apply = async |kind: &str, namespace: &str, name: &str, spec: Value| {
        let metadata = json!({ "name": name, "namespace": namespace });
        let object = json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec });
        kubectl.run_with_input(&["apply", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    };
    let every_minute = json!({ "schedule": "* * * * *", "template": { "spec": { "dbInstanceId": "rm-mysql-s" } } });
    apply("RdsBackupSchedule", "team-a", "minutely", every_minute).await;
    apply("RdsBackup", "team-a", "runs", json!({ "dbInstanceId": "rm-mysql-a" })).await;
    // This one waits: its instance belongs to the first.
    apply("RdsBackup", "team-b", "lost", json!({ "dbInstanceId": "rm-mysql-a" })).await;
    until(&world, "team-a", "running", |items| in_phase(items, "runs", "Running") == 1).await;
    kubectl.run(&["delete", "namespace", "team-b", "--timeout=120s"]).await.unwrap_or_else(|error| panic!("{error}"));
    apply("RdsBackup", "team-a", "next", json!({ "dbInstanceId": "rm-mysql-a" })).await;
    until(&world, "team-a", "ended", |items| in_phase(items, "runs", "Succeeded") + in_phase(items, "next", "Succeeded") == 2).await;
    let before = in_phase(&items(&world, "team-a").await, "minutely", "Succeeded");
    until(&world, "team-a", "backed up by its schedule", |items| in_phase(items, "minutely", "Succeeded") > before).await;
    operator.stop().await.unwrap_or_else(|error| panic!("{error}"));

    let mut operator = started(&world, &TEAMS).await;
    let verbose = operator.get("/readyz?verbose").await.unwrap_or_else(|error| panic!("{error}")).body;
    assert!(verbose.starts_with("ok\n") && verbose.contains("namespace team-b: "), "{verbose}");
    let before = in_phase(&items(&world, "team-a").await, "minutely", "Succeeded");
    until(&world, "team-a", "backed up after the restart", |items| in_phase(items, "minutely", "Succeeded") > before).await;
    apply("RdsBackup", "team-a", "last", json!({ "dbInstanceId": "rm-mysql-a" })).await;
    until(&world, "team-a", "ended", |items| in_phase(items, "last", "Succeeded") == 1).await;
    assert_eq!(world.rds.accepted("rm-mysql-a"), 3);
    operator.stop().await.unwrap_or_else(|error| panic!("{error}"));
    note(&audit::read(world.plane.audit_log()).expect("the audit log"));
    world.stop().await;
}

/// Two operators, each with a namespace of its own, whose teams share an instance. Both answers are lost, so that each must find its own job
/// among the jobs of both.
#[tokio::test(flavor = "multi_thread")]
async fn two_operators_of_two_namespaces_that_share_an_instance_each_find_their_own_job() {
    let _running = RunningTest::begin();
    let world = World::start(world_options()).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    let kubectl = world.kubectl();
    for namespace in TEAMS {
        kubectl.run(&["create", "namespace", namespace]).await.unwrap();
    }
    rights::narrow(&world).await;
    rights::grant(&world, &TEAMS.join(",")).await;
    let mut operators = [started(&world, &TEAMS[..1]).await, started(&world, &TEAMS[1..]).await];
    let instance = "rm-mysql-shared";
    world.rds.add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance(instance).times(2));
    let objects = TEAMS.map(|namespace| {
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": "mine", "namespace": namespace },
            "spec": { "dbInstanceId": instance, "method": "Physical" },
        })
    });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
    kubectl.run_with_input(&["apply", "-f", "-"], &list).await.unwrap_or_else(|error| panic!("{error}"));
    let mut jobs = Vec::new();
    for namespace in TEAMS {
        until(&world, namespace, "ended", |items| in_phase(items, "mine", "Succeeded") == 1).await;
        jobs.push(items(&world, namespace).await[0]["status"]["backupJobId"].clone());
    }
    assert!(!jobs[0].is_null() && jobs[0] != jobs[1], "one job is the result of both: {jobs:?}");
    assert_eq!(world.rds.accepted(instance), 2);
    for operator in &mut operators {
        operator.stop().await.unwrap_or_else(|error| panic!("{error}"));
    }
    note(&audit::read(world.plane.audit_log()).expect("the audit log"));
    world.stop().await;
}
