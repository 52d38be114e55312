//! Judges a plan by the ledger, the objects, the endpoint's calls and the audit log. Shares no code with the operator.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outcome::{Expected, Outcome, Times};
use super::scenario::Scenario;
use super::violation::{ABSORBED, AS_UNDISTURBED, CLEARED, DELETED, MADE, ONE_ACCEPTED, RECORDED, SENT_ONCE, Violation, WRITES};
use crate::plane::audit::{self, AuditEvent, Write};
use crate::rds::{CallRecord, DeletionRecord, JobOutcome, LedgerEntry};
use crate::world::World;

/// How many more status writes than undisturbed are right. A lost answer costs six; a fault may lose two in a row.
const EXTRA_WRITES: usize = 12;

/// What can be seen of an operator from outside.
#[derive(Clone)]
pub(super) struct Evidence {
    pub audit: Vec<AuditEvent>,
    pub calls: Vec<CallRecord>,
    pub ledger: Vec<LedgerEntry>,
    pub deletions: Vec<DeletionRecord>,
}

impl Evidence {
    /// The evidence of a world up to now.
    pub(super) fn of(world: &World) -> std::io::Result<Self> {
        Ok(Self {
            audit: audit::read(world.plane.audit_log())?,
            calls: world.rds.calls(),
            ledger: world.rds.ledger(),
            deletions: world.rds.deletions(),
        })
    }
}

/// The rules that a plan broke. `undisturbed`: the runs without faults.
pub(super) fn judge(outcome: &Outcome, undisturbed: &[Outcome], evidence: &Evidence) -> Vec<Violation> {
    let mut found = outcome.troubles.clone();
    let mut broken = |rule, what| found.push(Violation { rule, what });

    for asked in &outcome.asked {
        let accepted = evidence.ledger.iter().filter(|entry| entry.instance == asked.instance).count();
        if !asked.backups.contains(&accepted) {
            broken(ONE_ACCEPTED, format!("{accepted} accepted of {}, asked for {:?}", asked.instance, asked.backups));
        }
    }
    let (is, was) = (ends(&outcome.objects), expected(outcome.expected, undisturbed));
    if is != was {
        broken(AS_UNDISTURBED, difference(&is, &was));
    }
    let is_deletion = matches!(outcome.expected, Expected::As(Scenario::Deletion));
    for entry in evidence.ledger.iter().filter(|entry| entry.outcome == JobOutcome::Success) {
        let Some(asked) = outcome.asked.iter().find(|asked| asked.instance == entry.instance) else { continue };
        let is_result = |backup: &&Value| {
            let status = &backup["status"];
            status["backupJobId"] == entry.job_id.as_str() || entry.backup_id.as_deref().is_some_and(|id| status["backupId"] == id)
        };
        let results = backups(&outcome.objects).filter(is_result).count();
        // Where objects were deleted under way, a job may have none left.
        let may_be_gone = is_deletion || asked.backups.start() != asked.backups.end();
        if results > 1 || results == 0 && !may_be_gone {
            broken(RECORDED, format!("job {} is the result of {results} objects", entry.job_id));
        }
    }
    let of_outcome = |event: &&AuditEvent| event.namespace == outcome.namespace && event.accepted();
    let events: Vec<&AuditEvent> = evidence.audit.iter().filter(of_outcome).collect();
    let writes: Vec<&AuditEvent> = events.iter().copied().filter(|event| event.write() == Some(Write::BackupStatus)).collect();
    if outcome.times != Times::Incomplete {
        for call in unclear(outcome, evidence, &writes) {
            broken(CLEARED, format!("call {call} was sent without one"));
        }
    }
    for nonce in sent_again(outcome, evidence) {
        broken(SENT_ONCE, format!("that of the nonce {nonce} arrived more than once"));
    }
    for asked in &outcome.asked {
        let (gone, made) = (deleted(evidence, &asked.instance), sets(evidence, &asked.instance));
        // A job that was found after a lost answer may be another's: its set stays.
        let is_certain = writes.iter().any(|event| body(event)["status"]["origin"] == "Created");
        let right = if is_deletion && is_certain { made } else { Vec::new() };
        if gone != right {
            broken(DELETED, format!("{gone:?} of {} were deleted, and {right:?} had to be", asked.instance));
        }
    }
    for name in left_their_end(&events) {
        broken(ABSORBED, format!("{name} left its end"));
    }
    if let Expected::As(scenario) = outcome.expected
        && let Some(reference) = reference(scenario, undisturbed)
    {
        let (is, was) = (made(&outcome.namespace, evidence), made(&reference.namespace, evidence));
        if is != was {
            broken(MADE, format!("{is:?}, and undisturbed {was:?}"));
        }
        let was = evidence
            .audit
            .iter()
            .filter(|event| event.namespace == reference.namespace && event.accepted() && event.write() == Some(Write::BackupStatus));
        let most = was.count() + EXTRA_WRITES;
        if writes.len() > most {
            broken(WRITES, format!("{} status writes, at most {most} are right", writes.len()));
        }
    }
    found
}

fn reference(scenario: Scenario, undisturbed: &[Outcome]) -> Option<&Outcome> {
    undisturbed.iter().find(|outcome| matches!(outcome.expected, Expected::As(reference) if reference == scenario))
}

/// How the objects must be.
fn expected(expected: Expected, undisturbed: &[Outcome]) -> Vec<String> {
    let of = |scenario| reference(scenario, undisturbed).map(|outcome| ends(&outcome.objects)).unwrap_or_default();
    match expected {
        Expected::As(scenario) => of(scenario),
        Expected::Backups(count) => of(Scenario::OneShot).into_iter().cycle().take(count).collect(),
    }
}

/// Which ends are there too often or too seldom.
fn difference(is: &[String], was: &[String]) -> String {
    let count = |list: &[String], one: &str| list.iter().filter(|other| *other == one).count();
    let mut ends: Vec<&String> = is.iter().chain(was).collect();
    ends.sort();
    ends.dedup();
    let differ = ends.iter().filter(|end| count(is, end) != count(was, end));
    let lines: Vec<String> = differ.map(|end| format!("{} times {end:?}, and not {}", count(is, end), count(was, end))).collect();
    lines.join("; ")
}

/// The requests for backups that reached the endpoint.
fn sends<'a>(outcome: &'a Outcome, evidence: &'a Evidence) -> impl Iterator<Item = &'a CallRecord> {
    let ours = |call: &&CallRecord| call.action == "CreateBackup" && outcome.asked.iter().any(|asked| asked.instance == call.instance);
    evidence.calls.iter().filter(ours)
}

/// The calls of CreateBackup without a cleared intent before them.
fn unclear(outcome: &Outcome, evidence: &Evidence, writes: &[&AuditEvent]) -> Vec<u64> {
    let cleared = |call: &&CallRecord| {
        writes.iter().any(|event| {
            let submission = &body(event)["status"]["submission"];
            submission["nonce"] == call.nonce.as_str()
                && submission["cleared"] == true
                && (outcome.times == Times::OfTwoClocks || event.at <= call.time)
        })
    };
    sends(outcome, evidence).filter(|call| !cleared(call)).map(|call| call.number).collect()
}

/// The nonces of the requests that arrived more than once, although the network delivered none twice.
fn sent_again(outcome: &Outcome, evidence: &Evidence) -> Vec<String> {
    let mut arrived: BTreeMap<&str, usize> = BTreeMap::new();
    for call in sends(outcome, evidence).filter(|call| call.fault.as_deref() != Some("duplicate")) {
        *arrived.entry(&call.nonce).or_default() += 1;
    }
    arrived.into_iter().filter(|(_, times)| *times > 1).map(|(nonce, _)| nonce.to_owned()).collect()
}

/// The sets of an instance that were deleted.
fn deleted<'a>(evidence: &'a Evidence, instance: &str) -> Vec<&'a str> {
    let mut gone: Vec<&str> =
        evidence.deletions.iter().filter(|record| record.instance == instance).map(|record| record.backup_id.as_str()).collect();
    gone.sort_unstable();
    gone
}

/// The sets of an instance that were made.
fn sets<'a>(evidence: &'a Evidence, instance: &str) -> Vec<&'a str> {
    let of_instance = evidence.ledger.iter().filter(|entry| entry.instance == instance);
    let mut made: Vec<&str> = of_instance.filter_map(|entry| entry.backup_id.as_deref()).collect();
    made.sort_unstable();
    made
}

/// What was created and deleted of our kinds in a namespace.
fn made(namespace: &str, evidence: &Evidence) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for event in evidence.audit.iter().filter(|event| event.namespace == namespace && event.accepted()) {
        let about_objects = event.group == "rdsbackup.io" && event.subresource.is_empty();
        if about_objects && matches!(event.verb.as_str(), "create" | "delete" | "deletecollection") {
            *made.entry(format!("{} {}", event.verb, event.resource)).or_default() += 1;
        }
    }
    made
}

/// The objects that were written to another phase after an end. What is created under the name of a deleted object is another one.
fn left_their_end(events: &[&AuditEvent]) -> Vec<String> {
    let mut ended: BTreeMap<&str, &str> = BTreeMap::new();
    let mut left = Vec::new();
    for event in events.iter().filter(|event| event.group == "rdsbackup.io" && event.resource == "rdsbackups") {
        let phase = body(event)["status"]["phase"].as_str().unwrap_or_default();
        match (event.verb.as_str(), ended.get(event.name.as_str())) {
            ("delete", _) => _ = ended.remove(event.name.as_str()),
            ("deletecollection", _) => ended.clear(),
            _ if event.write() != Some(Write::BackupStatus) => {}
            (_, Some(end)) if *end != phase => left.push(event.name.clone()),
            (_, None) if matches!(phase, "Succeeded" | "Failed") => _ = ended.insert(&event.name, phase),
            _ => {}
        }
    }
    left
}

fn backups(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|object| object["kind"] == "RdsBackup")
}

/// Every object without its name and times: its kind, its phase, and its conditions.
fn ends(objects: &[Value]) -> Vec<String> {
    let mut ends: Vec<String> = objects
        .iter()
        .map(|object| {
            let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let said = |condition: &Value| format!("{}={}", text(&condition["type"]), text(&condition["status"]));
            let mut conditions: Vec<String> = conditions.iter().map(said).collect();
            conditions.sort();
            format!("{} {} {}", text(&object["kind"]), text(&object["status"]["phase"]), conditions.join(" "))
        })
        .collect();
    ends.sort();
    ends
}

/// What was sent with a request.
fn body(event: &AuditEvent) -> &Value {
    event.request_body.as_ref().unwrap_or(&Value::Null)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests;
