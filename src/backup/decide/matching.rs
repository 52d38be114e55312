//! Step 11: the set of a job that the service has forgotten, or that ended without naming its set, is one that it lists.

use jiff::SignedDuration;

use super::{draft::Draft, look};
use crate::{
    api::{BackupType, Submission},
    backup::{
        memory::{Follow, LookFacts},
        observation::AccountView,
        policy::MISSES,
    },
    rds::{BackupId, BackupSet},
};

/// The set of a job that the service does not name, among those that a look found: of one that it has forgotten, or that ended without
/// naming its set.
pub(super) fn listed(
    draft: &Draft<'_>,
    account: &AccountView,
    follow: &Follow,
    intent: &Submission,
    facts: &LookFacts,
) -> Option<BackupId> {
    let mut facts = facts.clone();
    facts.sets.retain(|set| fits(set, draft));
    // The object's own job is known to have ended, and its set is the one that is searched for.
    if follow.ended_unnamed() {
        facts.claims.retain(|claim| claim.uid != draft.observed.uid());
    }
    let unmapped = draft.observed.memory.looks.unmapped;
    look::examine(draft.observed.status, intent, &account.protocol, &facts, unmapped)
        .candidates
        .into_iter()
        .find_map(|candidate| candidate.backup.set)
}

/// Whether only a listing can tell what became of the job.
pub(super) fn is_lost_sight_of(draft: &Draft<'_>, follow: &Follow) -> bool {
    draft.result().set.is_none() && (follow.misses >= MISSES || follow.ended_unnamed())
}

/// Whether the service had the time to list the set of a job that was lost sight of: a listing lag since the end of the job, or since the
/// first poll that did not find it.
pub(super) fn is_lost(account: &AccountView, follow: &Follow) -> bool {
    match follow.ended_unnamed() {
        true => is_settled(account, follow),
        false => follow.misses > MISSES * 2 && follow.answered_since(follow.missed_since) > account.protocol.listing_lag,
    }
}

/// Whether the service was asked a listing lag after the end of the job.
pub(super) fn is_settled(account: &AccountView, follow: &Follow) -> bool {
    follow.answered_since(follow.finished_since) > account.protocol.listing_lag.max(SignedDuration::from_secs(1))
}

/// What a set must be that was not named by the service as this object's. MariaDB is asked for a physical backup and makes a snapshot.
pub(super) fn fits(set: &BackupSet, draft: &Draft<'_>) -> bool {
    let effective = draft.status.effective.as_ref();
    let engine = effective.and_then(|effective| effective.engine.as_deref());
    // The method that was recorded with the intent: the service's default where the spec names none.
    let method = match (effective.and_then(|effective| effective.method.as_deref()), &set.method) {
        (Some(wanted), Some(made)) if engine != Some("MariaDB") => wanted.eq_ignore_ascii_case(made),
        _ => true,
    };
    let full = draft.spec.backup_type == Some(BackupType::FullBackup);
    method && (!full || set.backup_type.as_deref().is_none_or(|made| made.eq_ignore_ascii_case("FullBackup")))
}

pub(super) fn describe(set: &BackupSet) -> String {
    format!("{}, {}", set.method.as_deref().unwrap_or("unknown method"), set.backup_type.as_deref().unwrap_or("unknown type"))
}
