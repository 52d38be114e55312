//! Steps 4, 8 and 10: clear an intent, look for what became of a request, close it when it is proven that nothing did.

use jiff::{SignedDuration, Timestamp};

use super::{
    Decision, Effect, FRESH, STALLED_RECHECK,
    draft::{Draft, no_more_beside},
    errors::{self, Remedy},
    out_of_sight,
    record::close,
};
use crate::{
    accounts::{Expiry, Protocol},
    api::{AttemptOutcome, Origin, Phase, RdsBackupStatus, Reason, Submission, SubmissionOutcome, Time},
    backup::{
        observation::{AccountView, Look, LookFacts, Looks},
        spec::ValidatedSpec,
    },
    rds::{CallError, JobState, Mode, SetStatus, Stamp},
};

/// A look that meets a claimed job without a set adopts no set; after this many such looks it no longer waits for the service to tell.
const MAPPING_LOOKS: u32 = 5;

/// So long another process may take to clear the intent that it wrote: a list and a write.
///
/// Found by tests/walks: two operators that work on one object withdrew each other's intents as soon as they saw them, several times a second,
/// and none of them came to send.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// A set that started up to this long before the signed time, floored to the minute, may be ours: the service lists minutes.
const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Step 4. An intent that is not cleared was never sent: this process goes on with its own, any process withdraws another's.
pub(super) fn uncleared(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> Decision {
    let own = draft.observed.memory.own.as_ref().filter(|own| own.nonce == intent.nonce && !own.sent);
    let age = draft.now.duration_since(intent.signed_at());
    let fresh = age <= FRESH;
    let deleting = draft.observed.object.metadata.deletion_timestamp.is_some();
    match own {
        Some(own) if fresh && !deleting && !account.paused => match &own.rival {
            None => draft.then(Effect::Clear { nonce: intent.nonce.clone() }),
            Some(Some(_)) => {
                close(&mut draft, SubmissionOutcome::Unsent);
                draft.queue(
                    Reason::WaitingForTurn,
                    "another RdsBackup of the same instance is about to be sent; this one was withdrawn unsent and is tried again",
                );
                // Found by tests/faults: a rival that no cache shows (its event is late) was met again every 3 s for as long as its intent was
                // open. So the pause doubles with each attempt, to 80 s at most.
                let doublings = u32::try_from(intent.attempt.clamp(1, 5) - 1).unwrap_or_default();
                draft.hold(draft.now + draft.observed.randomness.pause * 2i32.pow(doublings));
                draft.again()
            }
            Some(None) => {
                if let Some(submission) = &mut draft.status.submission {
                    submission.cleared = true;
                }
                send(draft, valid, intent)
            }
        },
        None if age < GRACE && !deleting => draft.wait(GRACE - age),
        _ => {
            close(&mut draft, SubmissionOutcome::Unsent);
            draft.queue(Reason::NeverAccepted, "an attempt was interrupted before its request was sent; the next one is about to start");
            draft.again()
        }
    }
}

/// The newest request was accepted, its job is not known to have failed, and the status names neither job nor set: somebody took them out.
///
/// Found by `cargo sandbox faults`: taken for the run that comes after a failed one, it was a second backup.
pub(super) fn lacks_its_job(status: &RdsBackupStatus) -> bool {
    let names_none = status.backup_job_id.is_none() && status.backup_id.is_none();
    status.submission.as_ref().is_some_and(|last| {
        let accepted = matches!(last.outcome, Some(SubmissionOutcome::Accepted | SubmissionOutcome::Adopted));
        names_none && accepted && !job_failed(status, last.run, last.attempt)
    })
}

/// Its outcome is unknown then, and is looked for as if the answer had been lost.
pub(super) fn reopened(mut draft: Draft<'_>) -> Decision {
    if let Some(submission) = &mut draft.status.submission {
        submission.outcome = None;
    }
    draft.working(
        Phase::Resolving,
        Reason::OutcomeUnknown,
        "the request was accepted, and the status no longer names its job: somebody edited it. The backup is looked for on the instance",
    );
    draft.again()
}

fn job_failed(status: &RdsBackupStatus, run: i32, attempt: i32) -> bool {
    status.attempts.iter().any(|kept| (kept.run, kept.attempt) == (run, attempt) && kept.outcome == AttemptOutcome::JobFailed)
}

fn send(draft: Draft<'_>, valid: &ValidatedSpec, intent: &Submission) -> Decision {
    let stamp = Stamp { nonce: intent.nonce.clone(), timestamp: intent.signed_at() };
    draft.then(Effect::Send { request: Box::new(valid.request.clone()), stamp })
}

/// Step 8. The request may have been sent and its answer is not known: look, adopt, or close.
pub(super) fn cleared(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> Decision {
    let observed = draft.observed;
    // The write that cleared it landed although its answer was lost, and this process knows that it has not sent.
    if let Some(own) = observed.memory.own.as_ref().filter(|own| own.nonce == intent.nonce && !own.sent)
        && own.rival == Some(None)
        && draft.now.duration_since(intent.signed_at()) <= FRESH
    {
        return send(draft, valid, intent);
    }
    if let Err(blocker) = &account.credentials {
        return out_of_sight(draft, Phase::Resolving, blocker);
    }
    let looks = &observed.memory.looks;
    let Some(latest) = looks.latest.as_ref().filter(|_| looks.nonce == intent.nonce) else {
        return draft.then(look(valid, intent));
    };
    match &latest.result {
        Ok(facts) => {
            let verdict = judge(observed.status, intent, facts, looks.unmapped);
            if let Some(first) = verdict.candidates.first() {
                adopt(&mut draft, first, &verdict.candidates[1..]);
                return draft.again();
            }
            if proven_absent(looks, observed.status, intent, &account.protocol) && account.protocol.request_expiry != Expiry::Never {
                return never_accepted(draft, valid);
            }
            if account.protocol.request_expiry == Expiry::Never && first_clean(looks, observed.status).is_some() {
                draft.stall(
                    Phase::Resolving,
                    Reason::OutcomeUnknown,
                    "the answer to the request was lost, no backup of it is found, and the account's requestExpiry is Never, so it cannot be proven that none will begin. \
                     Nothing more is sent. If the console shows no backup of this object, delete it and create another; if it shows one, it is adopted when it is listed",
                );
                return look_again(draft, valid, intent, latest, STALLED_RECHECK);
            }
            if observed.status.phase != Phase::Resolving || observed.status.ready_reason() != Some(Reason::OutcomeUnknown.as_str()) {
                draft.working(
                    Phase::Resolving,
                    Reason::OutcomeUnknown,
                    "the request may have been sent and its answer is not known; the operator looks for the backup and sends nothing until it knows",
                );
            }
            let pause = pace(account, observed.status, intent, looks, draft.now);
            look_again(draft, valid, intent, latest, pause)
        }
        Err(error) => {
            let pause = unreadable(&mut draft, valid, account, error, latest.at, looks.failures);
            look_again(draft, valid, intent, latest, pause)
        }
    }
}

/// A look that failed: said aloud when it needs somebody, or when three in a row failed. Answers the pause before the next one.
pub(super) fn unreadable(
    draft: &mut Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    error: &CallError,
    at: Timestamp,
    failures: u32,
) -> SignedDuration {
    let trouble = errors::unread(error, failures, valid, &account.region_id);
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
            STALLED_RECHECK
        }
    }
}

fn look_again(draft: Draft<'_>, valid: &ValidatedSpec, intent: &Submission, latest: &Look, pause: SignedDuration) -> Decision {
    let due = latest.at + pause;
    if draft.now >= due {
        draft.then(look(valid, intent))
    } else {
        let wait = due.duration_since(draft.now);
        draft.wait(wait)
    }
}

pub(super) fn look(valid: &ValidatedSpec, intent: &Submission) -> Effect {
    Effect::Look { instance: valid.request.instance.clone(), from: window(intent) }
}

/// When the next look is due after the latest: as polls, but not past the instant from which a clean look counts.
pub(super) fn pace(account: &AccountView, status: &RdsBackupStatus, intent: &Submission, looks: &Looks, now: Timestamp) -> SignedDuration {
    let at = looks.latest.as_ref().map_or(now, |look| look.at);
    let pause = account.poll.after(at.duration_since(intent.signed_at()));
    let counts_from = match first_clean(looks, status) {
        None => counted_from(intent, &account.protocol),
        Some(first) => first + account.protocol.listing_lag + SignedDuration::from_secs(1),
    };
    let until = counts_from.duration_since(at);
    if until > SignedDuration::ZERO { pause.min(until) } else { pause.min(account.poll.max) }
}

/// Sets that started before this are not of this run.
fn window(intent: &Submission) -> Timestamp {
    minute(intent.unresolved_since.0) - SLACK
}

/// The beginning of the minute: the service lists minutes.
fn minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

/// From when on a clean look counts: the service refuses the request from then on.
fn counted_from(intent: &Submission, protocol: &Protocol) -> Timestamp {
    match protocol.request_expiry {
        Expiry::After(expiry) => intent.signed_at() + expiry + protocol.clock_skew,
        // Nothing can be proven; a look this late at least would have met a job that began at once.
        Expiry::Never => intent.signed_at() + protocol.listing_lag + protocol.clock_skew,
    }
}

/// Step 10. Lag counts from the job's end, not from the request: two clean looks one listing lag apart, or a job that ended a minute ago is
/// taken for one that never began, and a second backup starts (trace 1 of the protocol's model). More than a lag, not just one: `Date` has
/// whole seconds, so two looks that differ by 600 s may be 599.1 s apart.
///
/// Found by tests/model: the first of the two was clean because what it found stood beside an adoption, which was given back before the second.
pub(super) fn proven_absent(looks: &Looks, status: &RdsBackupStatus, intent: &Submission, protocol: &Protocol) -> bool {
    let (Some(first), Some(latest)) = (first_clean(looks, status), &looks.latest) else { return false };
    looks.nonce == intent.nonce && looks.latest_clean && latest.at.duration_since(first) > protocol.listing_lag
}

/// The first look that counts for the result that the object has now.
fn first_clean(looks: &Looks, status: &RdsBackupStatus) -> Option<Timestamp> {
    looks.first_clean.filter(|_| looks.beside.as_deref() == result(status))
}

fn result(status: &RdsBackupStatus) -> Option<&str> {
    super::follow::key(status.backup_job_id.as_deref(), status.backup_id.as_deref())
}

fn never_accepted(mut draft: Draft<'_>, valid: &ValidatedSpec) -> Decision {
    let (run, attempt) = draft.observed.status.submission.as_ref().map_or((1, 1), |submission| (submission.run, submission.attempt));
    if job_failed(draft.observed.status, run, attempt) {
        // An adopted job of this attempt failed, and nothing else can come of it now: the run is over.
        close(&mut draft, SubmissionOutcome::Adopted);
        super::follow::run_failed(&mut draft, valid);
        return draft.again();
    }
    close(&mut draft, SubmissionOutcome::NeverAccepted);
    let attempt = draft.attempt(AttemptOutcome::NeverAccepted);
    draft.remember(attempt);
    draft.queue(
        Reason::NeverAccepted,
        "the request whose answer was lost is proven to have never been accepted; the next attempt is about to start",
    );
    draft.again()
}

/// Takes the earliest candidate as the outcome. The others are reported, not claimed.
fn adopt(draft: &mut Draft<'_>, first: &Candidate, others: &[Candidate]) {
    draft.status.backup_job_id = first.job_id.clone();
    draft.status.backup_id = first.backup_id.clone();
    draft.not_beside(first.job_id.as_deref(), first.backup_id.as_deref());
    draft.status.origin = Some(Origin::Adopted);
    draft.status.started_at = Some(Time(first.started_at.unwrap_or(draft.now)));
    let what = match (&first.job_id, &first.backup_id) {
        (Some(job), _) => format!("job {job}"),
        (None, Some(set)) => format!("backup set {set}"),
        (None, None) => "a backup".to_owned(),
    };
    draft.event(
        false,
        Reason::Adopted,
        format!("{what} was found on the instance and is taken as the outcome of the request whose answer was lost"),
    );
    draft.working(
        Phase::Running,
        Reason::Running,
        &format!("{what} was adopted; it is followed, and final when the lost request can no longer be accepted"),
    );
    for other in others {
        draft.seen_beside(other.job_id.clone(), other.backup_id.clone());
    }
}

/// What may be the outcome of the open intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub job_id: Option<String>,
    pub backup_id: Option<String>,
    pub started_at: Option<Timestamp>,
}

/// What one look says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The earliest first.
    pub candidates: Vec<Candidate>,
    /// Whether it proves that nothing of ours was there.
    pub clean: bool,
}

/// Step 8. Judges a look: what is claimed, failed, automated, too old, or was there before the request is no candidate.
pub(super) fn judge(status: &RdsBackupStatus, intent: &Submission, facts: &LookFacts, unmapped_looks: u32) -> Verdict {
    let claimed_job = |id: &str| facts.claims.iter().any(|claim| claim.job_id.as_deref() == Some(id));
    let claimed_set = |id: &str| facts.claims.iter().any(|claim| claim.backup_id.as_deref() == Some(id));
    // Found by tests/model: a job of another method was adopted, our own set was seen beside it, and when the adoption was given back our own
    // was no candidate any more, so a second backup was made. What stood beside a result may be the outcome once that result is gone.
    let has_result = status.backup_job_id.is_some() || status.backup_id.is_some();
    let given_back = |job: Option<&str>, set: Option<&str>| {
        status
            .attempts
            .iter()
            .filter(|kept| has_result || kept.outcome != AttemptOutcome::PossibleDuplicate)
            .any(|kept| (job.is_some() && kept.backup_job_id.as_deref() == job) || (set.is_some() && kept.backup_id.as_deref() == set))
    };
    let own = |job: Option<&str>, set: Option<&str>| {
        (job.is_some() && status.backup_job_id.as_deref() == job) || (set.is_some() && status.backup_id.as_deref() == set)
    };

    // Found by tests/faults: this intent was given up (its looks failed, and nothing could come of it any more), another object sent its
    // request, and its job was taken for this one's before its id was recorded. The other's preflight saw nothing running, so whatever began
    // since its request is the other's, or nobody's.
    let newer = facts.intents.iter().copied().filter(|signed| *signed > intent.signed_at()).min();
    let since_newer =
        |started: Option<Timestamp>| newer.is_some_and(|newer| started.is_none_or(|started| started >= minute(newer) - SLACK));

    let from = window(intent);
    let mut sets: Vec<Candidate> = facts
        .sets
        .iter()
        .filter(|set| set.mode != Mode::Automated && set.by_user && set.status != SetStatus::Failed)
        .filter(|set| set.started_at.is_none_or(|started| started >= from) && !since_newer(set.started_at))
        .filter(|set| {
            let id = set.backup_id.as_str();
            !intent.baseline.backup_ids.iter().any(|listed| listed == id)
                && !claimed_set(id)
                && !given_back(None, Some(id))
                && !own(None, Some(id))
        })
        .map(|set| Candidate { job_id: None, backup_id: Some(set.backup_id.to_string()), started_at: set.started_at })
        .collect();
    sets.sort_by_key(|set| set.started_at);

    let active = |state: JobState| matches!(state, JobState::Active | JobState::Unknown);
    let jobs = facts
        .running
        .iter()
        .filter(|task| active(task.state))
        .filter(|task| task.on_demand && task.mode != Mode::Automated && !claimed_job(task.job_id.as_str()))
        .filter(|task| !since_newer(None) && !given_back(Some(task.job_id.as_str()), None) && !own(Some(task.job_id.as_str()), None))
        .map(|task| Candidate { job_id: Some(task.job_id.to_string()), backup_id: None, started_at: None });

    // Trace 4 of the protocol's model: an object that holds only a job id has a set that looks unclaimed. The object's own job counts too.
    let unmapped = facts.claims.iter().any(|claim| claim.job_id.is_some() && claim.backup_id.is_none() && !claim.without_set);
    let must_wait = unmapped && unmapped_looks <= MAPPING_LOOKS && !sets.is_empty();
    if must_wait {
        sets.clear();
    }
    // One job runs at a time, so a set is older than what runs.
    let mut candidates: Vec<Candidate> = sets.into_iter().chain(jobs).collect();
    // An object that has its result and has warned of others already must come to its end, however many more are made beside it.
    if has_result && no_more_beside(status) {
        candidates.clear();
    }
    Verdict { clean: candidates.is_empty() && !must_wait, candidates }
}

/// Takes in a look for the newest intent of `status`, and keeps what step 10 needs.
pub fn absorb_look(looks: &mut Looks, status: &RdsBackupStatus, protocol: &Protocol, look: Look) {
    let Some(intent) = &status.submission else { return };
    if looks.nonce != intent.nonce {
        *looks = Looks { nonce: intent.nonce.clone(), ..Looks::default() };
    }
    if looks.beside.as_deref() != result(status) {
        looks.beside = result(status).map(str::to_owned);
        looks.first_clean = None;
    }
    match &look.result {
        Ok(facts) => {
            looks.failures = 0;
            if facts.claims.iter().any(|claim| claim.job_id.is_some() && claim.backup_id.is_none() && !claim.without_set) {
                looks.unmapped += 1;
            }
            looks.latest_clean = judge(status, intent, facts, looks.unmapped).clean;
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
