//! Backups that have ended: what the status says of them, and which of their objects go.

use jiff::Timestamp;

use super::{child::is_child_name, decision::Deletion, draft::Draft, times::whole_second};
use crate::{
    api::{FinishedBackup, Phase, RdsBackupScheduleStatus, Time},
    controller::written_at,
    schedule::{
        memory::Memory,
        observation::Child,
        policy::{CLOCK_SET_BACK, MOST_ACTIVE, MOST_DELETIONS, REFUSED_DELETION_PAUSE},
        spec::ValidatedSpec,
    },
    time::SaturatingTime,
};

/// When it ended; the name decides between two of one second.
pub(super) type Ended = (Timestamp, String);

impl Draft<'_> {
    /// What the status says of the backups of the schedule.
    pub fn update_child_status(&mut self) {
        self.status.active = self.active();
        self.status.active.truncate(MOST_ACTIVE);
        self.see_account();
        count(&mut self.status, self.observed.children, self.now);
    }
}

impl Draft<'_> {
    /// After a change of the account, what the backups of the old one said is not said of the new one. The change counts from the time of
    /// the edit, where the API server tells it.
    fn see_account(&mut self) {
        let account = &self.spec.template.spec.account;
        if self.status.account.as_ref() == Some(account) {
            return;
        }
        (self.status.last_success, self.status.last_failure, self.status.consecutive_failures) = (None, None, 0);
        let edited_at = written_at(&self.observed.object.metadata, &["template"]).map_or(self.now, |at| at.min(self.now));
        self.status.account_since = self.status.account.is_some().then(|| whole_second(edited_at));
        self.status.account = Some(account.clone());
    }
}

/// Notes the backups that have ended since the newest that the status knows. Successes and failures are compared among themselves: the time
/// of a success is the service's, that of a failure the operator's, and a success is often seen a listing lag after it ended.
fn count(status: &mut RdsBackupScheduleStatus, children: &[Child], now: Timestamp) {
    // A failure that lies ahead was written under a wrong clock: it would be the newest until that time comes.
    let is_possible = |at: Timestamp| at <= now.plus(CLOCK_SET_BACK);
    status.last_failure = status.last_failure.take().filter(|failure| is_possible(failure.completed_at.0));
    // A backup whose set is lost is none that could be restored: the newest that can be counts.
    let is_lost = |success: &FinishedBackup| children.iter().any(|child| child.name == success.name && child.set.is_lost());
    status.last_success = status.last_success.take().filter(|success| !is_lost(success));
    let of = |phase: Phase| {
        let mut found: Vec<(Ended, &Child)> = children
            .iter()
            .filter(|child| child.same_target && child.phase == phase && !child.is_expired() && !child.set.is_lost())
            .filter_map(|child| Some((ended(child)?, child)))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    };
    let failures: Vec<_> = of(Phase::Failed).into_iter().filter(|((at, _), _)| is_possible(*at)).collect();
    let known_failure = status.last_failure.as_ref().map(key);
    let known_success = status.last_success.as_ref().map(key);
    let newer = |than: &Option<Ended>, ended: &Ended| than.as_ref().is_none_or(|than| ended > than);
    let since = |than: &Option<Ended>| i32::try_from(failures.iter().filter(|(ended, _)| newer(than, ended)).count()).unwrap_or(i32::MAX);
    match of(Phase::Succeeded).pop().filter(|(ended, _)| newer(&known_success, ended)) {
        Some((ended, child)) => {
            status.last_success = Some(FinishedBackup { reason: None, ..finished(&ended, child) });
            status.consecutive_failures = since(&Some(ended));
        }
        None => {
            let fresh = since(&known_failure.clone().max(known_success));
            status.consecutive_failures = status.consecutive_failures.saturating_add(fresh);
        }
    }
    if let Some((ended, child)) = failures.last().filter(|(ended, _)| newer(&known_failure, ended)) {
        status.last_failure = Some(finished(ended, child));
    }
}

fn key(finished: &FinishedBackup) -> Ended {
    (finished.completed_at.0, finished.name.clone())
}

fn finished((at, name): &Ended, child: &Child) -> FinishedBackup {
    FinishedBackup { name: name.clone(), completed_at: Time(*at), backup_id: child.backup_id.clone(), reason: child.reason.clone() }
}

/// The objects beyond the limits, oldest first. Never the newest success, one with the hold annotation, one whose backup set would be deleted
/// with it, or one that has not ended.
///
/// A person may have labelled an RdsBackup with the schedule's name: only what has a schedule's uid and a name that schedules give is
/// theirs to delete.
pub(super) fn beyond_limits<'a>(valid: &ValidatedSpec, schedule: &str, children: &'a [Child]) -> Vec<&'a Child> {
    let mut beyond = Vec::new();
    let limits = [(Phase::Succeeded, valid.successful_history), (Phase::Failed, valid.failed_history)];
    // Of successes `retention` decides, where there is one.
    for (phase, limit) in limits.into_iter().filter(|(phase, _)| *phase == Phase::Failed || valid.retention.is_none()) {
        let is_made = |child: &Child| child.has_schedule_uid && is_child_name(schedule, &child.name);
        let counts =
            |child: &&Child| is_made(child) && child.same_target && child.phase == phase && !child.is_expired() && !child.is_being_deleted;
        let mut ended: Vec<(Ended, &Child)> = children.iter().filter(counts).filter_map(|child| Some((ended(child)?, child))).collect();
        ended.sort_by(|a, b| b.0.cmp(&a.0));
        let newest = ended.first().map(|(_, child)| child.name.clone());
        let keeps_a_set = |child: &Child| child.deletes_set || newest.as_ref() == Some(&child.name);
        let kept = |child: &Child| child.held || phase == Phase::Succeeded && keeps_a_set(child);
        beyond.extend(ended.into_iter().skip(limit).map(|(_, child)| child).filter(|child| !kept(child)).rev());
    }
    beyond
}

/// Those of them that are deleted now: one that may not be deleted delays no other.
pub(super) fn deletions(beyond: &[&Child], memory: &Memory, now: Timestamp) -> Vec<Deletion> {
    let waits =
        |child: &Child| memory.refused_deletions.get(&child.name).is_some_and(|refused| now < refused.at.plus(REFUSED_DELETION_PAUSE));
    let due = beyond.iter().filter(|child| !waits(child)).take(MOST_DELETIONS);
    let deletion =
        |child: &&Child| Deletion { name: child.name.clone(), uid: child.uid.clone(), resource_version: child.resource_version.clone() };
    due.map(deletion).collect()
}

pub(super) fn ended(child: &Child) -> Option<Ended> {
    child.phase.is_terminal().then(|| (child.completed_at.unwrap_or(child.created_at), child.name.clone()))
}
