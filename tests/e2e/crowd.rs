//! Many objects: one instance's queue, failing jobs, and one object that the operator cannot read.

use std::time::Duration;

use rds_backup_sandbox::rds::{Effect, Fault};
use serde_json::{Value, json};

use crate::site::{at_site, condition, log_lines, message};

#[test]
fn objects_of_one_instance_go_one_after_the_other_in_their_order() {
    at_site(|site| async move {
        let instance = site.instance("rm-mysql");
        // Applied before there is an operator, a second apart, in an order that is not that of their names.
        for name in ["c", "a", "b"] {
            site.apply(name, json!({ "dbInstanceId": instance, "method": "Physical" })).await;
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let _operator = site.operator().await;
        let mut started = Vec::new();
        for name in ["c", "a", "b"] {
            let object = site.until_phase(name, "Succeeded").await;
            started.push(object["status"]["submission"]["timestamp"].as_str().unwrap().to_owned());
        }
        assert!(started.is_sorted(), "{started:?}");
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (3, 3), "no request met a running job");
        // A terminal transition wakes the next: the pause between two is the listing lag and polls, not the 30 s of a recheck.
        let begun: jiff::Timestamp = started[0].parse().unwrap();
        let last: jiff::Timestamp = started[2].parse().unwrap();
        assert!(last.duration_since(begun) < jiff::SignedDuration::from_secs(40), "{started:?}");
    });
}

#[test]
fn a_failed_job_is_followed_by_another_run_if_retry_says_so() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let (once, twice, late) = (site.instance("rm-mysql-once"), site.instance("rm-mysql-twice"), site.instance("rm-mysql-late"));
        for instance in [&once, &twice] {
            site.rds().add_fault(Fault::on("CreateBackup", Effect::FailJob).instance(instance).times(1));
        }
        site.apply("once", json!({ "dbInstanceId": once, "method": "Physical" })).await;
        site.apply("twice", json!({ "dbInstanceId": twice, "method": "Physical", "retry": { "limit": 1, "backoff": "2s" } })).await;
        site.apply("late", json!({ "dbInstanceId": late, "method": "Physical", "timeout": "1s", "retry": { "limit": 3 } })).await;

        let failed = site.until_phase("once", "Failed").await;
        assert_eq!(condition(&failed, "Ready")["reason"], "BackupFailed");
        assert_eq!(site.rds().accepted(&once), 1);

        let object = site.until_phase("twice", "Succeeded").await;
        assert_eq!((&object["status"]["submission"]["run"], &object["status"]["submission"]["attempt"]), (&json!(2), &json!(1)));
        assert_eq!(object["status"]["attempts"][0]["outcome"], "JobFailed");
        assert_eq!(site.rds().accepted(&twice), 2);

        let timed_out = site.until_phase("late", "Failed").await;
        assert_eq!(condition(&timed_out, "Ready")["reason"], "Timeout");
        assert_eq!(site.rds().accepted(&late), 1, "a timeout is never retried");
    });
}

#[test]
fn a_set_that_the_service_does_not_call_usable_is_a_failure() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::SpoilJob).instance(&instance).times(1));
        site.apply("spoilt", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let object = site.until_phase("spoilt", "Failed").await;
        assert_eq!(condition(&object, "Ready")["reason"], "BackupNotUsable");
    });
}

#[test]
fn a_busy_instance_is_waited_for_until_the_queue_timeout() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let busy = site.instance("rm-busy");
        let stopped = site.instance("rm-stopped");
        site.apply("busy", json!({ "dbInstanceId": busy, "method": "Physical" })).await;
        site.apply("stopped", json!({ "dbInstanceId": stopped, "method": "Physical", "queueTimeout": "5s" })).await;
        let queued = site.until_reason("busy", "InstanceBusy").await;
        assert_eq!((&queued["status"]["phase"], &queued["status"]["queue"]["reason"]), (&json!("Queued"), &json!("InstanceBusy")));
        let failed = site.until_phase("stopped", "Failed").await;
        assert_eq!(condition(&failed, "Ready")["reason"], "QueueTimeout");
        assert!(message(&failed).contains("InstanceNotRunning"), "{}", message(&failed));
        assert!(site.creates(&stopped).is_empty());
        site.until_phase("busy", "Succeeded").await;
        assert_eq!(site.creates(&busy).len(), 1, "no request was wasted on a busy instance");
    });
}

/// A status that no version of the operator wrote, stored while the CRD allowed it: the object cannot be read, and no other object waits
/// for it.
#[test]
fn an_object_that_cannot_be_read_holds_its_instance_and_stops_no_other() {
    at_site(|site| async move {
        let (instance, other) = (site.instance("rm-mysql"), site.instance("rm-mysql-other"));
        site.apply("poisoned", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        poison(&site, "poisoned").await;
        let mut operator = site.operator().await;
        site.apply("healthy", json!({ "dbInstanceId": other, "method": "Physical" })).await;
        site.apply("beside", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_phase("healthy", "Succeeded").await;
        // The one that cannot be read may have a request under way.
        let beside = site.until_reason("beside", "ClaimsUnreadable").await;
        assert!(message(&beside).contains("the RdsBackup poisoned of this instance cannot be read"), "{}", message(&beside));
        assert_eq!(site.rds().accepted(&instance), 0);
        let metrics = operator.get("/metrics").await.unwrap().body;
        assert!(metrics.contains("rdsbackup_objects_unreadable{kind=\"RdsBackup\"} 1"), "{metrics}");
        let lines = log_lines(operator.log());
        let said: Vec<&Value> = lines.iter().filter(|line| line["name"] == "poisoned").collect();
        assert!(said.len() == 1 && said[0]["level"] == "ERROR", "said once, by name: {said:?}");
        // Rules of this world are shared: what was loosened is tightened again.
        site.delete("poisoned").await;
        site.until_phase("beside", "Succeeded").await;
        operator.stop().await.unwrap();
    });
}

/// Writes a phase that the operator does not know. The CRD has a list of them, so the CRD is loosened for the time of the write.
async fn poison(site: &crate::site::Site, name: &str) {
    let kubectl = site.kubectl();
    let crd = kubectl.json(&["get", "crd", "rdsbackups.rdsbackup.io"]).await.unwrap();
    let phase = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/phase";
    let known = crd.pointer(phase).expect("phase is in the schema").clone();
    let set = |value: &Value| json!([{ "op": "replace", "path": phase, "value": value }]).to_string();
    kubectl.run(&["patch", "crd", "rdsbackups.rdsbackup.io", "--type=json", "-p", &set(&json!({ "type": "string" }))]).await.unwrap();
    let patch = json!({ "status": { "observedGeneration": 1, "phase": "Dancing" } }).to_string();
    let write = ["patch", "rdsbackup", name, "-n", &site.namespace, "--subresource=status", "--type=merge", "-p", &patch];
    let mut tries = 0;
    while let Err(error) = kubectl.run(&write).await {
        tries += 1;
        assert!(tries < 100, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    kubectl.run(&["patch", "crd", "rdsbackups.rdsbackup.io", "--type=json", "-p", &set(&known)]).await.unwrap();
}

/// Leader election is an optimisation: two processes that act on the same objects at once still start one backup for each.
#[test]
fn two_operators_at_once_start_one_backup_for_each_object() {
    at_site(|site| async move {
        let (mut first, mut second) = (site.operator().await, site.operator().await);
        let names: Vec<String> = (0..6).map(|number| format!("b{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            // Two objects on each of three instances.
            let instance = site.instance(&format!("rm-mysql-{}", number % 3));
            site.apply(name, json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        }
        let mut jobs = Vec::new();
        for name in &names {
            let object = site.until_phase(name, "Succeeded").await;
            assert!(condition(&object, "DuplicateBackup").is_null(), "{name}: {:#}", object["status"]);
            jobs.push(object["status"]["backupJobId"].as_str().expect("a job").to_owned());
        }
        jobs.sort();
        jobs.dedup();
        assert_eq!(jobs.len(), names.len(), "no job is the result of two objects");
        for number in 0..3 {
            let instance = site.instance(&format!("rm-mysql-{number}"));
            assert_eq!(site.rds().accepted(&instance), 2, "{instance}");
        }
        assert!(first.ended_already().unwrap().is_none() && second.ended_already().unwrap().is_none());
    });
}
