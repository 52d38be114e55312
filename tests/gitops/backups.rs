//! RdsBackups in every phase.

use std::time::Duration;

use rds_backup_sandbox::rds::{Effect, Fault, JobKind, When};
use serde_json::{Value, json};

use super::stage::{NAMESPACE, Stage, Want, condition, is_observed, is_true, named};

/// Name, the instance id after `rm-`, and further fields of the spec.
fn all() -> Vec<(&'static str, &'static str, Value)> {
    let none = || json!({});
    vec![
        ("not-seen", "mysql-unseen", none()),
        ("account-not-found", "mysql-account", json!({ "account": "missing" })),
        ("not-allowed", "mysql-allow", json!({ "account": "others" })),
        ("access-denied", "mysql-denied", none()),
        ("instance-busy", "mysql-busy", none()),
        ("retry-backoff", "mysql-retry", json!({ "retry": { "limit": 1, "backoff": "1h" } })),
        ("submitting", "mysql-slow", none()),
        ("resolving", "mysql-lost", json!({ "account": "patient" })),
        ("resolving-for-ever", "mysql-never", json!({ "account": "never" })),
        ("running", "mysql-long-1", none()),
        ("finalizing", "mysql-found", json!({ "account": "patient" })),
        ("succeeded", "mysql-good", none()),
        ("failed", "mysql-bad", none()),
        ("unsupported-method", "readonly-1", none()),
    ]
}

fn backup(name: &str, instance: &str, mut spec: Value) -> Value {
    spec["dbInstanceId"] = format!("rm-{instance}").into();
    spec["method"] = "Physical".into();
    json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec })
}

fn denied() -> Effect {
    let message = "User not authorized to operate on the specified resource.";
    Effect::ApiError { code: "Forbidden.RAM".into(), http_status: 403, message: message.into(), executed: false }
}

pub async fn apply(stage: &Stage) {
    let rds = &stage.world.rds;
    // The answer comes late, and within the 30 s that the operator waits for one.
    let late = Effect::Delay { ms: 25_000, when: When::After };
    for (instance, effect) in [
        ("rm-mysql-denied", denied()),
        ("rm-mysql-retry", Effect::FailJob),
        ("rm-mysql-slow", late),
        ("rm-mysql-lost", Effect::DropBefore),
        ("rm-mysql-never", Effect::DropBefore),
        ("rm-mysql-found", Effect::LoseAnswer),
        ("rm-mysql-bad", Effect::FailJob),
    ] {
        rds.add_fault(Fault::on("CreateBackup", effect).instance(instance));
    }
    rds.start_job("rm-mysql-busy", JobKind::Automated, Duration::from_secs(3600)).expect("a job");
    let objects: Vec<Value> = all().into_iter().map(|(name, instance, spec)| backup(name, instance, spec)).collect();
    stage.apply(&objects.into()).await;
}

/// A situation: an object in that phase, for that reason, with that condition true.
fn want(situation: &'static str, object: &'static str, phase: &'static str, reason: &'static str, kind: &'static str) -> Want {
    Want::backup(situation, move |found| {
        let right_phase = found["status"]["phase"] == phase && condition(found, "Ready")["reason"] == reason;
        named(found, object) && right_phase && is_true(found, kind)
    })
}

pub fn not_seen() -> Want {
    Want::backup("not-seen", |object| named(object, "not-seen") && object["status"]["observedGeneration"] == -1)
}

pub fn first() -> Vec<Want> {
    let table = [
        ("account-not-found", "Pending", "AccountNotFound", "Stalled"),
        ("not-allowed", "Pending", "NotAllowed", "Stalled"),
        ("access-denied", "Pending", "AccessDenied", "Stalled"),
        ("instance-busy", "Queued", "InstanceBusy", "Reconciling"),
        ("retry-backoff", "Queued", "RetryBackoff", "Reconciling"),
        ("submitting", "Submitting", "Submitting", "Reconciling"),
        ("resolving", "Resolving", "OutcomeUnknown", "Reconciling"),
        ("resolving-for-ever", "Resolving", "OutcomeUnknown", "Stalled"),
        ("running", "Running", "Running", "Reconciling"),
        ("finalizing", "Finalizing", "Finalizing", "Reconciling"),
        ("succeeded", "Succeeded", "Succeeded", "Ready"),
        ("failed", "Failed", "BackupFailed", "Stalled"),
        ("unsupported-method", "Failed", "UnsupportedMethod", "Stalled"),
    ];
    let of_a_schedule = Want::backup("of-a-schedule", |object| is_of_a_schedule(object) && is_true(object, "Ready"));
    let named = table.map(|(name, phase, reason, kind)| want(name, name, phase, reason, kind));
    named.into_iter().chain([of_a_schedule]).collect()
}

fn is_of_a_schedule(object: &Value) -> bool {
    object["metadata"]["labels"]["rdsbackup.io/schedule-name"] == "backup-succeeded"
}

/// Situations that need another object in its situation first.
pub async fn go_on(stage: &Stage) {
    stage.apply(&json!([backup("waiting-for-turn", "mysql-long-1", json!({}))])).await;
    stage.world.rds.add_fault(Fault::on("DescribeBackupTasks", denied()).instance("rm-mysql-long-1"));
    let label = "--selector=rdsbackup.io/schedule-name=backup-succeeded";
    stage.run(&["annotate", "rdsbackups", label, "-n", NAMESPACE, "rdsbackup.io/hold=true"]).await;
}

pub fn second() -> Vec<Want> {
    vec![
        want("waiting-for-turn", "waiting-for-turn", "Queued", "WaitingForTurn", "Reconciling"),
        want("running-access-denied", "running", "Running", "AccessDenied", "Stalled"),
        Want::backup("of-a-schedule-held", |object| {
            is_of_a_schedule(object) && object["metadata"]["annotations"]["rdsbackup.io/hold"] == "true"
        }),
    ]
}

pub async fn edit(stage: &Stage) {
    for name in ["succeeded", "failed"] {
        stage.patch("rdsbackup", name, &json!({ "spec": { "timeout": "23h" } })).await;
    }
}

pub fn edited() -> [Want; 2] {
    [("edited", "succeeded"), ("failed-edited", "failed")]
        .map(|(situation, name)| Want::backup(situation, move |object| named(object, name) && object["metadata"]["generation"] == 2))
}

pub fn edited_and_seen() -> Want {
    Want::backup("edited-and-seen", |object| named(object, "succeeded") && object["metadata"]["generation"] == 2 && is_observed(object))
}
