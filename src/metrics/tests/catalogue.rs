use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{World, accounts, backup, condition, submission};
use crate::{
    api::{RdsBackup, RdsBackupSchedule},
    controller::{Fence, PassFailure},
    metrics::{ALL, Format, Kind, MetricsSettings},
    schedule::Objective,
};

/// A world in which everything has happened once.
async fn eventful() -> World {
    let time = "2026-03-01T02:00:00Z";
    let ended = json!({
        "phase": "Succeeded", "startedAt": time, "completedAt": "2026-03-01T02:10:00Z", "sizeBytes": 1024,
        "effective": { "engine": "MySQL", "method": "Physical" },
    });
    let finished = |name: &str| json!({ "name": name, "completedAt": "2026-03-01T02:10:00Z" });
    let schedule: Value = json!({
        "metadata": { "namespace": "team-a", "name": "s", "uid": "s", "creationTimestamp": time },
        "spec": { "schedule": "0 2 * * *", "template": { "spec": { "dbInstanceId": "rm-1", "account": "prod", "regionId": "cn-hangzhou" } } },
        "status": {
            "observedGeneration": 1, "nextScheduleTime": time, "retained": 3,
            "conditions": [condition("Ready", "True", "Scheduled"), condition("Retention", "True", "ObjectsOnly")],
            "lastSuccess": finished("ended"), "lastFailure": finished("failed"),
        },
    });
    let stalled = [condition("Stalled", "True", "NotAllowed"), condition("Ready", "False", "NotAllowed")];
    let queued = json!({ "phase": "Queued", "queue": { "reason": "Throttled", "since": time }, "conditions": stalled, "submission": submission(true) });
    let mut leaving = ended.clone();
    leaving["conditions"] = json!([condition("DeletionSupported", "False", "DeletionBlocked")]);
    let mut leaving = backup("leaving", "prod", leaving);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    let objects = vec![backup("ended", "prod", ended.clone()), backup("queued", "prod", queued.clone()), leaving];
    let world = World::with(objects, vec![schedule.clone()], Fence::none(), accounts::refused);

    let one_day = SignedDuration::from_hours(24);
    world.schedules.objectives.note("s", Some(Objective { max_age: one_day, longest_gap: Some(one_day) }));
    accounts::ask(&world).await;
    world.backups.accounts.credentials().await;
    accounts::read_the_key_of_a_tenant(&world).await;
    let (counts, object) = (&world.backups.counts, serde_json::from_value::<RdsBackup>(backup("queued", "prod", queued)).unwrap());
    counts.accepted(&object, "2026-03-01T12:00:05Z".parse().unwrap());
    counts.outcome_unknown(&object);
    counts.adopted(&object);
    counts.moved_to(&serde_json::from_value(ended).unwrap());
    counts.passes.ended(Duration::from_millis(3), Some(PassFailure::Timeout));
    let mut child = object;
    child.metadata.annotations = Some(BTreeMap::from([("rdsbackup.io/slot".to_owned(), time.to_owned())]));
    let schedule: RdsBackupSchedule = serde_json::from_value(schedule).unwrap();
    world.schedules.counts.created(&schedule, &child, "2026-03-01T02:00:01Z".parse().unwrap());
    super::coverage::list(&world, &["rm-2"], |_| {}, "2026-03-01T11:30:00Z");
    let _ = world.backups.cluster.named::<RdsBackup>("team-a", "queued").await;
    world
}

/// The names of the metrics, without what a histogram's series append, each with the names of its labels.
fn exported(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let types: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let of_histogram = |end: &str| name.strip_suffix(end).filter(|stem| types.get(stem) == Some(&"histogram"));
        let name = ["_bucket", "_sum", "_count"].into_iter().find_map(of_histogram).unwrap_or(name);
        // A label's value may have a comma in it, but none with quotes around it.
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        found.entry(name.to_owned()).or_default().extend(labels.filter(|label| label != "le"));
    }
    found
}

#[tokio::test(start_paused = true)]
async fn everything_in_the_catalogue_is_exported_and_nothing_else() {
    let world = eventful().await;
    let described: BTreeMap<String, BTreeSet<String>> = ALL
        .iter()
        .map(|description| (description.name.to_owned(), description.labels.iter().map(|label| (*label).to_owned()).collect()))
        .collect();
    let mut sizes = Vec::new();
    for format in [Format::OpenMetrics, Format::Classic] {
        let text = world.scrape_with(MetricsSettings::default(), format);
        assert_eq!(exported(&text), described, "{format:?}:\n{text}");
        for description in ALL {
            // In OpenMetrics the type and the help of a counter have no `_total`.
            let name = match (format, description.kind) {
                (Format::OpenMetrics, Kind::Counter) => description.name.trim_end_matches("_total"),
                _ => description.name,
            };
            let (help, kind) = (format!("# HELP {name} {}", description.help), format!("# TYPE {name} {}", description.kind.as_str()));
            for line in [help, kind] {
                assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{format:?}: {line}");
            }
        }
        assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
        assert_eq!(text.contains("# UNIT"), format == Format::OpenMetrics);
        sizes.push(text.lines().filter(|line| !line.starts_with('#')).count());
    }
    assert_eq!(sizes[0], sizes[1], "both formats have the same series");
}

#[tokio::test(start_paused = true)]
async fn a_scrape_asks_neither_the_api_server_nor_the_cloud() {
    let world = eventful().await;
    let asked = |text: &str| {
        let of = |name| super::series(text, name).values().map(|count| count.parse::<u64>().unwrap()).sum::<u64>();
        (of("rdsbackup_operator_kube_requests_total"), of("rdsbackup_cloud_requests_total"))
    };
    let first = asked(&world.scrape());
    assert_eq!(first, (1, 1));
    for _ in 0..20 {
        assert_eq!(asked(&world.scrape()), first);
    }
}
