//! What should happen to an RdsBackup: a pure function of the object, what was observed, and the present. No clock, no client, no randomness.
//!
//! The steps are those of the submission protocol (docs of the crate's design): admit, preflight, intent, clear, send once, classify, record,
//! look, adopt, close, follow.

mod admit;
mod compatibility;
mod draft;
mod errors;
mod follow;
mod record;
mod resolve;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use errors::{occupies, reason_when_submitted};
pub(super) use follow::key as follow_key;
pub use resolve::absorb_look;

use super::{
    observation::{Blocker, Observation},
    spec::ValidatedSpec,
};
use crate::{
    api::{Phase, RdsBackupSpec, RdsBackupStatus},
    controller::Event,
    rds::{BackupId, CreateBackup, InstanceId, JobId, Stamp},
};
use draft::Draft;

/// Everything that should happen now; nothing else happens.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Written only if it differs from what the object has; always with the resourceVersion that was observed.
    pub status: RdsBackupStatus,
    /// At most one of these leaves the process per pass, after the status was written, so that a crash can fall between any two.
    pub effect: Option<Effect>,
    /// Published once the status was written.
    pub events: Vec<Event>,
    /// A hint: any watch event comes first, so every wait is also a time in the status or in the memory.
    pub requeue: Requeue,
    /// No new attempt before this; kept in memory.
    pub hold_until: Option<Timestamp>,
    /// The object lets go of its instance: those that wait for it are woken.
    pub wakes: bool,
}

/// What leaves the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the instance, its running jobs and its manual sets of the last 24 h. Holds the instance's lock from here on.
    Preflight {
        /// The instance.
        instance: InstanceId,
        /// The run and attempt that it is for.
        attempt: (i32, i32),
    },
    /// The status of this decision is an intent: re-read the object by a quorum GET first, and write it only if nothing changed.
    WriteIntent {
        /// The intent's nonce.
        nonce: String,
    },
    /// List the objects of the instance by a quorum LIST and see whether another has an open intent.
    Clear {
        /// The intent's nonce.
        nonce: String,
    },
    /// Send the request, once, in a task that outlives an aborted pass, and record what comes of it.
    Send {
        /// The request.
        request: Box<CreateBackup>,
        /// Its nonce and signed time, those of the intent.
        stamp: Stamp,
    },
    /// Read tasks, then sets, then claims.
    Look {
        /// The instance.
        instance: InstanceId,
        /// Sets that started before this cannot be ours.
        from: Timestamp,
    },
    /// Ask for the job by its id, and for its set where it is known.
    Follow {
        /// The instance.
        instance: InstanceId,
        /// The job; none where a set was adopted, or once the job has ended and told its set.
        job: Option<JobId>,
        /// The set, where it is recorded already.
        set: Option<BackupId>,
    },
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// At once: the effect's result is the next observation.
    Now,
    /// After this long, if nothing happens before.
    After(SignedDuration),
    /// When the object changes.
    OnChange,
}

/// How long after its preflight an intent may still be written, and after its intent a request may still be sent.
pub const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// What needs an edit or a grant is looked at again this often.
pub const STALLED_RECHECK: SignedDuration = SignedDuration::from_mins(5);

/// Decides. `now` is the service's time: our clock, corrected by what its answers told. The stages follow from the status alone; what this process remembers only says which step of a stage is next.
pub fn decide(spec: &RdsBackupSpec, observed: &Observation<'_>, now: Timestamp) -> Decision {
    let mut draft = Draft::new(spec, observed, now);

    // Step 7. A direct answer comes before everything else, whatever became of the object meanwhile: it is the only copy.
    if record::answer(&mut draft) {
        return draft.again();
    }
    if observed.status.phase.is_terminal() {
        return draft.settled();
    }
    let valid = match ValidatedSpec::from_spec(spec) {
        Ok(valid) => valid,
        Err(wrong) => return admit::invalid(draft, &wrong),
    };
    let account = match observed.account {
        Ok(account) => account,
        Err(blocker) => return blocked(draft, &valid, blocker),
    };
    let has_job = observed.status.backup_job_id.is_some() || observed.status.backup_id.is_some();
    if has_job && let Err(blocker) = &account.credentials {
        return out_of_sight(draft, observed.status.phase, blocker);
    }
    match (observed.status.open_submission(), has_job) {
        (Some(intent), true) => follow::adopted(draft, &valid, account, intent),
        (None, true) => follow::accepted(draft, &valid, account),
        (Some(intent), false) if !intent.cleared => resolve::uncleared(draft, &valid, account, intent),
        (Some(intent), false) => resolve::cleared(draft, &valid, account, intent),
        (None, false) if resolve::lacks_its_job(observed.status) => resolve::reopened(draft),
        (None, false) => admit::queued(draft, &valid, account),
    }
}

/// What records the answer that this process holds; none if the status shows it already. Step 7 alone, for the task that outlives a pass.
pub fn record(spec: &RdsBackupSpec, observed: &Observation<'_>, now: Timestamp) -> Option<Decision> {
    let mut draft = Draft::new(spec, observed, now);
    record::answer(&mut draft).then(|| draft.again())
}

/// How often credentials that somebody must provide are looked for.
const CREDENTIALS_RECHECK: SignedDuration = SignedDuration::from_secs(60);

/// Without credentials a job or an open intent cannot be looked at: it keeps its place. Where the lack passes by itself nobody is called.
fn out_of_sight(mut draft: Draft<'_>, phase: Phase, blocker: &Blocker) -> Decision {
    match blocker.again_in {
        Some(pause) => {
            draft.working(phase, blocker.reason, &blocker.message);
            draft.wait(pause)
        }
        None => {
            draft.stall(phase, blocker.reason, &blocker.message);
            draft.wait(CREDENTIALS_RECHECK)
        }
    }
}

/// The account cannot be used: what waits for it keeps its place, and a job or an open intent is not forgotten.
fn blocked(mut draft: Draft<'_>, valid: &ValidatedSpec, blocker: &Blocker) -> Decision {
    let phase = match draft.observed.status.phase {
        Phase::Pending | Phase::Queued => Phase::Pending,
        busy => busy,
    };
    draft.stall(phase, blocker.reason, &blocker.message);
    admit::waits_for_somebody(draft, valid.queue_timeout, STALLED_RECHECK)
}
