//! Step 8: what a look at the instance proves of a request whose answer was lost.

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::Effect,
    draft::{Draft, no_more_beside},
    errors::{self, Remedy},
};
use crate::{
    accounts::{Expiry, Protocol},
    api::{AttemptOutcome, Phase, RdsBackupStatus, Submission},
    backup::{
        memory::{Look, LookFacts, Looks},
        observation::AccountView,
        policy::{MAPPING_LOOKS, SLACK},
        recorded,
        spec::ValidatedSpec,
    },
    rds::{BackupRef, BackupTask, CallError, JobId, JobState, Mode, SetStatus, TaskAction},
    time::SaturatingTime,
};

/// What may be the outcome of the open intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub backup: BackupRef,
    pub started_at: Option<Timestamp>,
}

/// What one look says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Examined {
    /// The earliest first.
    pub candidates: Vec<Candidate>,
    /// Whether it proves that nothing of ours was there.
    pub clean: bool,
}

/// Step 8. Examines a look: what is claimed, failed, automated, too old, or was there before the request is no candidate.
pub(super) fn examine(
    status: &RdsBackupStatus,
    intent: &Submission,
    protocol: &Protocol,
    facts: &LookFacts,
    unmapped_looks: u32,
) -> Examined {
    let claimed = |backup: &BackupRef| facts.claims.iter().any(|claim| claim.backup.is(backup));
    // Found by tests/simulation/model: a job of another method was adopted, our own set was seen beside it, and when the adoption was given
    // back our own was no candidate any more, so a second backup was made. What stood beside a result may be the outcome once that result
    // is gone.
    let has_result = status.has_result();
    let given_back = |backup: &BackupRef| {
        let kept = status.attempts.iter().filter(|kept| has_result || kept.outcome != AttemptOutcome::PossibleDuplicate);
        kept.map(recorded::of_attempt).any(|kept| kept.is(backup))
    };
    let own = recorded::result(status);
    let taken = |backup: &BackupRef| claimed(backup) || given_back(backup) || own.is(backup);

    // Found by tests/faults: this intent was given up (its looks failed, and nothing could come of it any more), another object sent its
    // request, and its job was taken for this one's before its id was recorded. The other's preflight saw nothing running, so whatever
    // began since its request is the other object's, or a foreign one.
    let newer = facts.intents.iter().copied().filter(|signed| *signed > intent.signed_at()).min();
    let since_newer = |started: Option<Timestamp>| {
        newer.is_some_and(|newer| started.is_none_or(|started| started >= minute(newer).minus(slack(protocol))))
    };

    let from = window(intent, protocol);
    let mut sets: Vec<Candidate> = facts
        .sets
        .iter()
        .filter(|set| set.mode != Mode::Automated && set.by_user && set.status != SetStatus::Failed)
        .filter(|set| set.started_at.is_none_or(|started| started >= from) && !since_newer(set.started_at))
        .filter(|set| !intent.baseline.backup_ids.iter().any(|listed| listed == set.backup_id.as_str()))
        .map(|set| Candidate { backup: BackupRef::of_set(set.backup_id.clone()), started_at: set.started_at })
        .filter(|candidate| !taken(&candidate.backup))
        .collect();
    sets.sort_by_key(|set| set.started_at);

    let active = |state: JobState| matches!(state, JobState::NotStarted | JobState::Active | JobState::Unknown);
    // A job that had not begun before the request, and did not stand in its way, is not its outcome.
    let was_there = |job: &JobId| intent.baseline.job_ids.iter().any(|listed| listed == job.as_str());
    let (jobs, doubtful): (Vec<&BackupTask>, Vec<&BackupTask>) = facts
        .running
        .iter()
        .filter(|task| active(task.state) && task.mode != Mode::Automated && task.action != TaskAction::Scheduled)
        .filter(|task| !was_there(&task.job_id))
        .filter(|task| !since_newer(None) && !taken(&BackupRef::of_job(task.job_id.clone())))
        .partition(|task| task.action == TaskAction::OnDemand);
    let jobs = jobs.into_iter().map(|task| Candidate { backup: BackupRef::of_job(task.job_id.clone()), started_at: None });

    // Trace 4 of the protocol's model: an object that holds only a job id has a set that looks unclaimed. The object's own job counts too.
    let unmapped = facts.claims.iter().any(|claim| claim.unmapped_job().is_some());
    let must_wait = unmapped && unmapped_looks <= MAPPING_LOOKS && !sets.is_empty();
    if must_wait {
        sets.clear();
    }
    // One job runs at a time, so a set is older than what runs.
    let mut candidates: Vec<Candidate> = sets.into_iter().chain(jobs).collect();
    // What does not say what began it may be ours, and may be the instance's own: it is not adopted, and while it runs nothing is proven.
    // Its set says more.
    let mut in_doubt = !doubtful.is_empty();
    // An object that has its result and has warned of possible duplicates must come to its end, however many more backups are made.
    if has_result && no_more_beside(status) {
        candidates.clear();
        in_doubt = false;
    }
    Examined { clean: candidates.is_empty() && !must_wait && !in_doubt, candidates }
}

/// Takes in a look for the newest intent of `status`, and keeps what step 10 needs.
pub fn absorb_look(looks: &mut Looks, status: &RdsBackupStatus, protocol: &Protocol, look: Look) {
    let Some(intent) = &status.submission else { return };
    if looks.nonce != intent.nonce {
        *looks = Looks { nonce: intent.nonce.clone(), ..Looks::default() };
    }
    if looks.beside.as_deref() != recorded::result(status).key() {
        looks.beside = recorded::result(status).key().map(str::to_owned);
        looks.first_clean = None;
    }
    match &look.result {
        Ok(facts) => {
            looks.failures = 0;
            if facts.claims.iter().any(|claim| claim.unmapped_job().is_some()) {
                looks.unmapped += 1;
            }
            looks.latest_clean = examine(status, intent, protocol, facts, looks.unmapped).clean;
            if looks.latest_clean && look.at >= counted_from(intent, protocol) {
                looks.first_clean.get_or_insert(look.at);
            }
        }
        Err(_) => {
            looks.failures += 1;
            looks.latest_clean = false;
        }
    }
    looks.latest = Some(look);
}

pub(super) fn look(valid: &ValidatedSpec, intent: &Submission, protocol: &Protocol) -> Effect {
    Effect::Look { instance: valid.request.instance.clone(), from: window(intent, protocol) }
}

/// When the next look is due after the latest: as polls, but not past the instant from which a clean look counts.
pub(super) fn pace(account: &AccountView, status: &RdsBackupStatus, intent: &Submission, looks: &Looks, now: Timestamp) -> SignedDuration {
    let at = looks.latest.as_ref().map_or(now, |look| look.at);
    let pause = account.poll.after(at.duration_since(intent.signed_at()));
    let counts_from = match first_clean(looks, status) {
        None => counted_from(intent, &account.protocol),
        Some(first) => first.plus(account.protocol.listing_lag).plus(SignedDuration::from_secs(1)),
    };
    let until = counts_from.duration_since(at);
    if until > SignedDuration::ZERO { pause.min(until) } else { pause.min(account.poll.max) }
}

/// Sets that started before this are not of this run.
fn window(intent: &Submission, protocol: &Protocol) -> Timestamp {
    minute(intent.unresolved_since.0).minus(slack(protocol))
}

/// How long before the minute of its request a set may seem to have started.
fn slack(protocol: &Protocol) -> SignedDuration {
    SLACK.max(protocol.clock_skew)
}

/// The beginning of the minute: the service lists minutes.
fn minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

/// From when on a clean look counts: the service refuses the request from then on.
fn counted_from(intent: &Submission, protocol: &Protocol) -> Timestamp {
    match protocol.request_expiry {
        Expiry::After(expiry) => intent.signed_at().plus(expiry).plus(protocol.clock_skew),
        // Nothing can be proven; a look this late at least would have met a job that began at once.
        Expiry::Never => intent.signed_at().plus(protocol.listing_lag).plus(protocol.clock_skew),
    }
}

/// Step 10. Lag counts from the job's end, not from the request: two clean looks one listing lag apart, or a job that ended a minute ago is
/// taken for one that never began, and a second backup starts (trace 1 of the protocol's model). More than a lag, not just one: `Date` has
/// whole seconds, so two looks that differ by 600 s may be 599.1 s apart.
///
/// Found by tests/simulation/model: the first of the two was clean because what it found stood beside an adoption, which was given back
/// before the second.
pub(super) fn proven_absent(looks: &Looks, status: &RdsBackupStatus, intent: &Submission, protocol: &Protocol) -> bool {
    let (Some(first), Some(latest)) = (first_clean(looks, status), &looks.latest) else { return false };
    looks.nonce == intent.nonce && looks.latest_clean && latest.at.duration_since(first) > protocol.listing_lag
}

/// The first look that counts for the result that the object has now.
pub(super) fn first_clean(looks: &Looks, status: &RdsBackupStatus) -> Option<Timestamp> {
    looks.first_clean.filter(|_| looks.beside.as_deref() == recorded::result(status).key())
}

/// A look that failed. The status shows it when a person must act, or when three in a row failed. Returns the pause before the next look.
pub(super) fn unreadable(
    draft: &mut Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    error: &CallError,
    at: Timestamp,
    failures: u32,
) -> SignedDuration {
    let trouble = errors::unread(error, failures, valid, account);
    let phase = draft.observed.status.phase;
    let phase = if phase == Phase::Submitting { Phase::Resolving } else { phase };
    match trouble.remedy {
        Remedy::Wait(time) => {
            if failures >= 3 {
                let message = draft.trouble(&trouble, error, at);
                draft.working(phase, trouble.reason, &message);
            }
            time
        }
        Remedy::Stall | Remedy::Fail => {
            let message = draft.trouble(&trouble, error, at);
            draft.stall(phase, trouble.reason, &message);
            draft.stalled_recheck()
        }
    }
}
