//! The actions: what Argo CD would send is accepted by the API server, does what it says, and nothing else.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::stage::{NAMESPACE, Stage, condition, named};

pub async fn check(stage: &Stage, patches: &[Value]) {
    let mut accepted = BTreeSet::new();
    for described in patches {
        let text = |key: &str| described[key].as_str().expect("text").to_owned();
        let (kind, name, namespace, action) = (text("kind"), text("name"), text("namespace"), text("action"));
        let patch = &described["patch"];
        assert_eq!(*patch, wanted(&action, patch), "{kind} {name}: {action}");
        let args = ["patch", &kind, &name, "-n", &namespace, "--type=merge", "--dry-run=server", "-p", &patch.to_string()];
        let after = stage.kubectl().json(&args).await.unwrap_or_else(|error| panic!("{kind} {name}: {action}: {error}"));
        match action.as_str() {
            "hold" => assert_eq!(after["metadata"]["annotations"]["rdsbackup.io/hold"], "true"),
            "release" => assert!(after["metadata"]["annotations"]["rdsbackup.io/hold"].is_null()),
            _ => {
                let (field, value) = patch["spec"].as_object().and_then(|spec| spec.iter().next()).expect("a field");
                assert_eq!(after["spec"][field], *value, "{kind} {name}: {action}");
            }
        }
        accepted.insert(action);
    }
    assert_eq!(accepted.iter().map(String::as_str).collect::<Vec<_>>(), ["backup-now", "hold", "release", "resume", "suspend"]);
    println!("{} patches of actions accepted by the API server", patches.len());
    in_earnest(stage, patches).await;
}

/// The patch that an action makes. Of a token only its shape is known.
fn wanted(action: &str, patch: &Value) -> Value {
    let hold = |value: Value| json!({ "metadata": { "annotations": { "rdsbackup.io/hold": value } } });
    match action {
        "hold" => hold("true".into()),
        "release" => hold(Value::Null),
        "suspend" => json!({ "spec": { "suspend": true } }),
        "resume" => json!({ "spec": { "suspend": false } }),
        "backup-now" => {
            let token = &patch["spec"]["trigger"];
            let at = token.as_str().and_then(|token| token.strip_prefix("argocd-")).unwrap_or_default();
            let at: jiff::Timestamp = at.parse().unwrap_or_else(|error| panic!("{patch}: {error}"));
            assert!(now().duration_since(at).unsigned_abs() < Duration::from_secs(600), "{at} is another time zone's");
            json!({ "spec": { "trigger": token } })
        }
        other => panic!("an action {other} that is not known here"),
    }
}

/// `backup-now` on a suspended schedule makes a backup, and `resume` arms it.
async fn in_earnest(stage: &Stage, patches: &[Value]) {
    let of = |action: &str| {
        let found = patches.iter().find(|patch| patch["situation"] == "suspended" && patch["action"] == action);
        found.unwrap_or_else(|| panic!("no {action}"))["patch"].clone()
    };
    stage.patch("rdsbackupschedule", "suspended", &of("backup-now")).await;
    let is_child = |object: &Value| object["metadata"]["labels"]["rdsbackup.io/schedule-name"] == "suspended";
    stage.until("the backup", |object| is_child(object) && object["status"]["phase"] == "Succeeded").await;
    stage.patch("rdsbackupschedule", "suspended", &of("resume")).await;
    let is_armed = |object: &Value| condition(object, "Ready")["reason"] == "Scheduled";
    stage.until("armed", |object| named(object, "suspended") && object["metadata"]["namespace"] == NAMESPACE && is_armed(object)).await;
    assert_eq!(stage.world.rds.accepted("rm-mysql-suspended"), 1);
}

#[expect(clippy::disallowed_methods, reason = "the scripts read the real clock")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
