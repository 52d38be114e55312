//! The operator is killed, and started again.

use std::time::{Duration, Instant};

use rds_backup_sandbox::{
    plane::Signal,
    rds::{Effect, Fault, When},
};
use serde_json::json;

use crate::site::at_site;

#[test]
fn a_job_that_ran_while_the_operator_was_killed_is_followed_to_its_end() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("killed", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let running = site.until_phase("killed", "Running").await;
        operator.kill_9().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _again = site.operator().await;
        let object = site.until_phase("killed", "Succeeded").await;
        assert_eq!(object["status"]["backupJobId"], running["status"]["backupJobId"]);
        assert_eq!(object["status"]["origin"], "Created");
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
    });
}

/// Killed with the request accepted and its answer on the way: the next process adopts the job.
#[test]
fn a_request_under_way_when_the_operator_was_killed_is_adopted() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::Delay { ms: 20_000, when: When::After }).instance(&instance).times(1));
        site.apply("killed", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_accepted(&instance).await;
        operator.kill_9().await.unwrap();
        let _again = site.operator().await;
        let object = site.until_phase("killed", "Succeeded").await;
        assert_eq!(object["status"]["origin"], "Adopted");
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
    });
}

/// An intent that was not cleared was never sent, so a crash there costs seconds, not the 27 minutes of a lost answer.
#[test]
fn killed_between_intent_and_clear_it_starts_the_next_attempt_at_once() {
    at_site(|site| async move {
        let changes = [("requestExpiry: 5s", "requestExpiry: 15m")];
        let mut operator = site.operator_configured(&changes).await;
        let instance = site.instance("rm-mysql");
        site.refuse_status_unless("!has(object.status.submission) || !object.status.submission.cleared").await;
        site.apply("killed", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let intent = site.until("killed", "an intent", |object| object["status"]["submission"].is_object()).await;
        assert_eq!(intent["status"]["submission"]["cleared"], false);
        operator.kill_9().await.unwrap();
        assert!(site.creates(&instance).is_empty(), "nothing is sent before its intent is cleared");
        site.allow_status().await;
        // The rule is gone once a write that it refused goes through; that is the API server's time, not the operator's.
        tokio::time::sleep(Duration::from_secs(2)).await;

        let started = Instant::now();
        let _again = site.operator_configured(&changes).await;
        while site.creates(&instance).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "no request");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let sent_after = started.elapsed();
        println!("the next attempt was sent {:.1} s after the start of the next process", sent_after.as_secs_f64());
        assert!(sent_after < Duration::from_secs(10), "{sent_after:?}");
        let object = site.until_phase("killed", "Succeeded").await;
        assert_eq!(object["status"]["submission"]["attempt"], 2);
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
    });
}

/// SIGTERM with a request under way: the answer is waited for and recorded before the process ends.
#[test]
fn a_shutdown_records_the_answer_that_is_on_its_way() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::Delay { ms: 3000, when: When::After }).instance(&instance).times(1));
        site.apply("drained", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_accepted(&instance).await;
        assert_eq!(site.get("drained").await["status"]["phase"], "Submitting");
        operator.signal(Signal::Term).unwrap();
        assert!(operator.stop().await.unwrap().success());
        let object = site.get("drained").await;
        assert_eq!(object["status"]["phase"], "Running", "{:#}", object["status"]);
        assert_eq!(object["status"]["origin"], "Created");
    });
}

/// The object is deleted while its request is under way: the job cannot be recorded, and is said aloud.
#[test]
fn an_object_that_is_deleted_under_way_leaves_an_event_with_its_job() {
    at_site(|site| async move {
        let operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::Delay { ms: 3000, when: When::After }).instance(&instance).times(1));
        site.apply("gone", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_accepted(&instance).await;
        site.delete("gone").await;
        let job = site.rds().ledger().into_iter().find(|entry| entry.instance == instance).unwrap().job_id;
        let begun = Instant::now();
        loop {
            let events = site.world.reader().events(&site.namespace).await.unwrap();
            let found = events.iter().any(|event| event["reason"] == "Abandoned" && event["note"].as_str().unwrap_or("").contains(&job));
            if found {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no event names job {job}: {}", operator.log_tail());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}
