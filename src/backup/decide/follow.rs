//! Steps 9 and 11: a job is known; it is followed to its set, and to the end.

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::{Decision, Effect},
    deletable,
    draft::Draft,
    end::{self, close, result_lost, succeed},
    look,
    matching::{describe, fits, is_lost, is_lost_sight_of, is_settled, listed},
};
use crate::{
    api::{AttemptOutcome, ConditionType, Phase, Reason, Span, Submission, SubmissionOutcome},
    backup::{
        memory::{Follow, Look},
        observation::AccountView,
        policy::{SHOWS_PROGRESS, UNLISTED},
        recorded,
        spec::ValidatedSpec,
    },
    rds::{BackupRef, BackupSet, InstanceId, JobState, SetStatus},
    time::SaturatingTime,
};

/// What the polls say of the job.
enum Outcome {
    /// Not ended, or its set is not confirmed yet.
    Open,
    /// The set is listed and usable.
    Good(Box<BackupSet>),
    /// The job or its set failed.
    Failed,
    /// Over, without a usable result.
    Lost(Reason, String),
}

/// The job is the direct answer to our request.
pub(super) fn accepted(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
    let follow = newest(&draft);
    match outcome(&mut draft, valid, account, &follow) {
        Outcome::Good(set) => match deletable::unread(&draft) {
            Some(read) => draft.then(read),
            None => {
                succeed(&mut draft, &set);
                draft.again()
            }
        },
        Outcome::Failed => {
            let job_failed = end::failed_attempt(&draft);
            draft.remember(job_failed);
            end::run_failed(&mut draft, valid);
            draft.again()
        }
        Outcome::Lost(reason, message) => {
            draft.fail(reason, &message);
            draft.again()
        }
        Outcome::Open if timed_out(&draft, valid, account, &follow) => {
            let message = timeout_message(&draft, valid);
            draft.fail(Reason::Timeout, &message);
            draft.again()
        }
        Outcome::Open => {
            // The set of a job that the service has forgotten, or that ended without naming it, is searched for as after a lost answer.
            if is_lost_sight_of(&draft, &follow)
                && let Some(intent) = draft.observed.status.submission.clone()
            {
                return search(draft, valid, account, &follow, &intent);
            }
            poll(draft, valid, account, &follow, None)
        }
    }
}

/// The job was adopted, and the intent is still open: it is followed, and the looks go on until nothing else can come of the request.
pub(super) fn adopted(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> Decision {
    let looks = &draft.observed.memory.looks;
    let follow = newest(&draft);
    let latest = looks.latest.as_ref().filter(|_| looks.nonce == intent.nonce);
    let lost_sight = is_lost_sight_of(&draft, &follow);
    if lost_sight && latest.is_none_or(|look| !is_since(look, &follow)) {
        return draft.then(look::look(valid, intent, &account.protocol));
    }
    if let Some(facts) = latest.and_then(|look| look.result.as_ref().ok()) {
        // Found by tests/faults: the job ended while no operator ran, and the service no longer lists it. Its set is one that a
        // look finds, as in step 11; unmatched, it would stand beside its own job for ever, and no look would be clean.
        if lost_sight && let Some(set) = listed(&draft, account, &follow, intent, facts) {
            draft.set_result(&BackupRef { set: Some(set), ..draft.result() });
            return draft.again();
        }
        let candidates = look::examine(draft.observed.status, intent, &account.protocol, facts, looks.unmapped).candidates;
        let own_set_is_unknown = draft.result().set.is_none() && follow.ended().is_none();
        for other in candidates.into_iter().filter(|other| other.backup.set.is_none() || !own_set_is_unknown) {
            draft.seen_beside(&other.backup);
        }
    }
    let quiet = look::proven_absent(looks, draft.observed.status, intent, &account.protocol);
    match outcome(&mut draft, valid, account, &follow) {
        Outcome::Good(set) if !fits(&set, &draft) => {
            let message =
                format!("backup set {} was adopted and is not what was asked for ({}); it was given back", set.backup_id, describe(&set));
            // Its set by name too, or that would be adopted next.
            draft.set_result(&BackupRef { set: Some(set.backup_id.clone()), ..draft.result() });
            give_back(&mut draft, AttemptOutcome::NotOurs);
            draft.warn(ConditionType::AdoptionMismatch, Reason::SetDiffers, &message);
            draft.working(
                Phase::Resolving,
                Reason::OutcomeUnknown,
                "the adopted backup set is not the one that was asked for; the operator keeps looking for the backup",
            );
            draft.again()
        }
        Outcome::Good(set) if quiet => {
            close(&mut draft, SubmissionOutcome::Adopted);
            succeed(&mut draft, &set);
            draft.again()
        }
        // If it was ours the run is over when the intent is closed; if it was another's, ours may still come.
        Outcome::Failed => {
            give_back(&mut draft, AttemptOutcome::JobFailed);
            draft.working(
                Phase::Resolving,
                Reason::OutcomeUnknown,
                "the adopted job failed; whether it was this object's is known when the lost request can no longer be accepted",
            );
            draft.again()
        }
        Outcome::Lost(reason, message) if quiet => {
            close(&mut draft, SubmissionOutcome::Adopted);
            draft.fail(reason, &message);
            draft.again()
        }
        Outcome::Open if quiet && lost_sight && is_lost(account, &follow) => {
            close(&mut draft, SubmissionOutcome::Adopted);
            result_lost(&mut draft);
            draft.again()
        }
        Outcome::Open if quiet && timed_out(&draft, valid, account, &follow) => {
            close(&mut draft, SubmissionOutcome::Adopted);
            let message = timeout_message(&draft, valid);
            draft.fail(Reason::Timeout, &message);
            draft.again()
        }
        outcome @ (Outcome::Good(_) | Outcome::Lost(..)) => {
            if draft.observed.status.phase != Phase::Finalizing || draft.observed.status.ready_reason() != Some(Reason::Finalizing.as_str())
            {
                draft.working(
                    Phase::Finalizing,
                    Reason::Finalizing,
                    "the adopted backup has ended; it is final when the request whose answer was lost can no longer be accepted",
                );
            }
            match outcome {
                Outcome::Good(_) => watch(draft, valid, account, intent),
                // It may become usable before the intent is closed.
                _ => poll(draft, valid, account, &follow, Some(intent)),
            }
        }
        Outcome::Open => poll(draft, valid, account, &follow, Some(intent)),
    }
}

/// The polls of this object's job; empty when this process has made none.
fn newest(draft: &Draft<'_>) -> Follow {
    let follow = &draft.observed.memory.follow;
    match recorded::result(draft.observed.status).key() {
        Some(key) if follow.key == key => follow.clone(),
        _ => Follow::default(),
    }
}

/// Reads the polls, and writes into the draft what else they say: the set's id, a progress, an error.
fn outcome(draft: &mut Draft<'_>, valid: &ValidatedSpec, account: &AccountView, follow: &Follow) -> Outcome {
    let now = draft.now;
    if let Some(error) = &follow.failure {
        look::unreadable(draft, valid, account, error, follow.polled_at.unwrap_or(now), follow.failures);
        return Outcome::Open;
    }
    if follow.answered_at.is_none() {
        return Outcome::Open;
    }
    let finished_for = follow.finished_since.map(|since| now.duration_since(since));
    // Success and unusable gets the time that a listing may take to settle. Only an answer since then can tell: found by `cargo sandbox
    // faults`, a process that stood still for a listing lag called a set lost that was listed by then.
    let settled = is_settled(account, follow);
    if let Some(set) = &follow.set {
        return match (set.status, set.unusable()) {
            (SetStatus::Success, None) => Outcome::Good(Box::new(set.clone())),
            (SetStatus::Success, Some(why)) if settled => Outcome::Lost(
                Reason::BackupNotUsable,
                format!("the job finished, but its backup set {} is not usable: {why}. Look at it in the console", set.backup_id),
            ),
            (SetStatus::Success, Some(_)) => Outcome::Open,
            (SetStatus::Failed, _) => Outcome::Failed,
            // InstanceObject as Running, or in a state that the documentation does not name: only `timeout` ends the wait for it.
            (SetStatus::Unknown, _) => {
                if finished_for.is_some_and(|time| time >= UNLISTED) {
                    let message = format!("the job is finished; the service lists its backup set {} as not finished yet", set.backup_id);
                    draft.working(Phase::Finalizing, Reason::Finalizing, &message);
                }
                Outcome::Open
            }
        };
    }
    match &follow.task {
        Some(task) if task.state == JobState::Failed => Outcome::Failed,
        Some(task) if task.state == JobState::Finished => {
            // Where the job names no set, the listings are searched before it is given up.
            if settled && task.backup_id.is_some() {
                return Outcome::Lost(
                    Reason::ResultLost,
                    format!(
                        "job {} finished, but its backup set was not listed within {}. Look in the console",
                        task.job_id,
                        Span::of(account.protocol.listing_lag)
                    ),
                );
            }
            if finished_for.is_some_and(|time| time >= UNLISTED) {
                draft.working(Phase::Finalizing, Reason::Finalizing, "the job is finished; its backup set is not listed yet");
            }
            Outcome::Open
        }
        Some(task) => {
            progress(draft, task.progress);
            recovered(draft);
            Outcome::Open
        }
        None => Outcome::Open,
    }
}

/// A poll that succeeds ends the trouble that polls had.
fn recovered(draft: &mut Draft<'_>) {
    let troubled = draft.observed.status.ready_reason().is_some_and(|reason| reason != Reason::Running.as_str());
    if troubled && draft.observed.status.phase == Phase::Running {
        draft.working(Phase::Running, Reason::Running, "the service works on the backup");
    }
}

/// 25, 50 and 75 percent of long jobs: three writes at most.
fn progress(draft: &mut Draft<'_>, percent: Option<u8>) {
    let long = began(draft).is_some_and(|began| draft.now.duration_since(began) >= SHOWS_PROGRESS);
    let step = percent.map_or(0, |percent| i32::from(percent.min(75)) / 25 * 25);
    if long && step > draft.status.progress_percent.unwrap_or(0) {
        draft.status.progress_percent = Some(step);
    }
}

/// The next poll of the job, or the next look, whichever is due first.
fn poll(draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, follow: &Follow, open: Option<&Submission>) -> Decision {
    let ask = ask(&valid.request.instance, draft.result(), follow);
    let began = began(&draft);
    let due = match follow.polled_at {
        None => began.map_or(draft.now, |began| began.plus(account.poll.first)),
        Some(at) if follow.failures > 0 => at.plus(account.poll.after(SignedDuration::from_secs(5i64 << follow.failures.min(8)))),
        Some(at) => at.plus(pace(account, follow, began.unwrap_or(draft.now), at)),
    };
    // Of a poll that failed the pace says when to ask again.
    if draft.now >= due || (follow.failures == 0 && is_overdue(&draft, valid) && is_unasked(&draft, valid, follow)) {
        return draft.then(ask);
    }
    let rest = due.duration_since(draft.now);
    match open {
        Some(intent) => {
            let (next, look) = next_look(&draft, valid, account, intent);
            if next <= SignedDuration::ZERO { draft.then(look) } else { draft.wait(rest.min(next)) }
        }
        None => draft.wait(rest),
    }
}

/// When the job began, as far as the status says: not before its request was signed, and not in the future.
///
/// Found by `cargo sandbox faults`: without its `startedAt`, which a person had removed, a job was taken to begin now, at every look, and
/// the first poll of it was for ever a moment away.
fn began(draft: &Draft<'_>) -> Option<Timestamp> {
    let status = draft.observed.status;
    let known = [status.started_at.as_ref().map(|started| started.0), status.submission.as_ref().map(Submission::signed_at)];
    known.into_iter().flatten().filter(|time| *time <= draft.now).max()
}

/// Half of the time elapsed; once the job is finished, counted from there, since its set is a listing lag away.
fn pace(account: &AccountView, follow: &Follow, started: Timestamp, at: Timestamp) -> SignedDuration {
    account.poll.after(at.duration_since(follow.finished_since.unwrap_or(started)))
}

/// The backup is there; only the looks go on, until nothing else can come of the request.
fn watch(draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> Decision {
    let (next, look) = next_look(&draft, valid, account, intent);
    if next <= SignedDuration::ZERO { draft.then(look) } else { draft.wait(next) }
}

fn next_look(draft: &Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> (SignedDuration, Effect) {
    let looks = &draft.observed.memory.looks;
    let due = match looks.latest.as_ref().filter(|_| looks.nonce == intent.nonce) {
        Some(latest) => latest.at.plus(look::pace(account, draft.observed.status, intent, looks, draft.now)),
        None => draft.now,
    };
    (due.duration_since(draft.now), look::look(valid, intent, &account.protocol))
}

fn ask(instance: &InstanceId, recorded: BackupRef, follow: &Follow) -> Effect {
    let named = follow.task.as_ref().and_then(|task| task.backup_id.clone());
    let job = recorded.job.filter(|_| follow.ended().is_none());
    Effect::Follow { instance: instance.clone(), backup: BackupRef { job, set: recorded.set.or(named) } }
}

/// Step 11. The service no longer knows the job: its set is matched as in step 8, within the listing lag.
fn search(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, follow: &Follow, intent: &Submission) -> Decision {
    let looks = &draft.observed.memory.looks;
    let Some(latest) = looks.latest.as_ref().filter(|look| looks.nonce == intent.nonce && is_since(look, follow)) else {
        return draft.then(look::look(valid, intent, &account.protocol));
    };
    if let Ok(facts) = &latest.result {
        if let Some(set) = listed(&draft, account, follow, intent, facts) {
            draft.set_result(&BackupRef { set: Some(set), ..draft.result() });
            return draft.again();
        }
        if is_lost(account, follow) {
            result_lost(&mut draft);
            return draft.again();
        }
    }
    poll(draft, valid, account, follow, None)
}

/// Whether a look was made since the last poll. The time of a look is the service's `Date`, which has whole seconds: by the fraction, a
/// look right after the poll would be older than it, and be made again and again for the rest of the second.
fn is_since(look: &Look, follow: &Follow) -> bool {
    follow.polled_at.is_none_or(|polled| look.at.as_second() >= polled.as_second())
}

/// Whether the job's time is over, and it was asked for since, and it has not ended.
fn timed_out(draft: &Draft<'_>, valid: &ValidatedSpec, account: &AccountView, follow: &Follow) -> bool {
    // An ended job's set may be listed a lag later.
    let ending = follow.finished_since.is_some_and(|since| draft.now.duration_since(since) <= account.protocol.listing_lag);
    is_overdue(draft, valid) && !ending && !is_unasked(draft, valid, follow)
}

fn is_overdue(draft: &Draft<'_>, valid: &ValidatedSpec) -> bool {
    deadline(draft, valid).is_some_and(|deadline| draft.now > deadline)
}

/// Found by tests/simulation/walks: a job that ended in time, between two polls or while no operator ran, was called a timeout, although
/// the service would have listed its set. So a job's time is over only for a process that has had an answer since: a poll that failed says
/// nothing of the job.
fn is_unasked(draft: &Draft<'_>, valid: &ValidatedSpec, follow: &Follow) -> bool {
    deadline(draft, valid).is_some_and(|deadline| follow.answered_at.is_none_or(|at| at <= deadline))
}

fn deadline(draft: &Draft<'_>, valid: &ValidatedSpec) -> Option<Timestamp> {
    began(draft).map(|began| began.plus(valid.timeout))
}

fn timeout_message(draft: &Draft<'_>, valid: &ValidatedSpec) -> String {
    let job = draft.result().job.map_or_else(|| "the job".to_owned(), |job| format!("job {job}"));
    format!(
        "{job} did not end within timeout ({}). It was not stopped and may still end: look in the console before you ask for another",
        Span::of(valid.timeout)
    )
}

/// The adoption is taken back; what it named is not looked at again.
fn give_back(draft: &mut Draft<'_>, outcome: AttemptOutcome) {
    let backup = draft.take_result();
    let attempt = recorded::with_backup(draft.attempt(outcome), &backup);
    draft.remember(attempt);
}
