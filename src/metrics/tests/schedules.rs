use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{World, backup, condition, series};
use crate::{
    controller::Fence,
    metrics::{FRESHNESS, Format, MetricsSettings, PerSchedule},
    schedule::Objective,
};

fn schedule(name: &str, status: Value) -> Value {
    json!({
        "metadata": { "namespace": "team-a", "name": name, "uid": name, "creationTimestamp": "2026-03-01T00:00:00Z" },
        "spec": {
            "schedule": "0 2 * * *", "timeZone": "Asia/Shanghai", "suspend": name == "paused",
            "template": { "spec": { "dbInstanceId": "rm-1", "account": "prod", "regionId": "cn-hangzhou" } },
        },
        "status": status,
    })
}

fn used() -> Value {
    json!({
        "observedGeneration": 1,
        "conditions": [condition("Ready", "True", "Scheduled"), condition("Retention", "True", "ObjectsOnly")], "retained": 1,
        "nextScheduleTime": "2026-03-02T02:00:00Z", "active": ["nightly-1"], "consecutiveFailures": 2,
        "lastSuccess": { "name": "nightly-0", "completedAt": "2026-03-01T02:10:00Z" },
        "lastFailure": { "name": "nightly-2", "completedAt": "2026-03-01T04:00:00Z", "reason": "BackupFailed" },
        "missedRuns": { "count": 3, "last": "2026-02-28T02:00:00Z" },
    })
}

fn success() -> Value {
    backup(
        "nightly-0",
        "prod",
        json!({
            "phase": "Succeeded", "startedAt": "2026-03-01T02:00:00Z", "completedAt": "2026-03-01T02:10:00Z", "sizeBytes": 1024,
            "backupId": "7", "effective": { "engine": "MySQL" }, "attempts": [],
        }),
    )
}

fn world() -> World {
    let world = World::of(vec![success()], vec![schedule("nightly", used()), schedule("new", Value::Null), schedule("paused", used())]);
    let objective = Objective { max_age: SignedDuration::from_hours(26), longest_gap: Some(SignedDuration::from_hours(24)) };
    world.schedules.objectives.note("nightly", Some(objective));
    world
}

#[tokio::test]
async fn a_schedule_says_what_its_status_and_its_newest_success_say() {
    let text = world().scrape();
    for (name, value) in [
        ("created_timestamp_seconds", "1772323200"),
        ("suspended", "0"),
        ("ready", "1"),
        ("last_success_timestamp_seconds", "1772331000"),
        ("last_success_start_timestamp_seconds", "1772330400"),
        ("last_failure_timestamp_seconds", "1772337600"),
        ("consecutive_failures", "2"),
        ("max_age_seconds", "93600"),
        ("interval_seconds", "86400"),
        ("next_run_timestamp_seconds", "1772416800"),
        ("active", "1"),
        ("missed_runs_total", "3"),
        ("last_backup_size_bytes", "1024"),
        ("last_backup_duration_seconds", "600"),
        ("last_backup_plausible", "1"),
        ("retained_backups", "1"),
        ("retention_blocked", "0"),
    ] {
        let line = format!("rdsbackup_schedule_{name}{{namespace=\"team-a\",schedule=\"nightly\"}} {value}");
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    let skipped = r#"rdsbackup_schedule_skipped_runs_total{namespace="team-a",schedule="nightly",reason="SkippedOverlap"} 0"#;
    let info = r#"rdsbackup_schedule_info{namespace="team-a",schedule="nightly",account="prod",region="cn-hangzhou",db_instance_id="rm-1",cron="0 2 * * *",time_zone="Asia/Shanghai"} 1"#;
    for line in [skipped, info] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(text.contains("rdsbackup_schedule_suspended{namespace=\"team-a\",schedule=\"paused\"} 1\n"), "{text}");
}

#[tokio::test]
async fn slots_that_a_blackout_skipped_are_counted_for_schedules_that_have_blackouts() {
    let skipped_of = |blackouts: serde_json::Value, status: serde_json::Value| {
        let mut schedule = schedule("nightly", status);
        schedule["spec"]["blackouts"] = blackouts;
        let text = World::of(Vec::new(), vec![schedule]).scrape();
        let line = text.lines().find(|line| line.contains("reason=\"SkippedBlackout\"")).map(str::to_owned);
        line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
    };
    let windows = json!([{ "from": "09:00", "to": "18:00" }]);
    let counted = json!({ "observedGeneration": 1, "skippedBlackout": { "count": 4, "last": "2026-03-01T02:00:00Z" } });
    assert_eq!(skipped_of(windows.clone(), json!({ "observedGeneration": 1 })).as_deref(), Some("0"));
    assert_eq!(skipped_of(windows, counted.clone()).as_deref(), Some("4"));
    assert_eq!(skipped_of(json!([]), counted).as_deref(), Some("4"), "a counter does not end when the blackouts do");
    assert_eq!(skipped_of(json!([]), json!({ "observedGeneration": 1 })), None);
}

#[tokio::test]
async fn a_schedule_whose_account_changed_is_as_young_as_the_change() {
    let created = |since: &str| {
        let changed = schedule("nightly", json!({ "observedGeneration": 1, "conditions": [], "accountSince": since }));
        let world = World::of(Vec::new(), vec![changed]);
        world.series("rdsbackup_schedule_created_timestamp_seconds").into_values().collect::<Vec<_>>()
    };
    assert_eq!(created("2026-03-05T00:00:00Z"), ["1772668800"]);
    // It was restored from a backup of the cluster: the object is newer than its status.
    assert_eq!(created("2026-02-05T00:00:00Z"), ["1772323200"]);
}

#[tokio::test]
async fn what_is_not_known_has_no_series() {
    let text = world().scrape();
    let of_new: Vec<&str> = text.lines().filter(|line| line.contains("schedule=\"new\"")).collect();
    let names: Vec<&str> = of_new.iter().filter_map(|line| line.split_once('{')).map(|(name, _)| name).collect();
    let known = ["rdsbackup_schedule_info", "rdsbackup_schedule_created_timestamp_seconds", "rdsbackup_schedule_suspended"];
    assert_eq!(names, known, "it was not looked at yet");
    assert!(!text.contains(r#"rdsbackup_schedule_max_age_seconds{namespace="team-a",schedule="paused"}"#), "no pass over it has ended");
    // The object of the newest success is gone.
    let gone = World::of(Vec::new(), vec![schedule("nightly", used())]).scrape();
    assert!(gone.contains("last_success_timestamp_seconds{") && !gone.contains("last_success_start_timestamp_seconds"), "{gone}");
}

#[tokio::test]
async fn the_configuration_chooses_the_series_of_each_schedule_and_the_instances_ids() {
    let world = world();
    let names = |per_schedule, instance_ids| {
        let text = world.scrape_with(MetricsSettings { per_schedule, instance_ids }, Format::Classic);
        let of_one = text.lines().filter(|line| line.contains("schedule=\"nightly\""));
        of_one.filter_map(|line| Some(line.split_once('{')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(names(PerSchedule::All, true).len(), 19);
    let freshness: Vec<String> = FRESHNESS.iter().map(|description| description.name.to_owned()).collect();
    let mut found = names(PerSchedule::Freshness, true);
    found.sort_by_key(|name| freshness.iter().position(|known| known == name));
    assert_eq!(found, freshness);
    assert_eq!(names(PerSchedule::None, true), Vec::<String>::new());
    let text = world.scrape_with(MetricsSettings { instance_ids: false, ..MetricsSettings::default() }, Format::OpenMetrics);
    let info = series(&text, "rdsbackup_schedule_info");
    assert!(info.len() == 3 && info.keys().all(|series| !series.contains("db_instance_id") && series.contains("cron=")), "{info:?}");
    assert!(!text.contains("rm-1"), "{text}");
}

#[tokio::test]
async fn only_the_leader_tells_of_objects_and_only_once_they_were_listed() {
    let of_objects = |world: &World| {
        let text = world.scrape();
        text.lines().filter(|line| line.contains("team-a") || line.starts_with("rdsbackup_objects_unreadable")).count()
    };
    let standby = World::with(vec![success()], vec![schedule("nightly", used())], Fence::shut(), super::no_answer);
    assert_eq!(of_objects(&standby), 0);
    assert_eq!(standby.series("rdsbackup_operator_leader")["rdsbackup_operator_leader"], "0");
    let leader = World::of(vec![success()], vec![schedule("nightly", used())]);
    assert!(of_objects(&leader) > 10);
    assert_eq!(leader.series("rdsbackup_operator_leader")["rdsbackup_operator_leader"], "1");
    let mut unlisted = World::of(Vec::new(), Vec::new());
    let backups = std::sync::Arc::get_mut(&mut unlisted.backups).unwrap();
    backups.listed = crate::controller::InitialSync::none_of([None]).into();
    assert_eq!(unlisted.series("rdsbackup_backups_outcome_unknown").len(), 0, "an empty cache says nothing");
    assert_eq!(unlisted.series("rdsbackup_objects_unreadable").len(), 1, "the schedules were listed");
}
