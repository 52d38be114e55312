//! Steps 4, 8 and 10: an intent is cleared or withdrawn; a request whose answer was lost is looked for, adopted, or proven never accepted.

use jiff::SignedDuration;

use super::{
    admission,
    begun::job_failed,
    decision::{Decision, Effect},
    draft::Draft,
    end::{self, close},
    look::{self, Candidate},
    pause::pause,
};
use crate::{
    accounts::Expiry,
    api::{AttemptOutcome, Origin, Phase, Reason, Submission, SubmissionOutcome, Time},
    backup::{
        memory::Look,
        observation::AccountView,
        policy::{FRESH, GRACE},
        spec::ValidatedSpec,
    },
    rds::{BackupRef, Stamp},
    time::SaturatingTime,
};

/// Step 4. An intent that is not cleared was never sent: this process goes on with its own, any process withdraws another's.
pub(super) fn uncleared(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, intent: &Submission) -> Decision {
    let own = draft.observed.memory.own.as_ref().filter(|own| own.nonce == intent.nonce && !own.sent);
    let age = draft.now.duration_since(intent.signed_at());
    let fresh = age <= FRESH;
    if let Some(own) = own
        && own.rival != Some(None)
        && let Err(blocker) = draft.observed.claims
    {
        close(&mut draft, SubmissionOutcome::Unsent);
        return admission::claims_unreadable(draft, valid, blocker);
    }
    match own {
        Some(own) if fresh && pause(draft.observed, account).is_none() => match &own.rival {
            None => draft.then(Effect::Clear { nonce: intent.nonce.clone() }),
            Some(Some(_)) => {
                close(&mut draft, SubmissionOutcome::Unsent);
                draft.queue(
                    Reason::WaitingForTurn,
                    "another RdsBackup of the same instance is about to be sent; this one was withdrawn unsent and is tried again",
                );
                // Found by tests/faults: a rival that no cache shows (its event is late) was met again every 3 s for as long as its intent
                // was open. So the pause doubles with each attempt, to 80 s at most.
                let doublings = u32::try_from(intent.attempt.clamp(1, 5) - 1).unwrap_or_default();
                draft.hold(draft.now.plus(draft.observed.randomness.pause.saturating_mul(2i32.pow(doublings))));
                draft.again()
            }
            Some(None) => {
                if let Some(submission) = &mut draft.status.submission {
                    submission.cleared = true;
                }
                send(draft, valid, intent)
            }
        },
        None if age < GRACE => draft.wait(GRACE.saturating_sub(age)),
        _ => {
            close(&mut draft, SubmissionOutcome::Unsent);
            draft.queue(Reason::NeverAccepted, "an attempt was interrupted before its request was sent; the next one is about to start");
            draft.again()
        }
    }
}

/// The request of an object that lacks its job: its outcome is unknown, and is looked for as if the answer had been lost.
pub(super) fn reopened(mut draft: Draft<'_>) -> Decision {
    if let Some(submission) = &mut draft.status.submission {
        submission.outcome = None;
    }
    draft.working(
        Phase::Resolving,
        Reason::OutcomeUnknown,
        "the request was accepted, and the status no longer names its job: it was edited. The operator looks for the backup on the instance",
    );
    draft.again()
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
        return admission::without_credentials(draft, Phase::Resolving, blocker);
    }
    let looks = &observed.memory.looks;
    let Some(latest) = looks.latest.as_ref().filter(|_| looks.nonce == intent.nonce) else {
        return draft.then(look::look(valid, intent, &account.protocol));
    };
    match &latest.result {
        Ok(facts) => {
            let verdict = look::examine(observed.status, intent, &account.protocol, facts, looks.unmapped);
            if let Some(first) = verdict.candidates.first() {
                adopt(&mut draft, first, &verdict.candidates[1..]);
                return draft.again();
            }
            if look::proven_absent(looks, observed.status, intent, &account.protocol) && account.protocol.request_expiry != Expiry::Never {
                return never_accepted(draft, valid);
            }
            if account.protocol.request_expiry == Expiry::Never && look::first_clean(looks, observed.status).is_some() {
                draft.stall(
                    Phase::Resolving,
                    Reason::OutcomeUnknown,
                    "the answer to the request was lost, no backup of it is found, and the account's requestExpiry is Never, so it cannot be proven that none will begin. \
                     Nothing more is sent. If the console shows no backup of this object, delete it and create another; if it shows one, it is adopted when it is listed",
                );
                let pause = draft.stalled_recheck();
                return look_again(draft, valid, account, intent, latest, pause);
            }
            if observed.status.phase != Phase::Resolving || observed.status.ready_reason() != Some(Reason::OutcomeUnknown.as_str()) {
                draft.working(
                    Phase::Resolving,
                    Reason::OutcomeUnknown,
                    "the request may have been sent and its answer is not known; the operator looks for the backup and sends nothing until it knows",
                );
            }
            let pause = look::pace(account, observed.status, intent, looks, draft.now);
            look_again(draft, valid, account, intent, latest, pause)
        }
        Err(error) => {
            let pause = look::unreadable(&mut draft, valid, account, error, latest.at, looks.failures);
            look_again(draft, valid, account, intent, latest, pause)
        }
    }
}

fn look_again(
    draft: Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    intent: &Submission,
    latest: &Look,
    pause: SignedDuration,
) -> Decision {
    let due = latest.at.plus(pause);
    if draft.now >= due {
        draft.then(look::look(valid, intent, &account.protocol))
    } else {
        let wait = due.duration_since(draft.now);
        draft.wait(wait)
    }
}

fn never_accepted(mut draft: Draft<'_>, valid: &ValidatedSpec) -> Decision {
    let (run, attempt) = draft.observed.status.submission.as_ref().map_or((1, 1), |submission| (submission.run, submission.attempt));
    if job_failed(draft.observed.status, run, attempt) {
        // An adopted job of this attempt failed, and nothing else can come of it now: the run is over.
        close(&mut draft, SubmissionOutcome::Adopted);
        end::run_failed(&mut draft, valid);
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

/// Takes the earliest candidate as the outcome. The rest is reported, not claimed.
fn adopt(draft: &mut Draft<'_>, first: &Candidate, rest: &[Candidate]) {
    draft.set_result(&first.backup);
    draft.not_beside(&first.backup);
    draft.status.origin = Some(Origin::Adopted);
    draft.status.started_at = Some(Time(first.started_at.unwrap_or(draft.now)));
    let what = match &first.backup {
        BackupRef { job: Some(job), .. } => format!("job {job}"),
        BackupRef { job: None, set: Some(set) } => format!("backup set {set}"),
        BackupRef { job: None, set: None } => "a backup".to_owned(),
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
    for other in rest {
        draft.seen_beside(&other.backup);
    }
}
