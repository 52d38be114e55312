//! What a report says of the objects, and how each format writes it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

/// 2027-01-15 is a Friday.
const NOW: &str = "2027-01-15T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A schedule of every night at 02:00 in Shanghai, with these fields of its spec.
fn schedule(name: &str, instance: &str, spec: Value) -> Value {
    let mut object = json!({
        "metadata": {
            "name": name, "namespace": "team-a", "uid": format!("uid-of-{name}"), "generation": 1, "creationTimestamp": "2026-06-01T00:00:00Z",
        },
        "spec": { "schedule": "0 2 * * *", "timeZone": "Asia/Shanghai", "template": { "spec": { "dbInstanceId": instance } } },
    });
    merge(&mut object["spec"], spec);
    object
}

/// A backup that succeeded: it took 20 minutes.
fn success(name: &str, schedule: Option<&str>, instance: &str, started_at: &str, size: i64) -> Value {
    let labels = schedule.map(|schedule| json!({ "rdsbackup.io/schedule-name": schedule }));
    json!({
        "metadata": { "name": name, "namespace": "team-a", "creationTimestamp": started_at, "labels": labels },
        "spec": { "dbInstanceId": instance },
        "status": {
            "observedGeneration": 1, "phase": "Succeeded", "backupId": format!("set-of-{name}"), "startedAt": started_at,
            "completedAt": at(started_at) + jiff::SignedDuration::from_mins(20), "sizeBytes": size, "size": format!("{}Gi", size >> 30),
            "effective": { "method": "Physical", "type": "FullBackup", "strategy": "instance" },
        },
    })
}

fn failure(name: &str, schedule: Option<&str>, instance: &str, ended_at: &str, reason: &str) -> Value {
    let mut object = success(name, schedule, instance, ended_at, 0);
    let condition = json!({ "type": "Ready", "status": "False", "reason": reason, "message": "it failed", "lastTransitionTime": ended_at });
    object["status"] = json!({ "observedGeneration": 1, "phase": "Failed", "completedAt": ended_at, "conditions": [condition] });
    object
}

fn merge(into: &mut Value, from: Value) {
    for (key, value) in from.as_object().unwrap() {
        into[key] = value.clone();
    }
}

fn objects(schedules: Vec<Value>, backups: Vec<Value>) -> Objects {
    let read = |list: Vec<Value>| serde_json::from_value(Value::Array(list)).unwrap();
    Objects { schedules: serde_json::from_value(Value::Array(schedules)).unwrap(), backups: read(backups) }
}

fn report(schedules: Vec<Value>, backups: Vec<Value>) -> Report {
    assess(&objects(schedules, backups), Some("team-a".to_owned()), false, at(NOW))
}

/// The only row.
fn row(schedules: Vec<Value>, backups: Vec<Value>) -> Row {
    let mut rows = report(schedules, backups).rows;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows.remove(0)
}

const GI: i64 = 1 << 30;

/// What most tests look at: a schedule that is well, one that is too old, one that pauses, an instance without a schedule.
fn town() -> Objects {
    objects(
        vec![
            schedule("nightly", "rm-orders", json!({})),
            schedule("weekly", "rm-users", json!({ "freshness": { "maxAge": "26h" }, "timeZone": "Etc/UTC" })),
            schedule("old", "rm-old", json!({ "suspend": true })),
        ],
        vec![
            success("nightly-202701131800", Some("nightly"), "rm-orders", "2027-01-13T18:00:00Z", 40 * GI),
            success("nightly-202701141800", Some("nightly"), "rm-orders", "2027-01-14T18:00:00Z", 42 * GI),
            success("weekly-202701140200", Some("weekly"), "rm-users", "2027-01-14T09:59:00Z", 10 * GI),
            failure("weekly-202701150200", Some("weekly"), "rm-users", "2027-01-15T02:20:00Z", "BackupFailed"),
            success("before-release-1", None, "rm-ledger", "2027-01-15T11:00:00Z", 3 * GI),
        ],
    )
}

#[test]
fn the_table_says_it_all_in_a_line_each() {
    let report = assess(&town(), Some("team-a".to_owned()), false, at(NOW));
    let wanted = "\
NAMESPACE   SCHEDULE   INSTANCE    OBJECTIVE   AGE     MAX AGE   BACKUP                 SIZE   GROWTH   NEXT RUN                  LAST FAILURE
team-a      nightly    rm-orders   Met         18h     36h       nightly-202701141800   42Gi   +5.0%    2027-01-16 02:00 +08:00   -
team-a      old        rm-old      Missed      -       36h       -                      -      -        suspended                 -
team-a      weekly     rm-users    Missed      26h1m   26h       weekly-202701140200    10Gi   -        2027-01-16 02:00 +00:00   BackupFailed, 9h40m ago
team-a      -          rm-ledger   -           1h      -         before-release-1       3Gi    -        -                         -
";
    assert_eq!(table(&report), wanted);
    assert_eq!(report.objectives, Counts { met: 1, missed: 1, suspended: 1, ..Counts::default() });
    assert!(!report.is_met());
}

#[test]
fn the_json_is_the_documented_format() {
    let mut found = town();
    found.schedules.truncate(1);
    found.backups.truncate(2);
    let report = serde_json::to_value(assess(&found, Some("team-a".to_owned()), false, at("2027-01-15T12:00:00.7Z"))).unwrap();
    assert_eq!(
        report,
        json!({
            "formatVersion": 1,
            "generatedAt": "2027-01-15T12:00:00Z",
            "namespace": "team-a",
            "objectives": { "met": 1, "missed": 0, "pending": 0, "unknown": 0, "suspended": 0 },
            "rows": [{
                "namespace": "team-a", "schedule": "nightly", "dbInstanceId": "rm-orders", "account": "default",
                "suspended": false, "timeZone": "Asia/Shanghai",
                "objective": "Met", "maxAgeSeconds": 129_600, "dataAgeSeconds": 64_800,
                "newestUsable": {
                    "name": "nightly-202701141800", "backupId": "set-of-nightly-202701141800", "startedAt": "2027-01-14T18:00:00Z",
                    "completedAt": "2027-01-14T18:20:00Z", "method": "Physical", "sizeBytes": 45_097_156_608_i64,
                },
                "previousUsable": {
                    "name": "nightly-202701131800", "backupId": "set-of-nightly-202701131800", "startedAt": "2027-01-13T18:00:00Z",
                    "completedAt": "2027-01-13T18:20:00Z", "method": "Physical", "sizeBytes": 42_949_672_960_i64,
                },
                "growthBytes": 2_147_483_648_i64, "growthPercent": 5.0,
                "nextRunAt": "2027-01-15T18:00:00Z",
            }],
            "unreadable": [],
        })
    );
}

#[test]
fn the_csv_has_a_column_for_each_value_and_nothing_for_what_is_unknown() {
    let report = assess(&town(), None, false, at(NOW));
    let text = csv(&report.rows).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "namespace,schedule,dbInstanceId,account,suspended,objective,dataAgeSeconds,maxAgeSeconds,backup,backupId,startedAt,completedAt,sizeBytes,growthBytes,growthPercent,nextRunAt,lastFailure,lastFailureAt,lastFailureReason,problem"
    );
    assert_eq!(
        lines[1],
        "team-a,nightly,rm-orders,default,false,Met,64800,129600,nightly-202701141800,set-of-nightly-202701141800,2027-01-14T18:00:00Z,2027-01-14T18:20:00Z,45097156608,2147483648,5,2027-01-15T18:00:00Z,,,,"
    );
    assert_eq!(lines[2], "team-a,old,rm-old,default,true,Missed,,129600,,,,,,,,,,,,");
    assert!(lines[3].ends_with(",weekly-202701150200,2027-01-15T02:20:00Z,BackupFailed,"), "{}", lines[3]);
    assert!(lines[4].starts_with("team-a,,rm-ledger,default,,None,3600,,before-release-1,"), "{}", lines[4]);
    assert_eq!(lines.len(), 5);
}

/// A spreadsheet would run it: the reason of a failure is text that whoever may write a status writes.
#[test]
fn no_cell_of_the_csv_begins_like_a_formula() {
    for evil in ["=HYPERLINK(\"http://x\")", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "＝1"] {
        let cells = row(vec![schedule("s", "rm-1", json!({}))], vec![failure("s-1", Some("s"), "rm-1", NOW, evil)]);
        let text = csv(std::slice::from_ref(&cells)).unwrap();
        let read: Vec<::csv::StringRecord> =
            ::csv::ReaderBuilder::new().from_reader(text.as_bytes()).records().collect::<Result<_, _>>().unwrap();
        assert_eq!(&read[0][18], format!("'{evil}"), "one cell, as text");
    }
    // A number is none: a sum over the column must work.
    let shrunk = row(
        vec![schedule("s", "rm-1", json!({}))],
        vec![success("a", Some("s"), "rm-1", "2027-01-14T00:00:00Z", 2 * GI), success("b", Some("s"), "rm-1", "2027-01-15T00:00:00Z", GI)],
    );
    assert!(csv(&[shrunk]).unwrap().contains(",-1073741824,-50,"));
}

#[test]
fn commas_quotes_and_line_breaks_stay_in_their_cell() {
    let found = row(vec![schedule("s", "rm-1", json!({}))], vec![failure("s-1", Some("s"), "rm-1", NOW, "a,\"b\"\nc")]);
    let text = csv(&[found]).unwrap();
    let read: Vec<::csv::StringRecord> = ::csv::Reader::from_reader(text.as_bytes()).records().collect::<Result<_, _>>().unwrap();
    assert_eq!((read.len(), &read[0][18]), (1, "a,\"b\"\nc"));
}

#[test]
fn the_longest_names_widen_their_column_and_no_control_character_reaches_the_terminal() {
    let (name, instance) = ("n".repeat(50), format!("rm-{}", "x".repeat(60)));
    let backup = format!("{name}-202701141800");
    let found = report(
        vec![schedule(&name, &instance, json!({})), schedule("s", "rm-1", json!({}))],
        vec![
            success(&backup, Some(&name), &instance, "2027-01-14T18:00:00Z", GI),
            failure("s-1", Some("s"), "rm-1", NOW, "\u{1b}[31mred\nnext"),
        ],
    );
    let text = table(&found);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(&backup) && lines[1].contains(&instance), "{text}");
    assert_eq!(lines[0].find("OBJECTIVE"), lines[1].find("Met"), "{text}");
    assert_eq!(lines[0].find("OBJECTIVE"), lines[2].find("Missed"), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains("?[31mred?next, 0s ago"), "{text}");
}

/// In the night of 2027-03-28 the clocks of Berlin go from 02:00 to 03:00.
#[test]
fn the_next_run_is_shown_by_the_clocks_of_the_schedule() {
    let now = at("2027-03-27T12:00:00Z");
    for (zone, table_cell, instant) in [
        ("Asia/Shanghai", "2027-03-28 02:30 +08:00", "2027-03-27T18:30:00Z"),
        ("Europe/Berlin", "2027-03-28 03:00 +02:00", "2027-03-28T01:00:00Z"),
        ("America/St_Johns", "2027-03-28 02:30 -02:30", "2027-03-28T05:00:00Z"),
        ("Etc/UTC", "2027-03-28 02:30 +00:00", "2027-03-28T02:30:00Z"),
    ] {
        let found = objects(vec![schedule("s", "rm-1", json!({ "schedule": "30 2 * * *", "timeZone": zone }))], vec![]);
        let report = assess(&found, None, false, now);
        assert_eq!(report.rows[0].next_run_at, Some(at(instant)), "{zone}");
        assert!(table(&report).contains(table_cell), "{zone}: {}", table(&report));
    }
}

#[test]
fn the_age_of_the_data_counts_from_the_start_of_the_backup_and_is_missed_a_second_after_the_objective() {
    let spec = json!({ "freshness": { "maxAge": "26h" } });
    // It ended 20 minutes after its start: by its end it would be young enough in all of these.
    for (started_at, objective) in
        [("2027-01-14T10:00:00Z", Objective::Met), ("2027-01-14T09:59:59Z", Objective::Missed), ("2027-01-14T09:45:00Z", Objective::Missed)]
    {
        let found = row(vec![schedule("s", "rm-1", spec.clone())], vec![success("a", Some("s"), "rm-1", started_at, GI)]);
        assert_eq!(found.objective, objective, "{started_at}");
        assert_eq!(found.data_age_seconds, Some(at(NOW).duration_since(at(started_at)).as_secs()));
    }
}

#[test]
fn a_schedule_that_never_succeeded_is_pending_until_its_objective_is_due_and_missed_then() {
    for (created_at, objective) in [("2027-01-14T00:00:00Z", Objective::Pending), ("2027-01-13T23:59:59Z", Objective::Missed)] {
        let mut new = schedule("s", "rm-1", json!({}));
        new["metadata"]["creationTimestamp"] = json!(created_at);
        let found = report(vec![new.clone()], vec![]);
        assert_eq!((found.rows[0].objective, found.rows[0].data_age_seconds), (objective, None), "{created_at}");
        assert_eq!(found.is_met(), objective == Objective::Pending, "{created_at}");
        // After a change of the account it begins anew.
        new["status"] = json!({ "observedGeneration": 1, "account": "default", "accountSince": "2027-01-15T00:00:00Z" });
        assert_eq!(row(vec![new], vec![]).objective, Objective::Pending);
    }
}

#[test]
fn a_suspended_schedule_is_shown_and_counts_only_when_asked_for() {
    let found = objects(vec![schedule("s", "rm-1", json!({ "suspend": true }))], vec![]);
    let report = assess(&found, None, false, at(NOW));
    assert!(report.is_met() && table(&report).contains("suspended"));
    assert_eq!((report.rows[0].objective, report.rows[0].next_run_at), (Objective::Missed, None));
    let strict = assess(&found, None, true, at(NOW));
    assert!(!strict.is_met());
    assert_eq!(strict.objectives, Counts { missed: 1, ..Counts::default() });
}

#[test]
fn an_expired_set_is_no_usable_backup() {
    let mut expired = success("a", Some("s"), "rm-1", "2027-01-15T00:00:00Z", GI);
    expired["status"]["expiresAt"] = json!(NOW);
    let older = success("b", Some("s"), "rm-1", "2027-01-14T12:00:00Z", GI);
    let found = row(vec![schedule("s", "rm-1", json!({}))], vec![expired.clone(), older]);
    assert_eq!(found.newest_usable.unwrap().name, "b");
    // Nor by what the schedule's status remembers of it.
    let mut knows = schedule("s", "rm-1", json!({}));
    knows["status"] = json!({
        "observedGeneration": 1, "account": "default", "lastSuccess": { "name": "a", "completedAt": "2027-01-15T00:20:00Z", "backupId": "1" },
    });
    assert_eq!(row(vec![knows], vec![expired]).newest_usable, None);
}

#[test]
fn a_backup_whose_object_is_gone_is_known_by_its_end_alone() {
    let mut knows = schedule("s", "rm-1", json!({ "freshness": { "maxAge": "26h" } }));
    knows["status"] = json!({
        "observedGeneration": 1, "account": "default",
        "lastSuccess": { "name": "s-1", "completedAt": "2027-01-15T09:00:00Z", "backupId": "7" },
        "lastFailure": { "name": "s-2", "completedAt": "2027-01-15T10:00:00Z", "reason": "QueueTimeout" },
    });
    let found = report(vec![knows.clone()], vec![]);
    let shown = &found.rows[0];
    assert_eq!((shown.objective, shown.data_age_seconds), (Objective::Met, None));
    assert_eq!(shown.newest_usable.as_ref().and_then(|newest| newest.backup_id.as_deref()), Some("7"));
    assert!(table(&found).contains(">3h ") && table(&found).contains("QueueTimeout, 2h ago"), "{}", table(&found));
    let of_another = json!({ "spec": { "dbInstanceId": "rm-1", "account": "second" } });
    merge(&mut knows["spec"], json!({ "template": of_another }));
    assert_eq!(row(vec![knows], vec![]).newest_usable, None, "of another account");
}

#[test]
fn a_schedule_whose_only_set_has_expired_is_missed_and_not_pending() {
    let young = |spec: Value| {
        let mut object = schedule("s", "rm-1", spec);
        object["metadata"]["creationTimestamp"] = json!("2027-01-01T00:00:00Z");
        object
    };
    let monthly = || young(json!({ "schedule": "0 2 1 * *" }));
    assert_eq!(row(vec![monthly()], vec![]).objective, Objective::Pending);
    let mut expired = success("a", Some("s"), "rm-1", "2027-01-02T00:00:00Z", GI);
    assert_eq!(row(vec![monthly()], vec![expired.clone()]).objective, Objective::Met);
    expired["status"]["expiresAt"] = json!("2027-01-09T00:20:00Z");
    let found = row(vec![monthly()], vec![expired]);
    assert_eq!((found.objective, found.newest_usable), (Objective::Missed, None));
}

#[test]
fn a_set_whose_object_is_gone_expires_after_the_retention_of_the_template() {
    let found = |retention_days: Option<i32>, completed_at: &str| {
        let spec = json!({ "dbInstanceId": "rm-1", "retentionDays": retention_days });
        let mut knows = schedule("s", "rm-1", json!({ "schedule": "0 2 1 * *", "template": { "spec": spec } }));
        knows["metadata"]["creationTimestamp"] = json!("2027-01-01T00:00:00Z");
        let success = json!({ "name": "s-1", "completedAt": completed_at, "backupId": "7" });
        knows["status"] = json!({ "observedGeneration": 1, "account": "default", "lastSuccess": success });
        let found = row(vec![knows], vec![]);
        (found.objective, found.newest_usable.map(|newest| newest.expires_at))
    };
    assert_eq!(found(Some(7), "2027-01-08T12:00:00Z"), (Objective::Missed, None));
    assert_eq!(found(Some(7), "2027-01-08T12:00:01Z"), (Objective::Met, Some(Some(at("2027-01-15T12:00:01Z")))));
    assert_eq!(found(Some(-1), "2027-01-08T12:00:00Z"), (Objective::Met, Some(None)), "kept for ever");
    assert_eq!(found(None, "2027-01-08T12:00:00Z"), (Objective::Met, Some(None)), "not known");
}

#[test]
fn sizes_are_compared_between_backups_of_one_kind_only() {
    let older = success("a", Some("s"), "rm-1", "2027-01-14T00:00:00Z", 2 * GI);
    let newer = success("b", Some("s"), "rm-1", "2027-01-15T00:00:00Z", GI);
    let growth = |older: &Value, newer: &Value| {
        let found = row(vec![schedule("s", "rm-1", json!({}))], vec![older.clone(), newer.clone()]);
        (found.growth_bytes, found.growth_percent)
    };
    assert_eq!(growth(&older, &newer), (Some(-GI), Some(-50.0)));
    let mut snapshot = older.clone();
    snapshot["status"]["effective"]["method"] = json!("Snapshot");
    assert_eq!(growth(&snapshot, &newer), (None, None));
    let mut unknown = older.clone();
    unknown["status"].as_object_mut().unwrap().remove("sizeBytes");
    assert_eq!(growth(&unknown, &newer), (None, None));
    let mut empty = older;
    empty["status"]["sizeBytes"] = json!(0);
    assert_eq!(growth(&empty, &newer), (Some(GI), None), "nothing has no percent");
}

#[test]
fn what_the_operator_shows_is_the_next_run_until_the_schedule_is_edited() {
    let mut late = schedule("s", "rm-1", json!({}));
    late["status"] = json!({ "observedGeneration": 1, "nextScheduleTime": "2027-01-14T18:00:00Z" });
    assert_eq!(row(vec![late.clone()], vec![]).next_run_at, Some(at("2027-01-14T18:00:00Z")), "it is overdue");
    late["metadata"]["generation"] = json!(2);
    assert_eq!(row(vec![late], vec![]).next_run_at, Some(at("2027-01-15T18:00:00Z")));
}

#[test]
fn an_expired_wish_is_no_failure() {
    let backups = vec![
        failure("s-1", Some("s"), "rm-1", "2027-01-14T00:00:00Z", "BackupFailed"),
        failure("s-2", Some("s"), "rm-1", "2027-01-15T00:00:00Z", "Expired"),
    ];
    let failed = row(vec![schedule("s", "rm-1", json!({}))], backups).last_failure.unwrap();
    assert_eq!(
        (failed.name.as_str(), failed.reason.as_deref(), failed.message.as_deref()),
        ("s-1", Some("BackupFailed"), Some("it failed"))
    );
}

#[test]
fn a_schedule_counts_its_own_backups_and_an_instance_without_one_all_of_its_own() {
    let found = report(
        vec![schedule("s", "rm-1", json!({ "template": { "spec": { "dbInstanceId": "rm-1", "account": "second" } } }))],
        vec![
            // By hand, of the same instance and the same account as the schedule: it says nothing about the schedule.
            {
                let mut by_hand = success("by-hand", None, "rm-1", "2027-01-15T00:00:00Z", GI);
                by_hand["spec"]["account"] = json!("second");
                by_hand
            },
            // Of the account that the schedule named before.
            success("s-1", Some("s"), "rm-1", "2027-01-15T01:00:00Z", GI),
            // Of a schedule that is gone.
            success("gone-1", Some("gone"), "rm-2", "2027-01-15T02:00:00Z", GI),
        ],
    );
    let shown: Vec<_> = found
        .rows
        .iter()
        .map(|row| (row.schedule.as_deref(), row.account.as_deref(), row.newest_usable.as_ref().map(|newest| newest.name.as_str())))
        .collect();
    assert_eq!(shown, [(Some("s"), Some("second"), None), (None, Some("default"), Some("s-1")), (None, Some("default"), Some("gone-1"))]);
}

#[test]
fn what_cannot_be_read_is_shown_and_never_met() {
    let mut backup = success("s-1", Some("s"), "rm-1", "2027-01-15T00:00:00Z", GI);
    backup["status"]["phase"] = json!("Restoring");
    backup["metadata"]["labels"]["rdsbackup.io/schedule-uid"] = json!("uid-of-s");
    let broken = json!({ "metadata": { "name": "broken", "namespace": "team-a" }, "spec": { "schedule": 7 } });
    let found = report(vec![schedule("s", "rm-1", json!({})), broken], vec![backup]);
    assert_eq!(found.rows.len(), 2);
    assert_eq!((found.rows[0].schedule.as_deref(), found.rows[0].objective), (Some("broken"), Objective::Unknown));
    assert_eq!((found.objectives.unknown, found.objectives.missed), (1, 1));
    assert!(!found.is_met());
    let kinds: Vec<_> = found.unreadable.iter().map(|object| (object.kind, object.name.as_str())).collect();
    assert_eq!(kinds, [("RdsBackup", "s-1"), ("RdsBackupSchedule", "broken")]);
    let text = table(&found);
    assert!(text.contains("! team-a/broken: the RdsBackupSchedule cannot be read: "), "{text}");
    assert!(text.contains("! team-a/s: the RdsBackup s-1 of the schedule cannot be read"), "{text}");
    assert!(text.contains("! RdsBackup team-a/s-1 cannot be read: ") && text.contains("Restoring"), "{text}");
}

#[test]
fn an_invalid_schedule_has_the_objective_that_it_names_or_none_that_can_be_told() {
    let invalid = |spec: Value| row(vec![schedule("s", "rm-1", spec)], vec![success("a", Some("s"), "rm-1", "2027-01-15T00:00:00Z", GI)]);
    let given = invalid(json!({ "timeZone": "Nowhere", "freshness": { "maxAge": "11h" } }));
    assert_eq!((given.objective, given.next_run_at), (Objective::Missed, None));
    assert!(given.problem.unwrap().contains("timeZone"));
    let derived = invalid(json!({ "timeZone": "Nowhere" }));
    assert_eq!((derived.objective, derived.max_age_seconds), (Objective::Unknown, None));
}

/// Times at the ends of time come from users and from wrong clocks.
#[test]
fn no_time_is_too_far_away() {
    for far in ["9999-12-30T00:00:00Z", "-009998-01-01T00:00:00Z"] {
        let mut far_away = schedule("s", "rm-1", json!({ "jitter": "1h", "freshness": { "maxAge": "999999h" } }));
        far_away["metadata"]["creationTimestamp"] = json!(far);
        let backups = vec![
            success("a", Some("s"), "rm-1", far, i64::MAX),
            success("b", Some("s"), "rm-1", NOW, -5),
            failure("c", Some("s"), "rm-1", far, "BackupFailed"),
        ];
        let found = report(vec![far_away], backups);
        assert_eq!(table(&found).lines().count(), 2);
        assert!(found.rows[0].data_age_seconds.unwrap() >= 0);
        csv(&found.rows).unwrap();
    }
}
