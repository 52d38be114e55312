//! The condition `Available`: what the newest audit found of the set of a backup that has succeeded. It is there from the first time on at
//! which something is wrong.

use super::draft::Draft;
use crate::{
    api::{ConditionType, ExpirySource, Phase, RdsBackupStatus, Reason, Time},
    audit::{Audited, Finding},
};

/// What the condition says of a finding: nothing of a set that has always been there.
fn reason_of(status: &RdsBackupStatus, finding: &Finding) -> Option<Reason> {
    match finding {
        Finding::Usable { .. } => status.condition(ConditionType::Available).is_some().then_some(Reason::Listed),
        Finding::Unusable(_) => Some(Reason::BackupSetUnusable),
        Finding::Gone => Some(Reason::BackupSetGone),
        Finding::Expired => Some(Reason::BackupSetExpired),
    }
}

/// Whether a finding says something else than the status.
pub fn is_news(status: &RdsBackupStatus, audited: &Audited) -> bool {
    if status.phase != Phase::Succeeded {
        return false;
    }
    let said = status.condition(ConditionType::Available).map(|said| said.reason.as_str());
    said != reason_of(status, &audited.finding).map(Reason::as_str) || other_end(status, &audited.finding).is_some()
}

/// The end that the service tells of the set, where the status has another.
fn other_end(status: &RdsBackupStatus, finding: &Finding) -> Option<Time> {
    let Finding::Usable { expires_at: Some(told) } = finding else { return None };
    let known = status.expires_at.as_ref().is_some_and(|known| known.0 == *told) && status.expiry_source == Some(ExpirySource::Service);
    (!known).then_some(Time(*told))
}

/// Writes into the draft what the newest audit found, where that is news.
pub(super) fn say(draft: &mut Draft<'_>) {
    let status = draft.observed.status;
    let Some(audited) = draft.observed.audited.filter(|audited| is_news(status, audited)) else { return };
    if let Some(end) = other_end(status, &audited.finding) {
        (draft.status.expires_at, draft.status.expiry_source) = (Some(end), Some(ExpirySource::Service));
    }
    let Some(reason) = reason_of(status, &audited.finding) else { return };
    if status.condition(ConditionType::Available).is_some_and(|said| said.reason == reason.as_str()) {
        return;
    }
    let set = status.backup_id.as_deref().unwrap_or_default();
    let message = match &audited.finding {
        Finding::Usable { .. } => format!("the service lists backup set {set} as usable again"),
        Finding::Unusable(why) => {
            format!("backup set {set} cannot be restored any more: {why}. Make another backup, and look at the set in the console")
        }
        Finding::Gone => {
            format!(
                "the service does not list backup set {set} any more, although it was to stay. Make another backup, and find out who deleted the set or released the instance"
            )
        }
        Finding::Expired => format!("the service has removed backup set {set}: its retention is over"),
    };
    let is_bad = matches!(reason, Reason::BackupSetGone | Reason::BackupSetUnusable);
    draft.event(is_bad, reason, message.clone());
    let is_usable = matches!(audited.finding, Finding::Usable { .. });
    draft.set_condition(ConditionType::Available, if is_usable { "True" } else { "False" }, reason, &message);
}
