//! `notDuring`: the operator reads the instance's own backup window, and starts no slot in it.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use rds_backup_sandbox::rds::{BackupWindow, InstanceSpec};
use serde_json::{Value, json};

use super::ledger::{now, spec};
use crate::site::{at_site, condition};

const EVERY_DAY: &str = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday";

#[test]
fn no_slot_starts_in_the_instances_own_window_and_one_that_cannot_be_read_stops_none() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let (kept_clear, unreadable) = (site.instance("rm-mysql-window"), site.instance("rm-mysql-unreadable"));
        let hour = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime("%H:00Z").to_string();
        let (from, ends) = (now() - Duration::from_secs(3600), now() + Duration::from_secs(2 * 3600));
        let windows = [(&kept_clear, EVERY_DAY.to_owned()), (&unreadable, "Someday".to_owned())];
        for (instance, period) in windows {
            let window = BackupWindow { period, time: format!("{}-{}", hour(from), hour(ends)) };
            site.rds().define(instance, InstanceSpec { window, ..InstanceSpec::default() });
        }
        let fields = json!({ "notDuring": "NativeBackupWindow" });
        site.apply_schedule("clear", &spec(&kept_clear, &fields)).await;
        site.apply_schedule("unreadable", &spec(&unreadable, &fields)).await;
        let known = |object: &Value| condition(object, "NativeWindowKnown")["status"].clone();
        let clear = site.until_schedule("clear", "told of the window", |object| known(object) == "True").await;
        println!("{}", condition(&clear, "NativeWindowKnown")["message"]);
        let end: Timestamp = clear["status"]["nextScheduleTime"].as_str().expect("a time").parse().expect("a time");
        let shown = end.to_zoned(TimeZone::UTC).strftime("%H:%MZ").to_string();
        assert_eq!(shown, hour(ends), "the next start is the window's end");
        assert_eq!(clear["status"]["nativeWindow"]["days"].as_array().map(Vec::len), Some(7));

        // The other one runs its slots, and says what is not known; meanwhile slots of the first pass.
        let other = site.until_schedule("unreadable", "run", |object| object["status"]["lastBackup"].is_object()).await;
        println!("{}", condition(&other, "NativeWindowKnown")["message"]);
        assert_eq!((known(&other), &condition(&other, "NativeWindowKnown")["reason"]), (json!("False"), &json!("PolicyUnreadable")));
        assert_eq!(condition(&other, "Ready")["status"], "True");
        let clear = site.until_schedule("clear", "past a slot", |object| object["status"]["skippedBlackout"]["count"] == 1).await;
        assert!(site.created_by("clear").is_empty() && site.creates(&kept_clear).is_empty());
        assert_eq!(clear["status"]["nextScheduleTime"], end.to_string());
        let asked = site.calls(&kept_clear).iter().filter(|call| call.action == "DescribeBackupPolicy").count();
        assert_eq!(asked, 1, "it is read once, and then every 6 hours");
    });
}
