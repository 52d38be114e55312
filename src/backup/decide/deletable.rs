//! What the condition `DeletionSupported` says: whether the service would delete the set with its object.

use super::{compatibility, decision::Effect, draft::Draft, text::clip};
use crate::{
    api::{ConditionType, Origin, Phase, RdsBackupStatus, Reason},
    backup::{memory::Findings, recorded},
    rds::{BackupId, Deletable, Instance, InstanceId, Never, SetToDelete, Unsure, deletable},
};

/// What a condition says.
pub(super) struct Verdict {
    pub status: &'static str,
    pub reason: Reason,
    pub message: String,
}

/// What has to be read before the verdict on the set of a backup that has succeeded; none where it is known, or not asked for.
pub(super) fn unread(draft: &Draft<'_>) -> Option<Effect> {
    let known = draft.observed.memory.deletion.inspection.is_some();
    let instance = InstanceId::new(&draft.spec.db_instance_id);
    (draft.spec.deletes_set() && draft.status.origin == Some(Origin::Created) && !known)
        .then_some(Effect::Inspect { instance, to_delete: None })
}

/// Writes into the draft of a success what would become of its set, or takes it out where nobody asks.
pub(super) fn say(draft: &mut Draft<'_>) {
    let set = recorded::result(&draft.status).set.filter(|_| draft.spec.deletes_set() && draft.status.phase == Phase::Succeeded);
    let Some(set) = set else { return draft.drop_condition(ConditionType::DeletionSupported) };
    let Verdict { status, reason, message } = verdict(draft, &set);
    if reason == Reason::NeverDeletable {
        draft.event(true, reason, message.clone());
    }
    draft.set_condition(ConditionType::DeletionSupported, status, reason, &message);
}

fn verdict(draft: &Draft<'_>, set: &BackupId) -> Verdict {
    let never = |why: &str| Verdict {
        status: "False",
        reason: Reason::NeverDeletable,
        message: format!("backup set {set} stays when this object is deleted: {why}"),
    };
    let unknown = |why: &str| Verdict {
        status: "Unknown",
        reason: Reason::DeletionUnknown,
        message: format!(
            "whether the service deletes backup set {set} with this object is not known: {why}. It is asked when the object is deleted"
        ),
    };
    if let Some(why) = not_ours(draft.status.origin) {
        return never(why);
    }
    let Some(inspection) = &draft.observed.memory.deletion.inspection else { return unknown("its instance was not read") };
    let findings = &inspection.findings;
    let instance = match &findings.instance {
        Ok(instance) => instance,
        Err(error) => return unknown(&error.to_string()),
    };
    match judge(&draft.status, findings, instance, draft) {
        Deletable::Yes => Verdict {
            status: "True",
            reason: Reason::Deletable,
            message: format!("the service deletes backup set {set} when this object is deleted"),
        },
        Deletable::NotBefore(from) => Verdict {
            status: "True",
            reason: Reason::NotOldEnough,
            message: format!("the service deletes backup set {set} with this object from {from} on"),
        },
        Deletable::Never(why) => never(&in_words(why, instance)),
        Deletable::Unsure(Unsure::Policy) if let Some(Err(error)) = &findings.policy => {
            unknown(&format!("the instance's backup policy cannot be read ({error})"))
        }
        Deletable::Unsure(what) => unknown(match what {
            Unsure::Engine => "the rules of the service name no such engine",
            Unsure::Edition => "the service does not tell the edition of the instance",
            Unsure::Policy => "the instance's backup policy does not say how long logs are kept",
            Unsure::Age => "the service does not tell when the backup ended",
        }),
    }
}

/// What the rules say of the recorded set.
pub(super) fn judge(status: &RdsBackupStatus, findings: &Findings, instance: &Instance, draft: &Draft<'_>) -> Deletable {
    let method = status.effective.as_ref().and_then(|effective| effective.method.as_deref());
    let set = SetToDelete { method, ended_at: status.completed_at.as_ref().map(|time| time.0) };
    let policy = findings.policy.as_ref().and_then(|policy| policy.as_ref().ok());
    deletable(set, instance, policy, draft.now)
}

/// Why a set that the object's own request did not make for certain is never deleted.
pub(super) fn not_ours(origin: Option<Origin>) -> Option<&'static str> {
    match origin {
        Some(Origin::Created) => None,
        Some(Origin::Existing) => Some("the operator did not make it. Delete it in the console if it is not needed"),
        Some(Origin::Reused) => Some("it is the set of another RdsBackup"),
        Some(Origin::Adopted) | None => Some(
            "it was found after the answer to the request was lost, so it may be another's. Delete it in the console if it is not needed",
        ),
    }
}

/// Why the service never deletes a set.
pub(super) fn in_words(why: Never, instance: &Instance) -> String {
    match why {
        Never::Engine => {
            format!("the service deletes sets of MySQL and PostgreSQL on request, and {} is {}", instance.id, compatibility::kind(instance))
        }
        Never::Edition => {
            let edition = instance.category.as_deref().map(clip).unwrap_or_default();
            format!("the service deletes sets of the High-availability Edition on request, and {} is of edition {edition}", instance.id)
        }
        Never::Logical => "the service deletes no logical sets on request".to_owned(),
        Never::LogsKeptAsLong { days } => format!(
            "the backup policy of {} keeps logs for {days} days, as long as sets, and the service deletes no set on request then. Have it keep logs for a shorter time, or leave the set to the service, which removes it by itself",
            instance.id
        ),
    }
}
