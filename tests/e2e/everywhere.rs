//! The chart's other scope: one operator for every namespace, in a world of its own, where it cannot get in the way of other tests.

use std::time::{Duration, Instant};

use rds_backup_sandbox::{
    plane::audit,
    rds::Settings,
    world::{NAMESPACE, SERVICE_ACCOUNT, StartOperator, World, WorldOptions},
};
use serde_json::{Value, json};

use crate::{
    environment::world_options,
    rights,
    site::{RunningTest, note},
};

const PATIENCE: Duration = Duration::from_secs(120);

async fn until(world: &World, resource: &str, namespace: &str, what: &str, wanted: impl Fn(&[Value]) -> bool) {
    let began = Instant::now();
    loop {
        let items = world.reader().objects(resource, namespace).await.unwrap_or_else(|error| panic!("{error}"));
        if wanted(&items) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "not {what}: {items:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn succeeded(items: &[Value]) -> usize {
    items.iter().filter(|item| item["status"]["phase"] == "Succeeded").count()
}

/// A life in two namespaces that needs each of its rights: a backup, and a schedule whose second run makes the first one's object go.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_every_namespace_uses_what_the_chart_grants_it_and_no_more() {
    let _running = RunningTest::begin();
    let options = WorldOptions { settings: Settings { job_time: Duration::from_secs(1), ..Settings::sandbox() }, ..world_options() };
    let world = World::start(options).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    let start = StartOperator { leader_elect: true, ..StartOperator::default() };
    let mut operator = world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));
    operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));

    let kubectl = world.kubectl();
    for namespace in ["team-a", "team-b"] {
        kubectl.run(&["create", "namespace", namespace]).await.unwrap();
    }
    let apply = async |object: Value| {
        kubectl.run_with_input(&["apply", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"))
    };
    let (group, meta) = ("rdsbackup.io/v1alpha1", |namespace: &str| json!({ "name": "x", "namespace": namespace }));
    apply(json!({ "apiVersion": group, "kind": "RdsBackup", "metadata": meta("team-a"), "spec": { "dbInstanceId": "rm-mysql-a" } })).await;
    let schedule = |more: Value| {
        let mut spec =
            json!({ "schedule": "@yearly", "successfulHistoryLimit": 1, "template": { "spec": { "dbInstanceId": "rm-mysql-b" } } });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        json!({ "apiVersion": group, "kind": "RdsBackupSchedule", "metadata": meta("team-b"), "spec": spec })
    };
    apply(schedule(json!({}))).await;
    let seen = |items: &[Value]| items.iter().all(|item| item["status"]["observedGeneration"] == item["metadata"]["generation"]);
    until(&world, "rdsbackupschedules", "team-b", "seen", seen).await;
    apply(schedule(json!({ "trigger": "one" }))).await;
    until(&world, "rdsbackups", "team-b", "backed up", |items| succeeded(items) == 1).await;
    let first = kubectl.run(&["get", "rdsbackups", "-n", "team-b", "-o", "name"]).await.unwrap();
    apply(schedule(json!({ "trigger": "two" }))).await;
    until(&world, "rdsbackups", "team-b", "cleared of its first", |items| {
        succeeded(items) == 1 && items.iter().all(|item| !first.contains(item["metadata"]["name"].as_str().unwrap_or("?")))
    })
    .await;
    until(&world, "rdsbackups", "team-a", "backed up", |items| succeeded(items) == 1).await;
    let finalizers = json!({ "metadata": { "finalizers": ["rdsbackup.io/backup-set"] } }).to_string();
    kubectl.run(&["patch", "rdsbackups", "x", "-n", "team-a", "--type=merge", "-p", &finalizers]).await.unwrap();
    kubectl.run(&["delete", "rdsbackups", "x", "-n", "team-a", "--wait=false"]).await.unwrap();
    until(&world, "rdsbackups", "team-a", "let go", <[Value]>::is_empty).await;
    operator.stop().await.unwrap_or_else(|error| panic!("{error}"));

    let log = audit::read(world.plane.audit_log()).expect("the audit log");
    let (asked, granted) = (rights::asked(&log), rights::granted(&rights::roles(&kubectl).await));
    let differences = rights::compare(&asked, &granted);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let ours = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    for resource in ["rdsbackups", "rdsbackupschedules"] {
        for verb in ["list", "watch"] {
            let everywhere =
                audit::by_user(&log, &ours).any(|event| event.resource == resource && event.verb == verb && event.namespace.is_empty());
            assert!(everywhere, "{verb} of {resource} is over all namespaces");
        }
    }
    let refused = audit::by_user(&log, &ours).filter(|event| event.code == 403).map(|event| event.uri.clone()).collect::<Vec<_>>();
    assert!(refused.is_empty(), "{refused:?}");
    note(&log);
    world.stop().await;
}
