//! Sets that vanish, and backups that a schedule no longer keeps: the real operator, which looks at sets every two seconds here.

use std::time::{Duration, Instant};

use rds_backup_sandbox::{
    plane::audit,
    rds::{BackupPolicy, InstanceSpec, ReleasedKeep},
};
use serde_json::{Value, json};

use crate::site::{Site, at_site, condition};

/// A second between two calls for it.
const AUDIT: (&str, &str) = ("    signature:", "    audit: { every: 2s, callsPerHour: 3600 }\n    signature:");

async fn schedule(site: &Site, spec: &Value) {
    let object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": "kept", "namespace": site.namespace }, "spec": spec,
    });
    site.kubectl().run_with_input(&["apply", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn until(site: &Site, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = site.kubectl().json(&["get", "rdsbs", "kept", "-n", &site.namespace]).await.unwrap_or_else(|error| panic!("{error}"));
        if wanted(&found) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "not {what}: {found:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn a_set_that_vanishes_is_noticed_and_nothing_is_written_of_the_others() {
    at_site(|site| async move {
        let operator = site.operator_configured(&[AUDIT]).await;
        let instance = site.instance("rm-mysql");
        for name in ["lost", "there"] {
            site.apply(name, json!({ "dbInstanceId": instance })).await;
            site.until_phase(name, "Succeeded").await;
        }
        let before = site.get("there").await["metadata"]["resourceVersion"].clone();
        let set = site.get("lost").await["status"]["backupId"].as_str().expect("a set").to_owned();
        assert!(site.rds().remove_set(&instance, &set), "somebody deletes it in the console");
        let lost = site.until("lost", "noticed", |object| condition(object, "Available")["status"] == "False").await;
        assert_eq!(condition(&lost, "Available")["reason"], "BackupSetGone", "its retention is not over");
        assert_eq!((condition(&lost, "Ready")["status"].as_str(), lost["status"]["phase"].as_str()), (Some("True"), Some("Succeeded")));
        let looks = site.calls(&instance).iter().filter(|call| call.action == "DescribeBackupPolicy").count();
        assert!(looks > 0, "how long the instance keeps its sets was asked");
        let version = lost["metadata"]["resourceVersion"].clone();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(site.get("lost").await["metadata"]["resourceVersion"], version, "it is written once");
        assert_eq!(site.get("there").await["metadata"]["resourceVersion"], before, "the other one is not written at all");
        let metrics = operator.get("/metrics").await.expect("an answer").body;
        let expected = format!("rdsbackup_backups_unavailable{{namespace=\"{}\"}} 1", site.namespace);
        assert!(metrics.lines().any(|line| line == expected), "{metrics}");
    });
}

/// An instance takes its sets with it, unless its policy keeps them.
#[test]
fn sets_that_outlive_their_instance_are_there_and_the_others_are_gone() {
    at_site(|site| async move {
        let _operator = site.operator_configured(&[AUDIT]).await;
        let keeps = BackupPolicy { released_keep: ReleasedKeep::All, ..BackupPolicy::default() };
        let instances = [("kept", keeps), ("gone", BackupPolicy::default())].map(|(name, policy)| {
            let instance = site.instance(&format!("rm-mysql-{name}"));
            let spec = move |status: &str| InstanceSpec { status: status.into(), policy, ..InstanceSpec::default() };
            site.rds().define(&instance, spec("Running"));
            (name, instance, spec)
        });
        for (name, instance, _) in &instances {
            site.apply(name, json!({ "dbInstanceId": instance })).await;
            site.until_phase(name, "Succeeded").await;
        }
        for (_, instance, spec) in &instances {
            site.rds().define(instance, spec("Released"));
        }
        let gone = site.until("gone", "noticed", |object| condition(object, "Available")["status"] == "False").await;
        assert_eq!(condition(&gone, "Available")["reason"], "BackupSetGone");
        let began = Instant::now();
        let asked = || site.calls(&instances[0].1).iter().filter(|call| call.action == "DescribeDetachedBackups").count();
        while asked() < 2 {
            assert!(began.elapsed() < Duration::from_secs(60), "the released instance is not asked about");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let kept = site.get("kept").await;
        assert!(condition(&kept, "Available").is_null(), "nothing is written: {kept:#}");
    });
}

#[test]
fn a_schedule_keeps_its_last_two_and_says_that_sets_stay() {
    at_site(|site| async move {
        let (kubeconfig, user) = site.account("retention").await;
        let config = site.config(&[AUDIT]);
        let start = rds_backup_sandbox::world::StartOperator {
            config: Some(config),
            kubeconfig: Some(kubeconfig),
            ..rds_backup_sandbox::world::StartOperator::default()
        };
        let operator = site.operator_with(start).await;
        let instance = site.instance("rm-mysql");
        let spec = |trigger: &str| {
            json!({
                "schedule": "0 0 1 1 *", "retention": { "keepLast": 2 }, "trigger": trigger,
                "template": { "spec": { "dbInstanceId": instance } },
            })
        };
        schedule(&site, &spec("first")).await;
        until(&site, "seen", |found| found["status"]["lastHandledTrigger"] == "first").await;
        for (number, trigger) in ["a", "b", "c", "d"].into_iter().enumerate() {
            schedule(&site, &spec(trigger)).await;
            let made = |found: &Value| site.rds().accepted(&instance) == number + 1 && found["status"]["active"].is_null();
            until(&site, "made", |found| made(found) && found["status"]["lastSuccess"].is_object()).await;
        }
        let found =
            until(&site, "kept", |found| found["status"]["retained"] == 2 && condition(found, "Retention")["status"] == "True").await;
        assert_eq!(condition(&found, "Retention")["reason"], "ObjectsOnly");
        let began = Instant::now();
        loop {
            let left = site.kubectl().run(&["get", "rdsb", "-n", &site.namespace, "-o", "name"]).await.expect("a list");
            if left.lines().count() == 2 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{left}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(site.rds().sets(&instance).len(), 4, "no set is deleted");
        let metrics = operator.get("/metrics").await.expect("an answer").body;
        let expected = format!("rdsbackup_schedule_retained_backups{{namespace=\"{}\",schedule=\"kept\"}} 2", site.namespace);
        assert!(metrics.lines().any(|line| line == expected), "{metrics}");
        let log = site.audit();
        let writes = audit::by_user(&log, &user)
            .filter(|event| event.resource == "rdsbackups" && event.verb == "delete" && event.code == 200)
            .count();
        assert_eq!(writes, 2, "deletions of the operator");
    });
}

#[test]
fn a_one_shot_with_a_ttl_goes_and_its_set_stays() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        for name in ["older", "newest"] {
            site.apply(name, json!({ "dbInstanceId": instance, "ttl": "25s" })).await;
            site.until_phase(name, "Succeeded").await;
        }
        let began = Instant::now();
        while site.kubectl().run(&["get", "rdsb", "older", "-n", &site.namespace]).await.is_ok() {
            assert!(began.elapsed() < Duration::from_secs(60), "its ttl is over");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let newest = site.until("newest", "kept", |object| condition(object, "TtlIgnored")["status"] == "True").await;
        let said = condition(&newest, "TtlIgnored")["message"].as_str().expect("a message").to_owned();
        assert!(said.contains("newest usable backup of its instance"), "{said}");
        assert_eq!(
            (site.rds().sets(&instance).len(), site.rds().deletions().iter().filter(|gone| gone.instance == instance).count()),
            (2, 0)
        );
    });
}
