//! A world of its own, in which months pass, a namespace goes, and the kind itself.

use std::time::{Duration, Instant};

use rds_backup_sandbox::{
    rds::{BackupPolicy, InstanceSpec, Settings},
    world::{Operator, StartOperator, World, WorldOptions},
};
use serde_json::{Value, json};

use super::{OURS, backup, events, finalizers, run, said};
use crate::{
    environment::world_options,
    site::{RunningTest, note_calls},
};

const PATIENCE: Duration = Duration::from_secs(120);

struct Altogether {
    world: World,
}

impl Altogether {
    async fn apply(&self, text: &str) {
        self.world.kubectl().run_with_input(&["apply", "-f", "-"], text).await.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn backup(&self, namespace: &str, name: &str, spec: Value) {
        self.apply(&backup(namespace, name, &spec)).await;
    }

    async fn until(&self, namespace: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let object = self.world.kubectl().json(&["get", "rdsb", name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
            if wanted(&object) {
                return object;
            }
            assert!(began.elapsed() < PATIENCE, "{name} is not {what}: {object:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Hours pass: for the service, and for what the object says of its backup.
    async fn age(&self, namespace: &str, name: &str, instance: &str, hours: u64) {
        let object = self.world.kubectl().json(&["get", "rdsb", name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
        let by = Duration::from_secs(hours * 3600);
        self.world.rds.age(instance, by);
        let earlier = |field: &str| {
            let at: jiff::Timestamp = object["status"][field].as_str().and_then(|at| at.parse().ok()).expect("a time");
            (at - jiff::SignedDuration::try_from(by).expect("hours")).to_string()
        };
        let patch = json!({ "status": { "startedAt": earlier("startedAt"), "completedAt": earlier("completedAt") } }).to_string();
        run(&self.world.kubectl(), &["patch", "rdsb", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch]).await;
    }

    async fn until_gone(&self, namespace: &str, name: &str) {
        let began = Instant::now();
        loop {
            let found = self.world.kubectl().json(&["get", "rdsb", name, "-n", namespace, "--ignore-not-found"]).await;
            let Ok(object) = found else { return };
            assert!(began.elapsed() < Duration::from_secs(60), "{name} is still there: {object:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn succeeded(&self, namespace: &str, name: &str) -> Value {
        self.until(namespace, name, "Succeeded", |object| object["status"]["phase"] == "Succeeded").await
    }

    /// The sets that were deleted, by id.
    fn deleted(&self) -> Vec<String> {
        self.world.rds.deletions().into_iter().map(|deleted| deleted.backup_id).collect()
    }
}

/// Instances whose logs are not kept: their sets can be deleted after a week.
fn no_log() -> InstanceSpec {
    InstanceSpec { policy: BackupPolicy { log_backup: false, ..BackupPolicy::default() }, ..InstanceSpec::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_deleted_when_it_is_old_enough_a_namespace_waits_for_one_try_and_a_kind_deletes_no_set() {
    let _running = RunningTest::begin();
    let world = World::start(world_options_with()).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    let kubectl = world.kubectl();
    for namespace in ["team-a", "team-b"] {
        run(&kubectl, &["create", "namespace", namespace]).await;
    }
    world.rds.define("rm-mysql-*", no_log());
    let text = world.operator_config("");
    let (_, account) = text.split_once("  default:\n").expect("the account default");
    let own = account.replace("{ type: Secret, name: rds-access-key }", "{ type: TenantSecret, name: rds-key }");
    let config = world.write_config("own.yaml", &format!("{text}  own:\n{own}")).expect("a file");
    tenant_rights(&world).await;
    let start = || StartOperator { config: Some(config.clone()), ..StartOperator::default() };
    let mut operator = started(&world, start()).await;
    let here = Altogether { world };
    let key = json!({ "accessKeyId": "sandbox-key", "accessKeySecret": "sandbox-secret" });
    let metadata = json!({ "name": "rds-key", "namespace": "team-b" });
    here.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": key }).to_string()).await;

    // A week in which its set is not old enough.
    here.backup("team-a", "old", json!({ "dbInstanceId": "rm-mysql-1", "deletionPolicy": "Delete" })).await;
    here.backup("team-a", "held", json!({ "dbInstanceId": "rm-mysql-2", "deletionPolicy": "Delete" })).await;
    let old = here.succeeded("team-a", "old").await;
    here.succeeded("team-a", "held").await;
    let (status, reason, message) = said(&old);
    assert_eq!((status, reason), ("True", "NotOldEnough"), "{message}");
    run(&kubectl, &["delete", "rdsb", "old", "-n", "team-a", "--wait=false"]).await;
    let waits =
        |object: &Value| object["metadata"]["deletionTimestamp"].is_string() && said(object).2.contains("the object stays until then");
    here.until("team-a", "old", "waiting", waits).await;
    assert_eq!(here.deleted(), [""; 0]);
    operator.stop().await.unwrap_or_else(|error| panic!("{error}"));
    here.age("team-a", "old", "rm-mysql-1", 7 * 24 + 2).await;
    operator = started(&here.world, start()).await;
    here.until_gone("team-a", "old").await;
    let set = old["status"]["backupId"].as_str().expect("a set").to_owned();
    assert_eq!(here.deleted(), std::slice::from_ref(&set), "its own set, once");
    let told = events(&kubectl, "team-a", "old").await;
    assert!(told.iter().any(|(reason, note)| reason == "BackupSetDeleted" && note.contains(&set)), "{told:?}");
    println!("a set of 7 days and 2 hours is deleted: {told:?}");

    // What is held stays, and so does the set that a copy names.
    run(&kubectl, &["annotate", "rdsb", "held", "-n", "team-a", "rdsbackup.io/hold=true"]).await;
    run(&kubectl, &["delete", "rdsb", "held", "-n", "team-a", "--timeout=20s"]).await;
    assert_eq!(here.deleted().len(), 1, "a set that is held stays");
    let metrics = operator.get("/metrics").await.expect("an answer").body;
    let counted = |result: &str| format!("rdsbackup_backup_deletions_total{{account=\"default\",result=\"{result}\"}} 1");
    assert!(metrics.lines().any(|line| line == counted("deleted")), "{metrics}");

    // A namespace with its key: one try, and it ends.
    for name in ["b-1", "b-2", "b-3"] {
        here.backup("team-b", name, json!({ "dbInstanceId": format!("rm-mysql-{name}"), "deletionPolicy": "Delete", "account": "own" }))
            .await;
    }
    for name in ["b-1", "b-2", "b-3"] {
        assert_eq!(finalizers(&here.succeeded("team-b", name).await), [OURS]);
    }
    here.world.rds.define("rm-mysql-running", InstanceSpec { job_time: Some(Duration::from_secs(600)), ..no_log() });
    here.backup("team-b", "running", json!({ "dbInstanceId": "rm-mysql-running", "deletionPolicy": "Delete", "account": "own" })).await;
    here.until("team-b", "running", "Running", |object| object["status"]["phase"] == "Running").await;
    run(&kubectl, &["delete", "secret", "rds-key", "-n", "team-b"]).await;
    let began = Instant::now();
    run(&kubectl, &["delete", "namespace", "team-b", "--timeout=110s"]).await;
    println!(
        "a namespace with four backups, one of them running, whose Secret went first: gone after {:.1} s",
        began.elapsed().as_secs_f32()
    );
    assert_eq!(here.deleted().len(), 1, "nothing can be deleted without the key");

    // The kind: the operator is uninstalled, and that deletes no set.
    for name in ["a-1", "a-2"] {
        here.backup("team-a", name, json!({ "dbInstanceId": format!("rm-mysql-{name}"), "deletionPolicy": "Delete" })).await;
        here.succeeded("team-a", name).await;
    }
    for (name, instance) in [("a-1", "rm-mysql-a-1"), ("a-2", "rm-mysql-a-2")] {
        here.age("team-a", name, instance, 30 * 24).await;
    }
    let began = Instant::now();
    run(&kubectl, &["delete", "crd", "rdsbackups.rdsbackup.io", "--timeout=60s"]).await;
    println!("the CustomResourceDefinition with two backups: gone after {:.1} s", began.elapsed().as_secs_f32());
    assert_eq!(here.deleted(), [set], "no set is deleted, although it could be");
    note_calls(&here.world.rds);
    operator.stop().await.unwrap_or_else(|error| panic!("{error}"));
}

async fn started(world: &World, start: StartOperator) -> Operator {
    let mut operator = world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));
    operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
    operator
}

fn world_options_with() -> WorldOptions {
    WorldOptions { settings: Settings { job_time: Duration::from_secs(2), ..Settings::sandbox() }, ..world_options() }
}

/// What the chart grants for the key of a tenant.
async fn tenant_rights(world: &World) {
    let kubectl = world.kubectl();
    run(&kubectl, &["create", "role", "own-key", "-n", "team-b", "--verb=get", "--resource=secrets", "--resource-name=rds-key"]).await;
    let subject = "--serviceaccount=rds-backup-system:rds-backup-operator";
    run(&kubectl, &["create", "rolebinding", "own-key", "-n", "team-b", "--role=own-key", subject]).await;
}
