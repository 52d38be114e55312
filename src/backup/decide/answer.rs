//! Steps 6 and 7: what the answer to the request means, and where it is recorded.

use jiff::SignedDuration;

use super::{
    draft::{Draft, clip},
    end::close,
    errors::{self, Remedy},
    resolve,
};
use crate::{
    api::{Attempt, AttemptOutcome, Origin, Phase, Reason, Span, SubmissionOutcome, Time},
    backup::{memory::OwnIntent, policy, spec::ValidatedSpec},
    rds::{CreateOutcome, JobId, Rejection, Unknown},
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
            if current || of_this && resolve::lacks_its_job(observed.status) {
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
    let adopted_other = before.backup_job_id.as_deref().is_some_and(|adopted| adopted != job_id.as_str())
        || (before.backup_job_id.is_none() && before.backup_id.is_some());
    if adopted_other {
        let (job, set) = (draft.status.backup_job_id.take(), draft.status.backup_id.take());
        draft.possible_duplicate(job, set);
    }
    draft.status.backup_job_id = Some(job_id.to_string());
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
    let id = job_id.as_str();
    let known =
        status.backup_job_id.as_deref() == Some(id) || status.attempts.iter().any(|attempt| attempt.backup_job_id.as_deref() == Some(id));
    if !known {
        draft.possible_duplicate(Some(job_id.to_string()), None);
    }
    !known
}

/// Nothing was created. Who must act depends on the code.
fn rejected(draft: &mut Draft<'_>, rejection: &Rejection) {
    let observed = draft.observed;
    // An adoption made meanwhile by another process cannot be ours: the service refused this request.
    if observed.status.backup_job_id.is_some() || observed.status.backup_id.is_some() {
        let not_ours = Attempt {
            backup_job_id: draft.status.backup_job_id.take(),
            backup_id: draft.status.backup_id.take(),
            ..draft.attempt(AttemptOutcome::NotOurs)
        };
        draft.remember(not_ours);
        draft.status.origin = None;
        draft.status.started_at = None;
    }
    close(draft, SubmissionOutcome::Rejected);
    let failures = observed.status.submission.as_ref().and_then(|submission| u32::try_from(submission.attempt).ok()).unwrap_or(1);
    let mut attempt = draft.attempt(AttemptOutcome::Rejected);
    match rejection {
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
                Ok(valid) => errors::refused_request(error, failures, &valid, &region, instance),
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
    if draft.status.backup_job_id.is_none() && draft.status.backup_id.is_none() {
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
