//! The list of sets: lag, window, filters, pages.

use std::collections::BTreeSet;
use std::time::Duration;

use rds_backup_sandbox::rds::{Catalogue, InstanceSpec, JobKind, PRESIGNED_CANARY};
use serde_json::{Value, json};

use super::world::{World, text};

fn ids(sets: &[Value]) -> Vec<String> {
    sets.iter().map(|set| text(&set["BackupId"])).collect()
}

#[tokio::test]
async fn a_set_is_listed_when_the_lag_has_passed() {
    let world = World::new().await;
    world.create("rm-mysql-1", &[]).await;
    world.wait(109);
    assert_eq!(world.sets("rm-mysql-1", &[]).await.len(), 0);
    assert!(!world.endpoint.sets("rm-mysql-1")[0].listed);
    world.wait(1);
    assert_eq!(ids(&world.sets("rm-mysql-1", &[]).await), [world.endpoint.ledger()[0].backup_id.clone().unwrap()]);
    assert!(world.endpoint.sets("rm-mysql-1")[0].listed);
    world.endpoint.update(|settings| settings.lag = Duration::from_secs(3600));
    assert_eq!(world.sets("rm-mysql-1", &[]).await.len(), 0, "a longer lag holds for sets that are there");
}

#[tokio::test]
async fn a_set_says_what_the_documentation_says() {
    let world = World::new().await;
    let parameters = [("BackupMethod", "Logical"), ("BackupStrategy", "db"), ("DBName", "orders,users"), ("BackupRetentionPeriod", "7")];
    let set = world.backup("rm-mysql-1", &parameters).await;
    for (name, value) in [
        ("BackupStatus", json!("Success")),
        ("BackupMode", json!("Manual")),
        ("BackupInitiator", json!("User")),
        ("BackupMethod", json!("Logical")),
        ("BackupType", json!("FullBackup")),
        ("BackupStartTime", json!("2026-03-04T12:00:00Z")),
        ("BackupEndTime", json!("2026-03-04T12:01:40Z")),
        ("ConsistentTime", json!(1_772_625_700)),
        ("IsAvail", json!(1)),
        ("Encryption", json!("{}")),
        ("Engine", json!("MySQL")),
        ("EngineVersion", json!("8.0")),
        ("StorageClass", json!("0")),
        ("ExpectExpireTime", json!("2026-03-11T12:01:40Z")),
    ] {
        assert_eq!(set[name], value, "{name}");
    }
    assert!(set["BackupSize"].as_u64().unwrap() >= InstanceSpec::default().set_size);
    let links = &set["BackupDownloadLinkByDB"]["BackupDownloadLinkByDB"];
    assert_eq!((&links[0]["DataBase"], &links[1]["DataBase"]), (&json!("orders"), &json!("users")));
    for link in [&set["BackupDownloadURL"], &set["BackupIntranetDownloadURL"], &links[0]["DownloadLink"]] {
        assert!(link.as_str().unwrap().contains(PRESIGNED_CANARY), "{link}");
    }
    let snapshot = world.backup("pgm-1", &[("BackupMethod", "Snapshot")]).await;
    assert_eq!(snapshot["BackupDownloadURL"], "", "a snapshot cannot be downloaded");
}

#[tokio::test]
async fn counters_are_text() {
    let world = World::new().await;
    world.backup("rm-mysql-1", &[]).await;
    let answer = world.call("DescribeBackups", &[("DBInstanceId", "rm-mysql-1")]).await.json();
    assert_eq!((&answer["PageNumber"], &answer["PageRecordCount"], &answer["TotalRecordCount"]), (&json!("1"), &json!("1"), &json!("1")));
}

#[tokio::test]
async fn filters_are_applied() {
    let world = World::new().await;
    world.endpoint.start_job("rm-mysql-1", JobKind::Automated, Duration::ZERO).unwrap();
    let manual = text(&world.backup("rm-mysql-1", &[]).await["BackupId"]);
    let count = async |parameters: &[(&str, &str)]| world.sets("rm-mysql-1", parameters).await.len();
    assert_eq!(count(&[]).await, 2);
    assert_eq!(ids(&world.sets("rm-mysql-1", &[("BackupMode", "Manual")]).await), std::slice::from_ref(&manual));
    assert_eq!(ids(&world.sets("rm-mysql-1", &[("BackupId", &manual)]).await), [manual]);
    assert_eq!((count(&[("BackupStatus", "Success")]).await, count(&[("BackupStatus", "Failed")]).await), (2, 0));
    assert_eq!((count(&[("BackupType", "FullBackup")]).await, count(&[("BackupType", "IncrementalBackup")]).await), (2, 0));
    assert_eq!(count(&[("BackupId", "1")]).await, 0);
}

#[tokio::test]
async fn the_window_is_on_the_start() {
    let world = World::new().await;
    world.wait(30);
    world.create("rm-mysql-1", &[]).await;
    world.wait(600);
    // It began at 12:00:30 and ended at 12:02:10.
    let found = async |from: &str, to: &str| world.sets("rm-mysql-1", &[("StartTime", from), ("EndTime", to)]).await.len();
    assert_eq!(found("2026-03-04T12:00Z", "2026-03-04T12:01Z").await, 1);
    assert_eq!(found("2026-03-04T12:01Z", "2026-03-04T12:03Z").await, 0, "its end does not count");
    assert_eq!(found("2026-03-04T11:00Z", "2026-03-04T12:00Z").await, 0);
    let seconds = [("DBInstanceId", "rm-mysql-1"), ("StartTime", "2026-03-04T12:00:00Z")];
    assert_eq!(world.verdict("DescribeBackups", &seconds).await, "400 InvalidStartTime.Format");
    let reversed = [("DBInstanceId", "rm-mysql-1"), ("StartTime", "2026-03-04T12:00Z"), ("EndTime", "2026-03-04T12:00Z")];
    assert_eq!(world.verdict("DescribeBackups", &reversed).await, "400 InvalidParameterCombination");
}

#[tokio::test]
async fn all_pages_together_are_the_list() {
    let spec = InstanceSpec { history: 104, ..InstanceSpec::default() };
    let world = World::with(|options| options.catalogue = Catalogue::empty().with("rm-old", spec)).await;
    for (size, pages) in [("30", vec![30, 30, 30, 14, 0]), ("50", vec![50, 50, 4, 0]), ("100", vec![100, 4, 0])] {
        let (mut seen, mut counts) = (Vec::new(), Vec::new());
        for page in 1..=pages.len() {
            let sets = world.sets("rm-old", &[("PageSize", size), ("PageNumber", &page.to_string())]).await;
            counts.push(sets.len());
            seen.extend(ids(&sets));
        }
        assert_eq!(counts, pages);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 104, "every set once");
        let newest_first: Vec<_> = world.endpoint.sets("rm-old").iter().rev().map(|set| set.backup_id.clone()).collect();
        assert_eq!(seen, newest_first);
    }
    assert_eq!(
        world.verdict("DescribeBackups", &[("DBInstanceId", "rm-old"), ("PageSize", "20")]).await,
        "403 InvalidMaxRecordsPerPage.Malformed"
    );
    assert_eq!(
        world.verdict("DescribeBackups", &[("DBInstanceId", "rm-old"), ("PageNumber", "0")]).await,
        "400 InvalidPageNumbers.Malformed"
    );
}

#[tokio::test]
async fn a_removed_set_is_gone() {
    let world = World::new().await;
    let set = text(&world.backup("rm-mysql-1", &[]).await["BackupId"]);
    assert!(world.endpoint.remove_set("rm-mysql-1", &set));
    assert!(!world.endpoint.remove_set("rm-mysql-1", &set));
    assert_eq!(world.sets("rm-mysql-1", &[]).await.len(), 0);
}
