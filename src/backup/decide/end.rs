//! How an object comes to its end, and how a run or an attempt comes to its own.

use jiff::{SignedDuration, Timestamp};

use super::{begun::has_begun, decision::Decision, deletable, draft::Draft, text::clip};
use crate::{
    api::{Attempt, AttemptOutcome, ConditionType, ExpirySource, Reason, Span, SubmissionOutcome, Time, human_size},
    backup::{policy::BEFORE_THE_NEXT_START, recorded, spec::ValidatedSpec},
    rds::{BackupRef, BackupSet, MetaStatus},
    time::SaturatingTime,
};

/// Closes the open intent.
pub(super) fn close(draft: &mut Draft<'_>, outcome: SubmissionOutcome) {
    if let Some(submission) = &mut draft.status.submission {
        submission.outcome = Some(outcome);
    }
}

/// A person must act, and nothing was asked for yet: the object is decided again after `pause`, but not for longer than queueTimeout. The
/// next backup of a schedule waits behind it, and one that is never cured must not hold up every later one.
pub(super) fn waits_for_somebody(draft: Draft<'_>, timeout: SignedDuration, pause: SignedDuration) -> Decision {
    let Some(since) = draft.waiting_since().filter(|_| !has_begun(draft.observed.status)) else { return draft.wait(pause) };
    if let Some(next) = retry_ends(&draft).filter(|ends| draft.observed.time_is_known && draft.now > *ends) {
        return retry_gives_way(draft, next);
    }
    if draft.has_waited(timeout) {
        return queue_timed_out(draft, timeout);
    }
    if !draft.observed.time_is_known {
        return draft.wait(pause);
    }
    let left = since.plus(draft.longest_wait(timeout)).plus(SignedDuration::from_secs(1)).duration_since(draft.now);
    draft.wait(pause.min(left))
}

/// Until when a retry of a failed job may wait: shortly before the schedule of the object starts the next backup or begins a blackout. None
/// for a first run, which `queueTimeout` bounds, and for an object without a schedule.
///
/// Not `queueTimeout`: each run has all of it. Not `notAfter`, which is `queueTimeout` after the start: with a short one no retry would
/// ever begin. So the schedule tells its backups when the next one starts, and when a blackout begins before that.
pub(super) fn retry_ends(draft: &Draft<'_>) -> Option<Timestamp> {
    let retries = draft.status.attempts.iter().any(|kept| kept.outcome == AttemptOutcome::JobFailed);
    let next = draft.observed.next_start().filter(|_| retries)?;
    Some(next.minus(BEFORE_THE_NEXT_START))
}

/// The next backup of the schedule is as good as a retry, and newer.
pub(super) fn retry_gives_way(mut draft: Draft<'_>, ends: Timestamp) -> Decision {
    fail_for_the_next(&mut draft, ends);
    draft.again()
}

fn fail_for_the_next(draft: &mut Draft<'_>, ends: Timestamp) {
    let next = ends.plus(BEFORE_THE_NEXT_START);
    draft.fail(
        Reason::BackupFailed,
        &format!("the service reports that the job failed, and there is no time for another run: at {next} the schedule starts the next backup, or begins a blackout. Look at the instance's backups and events in the console"),
    );
}

/// It was not asked for in time.
pub(super) fn queue_timed_out(mut draft: Draft<'_>, timeout: SignedDuration) -> Decision {
    let timeout = draft.longest_wait(timeout);
    let ready = draft.observed.status.condition(ConditionType::Ready);
    let last = ready.map(|ready| format!("{}: {}", ready.reason, ready.message)).unwrap_or_default();
    draft.fail(
        Reason::QueueTimeout,
        &format!("it was not accepted within queueTimeout ({}). The last reason was {last}", Span::of(timeout)),
    );
    draft.again()
}

pub(super) fn failed_attempt(draft: &Draft<'_>) -> Attempt {
    recorded::with_backup(draft.attempt(AttemptOutcome::JobFailed), &draft.result())
}

/// The job failed, and that is recorded in the attempts: the next run, where `retry` allows it, else the end.
pub(super) fn run_failed(draft: &mut Draft<'_>, valid: &ValidatedSpec) {
    let run = draft.status.submission.as_ref().map_or(1, |submission| submission.run);
    let failed = draft.status.attempts.iter().rev().find(|kept| kept.outcome == AttemptOutcome::JobFailed);
    let job = failed.and_then(|kept| recorded::of_attempt(kept).job);
    let job = job.map_or_else(|| "the job".to_owned(), |id| format!("job {id}"));
    if run > valid.retry_limit {
        let runs = if valid.retry_limit > 0 { format!(", as did the {} before it", run - 1) } else { String::new() };
        draft.fail(
            Reason::BackupFailed,
            &format!("the service reports that {job} failed{runs}. Look at the instance's backups and events in the console, then create another RdsBackup"),
        );
        return;
    }
    // The failed job is one of the attempts by now.
    if let Some(ends) = retry_ends(draft).filter(|ends| draft.now.plus(valid.retry_backoff) > *ends) {
        fail_for_the_next(draft, ends);
        return;
    }
    draft.take_result();
    draft.status.request_id = None;
    draft.queue(
        Reason::RetryBackoff,
        &format!(
            "the service reports that {job} failed; run {} of {} starts in {}",
            run + 1,
            valid.retry_limit + 1,
            Span::of(valid.retry_backoff)
        ),
    );
}

/// The service no longer knows the job, or does not name its set, and nothing that it lists can be the set.
pub(super) fn result_lost(draft: &mut Draft<'_>) {
    let job = draft.result().job.map_or_else(|| "the job".to_owned(), |job| format!("job {job}"));
    draft.fail(
        Reason::ResultLost,
        &format!("the service no longer knows {job}, or does not name its set, and no backup set that it lists can be matched. Look in the console"),
    );
}

/// Records what the set of the object's own backup says.
pub(super) fn succeed(draft: &mut Draft<'_>, set: &BackupSet) {
    let single_tables = match set.meta {
        MetaStatus::Large => ", but it has too many tables for single ones to be restored from it",
        MetaStatus::Ok | MetaStatus::Empty => "",
    };
    succeed_as(draft, set, &format!("backup set {} exists and is usable{single_tables}", set.backup_id));
}

/// Records what the set says.
pub(super) fn succeed_as(draft: &mut Draft<'_>, set: &BackupSet, message: &str) {
    let ended = set.ended_at.unwrap_or(draft.now);
    let started = set.started_at.or(draft.status.started_at.as_ref().map(|time| time.0)).unwrap_or(ended);
    // An adoption of this very set that the answer to the request displaced.
    draft.not_beside(&BackupRef::of_set(set.backup_id.clone()));
    draft.set_result(&BackupRef { set: Some(set.backup_id.clone()), ..draft.result() });
    let status = &mut draft.status;
    status.started_at = Some(Time(started));
    status.completed_at = Some(Time(ended));
    status.duration = Some(Span::of(ended.duration_since(started)).to_string());
    status.size_bytes = set.size_bytes;
    status.size = set.size_bytes.map(human_size);
    status.consistent_time = set.consistent_time.map(Time);
    // SQL Server tells it of single databases; of MySQL it is known only from what was asked for.
    let days = draft.spec.retention_days.filter(|days| *days > 0).map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    (status.expires_at, status.expiry_source) = match (set.expires_at, days) {
        (Some(told), _) => (Some(Time(told)), Some(ExpirySource::Service)),
        (None, Some(days)) => (Some(Time(ended.plus(days))), Some(ExpirySource::RetentionDays)),
        (None, None) => (None, None),
    };
    status.checksum = set.checksum.as_ref().map(|sum| sum.chars().take(128).collect());
    if let Some(effective) = &mut status.effective {
        effective.method = set.method.as_deref().map(clip).or(effective.method.take());
        effective.backup_type = set.backup_type.as_deref().map(clip).or(effective.backup_type.take());
    }
    draft.succeed(message);
    deletable::say(draft);
}
