//! Steps 6 and 7: what the answer to the request means, and where it is recorded.

use jiff::SignedDuration;

use super::{
    begun,
    draft::Draft,
    end::close,
    errors::{self, Asked, Remedy},
    text::clip,
};
use crate::{
    api::{AttemptOutcome, Origin, Phase, Reason, Span, SubmissionOutcome, Time},
    backup::{memory::OwnIntent, policy, recorded, spec::ValidatedSpec},
    rds::{BackupRef, CreateOutcome, JobId, Rejection, Unknown},
    time::SaturatingTime,
};

/// Takes in the answer that this process holds, unless the status already shows it. Says whether it did.
pub(super) fn record(draft: &mut Draft<'_>) -> bool {
    let observed = draft.observed;
    let Some(OwnIntent { nonce, answer: Some(answer), .. }) = &observed.memory.own else { return false };
    let submission = observed.status.submission.as_ref();
    let of_this = submission.is_some_and(|submission| submission.nonce == *nonce) && !observed.status.phase.is_terminal();
    let current = of_this && observed.status.open_submission().is_some();
    match answer {
        CreateOutcome::Accepted { job_id, request_id } => {
            // Somebody may have taken the id out of the status since it was recorded.
            if current || of_this && begun::lacks_its_job(observed.status) {
                accepted(draft, job_id, request_id.as_deref());
                return true;
            }
            late(draft, job_id)
        }
        CreateOutcome::Rejected(rejection) if current => {
            rejected(draft, rejection);
            true
        }
        // Step 6: when in doubt it is unknown, and step 8 resolves it.
        CreateOutcome::Unknown(unknown) if current && observed.status.phase == Phase::Submitting => {
            lost(draft, unknown);
            true
        }
        CreateOutcome::Rejected(_) | CreateOutcome::Unknown(_) => false,
    }
}

/// The job's id, from the service itself: it beats an adoption.
fn accepted(draft: &mut Draft<'_>, job_id: &JobId, request_id: Option<&str>) {
    let before = draft.observed.status;
    let adopted = recorded::result(before);
    let of_this_job = adopted.job.as_ref() == Some(job_id);
    if !adopted.is_empty() && !of_this_job {
        draft.take_result();
        draft.possible_duplicate(&adopted);
    }
    draft.set_result(&BackupRef { job: Some(job_id.clone()), ..draft.result() });
    draft.status.request_id = request_id.map(clip);
    draft.status.origin = Some(Origin::Created);
    draft.status.started_at = Some(Time(draft.now));
    draft.status.last_error = None;
    close(draft, SubmissionOutcome::Accepted);
    draft.working(Phase::Running, Reason::Running, &format!("the service accepted the backup as job {job_id}"));
}

/// The id of a job for an attempt that is no longer the current one: never the result, never forgotten.
fn late(draft: &mut Draft<'_>, job_id: &JobId) -> bool {
    let status = draft.observed.status;
    let late = BackupRef::of_job(job_id.clone());
    let known = recorded::result(status).is(&late) || status.attempts.iter().any(|kept| recorded::of_attempt(kept).is(&late));
    if !known {
        draft.possible_duplicate(&late);
    }
    !known
}

/// Nothing was created. Who must act depends on the code.
fn rejected(draft: &mut Draft<'_>, rejection: &Rejection) {
    let observed = draft.observed;
    // An adoption made meanwhile by another process cannot be ours: the service refused this request.
    if observed.status.has_result() {
        let backup = draft.take_result();
        let not_ours = recorded::with_backup(draft.attempt(AttemptOutcome::NotOurs), &backup);
        draft.remember(not_ours);
    }
    let outcome = if *rejection == Rejection::Withdrawn { SubmissionOutcome::Unsent } else { SubmissionOutcome::Rejected };
    close(draft, outcome);
    let failures = observed.status.submission.as_ref().and_then(|submission| u32::try_from(submission.attempt).ok()).unwrap_or(1);
    let mut attempt = draft.attempt(AttemptOutcome::Rejected);
    let key_source = observed.account.as_ref().map_or("the account's credentials", |account| account.key_source.as_str());
    match rejection {
        // It is no attempt that says anything: the pause is all there is to it.
        Rejection::Paused { wait } => {
            let trouble = errors::paused(*wait);
            if let Remedy::Wait(pause) = trouble.remedy {
                draft.hold(draft.now.plus(pause));
            }
            draft.queue(trouble.reason, &trouble.message);
        }
        // It is decided again by what the configuration says now.
        Rejection::Withdrawn => draft.queue(
            Reason::NeverAccepted,
            "the operator's configuration changed before the request was sent, so it was not sent; the next attempt follows the new configuration",
        ),
        Rejection::Unusable { why } => {
            draft.remember(attempt);
            let trouble = errors::unusable(why, failures, key_source);
            draft.queue(trouble.reason, &trouble.message);
        }
        Rejection::NotSent { why } => {
            draft.remember(attempt);
            let wait = policy::backoff(failures, SignedDuration::from_mins(2));
            draft.queue(
                Reason::ServiceUnavailable,
                &format!(
                    "the request did not leave ({why}); it is tried again in {}. Check the network and the account's endpoint",
                    Span::of(wait)
                ),
            );
        }
        Rejection::Api(error) => {
            attempt.code = Some(error.code.chars().take(128).collect());
            draft.remember(attempt);
            draft.status.last_error = Some(errors::last_error(error, draft.now));
            let instance =
                observed.memory.preflight.as_ref().and_then(|preflight| preflight.result.as_ref().ok()).map(|facts| &facts.instance);
            let region = draft.status.effective.as_ref().and_then(|effective| effective.region_id.clone()).unwrap_or_default();
            let trouble = match ValidatedSpec::from_spec(draft.spec) {
                Ok(valid) => errors::refused_request(error, failures, &valid, Asked { region: &region, key_source }, instance),
                Err(wrong) => errors::Diagnosis { reason: Reason::InvalidSpec, remedy: Remedy::Stall, message: wrong },
            };
            match trouble.remedy {
                Remedy::Wait(_) => draft.queue(trouble.reason, &trouble.message),
                Remedy::Stall => draft.stall(Phase::Pending, trouble.reason, &trouble.message),
                Remedy::Fail => draft.fail(trouble.reason, &trouble.message),
            }
        }
    }
}

/// Nobody knows what became of the request.
fn lost(draft: &mut Draft<'_>, unknown: &Unknown) {
    if let Some(error) = &unknown.api {
        draft.status.last_error = Some(errors::last_error(error, draft.now));
    }
    // The reason is kept as it is while an adoption by another process stands.
    if !draft.status.has_result() {
        let message = match &unknown.api {
            Some(error) => errors::proves_nothing(error),
            None => format!(
                "the request was sent and its answer was lost ({}); the operator looks for the backup and sends nothing until it knows",
                unknown.why
            ),
        };
        draft.working(Phase::Resolving, Reason::OutcomeUnknown, &message);
    }
}
