//! A schedule that runs as it should.

use std::time::Duration;

use serde_json::json;

use super::ledger::{minute_of, now, spec};
use crate::site::{at_site, condition};

#[test]
fn a_slot_makes_one_backup_that_costs_two_writes_and_one_at_its_end() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        // The next slot and no other for an hour: the counts would change with each.
        let next_minute = minute_of(now() + Duration::from_secs(65));
        let schedule = next_minute.strftime("%-M * * * *").to_string();
        site.apply_schedule("hourly", &spec(&instance, &json!({ "schedule": schedule }))).await;
        let armed = site.until_observed("hourly").await;
        assert_eq!(condition(&armed, "Ready")["reason"], "Scheduled");
        assert_eq!(condition(&armed, "Fresh")["status"], "Unknown");
        assert_eq!(armed["status"]["lastBackup"], json!(null));
        let ended = site.until_schedule("hourly", "fresh", |object| condition(object, "Fresh")["status"] == "True").await;
        let [creation] = &site.created_by("hourly")[..] else { panic!("{:?}", site.created_by("hourly")) };
        let slot = creation.slot.expect("a slot");
        assert_eq!(slot, minute_of(creation.at), "the slot is the minute in which it was created");
        let late = creation.at.duration_since(slot);
        println!("created {:.3} s after its slot", late.as_secs_f64());
        assert_eq!(creation.name, format!("hourly-{}", slot.strftime("%Y%m%d%H%M")));
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
        assert_eq!(site.status_writes("hourly"), 3, "seen, fired, ended");

        let status = &ended["status"];
        assert_eq!(status["lastScheduleTime"], slot.to_string());
        assert_eq!((&status["lastBackup"]["name"], &status["lastBackup"]["slot"]), (&json!(creation.name), &json!(slot.to_string())));
        let backup = site.get(&creation.name).await;
        assert_eq!(status["lastSuccess"]["backupId"], backup["status"]["backupId"]);
        assert_eq!(status["lastSuccess"]["completedAt"], backup["status"]["completedAt"]);
        assert_eq!(backup["metadata"]["ownerReferences"], json!(null));
        assert_eq!(condition(&ended, "LastBackupSucceeded")["status"], "True");
        let next: jiff::Timestamp = status["nextScheduleTime"].as_str().expect("a time").parse().expect("a time");
        assert!(next > now() - Duration::from_secs(5) && next == slot + Duration::from_secs(3600), "{next}");
        let table = site.kubectl().run(&["get", "rdsbs", "-n", &site.namespace, "-o", "wide"]).await.unwrap();
        println!("{table}");
        for column in [
            "SCHEDULE",
            "ZONE",
            "SUSPEND",
            "READY",
            "FRESH",
            "LAST SUCCESS",
            "NEXT",
            "AGE",
            "INSTANCE",
            "LAST BACKUP",
            "FAILURES",
            "MISSED",
        ] {
            assert!(table.contains(column), "{column}: {table}");
        }
        // Its backups stay when it is deleted.
        site.delete_schedule("hourly").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        site.get(&creation.name).await;
    });
}

/// Not due, no child, nothing that changes: nothing is written, also by the next process.
#[test]
fn nothing_is_written_at_rest() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        site.apply_schedule("yearly", &spec(&site.instance("rm-mysql"), &json!({ "schedule": "@yearly", "timeZone": "Asia/Shanghai" })))
            .await;
        site.until_observed("yearly").await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        operator.stop().await.unwrap();
        let _again = site.operator().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(site.status_writes("yearly"), 1);
        assert!(site.created_by("yearly").is_empty());
    });
}
