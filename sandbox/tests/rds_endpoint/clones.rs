//! CloneDBInstance: what it takes, what it makes, and that a token makes one clone.

use rds_backup_sandbox::rds::{BackupPolicy, Effect, Engine, Fault, InstanceSpec, JobKind};
use serde_json::json;

use super::world::{World, text};

const SOURCE: &str = "rm-1";

/// A world with one set of a MySQL instance, and the set.
async fn with_a_set() -> (World, String) {
    let world = World::new().await;
    world.endpoint.define(SOURCE, InstanceSpec::default());
    let set = text(&world.backup(SOURCE, &[]).await["BackupId"]);
    (world, set)
}

async fn clone(world: &World, parameters: &[(&str, &str)]) -> String {
    world.verdict("CloneDBInstance", &[&[("DBInstanceId", SOURCE), ("PayType", "Postpaid")], parameters].concat()).await
}

async fn status(world: &World, instance: &str) -> String {
    let answer = world.call("DescribeDBInstanceAttribute", &[("DBInstanceId", instance)]).await.json();
    text(&answer["Items"]["DBInstanceAttribute"][0]["DBInstanceStatus"])
}

#[tokio::test]
async fn a_clone_is_creating_for_a_while_and_then_an_instance_like_its_source() {
    let (world, set) = with_a_set().await;
    let parameters = [("DBInstanceId", SOURCE), ("PayType", "Postpaid"), ("BackupId", &set), ("DBInstanceStorageType", "cloud_essd")];
    let answer = world.call("CloneDBInstance", &parameters).await.json();
    let made = text(&answer["DBInstanceId"]);
    assert!(made.starts_with("rm-") && made != SOURCE && !text(&answer["OrderId"]).is_empty(), "{answer}");
    assert_eq!(status(&world, &made).await, "Creating");
    assert_eq!(
        world.verdict("CreateBackup", &[("DBInstanceId", &made)]).await,
        "400 InvalidBackupMethod.ValueNotSupport",
        "its disk is another"
    );
    let snapshot = [("DBInstanceId", made.as_str()), ("BackupMethod", "Snapshot")];
    assert_eq!(world.verdict("CreateBackup", &snapshot).await, "403 IncorrectDBInstanceState");
    world.wait(31);
    assert_eq!(status(&world, &made).await, "Running");
    assert_eq!(world.sets(&made, &[]).await.len(), 0, "it has no past");
    assert_eq!(world.verdict("CreateBackup", &snapshot).await, "OK");
    let clones = world.endpoint.clones();
    assert_eq!((clones.len(), clones[0].source.as_str(), clones[0].backup_id.as_deref()), (1, SOURCE, Some(set.as_str())));
    assert_eq!((&clones[0].instance, clones[0].access_key_id.as_str()), (&made, "sandbox-key"));
}

#[tokio::test]
async fn a_token_makes_one_clone_and_fits_one_request() {
    let (world, set) = with_a_set().await;
    let named = async |token: &str, name: &str| {
        let parameters = [("BackupId", set.as_str()), ("ClientToken", token), ("DBInstanceDescription", name)];
        let all = [&[("DBInstanceId", SOURCE), ("PayType", "Postpaid")], parameters.as_slice()].concat();
        world.call("CloneDBInstance", &all).await
    };
    let first = named("t-1", "drill").await.json();
    world.wait(3600);
    let again = named("t-1", "drill").await.json();
    assert_eq!((&first["DBInstanceId"], &first["OrderId"]), (&again["DBInstanceId"], &again["OrderId"]));
    assert_ne!(first["RequestId"], again["RequestId"]);
    assert_eq!(named("t-1", "another").await.verdict(), "400 IdempotentParameterMismatch");
    assert_eq!(world.endpoint.clones().len(), 1);
    assert_ne!(named("t-2", "drill").await.json()["DBInstanceId"], first["DBInstanceId"]);
    for wrong in ["ä", &"t".repeat(65)] {
        assert_eq!(named(wrong, "drill").await.verdict(), "400 InvalidParameter", "{wrong:?}");
    }
    // Also while the source is not what it was: the clone was made.
    world.endpoint.define(SOURCE, InstanceSpec { status: "Stopped".into(), ..InstanceSpec::default() });
    assert_eq!(named("t-1", "drill").await.json()["DBInstanceId"], first["DBInstanceId"]);
    assert_eq!(named("t-3", "drill").await.verdict(), "403 IncorrectDBInstanceState");
    assert_eq!(world.endpoint.clones().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_repeated_by_its_token() {
    let (world, set) = with_a_set().await;
    world.endpoint.add_fault(Fault::on("CloneDBInstance", Effect::LoseAnswer).times(1));
    let request = |world: &World| {
        let parameters = [("DBInstanceId", SOURCE), ("PayType", "Postpaid"), ("BackupId", set.as_str()), ("ClientToken", "t-1")];
        world.request("CloneDBInstance", &parameters)
    };
    world.send(&request(&world)).await.expect_err("lost");
    let made = world.endpoint.clones();
    assert_eq!(made.len(), 1);
    assert_eq!(world.send(&request(&world)).await.unwrap().json()["DBInstanceId"], json!(made[0].instance));
    assert_eq!(world.endpoint.clones().len(), 1);
}

#[tokio::test]
async fn the_set_is_a_usable_one_of_the_instance() {
    let (world, set) = with_a_set().await;
    world.endpoint.define("rm-2", InstanceSpec::default());
    let others = text(&world.backup("rm-2", &[]).await["BackupId"]);
    let logical = text(&world.backup(SOURCE, &[("BackupMethod", "Logical")]).await["BackupId"]);
    world.endpoint.add_fault(Fault::on("CreateBackup", Effect::SpoilJob).times(1));
    let spoilt = text(&world.backup(SOURCE, &[]).await["BackupId"]);
    world.create(SOURCE, &[]).await;
    world.wait(105);
    let unlisted = world.endpoint.sets(SOURCE).last().unwrap().backup_id.clone();
    for (id, wanted) in [
        (others.as_str(), "404 InvalidBackupSetID.NotFound"),
        ("1", "404 InvalidBackupSetID.NotFound"),
        (&unlisted, "404 InvalidBackupSetID.NotFound"),
        (&spoilt, "400 InvalidParameter"),
        (&logical, "400 InvalidParameter"),
        (&set, "OK"),
    ] {
        assert_eq!(clone(&world, &[("BackupId", id)]).await, wanted, "{id}");
    }
    assert!(world.endpoint.remove_set(SOURCE, &set));
    assert_eq!(clone(&world, &[("BackupId", &set)]).await, "404 InvalidBackupSetID.NotFound");
    assert_eq!(world.endpoint.clones().len(), 1);
}

#[tokio::test]
async fn a_moment_lies_in_the_log_after_a_set() {
    let (world, set) = with_a_set().await;
    let now = world.endpoint.now().service;
    let moment = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    const OUTSIDE: &str = "400 InvalidRestoreTime.Malformed";
    for (time, wanted) in [
        (moment(-1), "OK"),
        (moment(60), OUTSIDE),
        (moment(-3600), OUTSIDE),
        (moment(-1).replace('Z', ""), OUTSIDE),
        (moment(-1).replace('Z', ".0Z"), OUTSIDE),
    ] {
        assert_eq!(clone(&world, &[("RestoreTime", &time)]).await, wanted, "{time}");
    }
    assert_eq!(clone(&world, &[("RestoreTime", &moment(-1)), ("BackupId", &set)]).await, "400 InvalidParameter", "one of the two");
    assert_eq!(clone(&world, &[]).await, "400 MissingParameter");
    world.wait(8 * 86_400);
    assert_eq!(clone(&world, &[("RestoreTime", &moment(-1))]).await, OUTSIDE, "its log is gone");
    let off = BackupPolicy { log_backup: false, ..BackupPolicy::default() };
    world.endpoint.define(SOURCE, InstanceSpec { policy: off, ..InstanceSpec::default() });
    assert_eq!(clone(&world, &[("RestoreTime", &moment(8 * 86_400))]).await, OUTSIDE, "there is none");
}

#[tokio::test]
async fn billing_network_names_and_state_are_judged() {
    let (world, set) = with_a_set().await;
    let paid = async |parameters: &[(&str, &str)]| {
        world.verdict("CloneDBInstance", &[&[("DBInstanceId", SOURCE), ("BackupId", set.as_str())], parameters].concat()).await
    };
    for (parameters, wanted) in [
        (&[][..], "400 MissingParameter"),
        (&[("PayType", "Free")], "400 InvalidParameter"),
        (&[("PayType", "Serverless")], "400 InvalidParameter"),
        (&[("PayType", "Serverless"), ("DBInstanceStorageType", "cloud_essd")], "OK"),
        (&[("PayType", "Prepaid")], "400 MissingParameter"),
        (&[("PayType", "Prepaid"), ("Period", "Month"), ("UsedTime", "10")], "400 InvalidParameter"),
        (&[("PayType", "Prepaid"), ("Period", "Year"), ("UsedTime", "3")], "OK"),
    ] {
        assert_eq!(paid(parameters).await, wanted, "{parameters:?}");
    }
    let set = set.as_str();
    for (parameters, wanted) in [
        (&[("VPCId", "vpc-1")][..], "400 MissingParameter"),
        (&[("VSwitchId", "vsw-1")], "400 MissingParameter"),
        (&[("VPCId", "vsw-1"), ("VSwitchId", "vpc-1")], "400 InvalidParameter"),
        (&[("VPCId", "vpc-1"), ("VSwitchId", "vsw-1"), ("InstanceNetworkType", "Classic")], "400 InvalidParameter"),
        (&[("VPCId", "vpc-1"), ("VSwitchId", "vsw-1"), ("InstanceNetworkType", "VPC")], "OK"),
        (&[("DeletionProtection", "yes")], "400 InvalidParameter"),
        (&[("DBInstanceDescription", "1-drill")], "400 InvalidParameter"),
        (&[("DBInstanceStorageType", "floppy")], "400 InvalidParameter"),
        (&[("DbNames", "orders")], "400 InvalidParameter"),
        (&[("Backup", "1")], "400 UnsupportedParameter"),
    ] {
        assert_eq!(clone(&world, &[parameters, &[("BackupId", set)]].concat()).await, wanted, "{parameters:?}");
    }
    for (change, wanted) in [
        (InstanceSpec { status: "Restarting".into(), ..InstanceSpec::default() }, "403 IncorrectDBInstanceState"),
        (InstanceSpec { kind: "Readonly".into(), ..InstanceSpec::default() }, "400 ReadDBInstanceNotSupport"),
    ] {
        world.endpoint.define(SOURCE, change);
        assert_eq!(clone(&world, &[("BackupId", set)]).await, wanted);
    }
    assert_eq!(
        world.verdict("CloneDBInstance", &[("DBInstanceId", "rm-none"), ("PayType", "Postpaid")]).await,
        "404 InvalidDBInstanceName.NotFound"
    );
}

#[tokio::test]
async fn of_sql_server_the_databases_of_a_partial_set_are_named_and_mariadb_is_never_serverless() {
    let world = World::new().await;
    world.endpoint.define(SOURCE, InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd"));
    let by_database = [("BackupMethod", "Physical"), ("BackupType", "FullBackup"), ("BackupStrategy", "db"), ("DBName", "orders")];
    let set = text(&world.backup(SOURCE, &by_database).await["BackupId"]);
    for (parameters, wanted) in [
        (&[][..], "400 MissingParameter"),
        (&[("DbNames", "users")], "400 InvalidBackupSet"),
        (&[("DbNames", "orders,")], "400 InvalidParameter"),
        (&[("DbNames", "orders")], "OK"),
    ] {
        assert_eq!(clone(&world, &[parameters, &[("BackupId", set.as_str())]].concat()).await, wanted, "{parameters:?}");
    }
    world.endpoint.define("rm-maria", InstanceSpec::new(Engine::MariaDB, "10.3", "cloud_essd"));
    world.endpoint.start_job("rm-maria", JobKind::Automated, std::time::Duration::ZERO).unwrap();
    world.wait(20);
    let set = world.endpoint.sets("rm-maria")[0].backup_id.clone();
    let paid =
        async |how: &str| world.verdict("CloneDBInstance", &[("DBInstanceId", "rm-maria"), ("BackupId", &set), ("PayType", how)]).await;
    assert_eq!((paid("Serverless").await.as_str(), paid("Postpaid").await.as_str()), ("400 InvalidParameter", "OK"));
}
