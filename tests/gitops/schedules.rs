//! RdsBackupSchedules in every situation.

use rds_backup_sandbox::rds::{Effect, Fault};
use serde_json::{Value, json};

use super::stage::{NAMESPACE, REFUSED, Stage, UNANSWERED, Want, condition, is_observed, is_true, named};

/// Name, and fields of the spec beside a slot that is far away.
fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("not-seen", json!({})),
        ("armed", json!({})),
        ("suspended", json!({ "suspend": true })),
        ("suspended-not-fresh", json!({ "suspend": true, "freshness": { "maxAge": "1s" } })),
        ("invalid-schedule", json!({ "schedule": "0 0 30 2 *" })),
        ("invalid-time-zone", json!({ "timeZone": "Asia/Shanghia" })),
        (
            "invalid-template",
            json!({ "template": { "metadata": { "labels": { "a b": "c" } }, "spec": { "dbInstanceId": "rm-mysql-template" } } }),
        ),
        ("backup-running", json!({ "runOnCreate": true, "template": template("rm-mysql-long-2") })),
        ("backup-succeeded", json!({ "runOnCreate": true })),
        ("backup-failed", json!({ "runOnCreate": true, "template": template("rm-mysql-bad-2") })),
        (
            "backup-stalled",
            json!({ "runOnCreate": true, "template": { "spec": { "dbInstanceId": "rm-mysql-stalled", "account": "missing" } } }),
        ),
        ("too-frequent", json!({ "schedule": "0 * * * *" })),
        ("not-fresh", json!({ "freshness": { "maxAge": "1s" } })),
        ("child-refused", json!({ "runOnCreate": true })),
        ("child-not-created", json!({ "runOnCreate": true })),
    ]
}

fn template(instance: &str) -> Value {
    json!({ "spec": { "dbInstanceId": instance, "method": "Physical" } })
}

fn schedule(name: &str, fields: Value) -> Value {
    let namespace = match name {
        "child-refused" => REFUSED,
        "child-not-created" => UNANSWERED,
        _ => NAMESPACE,
    };
    let mut spec = json!({ "schedule": "0 0 29 2 *", "template": template(&format!("rm-mysql-{name}")) });
    if let Value::Object(fields) = fields {
        for (key, value) in fields {
            spec[key] = value;
        }
    }
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}

pub async fn apply(stage: &Stage) {
    stage.world.rds.add_fault(Fault::on("CreateBackup", Effect::FailJob).instance("rm-mysql-bad-2"));
    let objects: Vec<Value> = all().into_iter().map(|(name, fields)| schedule(name, fields)).collect();
    stage.apply(&objects.into()).await;
}

pub fn not_seen() -> Want {
    Want::schedule("not-seen", |object| named(object, "not-seen") && object["status"]["observedGeneration"] == -1)
}

fn want(name: &'static str, is: impl Fn(&Value) -> bool + 'static) -> Want {
    Want::schedule(name, move |object| named(object, name) && is_observed(object) && is(object))
}

fn has(kind: &'static str, status: &'static str, reason: &'static str) -> impl Fn(&Value) -> bool {
    move |object| condition(object, kind)["status"] == status && condition(object, kind)["reason"] == reason
}

pub fn first() -> Vec<Want> {
    vec![
        want("armed", has("Ready", "True", "Scheduled")),
        want("suspended", |object| has("Ready", "True", "Suspended")(object) && has("Fresh", "Unknown", "NoBackupYet")(object)),
        want("suspended-not-fresh", |object| is_true(object, "Suspended") && has("Fresh", "False", "TooOld")(object)),
        want("invalid-schedule", has("Stalled", "True", "InvalidSchedule")),
        want("invalid-time-zone", has("Stalled", "True", "InvalidTimeZone")),
        want("invalid-template", has("Stalled", "True", "InvalidTemplate")),
        want("backup-running", |object| {
            is_true(object, "Ready") && object["status"]["active"].as_array().is_some_and(|names| names.len() == 1)
        }),
        want("backup-succeeded", |object| is_true(object, "LastBackupSucceeded") && is_true(object, "Fresh")),
        want("backup-failed", has("LastBackupSucceeded", "False", "BackupFailed")),
        want("backup-stalled", |object| is_true(object, "Ready") && has("BackupStalled", "True", "AccountNotFound")(object)),
        want("too-frequent", |object| is_true(object, "Ready") && has("TooFrequent", "True", "TooManySlots")(object)),
        want("not-fresh", |object| is_true(object, "Ready") && has("Fresh", "False", "TooOld")(object)),
        want("child-refused", has("Stalled", "True", "ChildRefused")),
    ]
}

pub async fn go_on(stage: &Stage) {
    stage.patch("rdsbackupschedule", "backup-failed", &json!({ "spec": { "suspend": true } })).await;
}

pub fn second() -> Vec<Want> {
    vec![
        Want::schedule("suspended-backup-failed", |object| {
            named(object, "backup-failed")
                && is_observed(object)
                && is_true(object, "Suspended")
                && has("LastBackupSucceeded", "False", "BackupFailed")(object)
        }),
        // Told after a minute: the API server may be restarting.
        want("child-not-created", has("Reconciling", "True", "ChildNotCreated")),
    ]
}

pub async fn edit(stage: &Stage) {
    stage.patch("rdsbackupschedule", "armed", &json!({ "spec": { "successfulHistoryLimit": 3 } })).await;
}

pub fn edited() -> Want {
    Want::schedule("edited", |object| named(object, "armed") && object["metadata"]["generation"] == 2)
}

pub fn edited_and_seen() -> Want {
    Want::schedule("edited-and-seen", |object| named(object, "armed") && object["metadata"]["generation"] == 2 && is_observed(object))
}
