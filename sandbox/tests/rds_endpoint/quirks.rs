//! The habits of the real service, one by one.

use std::time::Duration;

use rds_backup_sandbox::rds::{Nothing, PRESIGNED_CANARY, Quirks};
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
async fn a_set_can_have_addresses_for_hundreds_of_databases() {
    let world = World::with(|options| options.settings.quirks.linked_databases = 400).await;
    let set = world.backup("rm-mysql-1", &[]).await;
    let links = set["BackupDownloadLinkByDB"]["BackupDownloadLinkByDB"].as_array().unwrap().clone();
    assert_eq!(links.len(), 400);
    let signed = |link: &Value| link.as_str().is_some_and(|link| link.contains(PRESIGNED_CANARY));
    assert!(links.iter().all(|link| signed(&link["DownloadLink"]) && signed(&link["IntranetDownloadLink"])), "{}", links[0]);
}

#[tokio::test]
async fn the_date_can_be_wrong_while_the_clock_is_right() {
    let world = World::new().await;
    for (hours, date) in
        [(30, "Thu, 05 Mar 2026 18:00:00 GMT"), (-492_396, "Thu, 01 Jan 1970 00:00:00 GMT"), (0, "Wed, 04 Mar 2026 12:00:00 GMT")]
    {
        world.endpoint.update(|settings| settings.quirks.date_offset_ms = hours * 3_600_000);
        let answer = world.call("DescribeBackups", &[("DBInstanceId", "pgm-1")]).await;
        assert_eq!((answer.verdict().as_str(), answer.headers["date"].as_str()), ("OK", date));
    }
}

#[tokio::test]
async fn errors_can_have_other_statuses() {
    let statuses = [("InvalidDBInstanceName.NotFound", 400), ("IncorrectDBInstanceState", 409)];
    let (world, _) = with(|quirks| quirks.statuses = statuses.map(|(code, status)| (code.to_owned(), status)).into()).await;
    assert_eq!(world.verdict("DescribeBackups", &[("DBInstanceId", "rm-other")]).await, "400 InvalidDBInstanceName.NotFound");
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-stopped-1")]).await, "409 IncorrectDBInstanceState");
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-readonly-1")]).await, "400 ReadDBInstanceNotSupport");
}

#[tokio::test]
async fn a_throttled_read_says_how_long_to_wait() {
    let (world, job) = with(|_| {}).await;
    let one = [("DBInstanceId", "pgm-1"), ("BackupJobId", job.as_str())];
    for (action, parameters) in
        [("DescribeBackups", &one[..1]), ("DescribeBackupTasks", &one[..]), ("DescribeDBInstanceAttribute", &one[..1])]
    {
        world.throttle(action, 1, 3);
        assert_eq!(world.verdict(action, parameters).await, "OK");
        world.wait(1);
        let refused = world.call(action, parameters).await;
        assert_eq!(
            (refused.verdict().as_str(), refused.headers["x-acs-retry-after"].as_str()),
            ("400 Throttling.User", "2000"),
            "{action}"
        );
        world.wait(2);
        assert_eq!(world.verdict(action, parameters).await, "OK", "{action}");
    }
}

#[tokio::test]
async fn a_set_can_be_listed_as_running_also_after_its_job() {
    let world = World::with(|options| options.settings.quirks.running_sets = Some(Duration::from_secs(30))).await;
    let job = world.create("pgm-1", &[("BackupMethod", "Snapshot")]).await;
    let listed = async || world.sets("pgm-1", &[]).await[0].clone();
    for (seconds, status, available) in [(0, "Running", 0), (99, "Running", 0), (30, "Running", 0), (1, "Success", 1)] {
        world.wait(seconds);
        let set = listed().await;
        assert_eq!((&set["BackupStatus"], &set["IsAvail"]), (&json!(status), &json!(available)), "{seconds} s later");
    }
    assert_eq!(world.task("pgm-1", &job).await["BackupStatus"], "Finished");
}

#[tokio::test]
async fn tasks_can_lack_what_names_them() {
    let (world, job) = with(|_| {}).await;
    let task = world.task("pgm-1", &job).await;
    assert!(task["BackupId"].is_string() && task["TaskAction"] == "TempBackupTask", "{task}");
    world.endpoint.update(|settings| settings.quirks.no_backup_id = true);
    let task = world.task("pgm-1", &job).await;
    assert!(task.get("BackupId").is_none() && task["TaskAction"] == "TempBackupTask" && task["BackupStatus"] == "Finished", "{task}");
    world.endpoint.update(|settings| settings.quirks.no_task_action = true);
    world.create("pgm-1", &[]).await;
    let running = world.tasks("pgm-1", &[]).await;
    assert!(running.len() == 1 && running[0].get("TaskAction").is_none(), "{running:?}");
}

#[tokio::test]
async fn a_set_can_have_any_meta_status() {
    for status in ["OK", "LARGE", "EMPTY"] {
        let (world, _) = with(|quirks| quirks.meta_status = Some(status.to_owned())).await;
        assert_eq!(set(&world).await["MetaStatus"], status);
    }
    let (world, _) = with(|_| {}).await;
    assert_eq!(set(&world).await["MetaStatus"], "", "a snapshot has none");
}

#[tokio::test]
async fn the_window_can_be_on_the_end() {
    // It began at 12:00:00 and ended at 12:01:40.
    let (world, _) = with(|quirks| quirks.window_on_end = true).await;
    let found = async |from: &str, to: &str| world.sets("pgm-1", &[("StartTime", from), ("EndTime", to)]).await.len();
    assert_eq!((found("2026-03-04T11:59Z", "2026-03-04T12:01Z").await, found("2026-03-04T12:01Z", "2026-03-04T12:02Z").await), (0, 1));
    world.endpoint.update(|settings| settings.quirks.window_on_end = false);
    assert_eq!((found("2026-03-04T11:59Z", "2026-03-04T12:01Z").await, found("2026-03-04T12:01Z", "2026-03-04T12:02Z").await), (1, 0));
}

#[tokio::test]
async fn a_set_that_is_not_listed_yet_can_be_an_error() {
    let world = World::with(|options| options.settings.quirks.unlisted_set_is_an_error = true).await;
    world.create("pgm-1", &[]).await;
    world.wait(105);
    let id = world.endpoint.sets("pgm-1")[0].backup_id.clone();
    let one = [("DBInstanceId", "pgm-1"), ("BackupId", id.as_str())];
    assert_eq!(world.verdict("DescribeBackups", &one).await, "404 InvalidBackupSetID.NotFound");
    assert_eq!(world.verdict("DescribeBackups", &one[..1]).await, "OK", "a listing is empty");
    world.wait(5);
    assert_eq!(world.verdict("DescribeBackups", &one).await, "OK");
}

#[tokio::test]
async fn throttling_can_have_its_own_status() {
    let (world, _) = with(|quirks| quirks.throttling400 = false).await;
    world.throttle("CreateBackup", 0, 1);
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "pgm-1")]).await, "429 Throttling.User");
}
