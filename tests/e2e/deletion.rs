//! Objects that are being deleted while a finalizer keeps them.

use serde_json::{Value, json};

use crate::site::at_site;

const OURS: &str = "rdsbackup.io/backup-set";
const KEEP: &str = "example.org/keep";

fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A newer release keeps objects until their backup sets are deleted. After a roll-back nobody would: the object goes, and its set stays.
#[test]
fn a_finalizer_that_a_newer_release_left_is_taken_off_what_is_being_deleted_and_nothing_else_is() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("kept", json!({ "dbInstanceId": instance })).await;
        site.until_phase("kept", "Succeeded").await;
        let kubectl = site.kubectl();
        let patch = |names: &[&str]| json!({ "metadata": { "finalizers": names } }).to_string();
        let args = |patch: &str| ["patch", "rdsb", "kept", "-n", &site.namespace, "--type=merge", "-p", patch].map(str::to_owned);
        let run = async |args: [String; 8]| {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            kubectl.run(&args).await.unwrap_or_else(|error| panic!("{error}"));
        };
        run(args(&patch(&[OURS, KEEP]))).await;
        kubectl.run(&["delete", "rdsb", "kept", "-n", &site.namespace, "--wait=false"]).await.unwrap_or_else(|error| panic!("{error}"));
        let object = site.until("kept", "without our finalizer", |object| finalizers(object) == [KEEP]).await;
        assert_eq!(object["status"]["phase"], "Succeeded", "its status is as it was");
        run(args(&patch(&[]))).await;
        let left = kubectl.run(&["get", "rdsb", "-n", &site.namespace, "-o", "name"]).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left.trim(), "", "it is gone");
        assert!(site.calls(&instance).iter().all(|call| call.action != "DeleteBackup"), "no backup set is deleted");
    });
}
