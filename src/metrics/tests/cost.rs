//! What a scrape costs: how many series a schedule has, which is judged; and the time, which is only printed:
//! `cargo test --release --lib metrics::tests::cost -- --nocapture`.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{World, backup, condition};
use crate::{
    metrics::{Format, MetricsSettings, PerSchedule},
    schedule::Objective,
};

const SCHEDULES: usize = 2_000;
const BACKUPS: usize = 10_000;
const SCRAPES: u32 = 3;
/// The series of each schedule of this file, which have no `retention`; the figures of docs/reference/metrics.md are 2,000 times these.
const SERIES: [(PerSchedule, usize); 3] = [(PerSchedule::All, 17), (PerSchedule::Freshness, 8), (PerSchedule::None, 0)];

fn schedule(number: usize) -> Value {
    let name = format!("schedule-{number:05}");
    let finished = |last: usize| json!({ "name": format!("backup-{last:05}"), "completedAt": "2026-03-01T02:10:00Z" });
    json!({
        "metadata": {
            "namespace": "team-a", "name": name, "uid": format!("uid-{number}"), "creationTimestamp": "2026-03-01T00:00:00Z",
        },
        "spec": {
            "schedule": "0 2 * * *", "timeZone": "Asia/Shanghai",
            "template": { "spec": { "dbInstanceId": format!("rm-{number:012}"), "account": "prod", "regionId": "cn-hangzhou" } },
        },
        "status": {
            "observedGeneration": 1, "conditions": [condition("Ready", "True", "Scheduled")],
            "nextScheduleTime": "2026-03-02T02:00:00Z", "lastSuccess": finished(number), "lastFailure": finished(number),
        },
    })
}

#[tokio::test]
async fn a_schedule_has_as_many_series_as_its_setting_says_and_a_backup_has_none() {
    let ended = json!({
        "phase": "Succeeded", "startedAt": "2026-03-01T02:00:00Z", "completedAt": "2026-03-01T02:10:00Z", "sizeBytes": 1024,
        "conditions": [condition("Ready", "True", "Succeeded")],
    });
    let backups = (0..BACKUPS).map(|number| backup(&format!("backup-{number:05}"), "prod", ended.clone())).collect();
    let world = World::of(backups, (0..SCHEDULES).map(schedule).collect());
    let day = SignedDuration::from_hours(24);
    for number in 0..SCHEDULES {
        world.schedules.objectives.note(&format!("uid-{number}"), Some(Objective { max_age: day, longest_gap: Some(day) }));
    }
    println!("{SCHEDULES} schedules, {BACKUPS} backups; the mean of {SCRAPES} scrapes:");
    let empty = World::of(Vec::new(), Vec::new());
    for (per_schedule, each) in SERIES {
        for format in [Format::OpenMetrics, Format::Classic] {
            let settings = MetricsSettings { per_schedule, instance_ids: true };
            let (mut took, mut text) = (Duration::ZERO, String::new());
            for _ in 0..SCRAPES {
                let began = Instant::now();
                text = world.scrape_with(settings, format);
                took += began.elapsed();
            }
            let found = series(&text);
            // A namespace with backups has 8 phases and the counts of its duplicates and of what lost its set, however many they are.
            assert_eq!(found, series(&empty.scrape_with(settings, format)) + each * SCHEDULES + 10, "{per_schedule:?}, {format:?}");
            println!("{per_schedule:?}, {format:?}: {:?}, {} bytes, {found} series", took / SCRAPES, text.len());
        }
    }
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}
