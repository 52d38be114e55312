//! The series of RdsBackups.

use std::{collections::BTreeMap, fmt};

use super::{
    catalogue::{
        BACKUP_DURATION, BACKUPS, BACKUPS_QUEUED, BACKUPS_STALLED, DELETIONS, DELETIONS_BLOCKED, DUPLICATE, OLDEST_UNFINISHED,
        OUTCOME_UNKNOWN, QUEUE_WAIT, UNAVAILABLE,
    },
    exposition::Exposition,
};
use crate::{
    api::{ConditionType, Phase, RdsBackup, RdsBackupStatus, Reason, Time},
    backup::Context,
};

/// A reason or an account that is not in the closed list: an object's author may write any text.
const OTHER: &str = "other";

/// What is counted of the objects, in one walk over all of them.
#[derive(Debug, Default)]
struct Tally {
    by_phase: BTreeMap<String, [u32; Phase::ALL.len()]>,
    stalled: BTreeMap<(String, &'static str), u32>,
    queued: BTreeMap<(String, &'static str), u32>,
    /// Since when the oldest is in its phase, in seconds.
    oldest: BTreeMap<(String, &'static str), i64>,
    outcome_unknown: BTreeMap<String, u32>,
    duplicate: BTreeMap<String, u32>,
    unavailable: BTreeMap<String, u32>,
    deletions_blocked: BTreeMap<(String, &'static str), u32>,
}

/// Writes the series that are computed from the caches.
pub(super) fn write(out: &mut Exposition<'_>, context: &Context) -> fmt::Result {
    let mut tally = Tally::of_accounts(context.accounts.facts().into_iter().map(|account| account.name));
    for guarded in context.cached() {
        if let Ok(backup) = &guarded.0 {
            tally.add(backup);
        }
    }
    tally.write(out)
}

/// Writes what was counted as it happened.
pub(super) fn write_counted(out: &mut Exposition<'_>, context: &Context) -> fmt::Result {
    out.counted(&DELETIONS, &context.counts.deletions)?;
    out.counted(&BACKUP_DURATION, &context.counts.durations)?;
    out.counted(&QUEUE_WAIT, &context.counts.queue_waits)
}

impl Tally {
    /// Of every account it is known how many of its outcomes are unknown.
    fn of_accounts(names: impl IntoIterator<Item = String>) -> Self {
        Self { outcome_unknown: names.into_iter().map(|name| (name, 0)).collect(), ..Self::default() }
    }

    fn add(&mut self, backup: &RdsBackup) {
        let (spec, status) = (&backup.spec, backup.status.as_ref());
        let namespace = backup.metadata.namespace.clone().unwrap_or_default();
        let phase = status.map(|status| status.phase).unwrap_or_default();
        let is_true = |kind| status.is_some_and(|status| status.is_true(kind));
        let duplicate = self.duplicate.entry(namespace.clone()).or_default();
        *duplicate += u32::from(is_true(ConditionType::DuplicateBackup));
        let unavailable = self.unavailable.entry(namespace.clone()).or_default();
        *unavailable += u32::from(status.is_some_and(is_unavailable));
        let phases = self.by_phase.entry(namespace.clone()).or_default();
        if let Some((_, count)) = Phase::ALL.iter().zip(phases).find(|(known, _)| **known == phase) {
            *count += 1;
        }
        let account = if self.outcome_unknown.contains_key(&spec.account) { spec.account.as_str() } else { OTHER };
        if phase.is_terminal() {
            let waits = backup.metadata.deletion_timestamp.as_ref().and(status);
            if let Some(said) = waits.and_then(|status| status.condition(ConditionType::DeletionSupported)) {
                *self.deletions_blocked.entry((account.to_owned(), closed(Some(&said.reason)))).or_default() += 1;
            }
            return;
        }
        if is_true(ConditionType::Stalled) {
            let reason = closed(status.and_then(|status| status.ready_reason()));
            *self.stalled.entry((namespace, reason)).or_default() += 1;
        }
        if phase == Phase::Queued {
            let reason = closed(status.and_then(|status| status.queue.as_ref()).map(|queue| queue.reason.as_str()));
            *self.queued.entry((account.to_owned(), reason)).or_default() += 1;
        }
        if let Some(since) = in_phase_since(backup, phase) {
            let since = since.0.as_second();
            let oldest = self.oldest.entry((account.to_owned(), phase.as_str())).or_insert(since);
            *oldest = since.min(*oldest);
        }
        let open = |status: &crate::api::RdsBackupStatus| {
            !status.has_result() && status.open_submission().is_some_and(|submission| submission.cleared)
        };
        if status.is_some_and(open) {
            *self.outcome_unknown.entry(account.to_owned()).or_default() += 1;
        }
    }

    fn write(&self, out: &mut Exposition<'_>) -> fmt::Result {
        let by_phase = self.by_phase.iter().flat_map(|(namespace, counts)| {
            Phase::ALL.iter().zip(counts).map(move |(phase, count)| ([namespace.as_str(), phase.as_str()], f64::from(*count)))
        });
        out.computed(&BACKUPS, by_phase)?;
        out.computed(&BACKUPS_STALLED, of_two(&self.stalled))?;
        out.computed(&BACKUPS_QUEUED, of_two(&self.queued))?;
        let oldest = self.oldest.iter().map(|((account, phase), since)| ([account.as_str(), *phase], *since as f64));
        out.computed(&OLDEST_UNFINISHED, oldest)?;
        out.computed(&OUTCOME_UNKNOWN, of_one(&self.outcome_unknown))?;
        out.computed(&UNAVAILABLE, of_one(&self.unavailable))?;
        out.computed(&DELETIONS_BLOCKED, of_two(&self.deletions_blocked))?;
        out.computed(&DUPLICATE, of_one(&self.duplicate))
    }
}

/// Whether its set is gone, or cannot be restored. One that the service has removed in its time is missed by nobody.
fn is_unavailable(status: &RdsBackupStatus) -> bool {
    let said = status.condition(ConditionType::Available);
    said.is_some_and(|said| said.status == "False" && said.reason != Reason::BackupSetExpired.as_str())
}

/// Since when an unfinished backup is in its phase, as far as its status says. It does not say when a job ended, so one that is Finalizing
/// counts from the start of its job. Where nothing is recorded, the creation counts.
fn in_phase_since(backup: &RdsBackup, phase: Phase) -> Option<&Time> {
    let recorded = backup.status.as_ref().and_then(|status| match phase {
        Phase::Pending | Phase::Queued => status.queue.as_ref().map(|queue| &queue.since),
        Phase::Submitting | Phase::Resolving => status.submission.as_ref().map(|submission| &submission.unresolved_since),
        Phase::Running | Phase::Finalizing => status.started_at.as_ref(),
        Phase::Succeeded | Phase::Failed => None,
    });
    recorded.or(backup.metadata.creation_timestamp.as_ref())
}

fn of_one(counts: &BTreeMap<String, u32>) -> impl Iterator<Item = ([&str; 1], f64)> {
    counts.iter().map(|(label, count)| ([label.as_str()], f64::from(*count)))
}

fn of_two<'a>(counts: &'a BTreeMap<(String, &'static str), u32>) -> impl Iterator<Item = ([&'a str; 2], f64)> {
    counts.iter().map(|((first, second), count)| ([first.as_str(), *second], f64::from(*count)))
}

fn closed(reason: Option<&str>) -> &'static str {
    let known = |reason: &str| Reason::ALL.iter().map(|known| known.as_str()).find(|known| *known == reason);
    reason.and_then(known).unwrap_or(OTHER)
}
