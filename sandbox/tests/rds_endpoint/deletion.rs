//! DeleteBackup and the policy that it follows.

use rds_backup_sandbox::rds::{BackupPolicy, Engine, InstanceSpec};
use serde_json::json;

use super::world::{World, text};

const DAY: u64 = 86_400;
const DENIED: &str = "403 OperationDenied.BackupSetDeleteNotSupport";

/// Of what was made in this world: DeleteBackup with these ids.
async fn delete(world: &World, instance: &str, ids: &str) -> String {
    world.verdict("DeleteBackup", &[("DBInstanceId", instance), ("BackupId", ids)]).await
}

async fn with(world: &World, instance: &str, change: impl FnOnce(&mut InstanceSpec)) -> String {
    let mut spec = InstanceSpec::default();
    change(&mut spec);
    let method = if spec.local_disk() || spec.engine == Engine::MariaDB { "Physical" } else { "Snapshot" };
    world.endpoint.define(instance, spec);
    text(&world.backup(instance, &[("BackupMethod", method)]).await["BackupId"])
}

fn log_of(days: u32, of: u32) -> BackupPolicy {
    BackupPolicy { retention_days: of, log_backup: true, log_retention_days: days, ..BackupPolicy::default() }
}

#[tokio::test]
async fn a_set_can_be_deleted_when_it_is_older_than_what_needs_it() {
    let off = BackupPolicy { log_backup: false, ..BackupPolicy::default() };
    for (policy, days) in [
        (off, Some(7)),
        (log_of(7, 30), Some(7)),
        (log_of(14, 30), Some(14)),
        // As the service sets it up: never.
        (BackupPolicy::default(), None),
        (log_of(30, 30), None),
    ] {
        let world = World::new().await;
        let id = with(&world, "rm-1", |spec| spec.policy = policy).await;
        let status = async || text(&world.sets("rm-1", &[("BackupId", &id)]).await[0]["StoreStatus"]);
        assert_eq!((delete(&world, "rm-1", &id).await.as_str(), status().await.as_str()), (DENIED, "Disabled"), "{policy:?}: fresh");
        let Some(days) = days else {
            world.wait(800 * DAY);
            assert_eq!((delete(&world, "rm-1", &id).await.as_str(), status().await.as_str()), (DENIED, "Disabled"), "{policy:?}: old");
            continue;
        };
        // The lag has passed since its end.
        world.wait(days * DAY - 20);
        assert_eq!((delete(&world, "rm-1", &id).await.as_str(), status().await.as_str()), (DENIED, "Disabled"), "{policy:?}: too fresh");
        world.wait(20);
        assert_eq!(status().await, "Enabled", "{policy:?}");
        assert_eq!(delete(&world, "rm-1", &id).await, "OK", "{policy:?}");
        assert_eq!(world.sets("rm-1", &[("BackupId", &id)]).await.len(), 0);
        assert_eq!(delete(&world, "rm-1", &id).await, "404 InvalidBackupSetID.NotFound", "{policy:?}: it is gone");
        let deleted: Vec<_> = world.endpoint.deletions().into_iter().map(|deleted| (deleted.instance, deleted.backup_id)).collect();
        assert_eq!(deleted, [("rm-1".to_owned(), id)]);
    }
}

#[tokio::test]
async fn engine_edition_kind_and_state_are_judged_first() {
    let world = World::new().await;
    let off = BackupPolicy { log_backup: false, ..BackupPolicy::default() };
    let mut ids = Vec::new();
    for (instance, engine, disk) in [
        ("rm-mysql", Engine::MySQL, "local_ssd"),
        ("rm-mysqlcloud", Engine::MySQL, "cloud_essd"),
        ("pgm", Engine::PostgreSQL, "cloud_essd"),
        ("rm-mssql", Engine::SQLServer, "cloud_essd"),
        ("rm-maria", Engine::MariaDB, "cloud_essd"),
    ] {
        let spec = InstanceSpec { policy: off, ..InstanceSpec::new(engine, "1", disk) };
        ids.push((instance, spec.clone(), with(&world, instance, |new| *new = spec).await));
    }
    world.wait(8 * DAY);
    for (instance, spec, id) in &ids {
        let takes = matches!(spec.engine, Engine::MySQL | Engine::PostgreSQL);
        for (what, change, refused) in [
            ("Basic", (|spec| spec.category = "Basic".into()) as fn(&mut InstanceSpec), DENIED),
            ("cluster", |spec| spec.category = "cluster".into(), DENIED),
            ("stopped", |spec| spec.status = "Stopped".into(), "403 IncorrectDBInstanceState"),
            ("locked", |spec| spec.lock_mode = "LockByDiskQuota".into(), "404 IncorrectDBInstanceLockMode"),
            ("read-only", |spec| spec.kind = "Readonly".into(), "400 ReadDBInstanceNotSupport"),
            ("guard", |spec| spec.kind = "Guard".into(), "403 IncorrectDBInstanceCharacterType"),
        ] {
            let mut changed = spec.clone();
            change(&mut changed);
            let expected = if takes || changed.kind != "Primary" { refused } else { "403 IncorrectDBInstanceType" };
            world.endpoint.define(instance, changed);
            assert_eq!(delete(&world, instance, id).await, expected, "{instance} {what}");
        }
        world.endpoint.define(instance, spec.clone());
        assert_eq!(delete(&world, instance, id).await, if takes { "OK" } else { "403 IncorrectDBInstanceType" }, "{instance}");
    }
    assert_eq!(world.endpoint.deletions().len(), 3);
}

#[tokio::test]
async fn the_set_is_one_of_the_instance_and_whole() {
    let world = World::new().await;
    let off = BackupPolicy { log_backup: false, ..BackupPolicy::default() };
    let own = with(&world, "rm-1", |spec| spec.policy = off).await;
    let others = with(&world, "rm-2", |spec| spec.policy = off).await;
    let logical = text(&world.backup("rm-1", &[("BackupMethod", "Logical")]).await["BackupId"]);
    world.wait(8 * DAY);
    let gone = "404 InvalidBackupSetID.NotFound";
    assert_eq!(world.verdict("DeleteBackup", &[("DBInstanceId", "rm-1")]).await, "400 MissingParameter");
    assert_eq!(delete(&world, "rm-1", &vec!["1"; 101].join(",")).await, "400 DeleteBackupSetNumExceed");
    for ids in [others.clone(), "1".into(), format!("{own},{others}"), format!("{own}, {own}")] {
        assert_eq!(delete(&world, "rm-1", &ids).await, gone, "{ids:?}");
    }
    assert_eq!(delete(&world, "rm-1", &logical).await, DENIED, "a logical one");
    assert_eq!(delete(&world, "rm-1", &format!("{own},{logical}")).await, DENIED, "all or none");
    world.create("rm-1", &[]).await;
    world.wait(50);
    let running = world.endpoint.ledger().last().unwrap().backup_id.clone();
    assert_eq!(running, None, "what runs has no id that anybody knows");
    assert_eq!(delete(&world, "rm-1", &own).await, "OK", "also while another job runs");
    assert_eq!(world.endpoint.deletions().len(), 1);
}

#[tokio::test]
async fn the_policy_is_told_as_the_engine_tells_it() {
    let world = World::new().await;
    for (instance, spec, enabled, words) in [
        ("rm-1", InstanceSpec::default(), "1", "Enable"),
        ("rm-2", InstanceSpec { policy: BackupPolicy { log_backup: false, ..log_of(7, 30) }, ..InstanceSpec::default() }, "0", "Disabled"),
        // Its log backup cannot be switched off, whatever the first of them says.
        ("rm-3", InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd"), "0", "Enable"),
    ] {
        world.endpoint.define(instance, spec.clone());
        for mode in ["DataBackupPolicy", "LogBackupPolicy"] {
            let answer = world.call("DescribeBackupPolicy", &[("DBInstanceId", instance), ("BackupPolicyMode", mode)]).await.json();
            assert_eq!((&answer["EnableBackupLog"], &answer["BackupLog"]), (&json!(enabled), &json!(words)), "{instance}");
            assert_eq!(answer["BackupRetentionPeriod"], json!(spec.policy.retention_days));
            assert_eq!(answer["LogBackupRetentionPeriod"], json!(spec.policy.log_retention_days));
        }
    }
    let wrong = world.verdict("DescribeBackupPolicy", &[("DBInstanceId", "rm-1"), ("BackupPolicyMode", "Both")]).await;
    assert_eq!(wrong, "400 InvalidParameter");
}
