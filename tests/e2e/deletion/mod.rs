//! Objects that are deleted, and what becomes of their backup sets: one at a time in each phase, and all that goes with them.

mod altogether;
mod phases;

use rds_backup_sandbox::plane::Kubectl;
use serde_json::{Value, json};

/// Our finalizer.
const OURS: &str = "rdsbackup.io/backup-set";

fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn said(object: &Value) -> (&str, &str, &str) {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let said = conditions.into_iter().find(|condition| condition["type"] == "DeletionSupported").unwrap_or(&Value::Null);
    ["status", "reason", "message"].map(|key| said[key].as_str().unwrap_or_default()).into()
}

async fn run(kubectl: &Kubectl, args: &[&str]) -> String {
    kubectl.run(args).await.unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

async fn patch(kubectl: &Kubectl, namespace: &str, name: &str, patch: &Value) {
    run(kubectl, &["patch", "rdsb", name, "-n", namespace, "--type=merge", "-p", &patch.to_string()]).await;
}

/// The reasons and notes of the events about an object.
async fn events(kubectl: &Kubectl, namespace: &str, name: &str) -> Vec<(String, String)> {
    let listed = kubectl.json(&["get", "events.events.k8s.io", "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
    let of_object = listed["items"].as_array().into_iter().flatten().filter(|event| event["regarding"]["name"] == name);
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    of_object.map(|event| (text(event, "reason"), text(event, "note"))).collect()
}

fn backup(namespace: &str, name: &str, spec: &Value) -> String {
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": metadata, "spec": spec }).to_string()
}
