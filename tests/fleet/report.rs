//! `report --account`.

use rds_backup_sandbox::rds::{Catalogue, Engine, InstanceSpec};
use serde_json::{Value, json};

use crate::world::{World, daily, schedule, success};

/// Eight instances that can be backed up, each in another standing, and a replica.
async fn town() -> World {
    let mut catalogue = Catalogue::empty();
    for name in ["fresh", "late", "never", "none", "paused", "twice", "young"] {
        catalogue = catalogue.with(&format!("rm-{name}"), daily(Engine::MySQL, "8.0", "local_ssd"));
    }
    let untagged = InstanceSpec::new(Engine::PostgreSQL, "16.0", "cloud_essd");
    let replica = InstanceSpec { kind: "Readonly".into(), ..daily(Engine::MySQL, "8.0", "local_ssd") };
    let world = World::new(catalogue.with("pgm-untagged", untagged).with("rr-1", replica)).await;
    world.has(|objects| {
        let mut young = schedule("young", "rm-young", &json!({}));
        young["metadata"]["creationTimestamp"] = json!(rds_backup_operator::clock::Clock::system().now());
        let mut of_another_account = schedule("elsewhere", "rm-none", &json!({}));
        of_another_account["spec"]["template"]["spec"]["account"] = json!("other");
        objects.schedules = vec![
            schedule("fresh", "rm-fresh", &json!({})),
            schedule("late", "rm-late", &json!({})),
            schedule("never", "rm-never", &json!({})),
            schedule("paused", "rm-paused", &json!({ "suspend": true })),
            schedule("one", "rm-twice", &json!({})),
            schedule("two", "rm-twice", &json!({})),
            young,
            of_another_account,
            schedule("gone", "rm-released-last-year", &json!({})),
        ];
        objects.backups = vec![
            success("fresh", "rm-fresh", 3, "1"),
            success("late", "rm-late", 50, "2"),
            success("one", "rm-twice", 2, "3"),
            success("paused", "rm-paused", 4, "4"),
        ];
    });
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_stands_beside_its_schedules_and_the_first_line_tells_the_sum() {
    let world = town().await;
    let said = world.run("report", &["-A"]).await;
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let sum = "8 instances: 1 fresh, 1 pending, 1 stale, 1 never succeeded, 1 suspended, 2 not covered, 1 covered twice";
    assert_eq!(said.out.lines().next(), Some(sum), "{}", said.out);
    assert_eq!(said.err, format!("rds-backup-operator: {sum}\n"));
    for (instance, words) in [
        ("rm-fresh", &["  fresh  ", "  3h  ", "team-a/fresh"][..]),
        ("rm-late", &["  STALE  ", "  50h  ", "team-a/late"]),
        ("rm-never", &["  NEVER SUCCEEDED  ", "team-a/never"]),
        ("rm-none", &["  NOT COVERED  "]),
        ("rm-paused", &["  suspended  ", "team-a/paused (suspended)"]),
        ("rm-twice", &["  covered twice  ", "team-a/one, team-a/two"]),
        ("rm-young", &["  pending  ", "team-a/young"]),
        ("pgm-untagged", &["  NOT COVERED  ", "PostgreSQL 16.0"]),
    ] {
        let line = said.out.lines().find(|line| line.starts_with(instance)).unwrap_or_else(|| panic!("{instance}: {}", said.out));
        assert!(words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    }
    assert!(said.out.contains("no backups of them: rr-1 (read-only instance of rr-1-primary)"), "{}", said.out);
    assert!(said.out.contains("that main does not list in cn-hangzhou: team-a/gone of rm-released-last-year"), "{}", said.out);
    world.nothing_was_changed();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_0_when_every_instance_is_covered_and_fresh() {
    let catalogue = Catalogue::empty().with("rm-1", daily(Engine::MySQL, "8.0", "local_ssd"));
    let world = World::new(catalogue.clone()).await;
    let object = schedule("s", "rm-1", &json!({}));
    world.has(|objects| (objects.schedules, objects.backups) = (vec![object], vec![success("s", "rm-1", 3, "1")]));
    let said = world.run("report", &["-n", "team-a"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.starts_with("1 instance: 1 fresh\n"), "{}", said.out);
    // Seen from a namespace that does not have the schedule it is not covered.
    assert_eq!(world.run("report", &["-n", "team-b"]).await.code, Some(1));
    // A suspended schedule counts when it is asked to.
    world.has(|objects| objects.schedules[0]["spec"]["suspend"] = json!(true));
    assert_eq!(world.run("report", &["-A"]).await.code, Some(0));
    assert_eq!(world.run("report", &["-A", "--count-suspended"]).await.code, Some(1));
    // An instance that nobody put under a schedule, among those with the tag.
    world.endpoint.define("rm-2", daily(Engine::MySQL, "8.0", "local_ssd"));
    assert_eq!(world.run("report", &["-A", "--tag", "backup=daily"]).await.code, Some(1));
    assert_eq!(world.run("report", &["-A", "--tag", "backup=weekly"]).await.out, "0 instances\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_csv_have_one_record_for_each_instance() {
    let world = town().await;
    let said = world.run("report", &["-A", "--tag", "backup=daily", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((found["formatVersion"].as_u64(), found["counts"]["instances"].as_u64()), (Some(1), Some(7)), "{found:#}");
    assert_eq!((&found["account"], &found["regionId"], &found["tags"]), (&json!("main"), &json!("cn-hangzhou"), &json!(["backup=daily"])));
    let late = found["instances"].as_array().unwrap().iter().find(|row| row["dbInstanceId"] == "rm-late").unwrap();
    assert_eq!((&late["coverage"], &late["newestUsable"]["backupId"]), (&json!("Stale"), &json!("2")));
    assert_eq!(late["schedules"][0]["name"], "late");
    assert!(late["dataAgeSeconds"].as_u64().is_some_and(|age| (180_000..181_000).contains(&age)), "{late:#}");
    assert_eq!(found["schedulesWithoutInstance"], json!([]), "a tag narrows the listing, so nothing is known of the others");
    let said = world.run("report", &["-A", "-o", "csv"]).await;
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(said.out.as_bytes()).records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!((rows.len(), &rows[1][2], &rows[1][6]), (8, "rm-fresh", "Fresh"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_cannot_be_read_is_named_and_nothing_is_met() {
    let catalogue = Catalogue::empty().with("rm-1", daily(Engine::MySQL, "8.0", "local_ssd"));
    let world = World::new(catalogue).await;
    let broken = json!({ "metadata": { "name": "broken", "namespace": "team-a" }, "spec": { "schedule": 7 } });
    let object = schedule("s", "rm-1", &json!({}));
    world.has(|objects| (objects.schedules, objects.backups) = (vec![object, broken], vec![success("s", "rm-1", 3, "1")]));
    let said = world.run("report", &["-A"]).await;
    assert!(said.code == Some(1) && said.out.contains("! RdsBackupSchedule team-a/broken cannot be read: "), "{}", said.out);
}
