//! One object, deleted in each phase and under each policy.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rds_backup_sandbox::rds::{Effect, Fault, InstanceSpec};
use serde_json::json;

use super::{OURS, events, finalizers, patch, run, said};
use crate::site::{Site, at_site};

const KEEP: &str = "example.org/keep";

/// A deletion that need not wait for anything takes this long at most: a few passes, and kubectl's own watch.
const AT_ONCE: Duration = Duration::from_secs(10);

/// `kubectl delete`, which returns when the object is gone, and how long it took.
async fn deleted(site: &Site, name: &str) -> Duration {
    let began = Instant::now();
    run(&site.kubectl(), &["delete", "rdsb", name, "-n", &site.namespace, "--timeout=120s"]).await;
    began.elapsed()
}

async fn has_event(site: &Site, name: &str, reason: &str) -> String {
    let began = Instant::now();
    loop {
        let found = events(&site.kubectl(), &site.namespace, name).await;
        if let Some((_, note)) = found.iter().find(|(known, _)| known == reason) {
            return note.clone();
        }
        assert!(began.elapsed() < AT_ONCE, "{name} has no event {reason}: {found:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn deletions(site: &Site, instance: &str) -> usize {
    site.calls(instance).iter().filter(|call| call.action == "DeleteBackup").count()
}

/// A finalizer that is left of a release or a policy that is no more.
#[test]
fn a_finalizer_without_its_policy_is_taken_off_and_those_of_other_controllers_stay() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("kept", json!({ "dbInstanceId": instance })).await;
        site.until_phase("kept", "Succeeded").await;
        let names = |names: &[&str]| json!({ "metadata": { "finalizers": names } });
        patch(&site.kubectl(), &site.namespace, "kept", &names(&[OURS, KEEP])).await;
        site.until("kept", "without our finalizer", |object| finalizers(object) == [KEEP]).await;
        run(&site.kubectl(), &["delete", "rdsb", "kept", "-n", &site.namespace, "--wait=false"]).await;
        let object = site.get("kept").await;
        assert_eq!((finalizers(&object), object["status"]["phase"].as_str()), (vec![KEEP], Some("Succeeded")));
        patch(&site.kubectl(), &site.namespace, "kept", &names(&[])).await;
        assert_eq!(run(&site.kubectl(), &["get", "rdsb", "-n", &site.namespace, "-o", "name"]).await.trim(), "", "it is gone");
        assert_eq!(deletions(&site, &instance), 0);
    });
}

/// As the service sets instances up: logs are kept as long as sets, and no set is deleted on request.
#[test]
fn an_object_whose_set_can_never_be_deleted_says_so_from_its_first_day_and_goes_at_once() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("never", json!({ "dbInstanceId": instance, "deletionPolicy": "Delete" })).await;
        let object = site.until_phase("never", "Succeeded").await;
        assert_eq!(finalizers(&object), [OURS]);
        let (status, reason, message) = said(&object);
        assert_eq!((status, reason), ("False", "NeverDeletable"), "{message}");
        assert!(message.contains("keeps logs for 7 days, as long as sets"), "{message}");
        has_event(&site, "never", "NeverDeletable").await;
        let took = deleted(&site, "never").await;
        assert!(took < AT_ONCE, "{took:?}");
        let note = has_event(&site, "never", "BackupSetKept").await;
        println!("gone after {took:.1?}: {note}");
        assert_eq!(deletions(&site, &instance), 0, "the service is not asked for what it never does");
    });
}

/// What the rules cannot tell is asked of the service, which refuses.
#[test]
fn a_refused_deletion_keeps_the_object_until_its_policy_is_retain_or_its_deadline_is_over() {
    at_site(|site| async move {
        let operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        let effect = Effect::ApiError { code: "IO.Exception".into(), http_status: 400, message: "Later.".into(), executed: false };
        site.rds().add_fault(Fault { action: Some("DescribeBackupPolicy".into()), instance: Some(instance.clone()), times: None, effect });
        for (name, deadline) in [("asked", "192h"), ("short", "15s")] {
            site.apply(name, json!({ "dbInstanceId": instance, "deletionPolicy": "Delete", "cleanupDeadline": deadline })).await;
            let object = site.until_phase(name, "Succeeded").await;
            let (status, reason, message) = said(&object);
            assert_eq!((status, reason), ("Unknown", "DeletionUnknown"), "{message}");
        }
        run(&site.kubectl(), &["delete", "rdsb", "asked", "-n", &site.namespace, "--wait=false"]).await;
        let object = site.until("asked", "blocked", |object| said(object).1 == "DeletionBlocked").await;
        let (status, _, message) = said(&object);
        assert_eq!((status, object["status"]["phase"].as_str()), ("False", Some("Succeeded")));
        assert!(message.contains("answered DeleteBackup with OperationDenied.BackupSetDeleteNotSupport"), "{message}");
        has_event(&site, "asked", "DeletionBlocked").await;
        let metrics = operator.get("/metrics").await.expect("an answer").body;
        let blocked = "rdsbackup_backup_deletions_blocked{account=\"default\",reason=\"DeletionBlocked\"} 1";
        assert!(metrics.lines().any(|line| line == blocked), "{metrics}");
        patch(&site.kubectl(), &site.namespace, "asked", &json!({ "spec": { "deletionPolicy": "Retain" } })).await;
        run(&site.kubectl(), &["wait", "--for=delete", "rdsb/asked", "-n", &site.namespace, "--timeout=10s"]).await;
        assert_eq!(deletions(&site, &instance), 1, "it is tried again a day later");

        let took = deleted(&site, "short").await;
        assert!(took >= Duration::from_secs(14) && took < Duration::from_secs(25), "{took:?}");
        let note = has_event(&site, "short", "BackupSetKept").await;
        assert!(note.contains("cleanupDeadline (15s)") && note.contains("OperationDenied.BackupSetDeleteNotSupport"), "{note}");
        assert_eq!(site.rds().deletions().iter().filter(|deleted| deleted.instance == instance).count(), 0);
    });
}

/// A row of the table that the test prints.
async fn phase(site: &Arc<Site>, policy: &str, name: &str, instance: &str, before: &str) {
    let began = site.get(name).await;
    assert_eq!(began["status"]["phase"].as_str().unwrap_or("Pending"), before, "{:#}", began["status"]);
    let took = deleted(site, name).await;
    println!("{policy:7} {before:11} gone after {:5.1} s, {} CreateBackup", took.as_secs_f32(), site.creates(instance).len());
    if policy == "Retain" || matches!(before, "Queued" | "Failed" | "Pending") {
        assert!(took < AT_ONCE, "{policy} {before}: {took:?}");
    } else {
        assert!(took < Duration::from_secs(60), "{policy} {before}: {took:?}");
    }
    assert_eq!(site.rds().deletions().iter().filter(|deleted| deleted.instance == instance).count(), 0, "logs are kept as long as sets");
}

#[test]
fn in_every_phase_and_under_both_policies_an_object_goes_in_its_time() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        for policy in ["Retain", "Delete"] {
            let lower = policy.to_lowercase();
            let instance = |what: &str| site.instance(&format!("rm-mysql-{what}-{lower}"));
            let spec = |instance: &str| json!({ "dbInstanceId": instance, "deletionPolicy": policy, "account": "default" });
            let apply = async |name: &str, spec: serde_json::Value| site.apply(&format!("{name}-{lower}"), spec).await;
            let name = |name: &str| format!("{name}-{lower}");

            let pending = instance("pending");
            apply("pending", json!({ "dbInstanceId": pending, "deletionPolicy": policy, "account": "missing" })).await;
            site.until_reason(&name("pending"), "AccountNotFound").await;
            phase(&site, policy, &name("pending"), &pending, "Pending").await;

            let queued = instance("queued");
            site.rds().define(&queued, InstanceSpec { busy_for: Some(Duration::from_secs(3600)), ..InstanceSpec::default() });
            apply("queued", spec(&queued)).await;
            site.until_reason(&name("queued"), "InstanceBusy").await;
            phase(&site, policy, &name("queued"), &queued, "Queued").await;

            let running = instance("running");
            site.rds().define(&running, InstanceSpec { job_time: Some(Duration::from_secs(12)), ..InstanceSpec::default() });
            apply("running", spec(&running)).await;
            site.until(&name("running"), "Running", |object| object["status"]["phase"] == "Running").await;
            phase(&site, policy, &name("running"), &running, "Running").await;

            let lost = instance("lost");
            site.rds().define(&lost, InstanceSpec { job_time: Some(Duration::from_secs(12)), ..InstanceSpec::default() });
            let fault = |action: &str, times, effect| Fault { action: Some(action.into()), instance: Some(lost.clone()), times, effect };
            site.rds().add_fault(fault("CreateBackup", Some(1), Effect::Hold { ms: 3000, executed: true }));
            apply("lost", spec(&lost)).await;
            site.until_accepted(&lost).await;
            // Before the answer is given up: the first looks find out nothing.
            site.rds().add_fault(fault("DescribeBackupTasks", Some(2), Effect::DropBefore));
            site.until(&name("lost"), "Resolving", |object| object["status"]["phase"] == "Resolving").await;
            phase(&site, policy, &name("lost"), &lost, "Resolving").await;

            let failed = instance("failed");
            let fails = Fault { action: None, instance: Some(failed.clone()), times: Some(1), effect: Effect::FailJob };
            site.rds().add_fault(fails);
            apply("failed", spec(&failed)).await;
            site.until(&name("failed"), "Failed", |object| object["status"]["phase"] == "Failed").await;
            phase(&site, policy, &name("failed"), &failed, "Failed").await;

            let succeeded = instance("succeeded");
            apply("succeeded", spec(&succeeded)).await;
            site.until_phase(&name("succeeded"), "Succeeded").await;
            phase(&site, policy, &name("succeeded"), &succeeded, "Succeeded").await;
        }
    });
}
