//! Two replicas: one works, the other stands by; killed, stopped, frozen, and with a lease that cannot be had.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use rds_backup_sandbox::{
    plane::{Signal, audit::Write},
    rds::{Effect, Fault, When},
    world::{Operator, StartOperator},
};
use serde_json::json;

use crate::{
    rights::lease_namespace,
    site::{Site, at_site, log_lines},
};

/// A lease lasts 15 s, is looked at every 2 to 3 s, and the caches are filled; the rest is for a busy machine.
const TAKEN_OVER: Duration = Duration::from_secs(45);

pub fn leads(operator: &Operator) -> bool {
    log_lines(operator.log()).iter().any(|line| line["message"] == "leading")
}

pub async fn until_it_leads(operator: &Operator) {
    let began = Instant::now();
    while !leads(operator) {
        assert!(began.elapsed() < TAKEN_OVER, "it does not lead:\n{}", operator.log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until `/readyz` gives this reason. Before its first request for the lease has failed, a replica gives another: the objects are not
/// listed.
pub async fn until_unready_because(operator: &Operator, reason: &[&str]) {
    let began = Instant::now();
    loop {
        let answer = operator.get("/readyz").await;
        if let Ok(answer) = &answer {
            assert_eq!(answer.status, 503, "{}", answer.body);
            if reason.iter().all(|words| answer.body.contains(words)) {
                return;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_it_ends(operator: &mut Operator) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = operator.ended_already().unwrap() {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it does not end:\n{}", operator.log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with the times of the audit log")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A replica that is a user of its own, so that the audit log tells the two apart; and its name there.
async fn replica(site: &Site, letter: char) -> (Operator, String) {
    let (kubeconfig, user) = site.account(&format!("replica-{letter}")).await;
    let start = StartOperator { kubeconfig: Some(kubeconfig), leader_elect: true, ..StartOperator::default() };
    (site.operator_with(start).await, user)
}

/// What it changed, leases apart, and when the API server heard of it.
fn changes(site: &Site, user: &str) -> Vec<(jiff::Timestamp, String)> {
    let wrote = |write: Write| !matches!(write, Write::Lease);
    site.audit()
        .into_iter()
        .filter(|event| event.user == user && event.write().is_some_and(wrote))
        .map(|event| (event.at, format!("{} {}", event.verb, event.uri)))
        .collect()
}

#[test]
fn of_two_replicas_one_works_and_the_other_takes_over_when_it_is_killed() {
    at_site(|site| async move {
        let (mut first, first_user) = replica(&site, 'a').await;
        until_it_leads(&first).await;
        let (second, second_user) = replica(&site, 'b').await;
        site.apply("before", json!({ "dbInstanceId": site.instance("rm-mysql"), "method": "Physical" })).await;
        site.until_phase("before", "Succeeded").await;
        assert!(!leads(&second) && changes(&site, &second_user).is_empty(), "the standby changed something");
        assert_eq!(second.get("/readyz").await.unwrap().status, 200, "a standby is ready");
        let metric = |text: &str, value: u8| text.lines().any(|line| line == format!("rdsbackup_operator_leader {value}"));
        let (of_first, of_second) = (first.get("/metrics").await.unwrap().body, second.get("/metrics").await.unwrap().body);
        assert!(metric(&of_first, 1) && metric(&of_second, 0), "{of_first}\n{of_second}");

        let killed = Instant::now();
        first.kill_9().await.unwrap();
        site.apply("after", json!({ "dbInstanceId": site.instance("rm-mysql-other"), "method": "Physical" })).await;
        until_it_leads(&second).await;
        let taken_over = killed.elapsed();
        site.until_phase("after", "Succeeded").await;
        println!("taken over {:.1} s after the leader was killed", taken_over.as_secs_f64());
        assert!(taken_over > Duration::from_secs(10), "a lease that was not released is waited for: {taken_over:?}");
        assert!(!changes(&site, &first_user).is_empty() && !changes(&site, &second_user).is_empty());
        for kind in ["rm-mysql", "rm-mysql-other"] {
            assert_eq!(site.rds().accepted(&site.instance(kind)), 1, "{kind}");
        }
    });
}

/// The lease is released when what was under way has ended, not before; and then the other replica need not wait until it expires.
#[test]
fn a_leader_that_is_stopped_ends_its_work_and_hands_over_at_once() {
    at_site(|site| async move {
        let (mut first, first_user) = replica(&site, 'a').await;
        until_it_leads(&first).await;
        let (second, _) = replica(&site, 'b').await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::Delay { ms: 4000, when: When::After }).instance(&instance).times(1));
        site.apply("handed", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        site.until_accepted(&instance).await;
        let stopped = Instant::now();
        assert!(first.stop().await.unwrap().success());
        let ended = stopped.elapsed();
        until_it_leads(&second).await;
        println!(
            "it ended {:.1} s after the signal, and the other led after {:.1} s",
            ended.as_secs_f64(),
            stopped.elapsed().as_secs_f64()
        );
        assert!(stopped.elapsed() < ended + Duration::from_secs(10), "the lease was not released");
        let object = site.until_phase("handed", "Succeeded").await;
        assert_eq!(object["status"]["origin"], "Created", "the answer that was under way was recorded");
        let last_change = changes(&site, &first_user).last().expect("it worked").0;
        let released = site.audit().into_iter().rfind(|event| event.user == first_user && event.write() == Some(Write::Lease));
        assert!(released.expect("it released the lease").at >= last_change, "released before the last write");
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
    });
}

/// A process that is frozen for longer than its lease goes on where it stopped.
#[test]
fn a_leader_that_stood_still_beyond_its_lease_begins_nothing_when_it_goes_on() {
    at_site(|site| async move {
        let (mut zombie, zombie_user) = replica(&site, 'a').await;
        until_it_leads(&zombie).await;
        let (second, _) = replica(&site, 'b').await;
        // Work that is due whenever it wakes: objects in the queue, and a job that runs.
        let instance = site.instance("rm-mysql");
        for name in ["one", "two", "three"] {
            site.apply(name, json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        }
        site.until_phase("one", "Running").await;
        // And an answer that is on its way, after which it writes without another request: there is no such instance.
        let nowhere = site.instance("rm-nowhere");
        let slowly = Effect::Delay { ms: 5000, when: When::After };
        site.rds().add_fault(Fault::on("DescribeDBInstanceAttribute", slowly).instance(&nowhere).times(1));
        site.apply("nowhere", json!({ "dbInstanceId": nowhere, "method": "Physical" })).await;
        while site.calls(&nowhere).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        zombie.signal(Signal::Stop).unwrap();
        until_it_leads(&second).await;
        let woken = now();
        zombie.signal(Signal::Cont).unwrap();
        let status = until_it_ends(&mut zombie).await;
        assert_eq!(status.code(), Some(1));
        assert!(zombie.log_tail().contains("was lost"), "{}", zombie.log_tail());
        for name in ["one", "two", "three"] {
            site.until_phase(name, "Succeeded").await;
        }
        site.until_reason("nowhere", "InstanceNotFound").await;
        let late: Vec<_> = changes(&site, &zombie_user).into_iter().filter(|(at, _)| *at > woken).collect();
        assert!(late.is_empty(), "the zombie changed {late:?}");
        let sent = site.creates(&instance).len();
        assert_eq!((sent, site.rds().accepted(&instance)), (3, 3));
    });
}

/// The lease is deleted.
#[test]
fn a_lease_that_is_taken_away_ends_its_leader_and_is_made_anew() {
    at_site(|site| async move {
        let (mut first, _) = replica(&site, 'a').await;
        until_it_leads(&first).await;
        let (second, _) = replica(&site, 'b').await;
        let instance = site.instance("rm-mysql");
        site.apply("through", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let system = lease_namespace();
        let kubectl = site.kubectl();
        let leases = kubectl.run(&["get", "lease", "-n", system, "-o", "json"]).await.unwrap();
        let leases: serde_json::Value = serde_json::from_str(&leases).unwrap();
        let identity = log_lines(first.log()).iter().find_map(|line| line["identity"].as_str().map(str::to_owned)).expect("an identity");
        let lease =
            leases["items"].as_array().unwrap().iter().find(|lease| lease["spec"]["holderIdentity"] == identity).expect("its lease");
        let name = lease["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("rds-backup-operator-"), "{name}: it watches one namespace");
        kubectl.run(&["delete", "lease", name, "-n", system]).await.unwrap();
        assert_eq!(until_it_ends(&mut first).await.code(), Some(1));
        until_it_leads(&second).await;
        site.until_phase("through", "Succeeded").await;
        assert_eq!((site.creates(&instance).len(), site.rds().accepted(&instance)), (1, 1));
    });
}

#[test]
fn a_replica_that_may_not_use_leases_is_not_ready_and_says_what_to_apply() {
    at_site(|site| async move {
        let system = "rds-backup-system";
        let account = format!("{}-bare", site.namespace);
        site.kubectl().run(&["create", "serviceaccount", &account, "-n", system]).await.unwrap();
        let kubeconfig = site.world.plane.service_account_kubeconfig(system, &account).await.unwrap();
        let mut operator = site.start(StartOperator { kubeconfig: Some(kubeconfig), leader_elect: true, ..StartOperator::default() });
        let lease = format!("may not use the lease {}/rds-backup-operator-", lease_namespace());
        let reason = [lease.as_str(), "the chart and deploy/install grant it"];
        until_unready_because(&operator, &reason).await;
        assert!(operator.stop().await.unwrap().success(), "a standby that never led ends at once");
    });
}

/// With an election, as by default, a replica watches nothing before it has the lease, so its request for the lease is the first to fail.
#[test]
fn a_replica_that_cannot_reach_the_api_server_waits_is_not_ready_and_says_so() {
    at_site(|site| async move {
        let kubeconfig = site.kubeconfig_of_no_server();
        let mut operator = site.start(StartOperator { kubeconfig: Some(kubeconfig), leader_elect: true, ..StartOperator::default() });
        until_unready_because(&operator, &["cannot be reached for the lease"]).await;
        assert!(operator.ended_already().unwrap().is_none(), "it waits");
        assert!(operator.stop().await.unwrap().success());
    });
}
