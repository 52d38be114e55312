//! What the other objects of an instance are to one: siblings in the queue, rivals for the next request, owners of what a look finds.

use jiff::{SignedDuration, Timestamp};

use super::{
    decide::occupies,
    observation::{Claim, Others, Sibling},
};
use crate::{
    api::{ConditionType, Phase, RdsBackup, Reason},
    rds::{BackupTask, JobState},
};

impl Sibling {
    /// Another object as the queue sees it; none if it is finished. `admissible`: its account may be used for it, and is not paused.
    pub fn of(other: &RdsBackup, admissible: bool, release_after: SignedDuration) -> Option<Self> {
        let status = other.status.as_ref();
        let phase = status.map_or(Phase::Pending, |status| status.phase);
        if phase.is_terminal() {
            return None;
        }
        let stalled = status.is_some_and(|status| status.is_true(ConditionType::Stalled));
        let reason = status.and_then(|status| status.ready_reason());
        // Only admitted objects queue: not one that waits for somebody, for credentials, or for a backoff to end.
        let waits_aside = [
            Reason::CredentialsNotFound,
            Reason::SubmissionsPaused,
            Reason::RetryBackoff,
            Reason::Throttled,
            Reason::QuotaExceeded,
            Reason::ServiceUnavailable,
            Reason::ClockSkew,
        ]
        .iter()
        .any(|aside| reason == Some(aside.as_str()));
        let looks_fail = phase == Phase::Resolving && reason != Some(Reason::OutcomeUnknown.as_str());
        Some(Self {
            uid: other.metadata.uid.clone().unwrap_or_default(),
            created_at: other.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            phase,
            blocked: stalled || looks_fail,
            // An object that nobody has looked at yet counts, unless it cannot be admitted as it stands.
            queues: matches!(phase, Phase::Pending | Phase::Queued)
                && !stalled
                && !waits_aside
                && admissible
                && other.metadata.deletion_timestamp.is_none(),
            open_since: status.and_then(|status| status.open_submission()).map(|intent| intent.signed_at()),
            release_after,
        })
    }
}

/// Step 4. The uid of another object of the instance with an open intent, among those that a quorum LIST found.
pub fn rival(others: impl IntoIterator<Item = Sibling>, own_uid: &str, now: Timestamp) -> Option<String> {
    others
        .into_iter()
        .filter(|other| other.uid != own_uid)
        .find(|other| other.open_since.is_some() && occupies(other, now))
        .map(|other| other.uid)
}

impl Others {
    /// From the objects of an instance as a quorum LIST has them.
    pub fn of<'a>(objects: impl Iterator<Item = &'a RdsBackup> + Clone) -> Self {
        let open = |object: &RdsBackup| {
            let intent = object.status.as_ref()?.open_submission().filter(|intent| intent.cleared)?;
            Some(intent.signed_at())
        };
        Self { claims: objects.clone().filter_map(Claim::of).collect(), intents: objects.filter_map(open).collect() }
    }
}

impl Claim {
    /// What an object claims: its recorded job and set.
    pub fn of(object: &RdsBackup) -> Option<Self> {
        let status = object.status.as_ref()?;
        let origin = status.origin?;
        if status.backup_job_id.is_none() && status.backup_id.is_none() {
            return None;
        }
        // Of a job that is known to have failed there is nothing to ask.
        let failed = status.phase == Phase::Failed && status.ready_reason() == Some(Reason::BackupFailed.as_str());
        Some(Self {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            origin,
            job_id: status.backup_job_id.clone(),
            backup_id: status.backup_id.clone(),
            without_set: failed,
        })
    }

    /// The job that the service must be asked for by its id, to know the set that is claimed with it.
    pub fn unmapped_job(&self) -> Option<&str> {
        self.job_id.as_deref().filter(|_| self.backup_id.is_none() && !self.without_set)
    }

    /// Takes in what the service answered for that job.
    pub fn learn(&mut self, tasks: &[BackupTask]) {
        if let Some(task) = tasks.iter().find(|task| Some(task.job_id.as_str()) == self.job_id.as_deref()) {
            self.without_set = task.state != JobState::Finished;
            self.backup_id = task.backup_id.as_ref().map(ToString::to_string);
        }
    }
}
