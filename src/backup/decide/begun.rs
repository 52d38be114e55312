//! What has begun for an object, by what was recorded of its requests and never by its phase: a person may write any phase into a status.

use crate::api::{AttemptOutcome, RdsBackupStatus, SubmissionOutcome};

/// Whether a request of the object is open, or its result is recorded, or was and must be looked for.
pub(super) fn has_begun(status: &RdsBackupStatus) -> bool {
    status.open_submission().is_some() || status.has_result() || lacks_its_job(status)
}

/// The newest request was accepted, its job is not known to have failed, and the status names neither job nor set: a person removed them.
///
/// Found by `cargo sandbox faults`: taken for the run that comes after a failed one, it was a second backup.
pub(super) fn lacks_its_job(status: &RdsBackupStatus) -> bool {
    status.submission.as_ref().is_some_and(|last| {
        let accepted = matches!(last.outcome, Some(SubmissionOutcome::Accepted | SubmissionOutcome::Adopted));
        !status.has_result() && accepted && !job_failed(status, last.run, last.attempt)
    })
}

pub(super) fn job_failed(status: &RdsBackupStatus, run: i32, attempt: i32) -> bool {
    status.attempts.iter().any(|kept| (kept.run, kept.attempt) == (run, attempt) && kept.outcome == AttemptOutcome::JobFailed)
}
