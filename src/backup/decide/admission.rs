//! Step 1: whether an object takes part in the queue of its instance, and whether it goes first.

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    begun::has_begun,
    decision::Decision,
    draft::Draft,
    end::{queue_timed_out, retry_ends, retry_gives_way, waits_for_somebody},
    errors::{self, Remedy},
    pause::pause,
    preflight::preflight,
    take_in,
};
use crate::{
    api::{AttemptOutcome, Phase, Reason},
    backup::{
        observation::{AccountView, Blocker, Observation},
        policy::{self, CLAIMS_RECHECK, CREDENTIALS_RECHECK, PAUSED_RECHECK, REUSE_LOOK_HOLDS},
        siblings::occupies,
        spec::{ValidatedSpec, queue_timeout},
    },
    rds::ApiError,
    time::SaturatingTime,
};

const INSTANCE_TAKEN: &str = "another RdsBackup of the same instance goes first; the service runs one backup per instance at a time";

/// Nothing was ever begun for the object, and the time until which it was to be submitted is over: most likely it is a copy of a backup
/// that was made long ago, restored without its status. Judged by the API server alone, by when it took the object in and by its clock: by
/// the clock of a node that is ahead every waiting object would be over.
pub(super) fn comes_too_late(draft: &Draft<'_>) -> bool {
    let (observed, status) = (draft.observed, draft.observed.status);
    let untouched = status.submission.is_none() && status.queue.is_none() && status.attempts.is_empty() && !status.has_result();
    draft.spec.not_after.as_ref().is_some_and(|not_after| {
        untouched && (observed.created_at() > not_after.0 || observed.server_now.is_some_and(|server_now| server_now > not_after.0))
    })
}

/// It ends unsent, without a call of the service.
pub(super) fn expired(mut draft: Draft<'_>) -> Decision {
    let not_after = draft.spec.not_after.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
    draft.fail(
        Reason::Expired,
        &format!(
            "nothing was requested for it by notAfter ({not_after}), and nothing will be. It may be a restored copy of an earlier backup: then delete it. For a backup now, create another RdsBackup"
        ),
    );
    draft.again()
}

/// The spec breaks a rule that the CRD should have stopped.
pub(super) fn invalid(mut draft: Draft<'_>, wrong: &str) -> Decision {
    let phase = phase_of_stalled(&draft);
    draft.stall(phase, Reason::InvalidSpec, wrong);
    let timeout = queue_timeout(draft.spec);
    let pause = draft.stalled_recheck();
    waits_for_somebody(draft, timeout, pause)
}

/// No job and no open intent: it waits, or the next attempt begins.
pub(super) fn queued(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
    let observed = draft.observed;
    let now = draft.now;
    if let Some(ends) = retry_ends(&draft).filter(|ends| draft.observed.time_is_known && now > *ends) {
        return retry_gives_way(draft, ends);
    }
    if draft.has_waited(valid.queue_timeout) {
        return queue_timed_out(draft, valid.queue_timeout);
    }
    if let Err(blocker) = &account.credentials {
        if blocker.reason == Reason::CredentialsNotFound || blocker.again_in.is_some() {
            draft.queue(blocker.reason, &blocker.message);
            return draft.wait(blocker.again_in.unwrap_or(SignedDuration::from_secs(30)));
        }
        draft.stall(Phase::Pending, blocker.reason, &blocker.message);
        return waits_for_somebody(draft, valid.queue_timeout, CREDENTIALS_RECHECK);
    }
    if let Some(set) = &valid.existing {
        return take_in::existing(draft, valid, account, set);
    }
    // Before the pause: to reuse a backup starts none. While the object waits it does not list again.
    let mut draft = match take_in::reused(draft, valid, account, SignedDuration::MAX) {
        ControlFlow::Break(decision) => return decision,
        ControlFlow::Continue(draft) => draft,
    };
    if let Some(blocker) = pause(observed, account) {
        draft.queue(blocker.reason, &blocker.message);
        return draft.wait(blocker.again_in.unwrap_or(PAUSED_RECHECK));
    }
    if let Err(blocker) = observed.claims {
        return claims_unreadable(draft, valid, blocker);
    }
    if let Some(until) = not_before(observed, valid)
        && now < until
    {
        let timeout = draft.longest_wait(valid.queue_timeout).saturating_add(SignedDuration::from_secs(1));
        let since = draft.waiting_since().filter(|_| observed.time_is_known);
        let ends = since.map_or(until, |since| until.min(since.plus(timeout)));
        return draft.wait(ends.duration_since(now));
    }
    let first = observed.siblings.iter().any(|other| {
        occupies(other, now) || (other.queues && (other.created_at, other.uid.as_str()) < (observed.created_at(), observed.uid()))
    });
    if first {
        draft.queue(Reason::WaitingForTurn, INSTANCE_TAKEN);
        return draft.wait(account.poll.max.min(SignedDuration::from_secs(30)));
    }
    match take_in::reused(draft, valid, account, REUSE_LOOK_HOLDS) {
        ControlFlow::Break(decision) => decision,
        ControlFlow::Continue(draft) => preflight(draft, valid, account),
    }
}

/// What keeps a pass from going on, though the object goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldUp {
    /// Another pass of this process submits on the instance.
    ByTheInstance,
    /// As many objects of the account call the service as may at a time.
    ByTheAccount,
}

/// The object is held up until `wait` is over. That is written only where the status has no condition yet: of a hundred objects that are
/// created at once the last came to its first call after 40 s, and until then nothing told its user that the operator had seen it.
pub(super) fn first_seen(mut draft: Draft<'_>, by: HeldUp, wait: Duration) -> Option<Decision> {
    if !draft.status.conditions.is_empty() {
        return None;
    }
    let message = match by {
        HeldUp::ByTheInstance => INSTANCE_TAKEN,
        HeldUp::ByTheAccount => {
            "other RdsBackups of the same account go first: a limited number of them call the service at a time. This backup goes on by itself"
        }
    };
    draft.queue(Reason::WaitingForTurn, message);
    Some(draft.wait(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)))
}

/// Nothing is sent while something that may hold the instance cannot be read.
pub(super) fn claims_unreadable(mut draft: Draft<'_>, valid: &ValidatedSpec, blocker: &Blocker) -> Decision {
    match blocker.again_in {
        Some(pause) => {
            draft.queue(blocker.reason, &blocker.message);
            draft.wait(pause)
        }
        None => {
            draft.stall(Phase::Pending, blocker.reason, &blocker.message);
            waits_for_somebody(draft, valid.queue_timeout, CLAIMS_RECHECK)
        }
    }
}

/// Until when the last failure or refusal keeps the object from trying again.
fn not_before(observed: &Observation<'_>, valid: &ValidatedSpec) -> Option<Timestamp> {
    let hold = observed.memory.hold_until;
    let last = observed.status.submission.as_ref()?;
    let backoff =
        observed.status.attempts.iter().rev().find(|kept| (kept.run, kept.attempt) == (last.run, last.attempt)).and_then(|kept| {
            let after = match kept.outcome {
                AttemptOutcome::JobFailed => valid.retry_backoff,
                AttemptOutcome::Rejected => {
                    let failures = u32::try_from(last.attempt).unwrap_or(1);
                    match &kept.code {
                        Some(code) => {
                            let error = ApiError::of_code(code);
                            match errors::refused_request(&error, failures, valid, errors::Asked { region: "", key_source: "" }, None)
                                .remedy
                            {
                                Remedy::Wait(time) => time,
                                // Each try takes the condition away, so the time counts from where the waiting began.
                                Remedy::Stall | Remedy::Fail => policy::stalled_recheck(kept.at.0.duration_since(last.waiting_since.0)),
                            }
                        }
                        None => policy::backoff(failures, SignedDuration::from_mins(2)),
                    }
                }
                AttemptOutcome::NeverAccepted | AttemptOutcome::NotOurs | AttemptOutcome::PossibleDuplicate => return None,
            };
            Some(kept.at.0.plus(after))
        });
    hold.max(backoff)
}

/// What has begun keeps its phase. Anything else is Pending, whatever its status says: an edited phase kept an object that waits for
/// somebody from its queueTimeout.
fn phase_of_stalled(draft: &Draft<'_>) -> Phase {
    match draft.observed.status.phase {
        Phase::Queued => Phase::Pending,
        phase if has_begun(draft.observed.status) => phase,
        _ => Phase::Pending,
    }
}

/// The account cannot be used: what waits for it keeps its place, and a job or an open intent is not forgotten.
pub(super) fn blocked(mut draft: Draft<'_>, valid: &ValidatedSpec, blocker: &Blocker) -> Decision {
    let phase = phase_of_stalled(&draft);
    draft.stall(phase, blocker.reason, &blocker.message);
    let pause = draft.stalled_recheck();
    waits_for_somebody(draft, valid.queue_timeout, pause)
}

/// Without credentials, or without a sight of every claim, a job or an open intent cannot be looked at: it keeps its phase. Where the lack
/// passes by itself the object is not Stalled.
pub(super) fn without_credentials(mut draft: Draft<'_>, phase: Phase, blocker: &Blocker) -> Decision {
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
