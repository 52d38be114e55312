//! `orphans`: which sets no RdsBackup names.

use std::time::Duration;

use rds_backup_sandbox::rds::{Catalogue, Engine, JobKind};
use serde_json::{Value, json};

use crate::world::{World, daily, success};

/// Two instances; each gets manual sets from somebody else, and one has automated ones.
async fn town() -> World {
    let mut with_history = daily(Engine::MySQL, "8.0", "local_ssd");
    with_history.history = 3;
    let catalogue = Catalogue::empty().with("rm-a", with_history).with("rm-b", daily(Engine::MySQL, "8.0", "local_ssd"));
    World::new(catalogue).await
}

/// Has somebody make a manual set; its id.
async fn made_by_hand(world: &World, instance: &str) -> String {
    world.endpoint.start_job(instance, JobKind::Manual, Duration::from_millis(1)).expect("a job");
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.endpoint.sets(instance).last().expect("a set").backup_id.clone()
}

fn object(name: &str, instance: &str, spec: &Value, status: &Value) -> Value {
    let mut object = success(name, instance, 1, "0");
    object["metadata"]["name"] = json!(name);
    for (key, value) in spec.as_object().expect("fields") {
        object["spec"][key] = value.clone();
    }
    object["status"] = status.clone();
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_an_object_names_is_none_and_every_other_gets_a_manifest() {
    let world = town().await;
    let (made, taken_in, left) =
        (made_by_hand(&world, "rm-a").await, made_by_hand(&world, "rm-a").await, made_by_hand(&world, "rm-b").await);
    world.has(|objects| {
        objects.backups = vec![
            success("nightly", "rm-a", 1, &made),
            // Of another namespace, and of a field that this release may not know.
            object("taken-in", "rm-a", &json!({ "existingBackupId": taken_in }), &json!({ "observedGeneration": -1 })),
        ];
        objects.backups[1]["metadata"]["namespace"] = json!("team-b");
    });
    let said = world.run("orphans", &[]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.err);
    assert_eq!(said.out.lines().next(), Some("1 of 3 manual backup sets of 2 instances have no RdsBackup"), "{}", said.out);
    assert!(said.out.contains(&left) && !said.out.contains(&made) && !said.out.contains(&taken_in), "{}", said.out);

    let said = world.run("orphans", &["-o", "manifests", "-n", "backups"]).await;
    let manifests: Vec<Value> = serde_saphyr::from_multiple(&said.out).expect("YAML");
    let wanted = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": { "name": format!("rm-b-{left}"), "namespace": "backups" },
        "spec": { "account": "main", "dbInstanceId": "rm-b", "regionId": "cn-hangzhou", "existingBackupId": left },
    });
    assert_eq!(manifests, [wanted], "{}", said.out);
    assert_eq!(world.run("orphans", &["-o", "manifests", "-n", "backups"]).await.out, said.out, "two runs are equal");
    // Once they are applied nothing is left.
    world.has(|objects| objects.backups.extend(manifests));
    assert_eq!(world.run("orphans", &["-o", "manifests"]).await.out, "");
    world.nothing_was_changed();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_an_unfinished_backup_may_get_is_not_offered() {
    let world = town().await;
    let set = made_by_hand(&world, "rm-a").await;
    let running = object("release-42", "rm-a", &json!({}), &json!({ "observedGeneration": 1, "phase": "Running" }));
    world.has(|objects| objects.backups = vec![running]);
    let said = world.run("orphans", &[]).await;
    assert!(
        said.out.contains("1 of 1 manual backup sets of 2 instances have no RdsBackup, 1 of them cannot be taken in now"),
        "{}",
        said.out
    );
    assert!(said.out.contains("it may be that of team-a/release-42, which has not ended"), "{}", said.out);
    let said = world.run("orphans", &["-o", "manifests"]).await;
    assert_eq!(said.out, "");
    assert!(said.err.contains(&format!("no manifest for set {set} of rm-a")), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_not_usable_is_listed_and_gets_no_manifest() {
    let world = town().await;
    world.endpoint.update(|settings| settings.quirks.meta_status = Some("EMPTY".into()));
    let set = made_by_hand(&world, "rm-b").await;
    let found: Value = serde_json::from_str(&world.run("orphans", &["--instance", "rm-b", "-o", "json"]).await.out).expect("JSON");
    assert_eq!((&found["instances"], &found["manualSets"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&found["sets"][0]["backupId"], &found["sets"][0]["noManifest"]),
        (&json!(set), &json!("not usable: the service says that it is empty"))
    );
    assert_eq!(world.run("orphans", &["--instance", "rm-b", "-o", "manifests"]).await.out, "");
    let calls = world.endpoint.calls();
    assert!(calls.iter().all(|call| call.action == "DescribeBackups"), "an instance that is named is not looked for in a list");
}
