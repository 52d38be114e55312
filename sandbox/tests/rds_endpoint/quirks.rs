//! The habits of the real service, one by one.

use rds_backup_sandbox::rds::{Nothing, Quirks};
use serde_json::{Value, json};

use super::world::World;

/// A world with one finished, listed backup of a cloud disk, and with that habit.
async fn with(change: impl FnOnce(&mut Quirks)) -> (World, String) {
    let world = World::new().await;
    let job = world.create("pgm-1", &[("BackupMethod", "Snapshot")]).await;
    world.wait(110);
    world.endpoint.update(|settings| change(&mut settings.quirks));
    (world, job)
}

async fn set(world: &World) -> Value {
    world.sets("pgm-1", &[]).await[0].clone()
}

#[tokio::test]
async fn ids_can_be_numbers() {
    let (world, job) = with(|_| {}).await;
    assert!(set(&world).await["BackupId"].is_string() && world.task("pgm-1", &job).await["BackupJobId"].is_string());
    let (world, job) = with(|quirks| quirks.numeric_ids = true).await;
    let task = world.task("pgm-1", &job).await;
    assert!(set(&world).await["BackupId"].is_u64() && task["BackupJobId"].is_u64() && task["BackupId"].is_u64());
    assert!(world.call("CreateBackup", &[("DBInstanceId", "pgm-2")]).await.json()["BackupJobId"].is_u64());
}

#[tokio::test]
async fn numbers_can_be_text() {
    let (world, _) = with(|quirks| quirks.numbers_as_text = true).await;
    let set = set(&world).await;
    assert!(["BackupSize", "ConsistentTime", "IsAvail"].iter().all(|name| set[name].is_string()), "{set}");
}

#[tokio::test]
async fn counters_can_be_numbers() {
    let (world, _) = with(|quirks| quirks.numeric_counters = true).await;
    assert_eq!(world.call("DescribeBackups", &[("DBInstanceId", "pgm-1")]).await.json()["TotalRecordCount"], 1);
}

#[tokio::test]
async fn nothing_has_four_spellings() {
    for (nothing, expected) in [
        (Nothing::Empty, Some(json!(""))),
        (Nothing::Null, Some(Value::Null)),
        (Nothing::NullText, Some(json!("null"))),
        (Nothing::Absent, None),
    ] {
        let (world, _) = with(|quirks| quirks.nothing = nothing).await;
        let set = set(&world).await;
        assert_eq!((set.get("BackupDownloadURL"), set.get("ExpectExpireTime")), (expected.as_ref(), expected.as_ref()), "{nothing:?}");
    }
}

#[tokio::test]
async fn a_finished_job_can_be_at_125_percent() {
    let (world, job) = with(|quirks| quirks.process125 = true).await;
    assert_eq!(world.task("pgm-1", &job).await["Process"], "125");
    let running = world.create("pgm-1", &[]).await;
    world.wait(50);
    assert_eq!(world.task("pgm-1", &running).await["Process"], "50");
}

#[tokio::test]
async fn a_list_of_one_can_be_the_one() {
    let (world, _) = with(|quirks| quirks.single_object = true).await;
    let items = async |action: &str, name: &str| world.call(action, &[("DBInstanceId", "pgm-1")]).await.json()["Items"][name].clone();
    assert!(items("DescribeBackups", "Backup").await.is_object());
    assert!(items("DescribeDBInstanceAttribute", "DBInstanceAttribute").await.is_object());
    assert_eq!(items("DescribeBackupTasks", "BackupJob").await, json!([]), "none is still a list");
}

#[tokio::test]
async fn answers_can_have_fields_that_nobody_documented() {
    let (world, job) = with(|quirks| quirks.extra_fields = true).await;
    assert!(set(&world).await["SlaveStatus"].is_object());
    assert!(world.task("pgm-1", &job).await["SlaveStatus"].is_object());
    assert!(world.call("CreateBackup", &[("DBInstanceId", "pgm-2")]).await.json()["SlaveStatus"].is_object());
}

#[tokio::test]
async fn encryption_can_be_an_object() {
    let (world, _) = with(|quirks| quirks.encryption_object = true).await;
    assert_eq!(set(&world).await["Encryption"], json!({}));
}

#[tokio::test]
async fn a_central_host_answers_for_instances_of_other_regions() {
    let actions = ["DescribeDBInstanceAttribute", "DescribeBackupTasks", "DescribeBackups", "CreateBackup"];
    let elsewhere = [("DBInstanceId", "pgm-1"), ("RegionId", "us-east-1")];
    let (world, _) = with(|_| {}).await;
    for action in actions {
        assert_eq!(world.verdict(action, &elsewhere).await, "400 InvalidDBInstanceId.NotFound", "{action}");
    }
    let (world, _) = with(|quirks| quirks.central_host = true).await;
    for action in actions {
        assert_eq!(world.verdict(action, &elsewhere).await, "OK", "{action}");
    }
    let told = world.call("DescribeDBInstanceAttribute", &elsewhere).await.json();
    assert_eq!(told["Items"]["DBInstanceAttribute"][0]["RegionId"], "cn-hangzhou", "it says where the instance is");
}

#[tokio::test]
async fn throttling_can_have_its_own_status() {
    let (world, _) = with(|quirks| quirks.throttling400 = false).await;
    world.throttle("CreateBackup", 0, 1);
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "pgm-1")]).await, "429 Throttling.User");
}
