//! `trigger`, `runOnCreate`, names that are taken, and the history limits.

use std::time::Duration;

use serde_json::{Value, json};

use super::ledger::spec;
use crate::site::{Site, at_site, condition};

/// `m` and the first ten digits of the token's SHA-256, worked out with sha256sum.
const B: &str = "m3e23e81600";
const C: &str = "m2e7d2c03a9";
const D: &str = "m18ac3e7343";

/// Far from every slot of the test.
fn by_hand_only(site: &Site, fields: Value) -> Value {
    let mut all = json!({ "schedule": "0 0 29 2 *" });
    for (key, value) in fields.as_object().expect("fields") {
        all[key] = value.clone();
    }
    spec(&site.instance("rm-mysql"), &all)
}

fn names(site: &Site, schedule: &str) -> Vec<String> {
    site.created_by(schedule).into_iter().map(|creation| creation.name).collect()
}

#[test]
fn a_trigger_makes_one_backup_across_a_crash_while_suspended_and_after_a_recreation() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        site.apply_schedule("hand", &by_hand_only(&site, json!({ "trigger": "a" }))).await;
        let seen = site.until_observed("hand").await;
        assert_eq!(seen["status"]["lastHandledTrigger"], "a", "recorded, not run");

        // Killed as soon as the backup exists; the next process finds it under its name.
        site.patch_schedule("hand", &json!({ "spec": { "trigger": "b" } })).await;
        while names(&site, "hand").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        operator.kill_9().await.unwrap();
        // As if the status had not been written in time.
        site.patch_schedule_status("hand", &json!({ "lastHandledTrigger": "a", "lastBackup": null })).await;
        let _again = site.operator().await;
        site.until_schedule("hand", "handled", |object| object["status"]["lastHandledTrigger"] == "b").await;
        let b = format!("hand-{B}");
        site.until_phase(&b, "Succeeded").await;
        assert_eq!(names(&site, "hand"), std::slice::from_ref(&b));

        site.patch_schedule("hand", &json!({ "spec": { "suspend": true, "trigger": "c" } })).await;
        let c = format!("hand-{C}");
        site.until_schedule("hand", "handled", |object| object["status"]["lastHandledTrigger"] == "c").await;
        site.until_phase(&c, "Succeeded").await;
        let object = site
            .until_schedule("hand", "told", |object| {
                object["status"]["lastSuccess"]["name"] == c && condition(object, "Ready")["reason"] == "Suspended"
            })
            .await;
        assert_eq!(condition(&object, "Suspended")["status"], "True");
        assert_eq!(site.rds().accepted(&site.instance("rm-mysql")), 2);

        // Another schedule of the same name: the token is old, and the backups of the first one count.
        site.delete_schedule("hand").await;
        site.apply_schedule("hand", &by_hand_only(&site, json!({ "trigger": "c" }))).await;
        let again = site.until_schedule("hand", "fresh", |object| condition(object, "Fresh")["status"] == "True").await;
        assert_eq!((&again["status"]["lastSuccess"]["name"], &again["status"]["lastHandledTrigger"]), (&json!(c), &json!("c")));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(names(&site, "hand"), [b, c]);
    });
}

#[test]
fn a_foreign_object_under_the_name_is_left_alone_and_reported_in_an_event() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        site.apply_schedule("hand", &by_hand_only(&site, json!({}))).await;
        site.until_observed("hand").await;
        let name = format!("hand-{B}");
        site.apply(&name, json!({ "dbInstanceId": site.instance("rm-mysql-foreign") })).await;
        site.patch_schedule("hand", &json!({ "spec": { "trigger": "b" } })).await;
        let object = site.until_schedule("hand", "handled", |object| object["status"]["lastHandledTrigger"] == "b").await;
        let notes = site.notes("hand", "NameCollision").await;
        assert!(notes.len() == 1 && notes[0].contains(&name), "{notes:?}");
        // It is made under its second name.
        let made = names(&site, "hand");
        assert!(made.len() == 1 && made[0].starts_with(&format!("{name}-")) && notes[0].contains(&made[0]), "{made:?} {notes:?}");
        assert_eq!(object["status"]["lastBackup"]["name"], made[0]);
        site.until_phase_once_there(&made[0]).await;
        // The next one has its own name.
        site.patch_schedule("hand", &json!({ "spec": { "trigger": "c" } })).await;
        site.until_phase_once_there(&format!("hand-{C}")).await;
        assert_eq!(site.creates(&site.instance("rm-mysql")).len(), 2);
    });
}

#[test]
fn objects_beyond_the_limits_go_and_backup_sets_stay() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let fields = json!({ "runOnCreate": true, "successfulHistoryLimit": 1, "failedHistoryLimit": 0 });
        site.apply_schedule("kept", &by_hand_only(&site, fields)).await;
        let object = site.until_schedule("kept", "run", |object| object["status"]["lastBackup"].is_object()).await;
        let first = object["status"]["lastBackup"]["name"].as_str().expect("a name").to_owned();
        site.until_phase_once_there(&first).await;
        site.kubectl().run(&["annotate", "rdsbackup", &first, "-n", &site.namespace, "rdsbackup.io/hold=true"]).await.unwrap();
        let later = [("b", format!("kept-{B}")), ("c", format!("kept-{C}")), ("d", format!("kept-{D}"))];
        for (token, name) in &later {
            site.patch_schedule("kept", &json!({ "spec": { "trigger": token } })).await;
            site.until_phase_once_there(name).await;
        }
        let left = || async {
            let items = site.world.reader().objects("rdsbackups", &site.namespace).await.unwrap();
            items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let mut expected = vec![first.clone(), later[2].1.clone()];
        expected.sort();
        let begun = std::time::Instant::now();
        while left().await != expected {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?} and not {expected:?}", left().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(site.rds().sets(&site.instance("rm-mysql")).len(), 4, "what was deleted are objects, not backups");
        assert!(site.calls(&site.instance("rm-mysql")).iter().all(|call| !call.action.starts_with("Delete")));
        let log = site.audit();
        let deletions: Vec<_> = log.iter().filter(|event| event.namespace == site.namespace && event.verb == "delete").collect();
        assert_eq!(deletions.iter().filter(|event| event.accepted()).count(), 2);
        for deletion in deletions {
            let preconditions = &deletion.request_body.as_ref().expect("a body")["preconditions"];
            assert!(preconditions["uid"].is_string() && preconditions["resourceVersion"].is_string(), "{preconditions}");
        }
        let status = site.schedule("kept").await["status"].clone();
        assert_eq!(status["lastSuccess"]["name"], later[2].1, "{status:#}");
    });
}

impl Site {
    /// Waits for a backup that may not exist yet to succeed.
    async fn until_phase_once_there(&self, name: &str) {
        let begun = std::time::Instant::now();
        while self.world.reader().object("rdsbackups", &self.namespace, name).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} is not created");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.until_phase(name, "Succeeded").await;
    }
}
