//! Wrong schedules: the API server refuses them where the CRD can tell, the status says so elsewhere, and a correction is enough.

use serde_json::{Value, json};

use super::ledger::spec;
use crate::site::{at_site, condition, kstatus, message};

fn with(fields: Value) -> Value {
    spec("rm-mysql-1", &fields)
}

#[test]
fn the_api_server_refuses_a_wrong_schedule() {
    at_site(|site| async move {
        let template = |template: Value| with(json!({ "template": template }));
        let table = [
            (with(json!({ "schedule": "0 0 2 * * *" })), "five fields"),
            (with(json!({ "schedule": "0 2 * *" })), "five fields"),
            (with(json!({ "schedule": "" })), "schedule"),
            (with(json!({ "schedule": "TZ=Asia/Shanghai 0 2 * * *" })), "timeZone"),
            (with(json!({ "schedule": "CRON_TZ=Asia/Shanghai 0 2 * * *" })), "timeZone"),
            (with(json!({ "schedule": "@every 1h" })), "@hourly"),
            (with(json!({ "schedule": "@reboot" })), "@hourly"),
            (with(json!({ "schedule": "0 2 ? * *" })), "? and #"),
            (with(json!({ "schedule": "0 2 * * 1#2" })), "? and #"),
            (with(json!({ "schedule": "0 0 L * *" })), "L and W"),
            (with(json!({ "schedule": "0 0 15w * *" })), "L and W"),
            (with(json!({ "schedule": "0 0 * * 5L" })), "L and W"),
            (with(json!({ "schedule": "0 0 1,LW * *" })), "L and W"),
            (with(json!({ "schedule": "0 0 * * friL" })), "L and W"),
            (template(json!({ "metadata": { "labels": { "a": "b c" } }, "spec": { "dbInstanceId": "rm-mysql-1" } })), "labels.a"),
            (with(json!({ "timeZone": "Local" })), "Local is not a time zone"),
            (with(json!({ "timeZone": "" })), "timeZone"),
            (with(json!({ "jitter": "soon" })), "or 0s for none"),
            (with(json!({ "jitter": "" })), "or 0s for none"),
            (with(json!({ "startingDeadline": "0s" })), "longer than zero"),
            (with(json!({ "startingDeadline": "5" })), "write a length of time like 90s"),
            (with(json!({ "successfulHistoryLimit": -1 })), "successfulHistoryLimit"),
            (with(json!({ "freshness": {} })), "maxAge"),
            (with(json!({ "freshness": { "maxAge": "1d" } })), "a day is 24h"),
            (template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "queueTimeout": "0s" } })), "longer than zero"),
            (with(json!({ "trigger": "" })), "trigger"),
            (template(json!({ "spec": {} })), "dbInstanceId"),
            (template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "method": "Magic" } })), "Physical"),
            (
                template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "databases": ["a"] } })),
                "databases and strategy: db belong together",
            ),
            (template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "notAfter": "2027-01-15T02:00:00Z" } })), "the schedule sets it"),
            (template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "existingBackupId": "1" } })), "a schedule makes backups"),
            (template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "reuseIfNewerThan": "1h" } })), "a backup of its own"),
            (
                template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "ttl": "720h" } })),
                "remove ttl: retention, or successfulHistoryLimit",
            ),
            (
                template(json!({ "spec": { "dbInstanceId": "rm-mysql-1", "deletionPolicy": "Delete", "method": "Logical" } })),
                "never deletes a logical backup set on request",
            ),
            (with(json!({ "retention": {} })), "write keepLast, maxAge or both"),
            (with(json!({ "retention": { "keepAtLeast": 3 } })), "write keepLast, maxAge or both"),
            (with(json!({ "retention": { "keepLast": 2, "keepAtLeast": 3 } })), "keepLast is less than keepAtLeast"),
            (with(json!({ "retention": { "keepLast": 0 } })), "keepLast"),
            (with(json!({ "retention": { "maxAge": "30d" } })), "a day is 24h"),
            (with(json!({ "blackouts": [{}] })), "write days, dates, or from and to"),
            (with(json!({ "blackouts": [{ "from": "09:00" }] })), "from and to belong together"),
            (with(json!({ "blackouts": [{ "days": ["Mon"], "to": "18:00" }] })), "from and to belong together"),
            (with(json!({ "blackouts": [{ "from": "09:00", "to": "09:00" }] })), "from and to are the same time"),
            (with(json!({ "blackouts": [{ "from": "9:00", "to": "18:00" }] })), "write a time of day like"),
            (with(json!({ "blackouts": [{ "from": "24:00", "to": "18:00" }] })), "write a time of day like"),
            (with(json!({ "blackouts": [{ "from": "09:00", "to": "24:01" }] })), "write a time of day like"),
            (with(json!({ "blackouts": [{ "days": ["Monday"] }] })), "Mon"),
            (with(json!({ "blackouts": [{ "days": [] }] })), "days"),
            (with(json!({ "blackouts": [{ "dates": { "from": "2027-11-10" } }] })), "to"),
            (with(json!({ "blackouts": [{ "dates": { "from": "10.11.2027", "to": "2027-11-12" } }] })), "write a date like 2026-11-10"),
            (with(json!({ "blackouts": [{ "dates": { "from": "2027-11-12", "to": "2027-11-10" } }] })), "dates.to is before dates.from"),
            (with(json!({ "blackouts": vec![json!({ "from": "09:00", "to": "18:00" }); 33] })), "32"),
            (with(json!({ "notDuring": "Night" })), "NativeBackupWindow"),
            (json!({ "schedule": "0 2 * * *" }), "template"),
        ];
        for (number, (spec, words)) in table.iter().enumerate() {
            let refused = site.create_schedule(&format!("wrong-{number}"), spec).await.expect_err(&format!("{spec} is accepted"));
            println!("{spec}\n  {}", refused.lines().last().unwrap_or_default());
            assert!(refused.contains(words), "{spec}: {refused}");
        }
        site.create_schedule("without-jitter", &with(json!({ "jitter": "0s" }))).await.expect("0s stands for none");
        let windows = json!([
            { "days": ["Mon", "Tue"], "from": "18:00", "to": "06:00" }, { "from": "09:00", "to": "24:00" },
            { "dates": { "from": "2027-11-10", "to": "2027-11-12" }, "from": "00:00", "to": "00:01" }, { "days": ["Sun"] },
        ]);
        site.create_schedule("with-blackouts", &with(json!({ "blackouts": windows, "suspend": true }))).await.expect("blackouts");
        let long = "s".repeat(51);
        let refused = site.create_schedule(&long, &with(json!({}))).await.expect_err("51 characters are too many");
        assert!(refused.contains("at most 50 characters"), "{refused}");
        // Names of days and months have those letters too.
        let names = with(json!({ "schedule": "0 0 1,15 jul,jan-apr wed,sun", "suspend": true }));
        site.create_schedule("names", &names).await.expect("names of days and months");
        site.create_schedule(&"s".repeat(50), &with(json!({ "schedule": "@daily", "suspend": true }))).await.unwrap();

        // The instance stays, the rest of the template need not.
        let name = "s".repeat(50);
        let patch = |value: Value| json!({ "spec": { "template": { "spec": value } } }).to_string();
        let args = |patch: &str| -> Vec<String> {
            ["patch", "rdsbackupschedule", &name, "-n", &site.namespace, "--type=merge", "-p", patch].map(str::to_owned).to_vec()
        };
        let run = |args: Vec<String>| {
            let site = site.clone();
            async move { site.kubectl().run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await }
        };
        let refused = run(args(&patch(json!({ "dbInstanceId": "rm-mysql-2" })))).await.expect_err("another instance");
        assert!(refused.stderr().contains("dbInstanceId cannot be changed"), "{}", refused.stderr());
        run(args(&patch(json!({ "method": "Logical", "retentionDays": 30 })))).await.expect("method may change");
    });
}

/// One reason, one cure, one write, no retries; and the corrected schedule is armed.
#[test]
fn a_schedule_that_only_the_operator_can_refuse_is_stalled_until_it_is_corrected() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let labels = |labels: Value| json!({ "template": { "metadata": { "labels": labels }, "spec": { "dbInstanceId": "rm-mysql-1", "method": "Physical" } } });
        let table = [
            ("february", json!({ "schedule": "0 0 30 2 *" }), "InvalidSchedule", "no such day exists"),
            ("last", json!({ "schedule": "0 0 1-L * *" }), "InvalidSchedule", "L"),
            ("reversed", json!({ "schedule": "0 5-2 * * *" }), "InvalidSchedule", "5-2"),
            ("step", json!({ "schedule": "*/0 * * * *" }), "InvalidSchedule", "0"),
            ("zone", json!({ "timeZone": "Asia/Shanghia" }), "InvalidTimeZone", "Asia/Shanghai"),
            ("jitter", json!({ "schedule": "0 * * * *", "jitter": "31m" }), "InvalidSchedule", "at most 30m"),
            ("label", labels(json!({ "a b": "c" })), "InvalidTemplate", "a b"),
            ("ours", labels(json!({ "rdsbackup.io/schedule-name": "other" })), "InvalidTemplate", "the operator's own"),
        ];
        for (name, fields, _, _) in &table {
            site.apply_schedule(name, &with(fields.clone())).await;
        }
        for (name, _, reason, words) in &table {
            let object = site.until_observed(name).await;
            println!("{name:<9} {reason:<16} {}", message(&object));
            assert_eq!(kstatus(&object), ("False".to_owned(), false, true), "{name}");
            assert_eq!(condition(&object, "Stalled")["reason"], *reason, "{name}");
            assert!(message(&object).contains(words), "{name}: {}", message(&object));
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        for (name, ..) in &table {
            assert_eq!(site.status_writes(name), 1, "{name}: no loop");
            site.apply_schedule(name, &with(json!({ "schedule": "@yearly" }))).await;
            let healed = site.until_schedule(name, "healed", |object| condition(object, "Ready")["status"] == "True").await;
            assert!(condition(&healed, "Stalled").is_null() && healed["status"]["nextScheduleTime"].is_string(), "{name}");
            assert!(site.created_by(name).is_empty(), "{name}");
        }
    });
}
