//! A judge that finds nothing wrong proves nothing until it was seen to find what is wrong.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::faults::outcome::Asked;
use crate::faults::violation::ENDED;
use crate::plane::audit::Stage;

const AT: &str = "2027-01-15T08:00:00Z";

fn at(seconds: i64) -> Timestamp {
    AT.parse::<Timestamp>().expect("a time") + jiff::SignedDuration::from_secs(seconds)
}

fn backup(phase: &str, job: &str) -> Value {
    let ready = if phase == "Succeeded" { "True" } else { "False" };
    let conditions = json!([{ "type": "Ready", "status": ready }]);
    json!({ "kind": "RdsBackup", "metadata": { "name": "sample" }, "status": { "phase": phase, "backupJobId": job, "conditions": conditions } })
}

fn outcome(objects: Vec<Value>) -> Outcome {
    let outcome = Outcome::new("plan".into(), Default::default(), "plan-1".into(), Expected::As(Scenario::OneShot));
    Outcome { asked: vec![Asked { instance: "rm-1".into(), backups: 1..=1 }], objects, ..outcome }
}

/// The run without faults, in a namespace of its own that has no history.
fn reference() -> Outcome {
    Outcome { namespace: "plan-0".into(), ..outcome(vec![backup("Succeeded", "1")]) }
}

fn accepted(job: &str) -> LedgerEntry {
    let entry = json!({
        "time": AT, "instance": "rm-1", "parameters": {}, "jobId": job, "nonce": "n1", "signedAt": AT, "accessKeyId": "key",
        "outcome": serde_json::to_value(JobOutcome::Success).expect("an outcome"), "backupId": format!("s{job}"),
    });
    serde_json::from_value(entry).expect("an entry")
}

fn sent(nonce: &str, seconds: i64) -> CallRecord {
    let call = json!({
        "number": 1, "time": at(seconds).to_string(), "action": "CreateBackup", "accessKeyId": "key", "instance": "rm-1", "parameters": {},
        "signature": "V3", "answer": "JSON", "nonce": nonce, "outcome": "OK", "status": 200, "delivered": true, "fault": null,
    });
    serde_json::from_value(call).expect("a call")
}

fn wrote(seconds: i64, status: &Value) -> AuditEvent {
    AuditEvent {
        at: at(seconds),
        written: at(seconds),
        id: String::new(),
        stage: Stage::Complete,
        user: "operator".into(),
        user_agent: String::new(),
        verb: "patch".into(),
        uri: String::new(),
        group: "rdsbackup.io".into(),
        resource: "rdsbackups".into(),
        subresource: "status".into(),
        namespace: "plan-1".into(),
        name: "sample".into(),
        code: 200,
        request_body: Some(json!({ "status": status })),
        watch: false,
    }
}

fn cleared(seconds: i64) -> AuditEvent {
    wrote(seconds, &json!({ "phase": "Submitting", "submission": { "nonce": "n1", "cleared": true } }))
}

fn good() -> Evidence {
    let end = wrote(9, &json!({ "phase": "Succeeded" }));
    Evidence { audit: vec![cleared(1), end], calls: vec![sent("n1", 2)], ledger: vec![accepted("7")], deletions: Vec::new() }
}

fn rules(outcome: &Outcome, evidence: &Evidence) -> Vec<&'static str> {
    judge(outcome, &[reference()], evidence).into_iter().map(|found| found.rule).collect()
}

#[test]
fn what_is_right_breaks_no_rule() {
    assert_eq!(rules(&outcome(vec![backup("Succeeded", "7")]), &good()), Vec::<&str>::new());
}

#[test]
fn every_rule_can_be_broken() {
    let right = || outcome(vec![backup("Succeeded", "7")]);
    let mut trouble = right();
    trouble.trouble("not quiet");
    assert_eq!(rules(&trouble, &good()), [ENDED]);

    let twice = Evidence { ledger: vec![accepted("7"), accepted("8")], ..good() };
    assert_eq!(rules(&right(), &twice), [ONE_ACCEPTED, RECORDED]);
    assert_eq!(rules(&right(), &Evidence { ledger: Vec::new(), ..good() }), [ONE_ACCEPTED]);

    assert_eq!(rules(&outcome(vec![backup("Failed", "7")]), &good()), [AS_UNDISTURBED]);
    assert_eq!(rules(&outcome(vec![backup("Succeeded", "7"), backup("Succeeded", "9")]), &good()), [AS_UNDISTURBED], "one too many");
    assert_eq!(rules(&outcome(vec![backup("Succeeded", "6")]), &good()), [RECORDED]);

    assert_eq!(rules(&right(), &Evidence { calls: vec![sent("n2", 2)], ..good() }), [CLEARED], "another's");
    assert_eq!(rules(&right(), &Evidence { calls: vec![sent("n1", 0)], ..good() }), [CLEARED], "sent before");
    let refused = AuditEvent { code: 409, ..cleared(1) };
    assert_eq!(rules(&right(), &Evidence { audit: vec![refused], ..good() }), [CLEARED], "it did not stand");

    assert_eq!(rules(&right(), &Evidence { calls: vec![sent("n1", 2), sent("n1", 3)], ..good() }), [SENT_ONCE]);
    let copy = |call| CallRecord { fault: Some("duplicate".into()), ..call };
    let calls = vec![copy(sent("n1", 2)), copy(sent("n1", 3))];
    assert_eq!(rules(&right(), &Evidence { calls, ..good() }), Vec::<&str>::new(), "the network's doing");

    let mut audit = good().audit;
    audit.push(wrote(10, &json!({ "phase": "Queued" })));
    assert_eq!(rules(&right(), &Evidence { audit, ..good() }), [ABSORBED]);

    let created = AuditEvent { verb: "create".into(), subresource: String::new(), ..wrote(0, &json!({ "phase": "" })) };
    let mut audit = good().audit;
    audit.push(created);
    assert_eq!(rules(&right(), &Evidence { audit, ..good() }), [MADE], "created, and undisturbed nothing was");

    let mut audit = vec![cleared(1); EXTRA_WRITES];
    audit.push(wrote(9, &json!({ "phase": "Succeeded" })));
    assert_eq!(rules(&right(), &Evidence { audit, ..good() }), [WRITES]);
}

#[test]
fn the_set_of_a_deleted_object_goes_once_and_no_other() {
    let deletion = |objects| Outcome { expected: Expected::As(Scenario::Deletion), ..outcome(objects) };
    let found = |objects, origin: &str, deletions: &[&str]| {
        let reference = Outcome { namespace: "plan-0".into(), ..deletion(Vec::new()) };
        let gone =
            |set: &&str| DeletionRecord { time: at(20), instance: "rm-1".into(), backup_id: (*set).into(), access_key_id: "key".into() };
        let mut audit = good().audit;
        audit.push(wrote(9, &json!({ "phase": "Succeeded", "origin": origin })));
        let evidence = Evidence { audit, deletions: deletions.iter().map(gone).collect(), ..good() };
        judge(&deletion(objects), &[reference], &evidence).into_iter().map(|found| found.rule).collect::<Vec<_>>()
    };
    assert_eq!(found(Vec::new(), "Created", &["s7"]), Vec::<&str>::new());
    assert_eq!(found(Vec::new(), "Created", &[]), [DELETED], "the object went and its set stayed");
    assert_eq!(found(Vec::new(), "Created", &["s7", "s8"]), [DELETED], "another set went too");
    assert_eq!(found(Vec::new(), "Adopted", &[]), Vec::<&str>::new());
    assert_eq!(found(Vec::new(), "Adopted", &["s7"]), [DELETED], "it may be another's");
    assert_eq!(found(vec![backup("Succeeded", "7")], "Created", &["s7"]), [AS_UNDISTURBED], "the object stayed");

    let deleted = DeletionRecord { time: at(20), instance: "rm-1".into(), backup_id: "s7".into(), access_key_id: "key".into() };
    let evidence = Evidence { deletions: vec![deleted], ..good() };
    assert_eq!(rules(&outcome(vec![backup("Succeeded", "7")]), &evidence), [DELETED], "nobody asked for it");
}

#[test]
fn of_deleted_objects_up_to_one_backup_each_is_right_and_nothing_may_be_two_objects_result() {
    let again = || {
        let asked = vec![Asked { instance: "rm-1".into(), backups: 1..=2 }];
        Outcome { asked, expected: Expected::Backups(1), ..outcome(vec![backup("Succeeded", "8")]) }
    };
    let two = Evidence { ledger: vec![accepted("7"), accepted("8")], ..good() };
    assert_eq!(rules(&again(), &two), Vec::<&str>::new());
    let three = Evidence { ledger: vec![accepted("6"), accepted("7"), accepted("8")], ..good() };
    assert_eq!(rules(&again(), &three), [ONE_ACCEPTED]);
    let mut audit = good().audit;
    audit.push(AuditEvent { verb: "delete".into(), subresource: String::new(), ..wrote(10, &json!({})) });
    audit.push(wrote(11, &json!({ "phase": "Submitting" })));
    assert_eq!(rules(&again(), &Evidence { audit, ..two.clone() }), Vec::<&str>::new(), "another object of the name");
    let shared = Outcome { expected: Expected::Backups(2), objects: vec![backup("Succeeded", "8"), backup("Succeeded", "8")], ..again() };
    assert_eq!(rules(&shared, &two), [RECORDED]);
}

#[test]
fn an_audit_log_whose_server_was_killed_is_not_asked_for_its_last_moment() {
    let killed = Outcome { times: Times::Incomplete, ..outcome(vec![backup("Succeeded", "7")]) };
    assert_eq!(rules(&killed, &Evidence { audit: Vec::new(), ..good() }), Vec::<&str>::new());
}
