//! The other objects of an instance: they wait in the same queue, may have a request under way, and own what a look finds.

use jiff::{SignedDuration, Timestamp};

use super::{policy::LONGEST_BEFORE_ITS_SET, recorded};
use crate::{
    api::{ConditionType, Origin, Phase, RdsBackup, Reason},
    controller::Unreadable,
    rds::{BackupRef, BackupTask, JobId, JobState},
    time::SaturatingTime,
};

/// Another unfinished RdsBackup of the same instance.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Its uid.
    pub uid: String,
    /// When it was created: the order of the queue.
    pub created_at: Timestamp,
    /// Its phase.
    pub phase: Phase,
    /// Whether it is Stalled, or its looks keep failing: then it does not hold the instance for ever.
    pub blocked: bool,
    /// Whether it takes part in the queue: admitted, not in backoff.
    pub queues: bool,
    /// The signed time of its open intent, if it has one.
    pub open_since: Option<Timestamp>,
    /// How long after that time an open intent stops holding the instance when it is blocked: expiry, skew and listing lag of its account.
    pub release_after: SignedDuration,
}

/// What the objects of an instance hold: their results, and the requests that they may have under way.
#[derive(Clone, Debug, Default)]
pub struct Commitments {
    /// Their results.
    pub claims: Vec<Claim>,
    /// The signed times of their open, cleared intents.
    pub intents: Vec<Timestamp>,
}

/// A job or a set that is the result of an object.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The object.
    pub uid: String,
    /// Where the object has it from.
    pub origin: Origin,
    /// The backup; its set is recorded, or was asked for by the job's id.
    pub backup: BackupRef,
    /// When its job was accepted, or its set started.
    pub began: Option<Timestamp>,
    /// Whether no set of it can be among those that are looked at: the job runs, or failed, or began long before.
    pub without_set: bool,
}

impl Sibling {
    /// Another object as the queue sees it; none if it is finished. `admissible`: its account may be used for it, and is not paused.
    pub fn of(other: &RdsBackup, admissible: bool, release_after: SignedDuration) -> Option<Self> {
        // It asks for no backup.
        if other.spec.existing_backup_id.is_some() {
            return None;
        }
        let status = other.status.as_ref();
        let phase = status.map_or(Phase::Pending, |status| status.phase);
        if phase.is_terminal() {
            return None;
        }
        let stalled = status.is_some_and(|status| status.is_true(ConditionType::Stalled));
        let reason = status.and_then(|status| status.ready_reason());
        // Only admitted objects queue: not one that waits for a person, for credentials, or for a backoff to end.
        let waits_aside = [
            Reason::CredentialsNotFound,
            Reason::SubmissionsPaused,
            Reason::RetryBackoff,
            Reason::Throttled,
            Reason::QuotaExceeded,
            Reason::DatabaseNotReady,
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
            // An object that no operator has seen yet counts, unless it cannot be admitted as it stands.
            queues: matches!(phase, Phase::Pending | Phase::Queued)
                && !stalled
                && !waits_aside
                && admissible
                && !other.is_paused()
                && other.metadata.deletion_timestamp.is_none(),
            open_since: status.and_then(|status| status.open_submission()).map(|intent| intent.signed_at()),
            release_after,
        })
    }
}

/// Whether `sibling` holds the instance at `now`: a running job, or an intent that may still become one.
///
/// Trace 7 of the protocol's model: an object that is Stalled for ever would make the other objects wait for ever, so an open intent that
/// is blocked lets go once the service can no longer accept it and whatever it accepted must be listed.
pub fn occupies(sibling: &Sibling, now: Timestamp) -> bool {
    match sibling.open_since {
        Some(since) => !(sibling.blocked && now > since.plus(sibling.release_after)),
        None => matches!(sibling.phase, Phase::Running | Phase::Finalizing),
    }
}

/// Whether the object may wait for its instance. A finished one waits for nothing, and is not woken.
pub fn is_unfinished(object: &RdsBackup) -> bool {
    !object.status.as_ref().is_some_and(|status| status.phase.is_terminal())
}

/// Whether an object that does not deserialise has ended, by its phase.
pub fn has_ended(object: &Unreadable) -> bool {
    Phase::ALL.iter().any(|phase| phase.is_terminal() && object.phase.as_deref() == Some(phase.as_str()))
}

/// Step 4. The uid of another object of the instance with an open intent, among those that a quorum LIST found.
pub fn rival(siblings: impl IntoIterator<Item = Sibling>, own_uid: &str, now: Timestamp) -> Option<String> {
    siblings
        .into_iter()
        .filter(|other| other.uid != own_uid)
        .find(|other| other.open_since.is_some() && occupies(other, now))
        .map(|other| other.uid)
}

impl Commitments {
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
    /// What an object claims: its recorded job and set. One that took in a set claims nothing: a person may have named the very set that an
    /// object looks for whose answer was lost, and it would be asked for again.
    pub fn of(object: &RdsBackup) -> Option<Self> {
        let status = object.status.as_ref()?;
        let origin = status.origin?;
        if !status.has_result() || origin == Origin::Existing {
            return None;
        }
        // Of a job that is known to have failed there is nothing to ask.
        let failed = status.phase == Phase::Failed && status.ready_reason() == Some(Reason::BackupFailed.as_str());
        Some(Self {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            origin,
            backup: recorded::result(status),
            began: status.started_at.as_ref().map(|started| started.0),
            without_set: failed,
        })
    }

    /// What an ended object that does not deserialise claims, by the ids in its status.
    pub fn of_unreadable(object: &Unreadable) -> Option<Self> {
        let backup = recorded::of(object.backup_job_id.as_ref(), object.backup_id.as_ref());
        let failed = object.phase.as_deref() == Some(Phase::Failed.as_str());
        let uid = object.metadata.uid.clone().unwrap_or_default();
        backup.key().is_some().then_some(Self { uid, origin: Origin::Created, backup, began: None, without_set: failed })
    }

    /// The job that the service must be asked for by its id, to know the set that is claimed with it.
    pub fn unmapped_job(&self) -> Option<&JobId> {
        self.backup.job.as_ref().filter(|_| self.backup.set.is_none() && !self.without_set)
    }

    /// Leaves out the job where its set cannot have started since `from`.
    pub fn look_from(&mut self, from: Timestamp) {
        self.without_set |= self.began.is_some_and(|began| began < from.minus(LONGEST_BEFORE_ITS_SET));
    }

    /// Takes in what the service answered for that job.
    pub fn learn(&mut self, tasks: &[BackupTask]) {
        if let Some(task) = tasks.iter().find(|task| Some(&task.job_id) == self.backup.job.as_ref()) {
            // A state that is not documented may be that of a job whose set is listed.
            self.without_set = matches!(task.state, JobState::NotStarted | JobState::Active | JobState::Failed);
            self.backup.set = task.backup_id.clone();
        }
    }
}
