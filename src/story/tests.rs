use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use serde_json::{Value, json};

use super::*;
use crate::api::RdsBackup;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn backup(name: &str, created_at: &str, status: &Value) -> RdsBackup {
    serde_json::from_value(json!({
        "metadata": { "namespace": "team-b", "name": name, "uid": format!("uid-{name}"), "creationTimestamp": created_at, "generation": 1 },
        "spec": { "dbInstanceId": "rm-orders" },
        "status": status,
    }))
    .unwrap()
}

fn told(backup: &RdsBackup, events: &Value) -> Vec<String> {
    let events: Vec<Event> = serde_json::from_value(events.clone()).unwrap();
    written(story(backup, &events, at("2026-11-30T12:00:00Z"))).lines().map(str::to_owned).collect()
}

/// The second column, and the time before it.
fn heads(lines: &[String]) -> Vec<(&str, &str)> {
    lines.iter().map(|line| (line[..20].trim(), line[22..].split("  ").next().unwrap())).collect()
}

#[test]
fn a_whole_life_is_told_in_order_with_its_ids() {
    let status = json!({
        "observedGeneration": 1, "phase": "Succeeded", "backupJobId": "11000017", "backupId": "700000023", "requestId": "REQ-1", "origin": "Created",
        "startedAt": "2026-11-30T02:00:20Z", "completedAt": "2026-11-30T02:12:50Z", "duration": "12m30s", "size": "42Gi",
        "consistentTime": "2026-11-30T02:12:00Z", "expiresAt": "2026-12-30T02:12:50Z", "expirySource": "Service",
        "submission": {
            "run": 1, "attempt": 2, "nonce": "n", "timestamp": "2026-11-30T02:00:19Z", "cleared": true, "outcome": "Accepted",
            "baseline": { "at": "2026-11-30T02:00:18Z" }, "unresolvedSince": "2026-11-30T02:00:19Z", "waitingSince": "2026-11-30T02:00:01Z",
        },
        "attempts": [{ "run": 1, "attempt": 1, "outcome": "Rejected", "at": "2026-11-30T02:00:05Z", "code": "ServiceUnavailable" }],
        "lastError": { "code": "ServiceUnavailable", "message": "later", "requestId": "REQ-0", "at": "2026-11-30T02:00:05Z" },
        "conditions": [
            { "type": "Ready", "status": "True", "reason": "Succeeded", "message": "done", "lastTransitionTime": "2026-11-30T02:12:55Z" },
            { "type": "Available", "status": "False", "reason": "BackupSetGone", "message": "gone", "lastTransitionTime": "2026-11-30T09:00:00Z" },
        ],
    });
    let events = json!([
        { "metadata": {}, "eventTime": "2026-11-30T02:12:55.250000Z", "reason": "Succeeded", "note": "set 700000023", "type": "Normal" },
        { "metadata": {}, "eventTime": "2026-11-30T09:00:00.000000Z", "reason": "BackupSetGone", "note": "gone\nfor good", "type": "Warning" },
    ]);
    let lines = told(&backup("b", "2026-11-30T02:00:00Z", &status), &events);
    let wanted = [
        ("2026-11-30T02:00:00Z", "created"),
        ("2026-11-30T02:00:05Z", "attempt"),
        ("2026-11-30T02:00:05Z", "error"),
        ("2026-11-30T02:00:19Z", "requested"),
        ("2026-11-30T02:00:20Z", "job began"),
        ("2026-11-30T02:12:00Z", "consistent"),
        ("2026-11-30T02:12:50Z", "ended"),
        ("2026-11-30T02:12:55Z", "condition"),
        ("2026-11-30T02:12:55Z", "event"),
        ("2026-11-30T09:00:00Z", "warning"),
        ("2026-11-30T09:00:00Z", "audit"),
        ("2026-12-30T02:12:50Z", "expires"),
        ("now", "phase"),
    ];
    assert_eq!(heads(&lines), wanted, "{lines:#?}");
    let all = lines.join("\n");
    for id in
        ["uid=uid-b", "code=ServiceUnavailable", "request=REQ-0", "job=11000017 request=REQ-1", "set=700000023 size=42Gi duration=12m30s"]
    {
        assert!(all.contains(id), "{id}: {all}");
    }
    assert!(all.contains("BackupSetGone: gone for good"), "a line break is no other line: {all}");
}

#[test]
fn an_object_without_events_or_status_has_a_story_too() {
    let lines = told(&backup("b", "2026-11-30T02:00:00Z", &Value::Null), &json!([]));
    assert_eq!(heads(&lines), [("2026-11-30T02:00:00Z", "created"), ("now", "not seen")], "{lines:#?}");
    let healthy = json!({ "observedGeneration": 1, "phase": "Succeeded", "completedAt": "2026-11-30T02:12:50Z" });
    let lines = told(&backup("b", "2026-11-30T02:00:00Z", &healthy), &json!([]));
    assert!(lines.iter().any(|line| line.starts_with("now                   audit    no daily look")), "{lines:#?}");
}

#[test]
fn a_backup_that_was_there_already_says_whose_it_is() {
    let reused = json!({
        "observedGeneration": 1, "phase": "Succeeded", "backupId": "7", "origin": "Reused", "reusedFrom": "before-release-41",
        "startedAt": "2026-11-30T01:40:00Z", "completedAt": "2026-11-30T01:50:00Z",
    });
    let lines = told(&backup("b", "2026-11-30T02:00:00Z", &reused), &json!([]));
    assert!(lines.contains(&"2026-11-30T01:40:00Z  set began  Reused from=before-release-41".to_owned()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("job began")), "{lines:#?}");
}

#[test]
fn the_place_in_the_queue_is_by_creation_and_then_by_uid() {
    let queued = json!({ "observedGeneration": 1, "phase": "Queued" });
    let conditions = json!([{ "type": "Ready", "status": "False", "reason": "SubmissionsPaused", "message": "m",
        "lastTransitionTime": "2026-11-30T02:00:00Z" }]);
    let all = [
        backup("c", "2026-11-30T02:00:02Z", &queued),
        backup("b", "2026-11-30T02:00:01Z", &Value::Null),
        backup("a", "2026-11-30T02:00:02Z", &queued),
        backup("runs", "2026-11-30T01:00:00Z", &json!({ "observedGeneration": 1, "phase": "Running" })),
        backup("ended", "2026-11-30T01:00:00Z", &json!({ "observedGeneration": 1, "phase": "Succeeded" })),
        backup("aside", "2026-11-30T00:00:00Z", &json!({ "observedGeneration": 1, "phase": "Queued", "conditions": conditions })),
    ];
    let text = |of: usize| place(&all[of], all.iter(), at("2026-11-30T12:00:00Z")).map(|place| place.text("rm-orders"));
    assert_eq!(text(1).as_deref(), Some("1st of 3 of rm-orders; team-b/runs has the instance (Running)"));
    assert_eq!(text(2).as_deref(), Some("2nd of 3 of rm-orders behind team-b/b; team-b/runs has the instance (Running)"));
    assert_eq!(text(0).as_deref(), Some("3rd of 3 of rm-orders behind team-b/a; team-b/runs has the instance (Running)"));
    assert_eq!((text(3), text(4)), (None, None), "what has begun or ended waits for nothing");
    assert_eq!(text(5).as_deref(), Some("1st of 4 of rm-orders; team-b/runs has the instance (Running)"));
}
