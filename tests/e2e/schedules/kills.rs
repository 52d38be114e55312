//! Five kills at random while many schedules fire.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use serde_json::{Value, json};

use super::ledger::{mins, minute_of, now, schedule, spec};
use crate::site::at_site;

const SCHEDULES: usize = 80;
const FIRES: usize = 200;
const KILLS: usize = 5;

#[test]
fn five_kills_during_200_fires_leave_one_backup_for_each_slot() {
    at_site(|site| async move {
        // The fires of each minute spread over half of it, so that a kill at random meets some.
        let changes = [("    signature: V3\n", "    signature: V3\n    limits: { createPerSecond: 100, describePerSecond: 200 }\n")];
        let mut operator = site.operator_configured(&changes).await;
        let items: Vec<Value> = (0..SCHEDULES)
            .map(|number| {
                let instance = site.instance(&format!("rm-mysql-{number}"));
                schedule(&site, &format!("s{number:02}"), &spec(&instance, &json!({ "jitter": "30s", "successfulHistoryLimit": 1000 })))
            })
            .collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
        site.kubectl().run_with_input(&["create", "-f", "-"], &list).await.unwrap();

        let begun = Instant::now();
        let (mut kills, mut under_fire) = (0, 0);
        loop {
            let created = site.created_by_schedules().len();
            // The next kill when its share of the fires has happened, at a random moment after it.
            if kills < KILLS && created >= kills * FIRES / KILLS + 5 {
                tokio::time::sleep(at_random(1500)).await;
                operator.kill_9().await.unwrap();
                kills += 1;
                let at_the_kill = site.created_by_schedules();
                let latest = at_the_kill.iter().map(|creation| creation.at).max().expect("a creation");
                under_fire += usize::from(now().duration_since(latest).as_secs() < 2);
                println!("kill {kills} after {} fires", at_the_kill.len());
                operator = site.operator_configured(&changes).await;
            } else if kills == KILLS && created >= FIRES {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(400), "{created} fires and {kills} kills");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        println!("{under_fire} of {KILLS} kills within 2 s of a fire");
        // No fire is under way in the last quarter of a minute: then the process ends, and everything is counted.
        while now().as_second().rem_euclid(60) < 45 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let last = minute_of(now());
        assert!(operator.stop().await.unwrap().success());

        let created = site.created_also_for_killed_clients().await;
        let mut slots: BTreeMap<&str, BTreeSet<Timestamp>> = BTreeMap::new();
        for creation in &created {
            let slot = creation.slot.expect("a slot");
            assert!(creation.at >= slot, "{creation:?} is early");
            let first = slots.entry(&creation.schedule).or_default().insert(slot);
            assert!(first, "a second backup for {} at {slot}", creation.schedule);
            let of_instance = created.iter().filter(|other| other.instance == creation.instance).count();
            let accepted = site.rds().accepted(&creation.instance);
            assert!(accepted <= of_instance, "{accepted} backups for {of_instance} objects of {}", creation.instance);
        }
        assert_eq!(slots.len(), SCHEDULES, "every schedule has fired");
        // No slot is forgotten: each between the first and the last was run, skipped because of the one before, or missed while it was
        // down.
        let (mut skipped, mut missed) = (0, 0);
        for (name, run) in &slots {
            let object = site.schedule(name).await;
            let count = |field: &str| object["status"][field]["count"].as_i64().unwrap_or(0);
            let created_at: Timestamp = object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
            let jitter: SignedDuration = object["status"]["effectiveJitter"]
                .as_str()
                .map_or(SignedDuration::ZERO, |jitter| jitter.parse().expect("a length of time"));
            // What starts after the creation is due, also where its slot is the minute of the creation.
            let starts_after = |slot: Timestamp| slot + jitter > created_at;
            let before_creation = i64::from(starts_after(minute_of(created_at)));
            let due = (last - minute_of(created_at)).get_seconds() / 60 + before_creation;
            let settled = i64::try_from(run.len()).unwrap() + count("skippedOverlap") + count("missedRuns");
            assert_eq!(settled, due, "{name}: {run:?} of {due} slots after {created_at}\n{:#}", object["status"]);
            assert!(run.iter().all(|slot| starts_after(*slot) && *slot <= last + mins(0)), "{name}");
            skipped += count("skippedOverlap");
            missed += count("missedRuns");
        }
        println!("{} backups of {SCHEDULES} schedules, {KILLS} kills, {skipped} slots skipped, {missed} missed", created.len());
        assert!(created.len() >= FIRES);
    });
}

#[expect(clippy::disallowed_methods, reason = "the kills come at random")]
fn at_random(most_millis: u64) -> Duration {
    Duration::from_millis(rand::rng().random_range(0..most_millis))
}
