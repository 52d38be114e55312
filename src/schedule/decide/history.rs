//! Backups that have ended: what the status says of them, and which of their objects go.

use jiff::Timestamp;

use crate::{
    api::{FinishedBackup, Phase, RdsBackupScheduleStatus, Time},
    schedule::{plan::Plan, seen::Child},
};

/// Objects that one pass deletes; the next pass goes on.
const MOST_DELETIONS: usize = 10;

/// An object to delete, only if it is still the one that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
}

/// When it ended; the name decides between two of one second.
type Ended = (Timestamp, String);

/// Notes the backups that have ended since the newest that the status knows.
pub(super) fn count(status: &mut RdsBackupScheduleStatus, children: &[Child]) {
    let of = |finished: &FinishedBackup| (finished.completed_at.0, finished.name.clone());
    let known: Option<Ended> = [status.last_success.as_ref().map(of), status.last_failure.as_ref().map(of)].into_iter().flatten().max();
    let mut ended: Vec<(Ended, &Child)> =
        children.iter().filter(|child| child.same_target).filter_map(|child| Some((ended(child)?, child))).collect();
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    for ((at, name), child) in ended.into_iter().filter(|(at, _)| known.as_ref().is_none_or(|known| at > known)) {
        let finished = FinishedBackup { name, completed_at: Time(at), backup_id: child.backup_id.clone(), reason: child.reason.clone() };
        if child.phase == Phase::Succeeded {
            status.last_success = Some(FinishedBackup { reason: None, ..finished });
            status.consecutive_failures = 0;
        } else {
            status.last_failure = Some(finished);
            status.consecutive_failures = status.consecutive_failures.saturating_add(1);
        }
    }
}

/// The objects beyond the limits, oldest first. Never the newest success, never one that somebody holds, never one that has not ended.
pub(super) fn beyond_limits(plan: &Plan, children: &[Child]) -> Vec<Deletion> {
    let mut deletions = Vec::new();
    for (phase, limit) in [(Phase::Succeeded, plan.successful_history), (Phase::Failed, plan.failed_history)] {
        let of_phase = children.iter().filter(|child| child.same_target && child.phase == phase);
        let mut ended: Vec<(Ended, &Child)> = of_phase.filter_map(|child| Some((ended(child)?, child))).collect();
        ended.sort_by(|a, b| b.0.cmp(&a.0));
        let newest = ended.first().map(|(_, child)| child.name.clone());
        let kept = |child: &Child| child.held || phase == Phase::Succeeded && newest.as_ref() == Some(&child.name);
        deletions.extend(ended.into_iter().skip(limit).map(|(_, child)| child).filter(|child| !kept(child)).rev().map(|child| Deletion {
            name: child.name.clone(),
            uid: child.uid.clone(),
            resource_version: child.resource_version.clone(),
        }));
    }
    deletions.truncate(MOST_DELETIONS);
    deletions
}

fn ended(child: &Child) -> Option<Ended> {
    child.phase.is_terminal().then(|| (child.completed_at.unwrap_or(child.created_at), child.name.clone()))
}
