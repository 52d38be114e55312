//! Statuses that somebody else wrote into: the operator writes them whole, so what others left in them goes with its next write.

use std::time::Duration;

use rds_backup_sandbox::rds::InstanceSpec;
use serde_json::{Value, json};

use crate::site::{Site, at_site, condition};

/// Writes into a status as another field manager. `apply` keeps its fields to itself in the API server's books, as `kubectl edit` does not.
async fn write_status(site: &Site, name: &str, applied: bool, status: Value) {
    let (kubectl, namespace) = (site.kubectl(), site.namespace.as_str());
    let answer = if applied {
        let object = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": namespace },
            "status": status,
        });
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=someone", "--subresource=status", "-f", "-"];
        kubectl.run_with_input(&apply, &object.to_string()).await
    } else {
        let patch = json!({ "status": status }).to_string();
        let merge = ["patch", "rdsb", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch];
        kubectl.run(&[&merge[..], &["--field-manager=someone"]].concat()).await
    };
    answer.unwrap_or_else(|error| panic!("{error}"));
}

fn slow_job(site: &Site, instance: &str) {
    site.rds().define(instance, InstanceSpec { job_time: Some(Duration::from_secs(15)), ..InstanceSpec::default() });
}

#[test]
fn what_another_manager_owns_in_a_status_goes_with_the_operators_next_write() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        slow_job(&site, &instance);
        site.apply("shared", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let seen = site.until_phase("shared", "Running").await;
        let reconciling = json!({
            "type": "Reconciling", "status": "True", "reason": "Mine", "message": "of somebody else", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let generation = &seen["status"]["observedGeneration"];
        let theirs = json!({ "observedGeneration": generation, "phase": "Running", "progressPercent": 99, "conditions": [reconciling] });
        write_status(&site, "shared", true, theirs).await;
        let object = site.until_phase("shared", "Succeeded").await;
        assert!(condition(&object, "Reconciling").is_null() && object["status"]["progressPercent"].is_null(), "{:#}", object["status"]);
        assert_eq!(site.rds().accepted(&instance), 1);
    });
}

#[test]
fn an_edit_of_a_status_while_the_operator_is_down_does_not_keep_the_object_from_its_end() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        slow_job(&site, &instance);
        site.apply("edited", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_phase("edited", "Running").await;
        operator.stop().await.unwrap();
        for applied in [true, false] {
            let busy = json!({ "reason": "InstanceBusy", "since": "2026-01-01T00:00:00Z" });
            write_status(&site, "edited", applied, json!({ "observedGeneration": 1, "phase": "Queued", "queue": busy })).await;
        }
        let _operator = site.operator().await;
        let object = site.until_phase("edited", "Succeeded").await;
        assert!(object["status"]["queue"].is_null(), "{:#}", object["status"]);
        assert_eq!(site.rds().accepted(&instance), 1);
    });
}

#[test]
fn a_wrong_phase_does_not_keep_a_stalled_object_from_its_queue_timeout() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let spec = json!({ "dbInstanceId": site.instance("rm-mysql"), "account": "missing", "queueTimeout": "20s" });
        site.apply("stalled", spec).await;
        site.until_reason("stalled", "AccountNotFound").await;
        write_status(&site, "stalled", false, json!({ "phase": "Running" })).await;
        let object = site.until_phase("stalled", "Failed").await;
        assert_eq!(condition(&object, "Ready")["reason"], "QueueTimeout");
    });
}
