//! Step 2: what the instance is, what runs on it, which sets it has. Read only.

use jiff::SignedDuration;

use super::{
    compatibility::{self, Compatibility},
    decision::{Decision, Effect},
    draft::Draft,
    end::waits_for_somebody,
    errors::{self, Remedy},
    intent,
};
use crate::{
    api::{Phase, Reason, SubmissionOutcome},
    backup::{
        memory::Preflight,
        observation::{AccountView, Observation},
        policy::FRESH,
        spec::ValidatedSpec,
    },
    rds::CallError,
};

/// Step 2. Read only: what the instance is, what runs on it, what sets it has.
pub(super) fn preflight(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
    let attempt = next_attempt(draft.observed);
    let read = Effect::Preflight { instance: valid.request.instance.clone(), attempt };
    let Some(preflight) = draft.observed.memory.preflight.as_ref().filter(|preflight| preflight.attempt == attempt) else {
        return draft.then(read);
    };
    let age = draft.now.duration_since(preflight.at);
    // Half of the time waited so far, as for polls of a job: a long wait is not made shorter by asking often.
    let pace = account.poll.after(draft.waiting_since().map_or(SignedDuration::ZERO, |since| preflight.at.duration_since(since)));
    let facts = match &preflight.result {
        Ok(facts) => facts,
        Err(error) => return unread(draft, valid, account, preflight, error, read),
    };
    match compatibility::check(&facts.instance, valid) {
        Compatibility::Never(why) => {
            draft.fail(Reason::UnsupportedMethod, &why);
            draft.again()
        }
        Compatibility::Stalled(..) if age >= draft.stalled_recheck() => draft.then(read),
        Compatibility::Stalled(reason, message) => {
            let pause = draft.stalled_recheck().saturating_sub(age);
            draft.stall(Phase::Pending, reason, &message);
            waits_for_somebody(draft, valid.queue_timeout, pause)
        }
        Compatibility::Waits(..) if age >= pace => draft.then(read),
        Compatibility::Waits(reason, message) => {
            draft.queue(reason, &message);
            draft.wait(pace.saturating_sub(age))
        }
        Compatibility::Allowed => match &facts.backups {
            Err(error) => unread(draft, valid, account, preflight, error, read),
            Ok(backups) if backups.running.is_empty() => match age > FRESH {
                true => draft.then(read),
                false => intent::intent(draft, valid, account, (&facts.instance, &backups.sets), preflight.at, attempt),
            },
            Ok(_) if age >= pace => draft.then(read),
            Ok(_) => {
                let id = &valid.request.instance;
                draft.queue(Reason::InstanceBusy, &format!("another backup runs on {id}; this one starts when it has ended"));
                draft.wait(pace.saturating_sub(age))
            }
        },
    }
}

/// Something that an attempt needs to know could not be read.
fn unread(
    mut draft: Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    preflight: &Preflight,
    error: &CallError,
    read: Effect,
) -> Decision {
    let trouble = errors::unread(error, preflight.failures, valid, &account.region_id);
    let again_after = match trouble.remedy {
        Remedy::Wait(time) => time,
        Remedy::Stall | Remedy::Fail => draft.stalled_recheck(),
    };
    let age = draft.now.duration_since(preflight.at);
    if age >= again_after {
        return draft.then(read);
    }
    let message = draft.trouble(&trouble, error, preflight.at);
    if let Remedy::Wait(_) = trouble.remedy {
        draft.queue(trouble.reason, &message);
        return draft.wait(again_after.saturating_sub(age));
    }
    draft.stall(Phase::Pending, trouble.reason, &message);
    waits_for_somebody(draft, valid.queue_timeout, again_after.saturating_sub(age))
}

/// The run and attempt that an intent written now would have.
pub(super) fn next_attempt(observed: &Observation<'_>) -> (i32, i32) {
    match &observed.status.submission {
        None => (1, 1),
        Some(last) => match last.outcome {
            Some(SubmissionOutcome::Accepted | SubmissionOutcome::Adopted) => (last.run.saturating_add(1), 1),
            _ => (last.run, last.attempt.saturating_add(1)),
        },
    }
}
