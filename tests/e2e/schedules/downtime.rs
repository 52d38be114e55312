//! The operator is down over slots, as a status that is dated back while it is.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::ledger::{Creation, mins, spec, within_a_minute};
use crate::site::{at_site, condition};

const SLOTS: [i64; 3] = [1, 50, 10_000];

#[test]
fn after_1_50_and_10000_slots_one_backup_catches_up_and_the_missed_are_counted_once() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let kinds = [("late", json!({})), ("strict", json!({ "startingDeadline": "1s" })), ("paused", json!({ "suspend": true }))];
        let all: Vec<(String, i64)> = kinds.iter().flat_map(|(kind, _)| SLOTS.map(|slots| (format!("{kind}-{slots}"), slots))).collect();
        // Armed and killed within one minute, so that none of them has run by itself.
        within_a_minute(40).await;
        for (kind, fields) in &kinds {
            for slots in SLOTS {
                let name = format!("{kind}-{slots}");
                site.apply_schedule(&name, &spec(&site.instance(&format!("rm-mysql-{name}")), fields)).await;
            }
        }
        for (name, _) in &all {
            site.until_observed(name).await;
        }
        operator.kill_9().await.unwrap();

        // From here to the counts no minute may begin, or one more slot would be due.
        let minute = within_a_minute(40).await;
        for (name, slots) in &all {
            let back = (minute - mins(*slots)).to_string();
            site.patch_schedule_status(name, &json!({ "lastScheduleTime": back, "armedSince": back })).await;
        }
        let mut operator = site.operator().await;
        for (name, _) in all.iter().filter(|(name, _)| !name.starts_with("paused")) {
            site.until_schedule(name, "settled", |object| object["status"]["lastScheduleTime"] == minute.to_string()).await;
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        let slots_of =
            |name: &str| -> Vec<Option<Timestamp>> { site.created_by(name).into_iter().map(|Creation { slot, .. }| slot).collect() };
        for slots in SLOTS {
            let late = format!("late-{slots}");
            assert_eq!(slots_of(&late), [Some(minute)], "{late}: one run, for the newest slot");
            let missed = site.schedule(&late).await["status"]["missedRuns"].clone();
            if slots == 1 {
                assert!(missed.is_null(), "{late}: {missed}");
            } else {
                assert_eq!(missed, json!({ "count": slots - 1, "last": (minute - mins(1)).to_string() }), "{late}");
            }

            let strict = format!("strict-{slots}");
            assert!(slots_of(&strict).is_empty(), "{strict}: {:?}", slots_of(&strict));
            let object = site.schedule(&strict).await;
            assert_eq!(object["status"]["missedRuns"], json!({ "count": slots, "last": minute.to_string() }), "{strict}");
            assert_eq!(condition(&object, "Ready")["status"], "True", "{strict}");
            let notes = site.notes(&strict, "MissedRuns").await;
            assert_eq!(notes.len(), 1, "{notes:?}");
            println!("{strict}: {}", notes[0]);

            let paused = format!("paused-{slots}");
            let object = site.schedule(&paused).await;
            assert!(slots_of(&paused).is_empty() && object["status"]["missedRuns"].is_null(), "{paused}: {:#}", object["status"]);
        }
        assert_eq!(
            jiff::Timestamp::from_second(super::ledger::now().as_second()).map(super::ledger::minute_of).unwrap(),
            minute,
            "too slow to count"
        );

        // Killed again at once: nothing is counted or made up for a second time.
        operator.kill_9().await.unwrap();
        let counts = |name: String| {
            let site = site.clone();
            async move { (site.created_by(&name).len(), site.schedule(&name).await["status"]["missedRuns"]["last"].clone()) }
        };
        let before = (counts("late-50".to_owned()).await, counts("strict-50".to_owned()).await);
        let _again = site.operator().await;
        site.patch_schedule("paused-50", &json!({ "spec": { "suspend": false } })).await;
        let resumed = site.until_observed("paused-50").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        if super::ledger::minute_of(super::ledger::now()) == minute {
            assert_eq!((counts("late-50".to_owned()).await, counts("strict-50".to_owned()).await), before);
            assert!(slots_of("paused-50").is_empty());
        }
        assert!(resumed["status"]["missedRuns"].is_null(), "resuming counts nothing: {:#}", resumed["status"]);
        for (name, _) in &all {
            site.delete_schedule(name).await;
        }
    });
}
