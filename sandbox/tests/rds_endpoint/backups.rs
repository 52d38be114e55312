//! Backups: what is accepted, and what becomes of it.

use std::time::Duration;

use rds_backup_sandbox::rds::{Catalogue, Effect, Engine, Fault, InstanceSpec, JobKind, JobOutcome, Origin};
use serde_json::json;
use tokio::task::JoinSet;

use super::client::send;
use super::world::{KEY, PATIENCE, SECRET, World, text};

const METHOD: &str = "400 InvalidBackupMethod.ValueNotSupport";

#[tokio::test]
async fn each_kind_of_the_catalogue_takes_its_own_methods() {
    let world = World::new().await;
    let table = [
        // instance, default, Logical, Physical, Snapshot
        ("rm-mysql", "OK", "OK", "OK", METHOD),
        ("rm-mysqlcloud", METHOD, METHOD, METHOD, "OK"),
        ("pgm", "OK", METHOD, "OK", "OK"),
        ("rm-mssql", "OK", METHOD, "OK", "OK"),
        ("rm-maria", "OK", METHOD, "OK", METHOD),
    ];
    for (kind, default, logical, physical, snapshot) in table {
        for (number, method, expected) in [(1, "", default), (2, "Logical", logical), (3, "Physical", physical), (4, "Snapshot", snapshot)]
        {
            let instance = format!("{kind}-{number}");
            let verdict = world.verdict("CreateBackup", &[("DBInstanceId", &instance), ("BackupMethod", method)]).await;
            assert_eq!(verdict, expected, "{kind} {method:?}");
            assert_eq!(world.endpoint.accepted(&instance), usize::from(expected == "OK"));
        }
    }
}

#[tokio::test]
async fn instances_that_cannot_be_backed_up_say_why() {
    let world = World::new().await;
    let locked = InstanceSpec { lock_mode: "LockByExpiration".into(), ..InstanceSpec::default() };
    world.endpoint.define("rm-locked", locked);
    for (instance, expected) in [
        ("rm-stopped-1", "403 IncorrectDBInstanceState"),
        ("rm-readonly-1", "400 ReadDBInstanceNotSupport"),
        ("rm-locked", "400 IncorrectDBInstanceLockMode.ValueNotSupported"),
        ("rm-busy-1", "400 BackupJobExists"),
        ("rm-nowhere", "404 InvalidDBInstanceName.NotFound"),
    ] {
        assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", instance)]).await, expected, "{instance}");
    }
}

#[tokio::test]
async fn an_instance_changes_while_it_runs() {
    let world = World::new().await;
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-stopped-1")]).await, "403 IncorrectDBInstanceState");
    world.endpoint.define("rm-stopped-1", InstanceSpec::default());
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-stopped-1")]).await, "OK");
}

#[tokio::test]
async fn a_busy_instance_is_free_when_its_automated_backup_has_ended() {
    let world = World::new().await;
    let tasks = world.tasks("rm-busy-1", &[]).await;
    assert_eq!((tasks.len(), &tasks[0]["JobMode"], &tasks[0]["TaskAction"]), (1, &json!("Automated"), &json!("NormalBackupTask")));
    world.wait(20);
    world.create("rm-busy-1", &[]).await;
}

#[tokio::test]
async fn one_job_runs_on_an_instance() {
    let world = World::new().await;
    world.create("rm-mysql-1", &[]).await;
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).await, "400 BackupJobExists");
    world.create("rm-mysql-2", &[]).await;
    world.wait(99);
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).await, "400 BackupJobExists");
    world.wait(1);
    world.create("rm-mysql-1", &[]).await;
    assert_eq!(world.endpoint.accepted("rm-mysql-1"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_at_once_one_is_accepted() {
    let world = World::with(|options| options.settings.latency = Duration::from_millis(4)).await;
    let mut sending = JoinSet::new();
    for _ in 0..50 {
        let bytes = world.request("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).signed(KEY, SECRET);
        let addr = world.addr();
        sending.spawn(async move { send(addr, &bytes, PATIENCE).await.unwrap().verdict() });
    }
    let verdicts = sending.join_all().await;
    let count = |wanted: &str| verdicts.iter().filter(|verdict| *verdict == wanted).count();
    assert_eq!((count("OK"), count("400 BackupJobExists")), (1, 49));
    assert_eq!((world.endpoint.accepted("rm-mysql-1"), world.endpoint.calls().len()), (1, 50));
}

#[tokio::test]
async fn twenty_backups_a_day_are_enough() {
    let world = World::new().await;
    for _ in 0..20 {
        world.create("rm-mysql-1", &[]).await;
        world.wait(100);
    }
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).await, "403 Exceeded.BackupTimes");
    world.create("rm-mysql-2", &[]).await;
    world.wait(12 * 3600);
    world.create("rm-mysql-1", &[]).await;
}

#[tokio::test]
async fn a_job_goes_through_its_states_and_ends_with_a_set() {
    let world = World::new().await;
    let job = world.create("rm-mysql-1", &[]).await;
    let mut seen = Vec::new();
    for step in [0, 10, 40, 48, 2] {
        world.wait(step);
        let task = world.task("rm-mysql-1", &job).await;
        seen.push((text(&task["BackupStatus"]), text(&task["Process"]), task.get("BackupId").is_some()));
    }
    let expected = [
        ("NoStart", "0", false),
        ("Preparing", "10", false),
        ("Uploading", "50", false),
        ("Checking", "98", false),
        ("Finished", "100", true),
    ];
    assert_eq!(seen, expected.map(|(status, process, set)| (status.to_owned(), process.to_owned(), set)));
    let entry = &world.endpoint.ledger()[0];
    assert_eq!(entry.backup_id, Some(text(&world.task("rm-mysql-1", &job).await["BackupId"])));
    assert_eq!((entry.outcome, entry.job_id.as_str(), entry.access_key_id.as_str()), (JobOutcome::Success, job.as_str(), KEY));
}

#[tokio::test]
async fn the_list_of_tasks_shows_running_jobs_only_and_no_set() {
    let world = World::new().await;
    let job = world.create("rm-mysql-1", &[]).await;
    let ids = async |parameters: &[(&str, &str)]| world.tasks("rm-mysql-1", parameters).await.len();
    assert_eq!(ids(&[]).await, 1);
    assert_eq!((ids(&[("BackupMode", "Manual")]).await, ids(&[("BackupMode", "Automated")]).await), (1, 0));
    assert_eq!((ids(&[("BackupJobStatus", "NoStart")]).await, ids(&[("BackupJobStatus", "Progressing")]).await), (1, 0));
    world.wait(50);
    assert_eq!((ids(&[("BackupJobStatus", "NoStart")]).await, ids(&[("BackupJobStatus", "Progressing")]).await), (0, 1));
    world.wait(50);
    assert_eq!(ids(&[]).await, 0, "finished");
    assert_eq!(ids(&[("BackupJobId", &job)]).await, 1);
    assert_eq!(ids(&[("BackupJobId", "1")]).await, 0, "unknown");
    for malformed in ["x", "-1", "99999999999"] {
        let parameters = [("DBInstanceId", "rm-mysql-1"), ("BackupJobId", malformed)];
        assert_eq!(world.verdict("DescribeBackupTasks", &parameters).await, "400 InvalidParameters.Format", "{malformed}");
    }
    assert_eq!(world.verdict("DescribeBackupTasks", &[("DBInstanceId", "rm-readonly-1")]).await, "400 ReadDBInstanceNotSupport");
}

#[tokio::test]
async fn a_finished_job_can_be_forgotten() {
    let world = World::with(|options| options.settings.task_retention = Some(Duration::from_secs(30))).await;
    let job = world.create("rm-mysql-1", &[]).await;
    world.wait(129);
    assert_eq!(text(&world.task("rm-mysql-1", &job).await["BackupStatus"]), "Finished");
    world.wait(1);
    assert_eq!(world.task("rm-mysql-1", &job).await, json!(null));
}

#[tokio::test]
async fn a_failed_job_ends_as_failed_with_a_failed_set() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::on("CreateBackup", Effect::FailJob).times(1));
    let job = world.create("rm-mysql-1", &[]).await;
    world.wait(110);
    let task = world.task("rm-mysql-1", &job).await;
    assert_eq!((text(&task["BackupStatus"]), task.get("BackupId")), ("Failed".to_owned(), None));
    let set = &world.sets("rm-mysql-1", &[]).await[0];
    assert_eq!((&set["BackupStatus"], &set["IsAvail"], &set["BackupSize"]), (&json!("Failed"), &json!(0), &json!(0)));
    assert_eq!(world.endpoint.ledger()[0].outcome, JobOutcome::Failed);
    assert_eq!(world.backup("rm-mysql-1", &[]).await["BackupStatus"], "Success", "only one was to fail");
}

#[tokio::test]
async fn a_spoilt_job_ends_with_a_set_that_cannot_be_used() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::any(Effect::SpoilJob));
    let set = world.backup("rm-mysql-1", &[]).await;
    assert_eq!((&set["BackupStatus"], &set["IsAvail"]), (&json!("Success"), &json!(0)));
}

#[tokio::test]
async fn jobs_of_others_are_not_in_the_ledger() {
    let world = World::new().await;
    let job = world.endpoint.start_job("rm-mysql-1", JobKind::Manual, Duration::from_secs(30)).unwrap();
    let task = &world.tasks("rm-mysql-1", &[]).await[0];
    assert_eq!(
        (text(&task["BackupJobId"]), text(&task["JobMode"]), text(&task["TaskAction"])),
        (job, "Manual".into(), "TempBackupTask".into())
    );
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).await, "400 BackupJobExists");
    let refused = world.endpoint.start_job("rm-mysql-1", JobKind::Automated, Duration::ZERO).unwrap_err();
    assert_eq!(refused.code, "BackupJobExists");
    world.wait(40);
    let set = &world.sets("rm-mysql-1", &[]).await[0];
    assert_eq!((&set["BackupMode"], &set["BackupInitiator"]), (&json!("Manual"), &json!("User")));
    assert_eq!((world.endpoint.ledger().len(), world.endpoint.sets("rm-mysql-1")[0].origin), (0, Origin::Foreign));
}

#[tokio::test]
async fn mariadb_takes_physical_and_lists_a_snapshot() {
    let world = World::new().await;
    let set = world.backup("rm-maria-1", &[("BackupMethod", "Physical")]).await;
    assert_eq!((&set["BackupMethod"], &set["Engine"]), (&json!("Snapshot"), &json!("MariaDB")));
}

#[tokio::test]
async fn auto_is_full_first_and_incremental_then() {
    let world = World::new().await;
    for expected in ["FullBackup", "IncrementalBackup", "IncrementalBackup"] {
        assert_eq!(world.backup("rm-mssql-1", &[("BackupType", "Auto")]).await["BackupType"], expected);
    }
    assert_eq!(world.backup("rm-mssql-1", &[("BackupType", "FullBackup")]).await["BackupType"], "FullBackup");
}

#[tokio::test]
async fn the_time_of_a_job_is_the_instances_own_if_it_has_one() {
    let long = InstanceSpec { job_time: Some(Duration::from_secs(16 * 3600)), ..InstanceSpec::default() };
    let spread = InstanceSpec { job_spread: Some(Duration::from_secs(1000)), ..InstanceSpec::default() };
    let catalogue = Catalogue::empty()
        .with("rm-long", long)
        .with("rm-spread-*", spread)
        .with("pgm-*", InstanceSpec::new(Engine::PostgreSQL, "16.0", "cloud_essd"));
    let world = World::with(|options| options.catalogue = catalogue).await;
    let job = world.create("rm-long", &[]).await;
    let mut lengths = std::collections::BTreeSet::new();
    for number in 0..5 {
        let instance = format!("rm-spread-{number}");
        world.create(&instance, &[]).await;
    }
    world.wait(8 * 3600);
    assert_eq!(text(&world.task("rm-long", &job).await["Process"]), "50");
    for number in 0..5 {
        let set = &world.endpoint.sets(&format!("rm-spread-{number}"))[0];
        lengths.insert(set.ended_at.as_second() - set.started_at.as_second());
    }
    assert!(lengths.len() > 1 && lengths.iter().all(|length| (100..=1100).contains(length)), "{lengths:?}");
}

#[tokio::test]
async fn an_instance_tells_what_it_is() {
    let world = World::new().await;
    let attribute = async |instance: &str| {
        let answer = world.call("DescribeDBInstanceAttribute", &[("DBInstanceId", instance)]).await.json();
        answer["Items"]["DBInstanceAttribute"][0].clone()
    };
    let mysql = attribute("rm-mysql-1").await;
    for (name, value) in
        [("DBInstanceId", "rm-mysql-1"), ("Engine", "MySQL"), ("EngineVersion", "8.0"), ("DBInstanceStorageType", "local_ssd")]
    {
        assert_eq!(mysql[name], value);
    }
    for (name, value) in
        [("DBInstanceStatus", "Running"), ("DBInstanceType", "Primary"), ("LockMode", "Unlock"), ("RegionId", "cn-hangzhou")]
    {
        assert_eq!(mysql[name], value);
    }
    assert_eq!(attribute("rm-stopped-1").await["DBInstanceStatus"], "Stopped");
    assert_eq!(attribute("rm-readonly-1").await["MasterInstanceId"], "rm-readonly-1-primary");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let ids = async |seed| {
        let world = World::with(|options| options.seed = seed).await;
        (world.create("rm-mysql-1", &[]).await, world.create("rm-mysql-2", &[]).await)
    };
    assert_eq!(ids(7).await, ids(7).await);
    assert_ne!(ids(7).await, ids(8).await);
}
