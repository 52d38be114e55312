//! What must hold after every plan, from the ledger, the objects, the endpoint's calls and the audit log. No code of the operator.

use std::collections::BTreeMap;

use serde_json::Value;

use super::run::Ran;
use crate::plane::audit::{AuditEvent, Write};
use crate::rds::{CallRecord, JobOutcome, LedgerEntry};

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub rule: &'static str,
    pub what: String,
}

pub(super) const ENDED: &str = "struck, and quiet within its time";
pub(super) const ONE_ACCEPTED: &str = "one accepted CreateBackup";
pub(super) const AS_UNDISTURBED: &str = "ends as undisturbed";
pub(super) const RECORDED: &str = "the accepted job is the result";
pub(super) const CLEARED: &str = "sent after its cleared intent";
pub(super) const ABSORBED: &str = "an end is the end";

pub(super) const RULES: [&str; 6] = [ENDED, ONE_ACCEPTED, AS_UNDISTURBED, RECORDED, CLEARED, ABSORBED];

/// What was seen from outside.
pub(super) struct Evidence {
    pub audit: Vec<AuditEvent>,
    pub calls: Vec<CallRecord>,
    pub ledger: Vec<LedgerEntry>,
}

/// What a plan broke. `undisturbed`: the learning run of its scenario.
pub(super) fn judge(ran: &Ran, undisturbed: &Ran, evidence: &Evidence) -> Vec<Violation> {
    let mut found: Vec<Violation> = ran.troubles.iter().map(|what| Violation { rule: ENDED, what: what.clone() }).collect();
    let mut broken = |rule, what| found.push(Violation { rule, what });

    let accepted: Vec<&LedgerEntry> = evidence.ledger.iter().filter(|entry| entry.instance == ran.instance).collect();
    if accepted.len() != 1 {
        broken(ONE_ACCEPTED, format!("{} accepted", accepted.len()));
    }
    let (is, was) = (ends(&ran.objects), ends(&undisturbed.objects));
    if is != was {
        broken(AS_UNDISTURBED, format!("{is:?}, and undisturbed {was:?}"));
    }
    for entry in accepted.iter().filter(|entry| entry.outcome == JobOutcome::Success) {
        let is_result = |backup: &&Value| {
            let status = &backup["status"];
            status["backupJobId"] == entry.job_id.as_str() || entry.backup_id.as_deref().is_some_and(|id| status["backupId"] == id)
        };
        if backups(&ran.objects).filter(is_result).count() != 1 {
            broken(RECORDED, format!("job {} is not the result of one object", entry.job_id));
        }
    }
    let writes: Vec<&AuditEvent> =
        evidence.audit.iter().filter(|event| event.namespace == ran.namespace && event.write() == Some(Write::BackupStatus)).collect();
    let sent = evidence.calls.iter().filter(|call| call.instance == ran.instance && call.action == "CreateBackup");
    for call in sent {
        let clears = |event: &&&AuditEvent| {
            let submission = event.request_body.as_ref().map(|body| &body["status"]["submission"]);
            submission.is_some_and(|said| said["nonce"] == call.nonce.as_str() && said["cleared"] == true)
        };
        if !writes.iter().filter(clears).any(|event| event.accepted() && event.at <= call.time) {
            broken(CLEARED, format!("call {} was sent without one", call.number));
        }
    }
    for name in left_their_end(&writes) {
        broken(ABSORBED, format!("{name} left its end"));
    }
    found
}

/// The objects that were written to another phase after an end.
fn left_their_end(writes: &[&AuditEvent]) -> Vec<String> {
    let mut ended: BTreeMap<&str, &str> = BTreeMap::new();
    let mut left = Vec::new();
    for event in writes.iter().filter(|event| event.accepted()) {
        let phase = event.request_body.as_ref().and_then(|body| body["status"]["phase"].as_str()).unwrap_or_default();
        match ended.get(event.name.as_str()) {
            Some(end) if *end != phase => left.push(event.name.clone()),
            None if matches!(phase, "Succeeded" | "Failed") => _ = ended.insert(&event.name, phase),
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests;
