//! Specs that the API server itself refuses, with messages that say what to write instead. No operator runs.

use serde_json::{Value, json};

use crate::site::{Site, at_site};

/// A bare pattern says nothing to a person.
const LENGTH: &str = "write a length of time like 90s, 30m, 2h or 1h30m, longer than zero; a day is 24h";

async fn create(site: &Site, name: &str, spec: &Value) -> Result<String, String> {
    let object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": site.namespace }, "spec": spec,
    });
    site.kubectl().run_with_input(&["create", "-f", "-"], &object.to_string()).await.map_err(|error| error.to_string())
}

#[test]
fn the_api_server_refuses_a_wrong_spec() {
    at_site(|site| async move {
        let with = |extra: Value| {
            let mut spec = json!({ "dbInstanceId": "rm-mysql-1" });
            for (key, value) in extra.as_object().unwrap() {
                spec[key] = value.clone();
            }
            spec
        };
        let long = "d".repeat(129);
        let many: Vec<String> = (0..101).map(|number| format!("d{number}")).collect();
        let table = [
            (json!({}), "dbInstanceId"),
            (with(json!({ "dbInstanceId": "RM-1" })), "lower-case letters"),
            (with(json!({ "dbInstanceId": "x".repeat(65) })), "64"),
            (with(json!({ "regionId": "hangzhou" })), "cn-hangzhou"),
            (with(json!({ "method": "Magic" })), "Physical"),
            (with(json!({ "strategy": "db", "method": "Logical" })), "databases and strategy: db belong together"),
            (with(json!({ "databases": ["a"] })), "databases and strategy: db belong together"),
            (with(json!({ "strategy": "db", "databases": [], "method": "Logical" })), "databases"),
            (with(json!({ "strategy": "db", "databases": ["a"] })), "strategy: db needs method: Logical"),
            (with(json!({ "strategy": "db", "databases": ["a,b"], "method": "Logical" })), "databases"),
            (with(json!({ "strategy": "db", "databases": [long], "method": "Logical" })), "128"),
            (with(json!({ "strategy": "db", "databases": many, "method": "Logical" })), "100"),
            (with(json!({ "type": "FullBackup", "method": "Snapshot" })), "type exists only for physical backups"),
            (with(json!({ "strategy": "instance", "method": "Snapshot" })), "a snapshot holds the whole instance"),
            (with(json!({ "retentionDays": 3 })), "7 to 730"),
            (with(json!({ "retentionDays": 731 })), "730"),
            (with(json!({ "queueTimeout": "soon" })), LENGTH),
            (with(json!({ "queueTimeout": "5" })), LENGTH),
            (with(json!({ "timeout": "1d" })), LENGTH),
            (with(json!({ "timeout": "0s" })), LENGTH),
            (with(json!({ "timeout": "" })), LENGTH),
            (with(json!({ "retry": { "limit": 1, "backoff": "1.5h" } })), LENGTH),
            (with(json!({ "retry": { "limit": 11 } })), "10"),
            (with(json!({ "deletionPolicy": "Delete", "method": "Logical" })), "never deletes a logical backup set on request"),
            (with(json!({ "deletionPolicy": "Remove" })), "Retain"),
            (with(json!({ "cleanupDeadline": "0s" })), LENGTH),
            (with(json!({ "ttl": "7d" })), LENGTH),
            (with(json!({ "ttl": "1h", "timeout": "2h" })), "ttl is shorter than timeout"),
            (with(json!({ "existingBackupId": "1,2" })), "existingBackupId"),
            (with(json!({ "existingBackupId": "1", "method": "Logical" })), "which are for a new backup"),
            (with(json!({ "existingBackupId": "1", "reuseIfNewerThan": "1h" })), "which are for a new backup"),
            (with(json!({ "existingBackupId": "1", "deletionPolicy": "Delete" })), "deletes no backup set that it did not make"),
            (with(json!({ "reuseIfNewerThan": "soon" })), LENGTH),
            (with(json!({ "reuseIfNewerThan": "169h", "retentionDays": 7 })), "reuseIfNewerThan is longer than retentionDays"),
        ];
        for (number, (spec, words)) in table.iter().enumerate() {
            let refused = create(&site, &format!("wrong-{number}"), spec).await.expect_err(&format!("{spec} is accepted"));
            assert!(refused.contains(words), "{spec}: {refused}");
        }
    });
}

#[test]
fn the_request_for_a_backup_cannot_be_changed_and_its_deadlines_can() {
    at_site(|site| async move {
        let spec = json!({ "dbInstanceId": "rm-mysql-1", "method": "Logical", "strategy": "db", "databases": ["a"], "retentionDays": 30 });
        create(&site, "fixed", &spec).await.unwrap();
        create(&site, "plain", &json!({ "dbInstanceId": "rm-mysql-1" })).await.unwrap();
        let kubectl = site.kubectl();
        for (name, change, words) in [
            ("fixed", json!({ "dbInstanceId": "rm-mysql-2" }), "dbInstanceId cannot be changed"),
            ("fixed", json!({ "account": "other" }), "account cannot be changed"),
            ("fixed", json!({ "databases": ["a", "b"] }), "databases cannot be added, changed or removed"),
            ("fixed", json!({ "retentionDays": null }), "retentionDays cannot be added"),
            ("plain", json!({ "method": "Physical" }), "method cannot be added"),
            ("plain", json!({ "regionId": "cn-beijing" }), "regionId cannot be added"),
            ("plain", json!({ "type": "Auto" }), "type cannot be added"),
            ("plain", json!({ "notAfter": "2027-01-15T02:00:00Z" }), "notAfter cannot be added"),
            ("plain", json!({ "resourceGroupId": "rg-1" }), "resourceGroupId cannot be added"),
            ("plain", json!({ "existingBackupId": "1" }), "existingBackupId cannot be added"),
            ("plain", json!({ "reuseIfNewerThan": "1h" }), "reuseIfNewerThan cannot be added"),
        ] {
            let patch = json!({ "spec": change }).to_string();
            let refused =
                kubectl.run(&["patch", "rdsbackup", name, "-n", &site.namespace, "--type=merge", "-p", &patch]).await.expect_err(&patch);
            assert!(refused.stderr().contains(words), "{patch}: {}", refused.stderr());
        }
        let patch = json!({ "spec": { "queueTimeout": "3h", "timeout": "30h", "retry": { "limit": 2, "backoff": "1m" } } }).to_string();
        kubectl.run(&["patch", "rdsbackup", "plain", "-n", &site.namespace, "--type=merge", "-p", &patch]).await.unwrap();
    });
}

#[test]
fn a_fresh_object_is_never_taken_for_done() {
    at_site(|site| async move {
        create(&site, "fresh", &json!({ "dbInstanceId": "rm-mysql-1" })).await.unwrap();
        let object = site.get("fresh").await;
        assert_eq!(
            object["status"],
            json!({ "observedGeneration": -1, "phase": "Pending" }),
            "the server's defaults, which a gate reads before the operator has observed the object"
        );
        assert_eq!(object["spec"]["account"], "default");
        let listed = site
            .kubectl()
            .run(&["get", "rdsb", "-n", &site.namespace, "--field-selector=spec.dbInstanceId=rm-mysql-1", "-o", "name"])
            .await
            .unwrap();
        assert_eq!(listed.trim(), "rdsbackup.rdsbackup.io/fresh");
    });
}
