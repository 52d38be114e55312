use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{World, backup, condition, submission};

fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(series, value)| ((*series).to_owned(), (*value).to_owned())).collect()
}

/// One of each kind that counts somewhere.
fn world() -> World {
    let mut older =
        backup("older", "prod", json!({ "phase": "Queued", "queue": { "reason": "Throttled", "since": "2026-03-01T11:00:00Z" } }));
    older["metadata"]["creationTimestamp"] = json!("2026-03-01T11:00:00Z");
    World::of(
        vec![
            older,
            backup("younger", "prod", json!({ "phase": "Queued", "queue": { "reason": "Throttled", "since": "2026-03-01T12:00:00Z" } })),
            backup(
                "odd",
                "of a stranger",
                json!({ "phase": "Queued", "queue": { "reason": "Any text", "since": "2026-03-01T12:00:00Z" } }),
            ),
            backup(
                "stalled",
                "prod",
                json!({ "phase": "Pending", "conditions": [condition("Stalled", "True", "NotAllowed"), condition("Ready", "False", "NotAllowed")] }),
            ),
            backup(
                "invented",
                "prod",
                json!({ "phase": "Pending", "conditions": [condition("Stalled", "True", "Invented"), condition("Ready", "False", "Invented")] }),
            ),
            backup(
                "failed",
                "prod",
                json!({ "phase": "Failed", "conditions": [condition("Stalled", "True", "Timeout"), condition("Ready", "False", "Timeout")] }),
            ),
            backup("lost", "prod", json!({ "phase": "Resolving", "submission": submission(true) })),
            backup("announced", "prod", json!({ "phase": "Submitting", "submission": submission(false) })),
            backup("accepted", "prod", json!({ "phase": "Running", "backupJobId": "1", "submission": submission(true) })),
            backup(
                "twice",
                "prod",
                json!({ "phase": "Succeeded", "conditions": [condition("DuplicateBackup", "True", "PossibleDuplicate")] }),
            ),
            json!({ "metadata": { "namespace": "team-b", "name": "unreadable", "uid": "u" }, "spec": { "dbInstanceId": 7 } }),
        ],
        Vec::new(),
    )
}

#[tokio::test]
async fn backups_are_counted_by_what_they_are_in() {
    let world = world();
    let phase = |phase: &str, count: &str| (format!("rdsbackup_backups{{namespace=\"team-a\",phase=\"{phase}\"}}"), count.to_owned());
    let phases = [
        ("Pending", "2"),
        ("Queued", "3"),
        ("Submitting", "1"),
        ("Resolving", "1"),
        ("Running", "1"),
        ("Finalizing", "0"),
        ("Succeeded", "1"),
        ("Failed", "1"),
    ];
    assert_eq!(world.series("rdsbackup_backups"), phases.map(|(name, count)| phase(name, count)).into());
    assert_eq!(
        world.series("rdsbackup_backups_stalled"),
        of(&[
            (r#"rdsbackup_backups_stalled{namespace="team-a",reason="NotAllowed"}"#, "1"),
            (r#"rdsbackup_backups_stalled{namespace="team-a",reason="other"}"#, "1"),
        ]),
        "one that has failed needs nobody any more"
    );
    assert_eq!(
        world.series("rdsbackup_backups_queued"),
        of(&[
            (r#"rdsbackup_backups_queued{account="prod",reason="Throttled"}"#, "2"),
            (r#"rdsbackup_backups_queued{account="other",reason="other"}"#, "1"),
        ])
    );
    let oldest = world.series("rdsbackup_oldest_unfinished_backup_timestamp_seconds");
    let of_queued = r#"rdsbackup_oldest_unfinished_backup_timestamp_seconds{account="prod",phase="Queued"}"#;
    assert_eq!(oldest.get(of_queued).map(String::as_str), Some("1772362800"), "{oldest:?}");
    assert!(!oldest.keys().any(|series| series.contains("Succeeded") || series.contains("Failed")), "{oldest:?}");
    assert_eq!(
        world.series("rdsbackup_backups_outcome_unknown"),
        of(&[
            (r#"rdsbackup_backups_outcome_unknown{account="prod"}"#, "1"),
            (r#"rdsbackup_backups_outcome_unknown{account="hub"}"#, "0"),
            (r#"rdsbackup_backups_outcome_unknown{account="spare"}"#, "0"),
        ])
    );
    assert_eq!(world.series("rdsbackup_backups_duplicate"), of(&[(r#"rdsbackup_backups_duplicate{namespace="team-a"}"#, "1")]));
    assert_eq!(
        world.series("rdsbackup_objects_unreadable"),
        of(&[
            (r#"rdsbackup_objects_unreadable{kind="RdsBackup"}"#, "1"),
            (r#"rdsbackup_objects_unreadable{kind="RdsBackupSchedule"}"#, "0"),
        ])
    );
}

/// Where a series begins with its first event, `increase()` is 0 at it.
#[tokio::test]
async fn every_account_has_its_counters_before_anything_happened() {
    let world = World::of(Vec::new(), Vec::new());
    for name in ["rdsbackup_operator_unknown_outcomes_total", "rdsbackup_operator_adoptions_total"] {
        let [hub, prod, spare] = ["hub", "prod", "spare"].map(|account| format!("{name}{{account=\"{account}\"}}"));
        assert_eq!(world.series(name), of(&[(&hub, "0"), (&prod, "0"), (&spare, "0")]));
    }
}

/// Otherwise one that has queued for hours would be stuck as soon as it is submitted.
#[tokio::test]
async fn the_oldest_of_a_phase_counts_from_when_it_came_into_it() {
    let status = |phase: &str| {
        let mut submission = submission(true);
        submission["unresolvedSince"] = json!("2026-03-01T11:10:00Z");
        json!({
            "phase": phase, "submission": submission, "queue": { "reason": "Throttled", "since": "2026-03-01T11:05:00Z" },
            "startedAt": "2026-03-01T11:20:00Z",
        })
    };
    for (phase, since) in [
        ("Pending", "2026-03-01T11:05:00Z"),
        ("Queued", "2026-03-01T11:05:00Z"),
        ("Submitting", "2026-03-01T11:10:00Z"),
        ("Resolving", "2026-03-01T11:10:00Z"),
        ("Running", "2026-03-01T11:20:00Z"),
        ("Finalizing", "2026-03-01T11:20:00Z"),
    ] {
        let created = "2026-03-01T08:00:00Z";
        for (status, expected) in [(status(phase), since), (json!({ "phase": phase }), created)] {
            let mut object = backup("one", "prod", status);
            object["metadata"]["creationTimestamp"] = json!(created);
            let oldest = World::of(vec![object], Vec::new()).series("rdsbackup_oldest_unfinished_backup_timestamp_seconds");
            let seconds = expected.parse::<jiff::Timestamp>().unwrap().as_second().to_string();
            assert_eq!(oldest.values().collect::<Vec<_>>(), [&seconds], "{phase}: {oldest:?}");
        }
    }
}

/// A tenant can write any text into its objects: none of it becomes a label, but for the names of objects and namespaces.
#[tokio::test]
async fn no_text_of_a_tenant_makes_series_without_end() {
    let with_reason = |number: usize| {
        let text = format!("text-{number}");
        let conditions: [Value; 2] = [condition("Stalled", "True", &text), condition("Ready", "False", &text)];
        let queue = json!({ "reason": text, "since": "2026-03-01T12:00:00Z" });
        backup(&format!("b{number}"), &text, json!({ "phase": "Queued", "conditions": conditions, "queue": queue }))
    };
    let lines = |many: usize| World::of((0..many).map(with_reason).collect(), Vec::new()).scrape().lines().count();
    assert_eq!(lines(500), lines(1));
}

#[tokio::test]
async fn what_waits_for_the_deletion_of_its_set_is_counted_by_why() {
    let said = |name: &str, account: &str, reason: &str, deleted: bool| {
        let conditions = [condition("DeletionSupported", "False", reason)];
        let mut object = backup(name, account, json!({ "phase": "Succeeded", "conditions": conditions }));
        if deleted {
            object["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
        }
        object
    };
    let objects = vec![
        said("a", "prod", "DeletionBlocked", true),
        said("b", "prod", "DeletionBlocked", true),
        said("c", "prod", "NotOldEnough", true),
        said("d", "of-nobody", "text of a tenant", true),
        said("e", "prod", "NeverDeletable", false),
    ];
    let blocked = World::of(objects, Vec::new()).series("rdsbackup_backup_deletions_blocked");
    let expected = [
        (r#"rdsbackup_backup_deletions_blocked{account="other",reason="other"}"#, "1"),
        (r#"rdsbackup_backup_deletions_blocked{account="prod",reason="DeletionBlocked"}"#, "2"),
        (r#"rdsbackup_backup_deletions_blocked{account="prod",reason="NotOldEnough"}"#, "1"),
    ];
    let found: Vec<_> = blocked.iter().map(|(labels, value)| (labels.as_str(), value.as_str())).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_lost_its_set_before_its_time_is_counted() {
    let said = |name: &str, status: &str, reason: &str| {
        backup(name, "prod", json!({ "phase": "Succeeded", "conditions": [condition("Available", status, reason)] }))
    };
    let objects = vec![
        said("a", "False", "BackupSetGone"),
        said("b", "False", "BackupSetUnusable"),
        said("c", "False", "BackupSetExpired"),
        said("d", "True", "Listed"),
    ];
    let unavailable = World::of(objects, Vec::new()).series("rdsbackup_backups_unavailable");
    assert_eq!(unavailable, of(&[(r#"rdsbackup_backups_unavailable{namespace="team-a"}"#, "2")]));
}
