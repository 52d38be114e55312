//! Answers and requests that get lost.

use std::time::Duration;

use rds_backup_sandbox::rds::{Delivery, Effect, Fault, Garbage, JobKind};
use serde_json::json;

use crate::site::{EXPIRY, LAG, at_site, condition, message};

/// Everything that loses the answer to a request that was executed: one backup is accepted, and it is found and adopted.
#[test]
fn a_backup_whose_answer_was_lost_is_adopted() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let garbage = |body| Effect::Garbage { body, executed: true };
        let faults = [
            ("lost", Effect::LoseAnswer),
            ("reset", Effect::Reset { executed: true }),
            ("bad-gateway", Effect::Status5xx { status: 502, executed: true }),
            ("html", garbage(Garbage::Html)),
            ("truncated", garbage(Garbage::TruncatedJson)),
            ("huge", garbage(Garbage::Huge)),
            ("nested", garbage(Garbage::Nested)),
            ("empty", garbage(Garbage::Empty)),
            ("twice", Effect::Duplicate { answer: Delivery::Second }),
        ];
        let before = resident_kib(operator.pid());
        for (name, effect) in &faults {
            let instance = site.instance(&format!("rm-mysql-{name}"));
            site.rds().add_fault(Fault::on("CreateBackup", effect.clone()).instance(&instance).times(1));
            site.apply(name, json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        }
        for (name, _) in &faults {
            let instance = site.instance(&format!("rm-mysql-{name}"));
            let object = site.until_phase(name, "Succeeded").await;
            assert_eq!(object["status"]["origin"], "Adopted", "{name}");
            assert_eq!(object["status"]["submission"]["outcome"], "Adopted", "{name}");
            assert_eq!(object["status"]["backupId"], site.rds().sets(&instance)[0].backup_id, "{name}");
            assert_eq!(site.rds().accepted(&instance), 1, "{name}");
            assert_eq!(
                site.creates(&instance).iter().filter(|call| call.fault.is_none() || call.outcome == "OK").count(),
                1,
                "{name}: {:#?}",
                site.creates(&instance)
            );
        }
        let after = resident_kib(operator.pid());
        println!("resident: {before} KiB before, {after} KiB after nine lost answers, one of 10 MB");
        assert!(after < before + 16 * 1024, "memory is bounded: {before} KiB, then {after} KiB");
        assert!(operator.ended_already().unwrap().is_none());
    });
}

#[test]
fn a_request_that_was_lost_is_repeated_only_when_it_can_no_longer_be_accepted() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::DropBefore).instance(&instance).times(1));
        site.apply("lost", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let resolving = site.until_reason("lost", "OutcomeUnknown").await;
        assert_eq!(resolving["status"]["phase"], "Resolving");
        let object = site.until_phase("lost", "Succeeded").await;
        assert_eq!(object["status"]["origin"], "Created");
        assert_eq!(object["status"]["submission"]["attempt"], 2);
        assert_eq!(object["status"]["attempts"][0]["outcome"], "NeverAccepted");
        assert_eq!(site.rds().accepted(&instance), 1);

        let creates = site.creates(&instance);
        assert_eq!(creates.len(), 2, "{creates:#?}");
        assert_ne!(creates[0].nonce, creates[1].nonce);
        let signed = creates[0].time;
        let dead = signed + EXPIRY;
        let looks: Vec<_> = site
            .calls(&instance)
            .into_iter()
            .filter(|call| call.action == "DescribeBackups" && call.time > dead && call.time < creates[1].time)
            .map(|call| call.time)
            .collect();
        for call in site.calls(&instance) {
            println!("{} {} {} {}", call.time, call.action, call.outcome, call.fault.unwrap_or_default());
        }
        let (first, last) = (looks.first().expect("a look"), looks.last().expect("a look"));
        assert!(last.duration_since(*first) >= LAG.try_into().unwrap(), "two looks a listing lag apart: {looks:?}");
        assert!(creates[1].time > dead + LAG);
    });
}

/// The status write fails here, not the request: the job id is written later, and the backup counts as created, not as adopted.
#[test]
fn a_job_id_that_cannot_be_recorded_is_kept_until_it_can() {
    at_site(|site| async move {
        let operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.refuse_status_unless("!has(object.status.backupJobId)").await;
        site.apply("kept", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let accepted = async {
            while site.rds().accepted(&instance) == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), accepted).await.expect("it is sent");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(site.get("kept").await["status"]["phase"], "Submitting");
        site.allow_status().await;
        let object = site.until_phase("kept", "Succeeded").await;
        assert_eq!(object["status"]["origin"], "Created");
        assert_eq!(site.creates(&instance).len(), 1);
        drop(operator);
    });
}

/// `BackupJobExists` of a backup that the service itself began between our look and our request: nothing was created, and ours follows it.
#[test]
fn a_foreign_job_that_was_faster_is_waited_for() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().start_job(&instance, JobKind::Automated, Duration::from_secs(6)).expect("a job");
        // The preflight does not see it.
        let unseen = Effect::ApiError { code: "InternalFailure".into(), http_status: 400, message: "retry later".into(), executed: false };
        site.rds().add_fault(Fault::on("DescribeBackupTasks", unseen).instance(&instance).times(1));
        site.apply("second", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let object = site.until_phase("second", "Succeeded").await;
        assert_eq!(object["status"]["origin"], "Created");
        assert_eq!(site.rds().accepted(&instance), 1);
    });
}

#[test]
fn where_requests_may_never_expire_nothing_more_is_sent() {
    at_site(|site| async move {
        let _operator = site.operator_configured(&[("requestExpiry: 5s", "requestExpiry: Never")]).await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::DropBefore).instance(&instance).times(1));
        site.apply("lost", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let object = site.until("lost", "Stalled", |object| condition(object, "Stalled")["reason"] == "OutcomeUnknown").await;
        assert!(message(&object).contains("requestExpiry is Never"), "{}", message(&object));
        tokio::time::sleep(EXPIRY + LAG * 3).await;
        assert_eq!(site.creates(&instance).len(), 1);
        assert_eq!(site.get("lost").await["status"]["phase"], "Resolving");
    });
}

/// What the process holds in memory, by the kernel.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
