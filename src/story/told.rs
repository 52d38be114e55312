//! What the object and its Events tell.

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;

use super::line::Line;
use crate::api::{
    Attempt, AttemptOutcome, Condition, ConditionType, Origin, Phase, RdsBackup, RdsBackupStatus, SCHEDULE_NAME_LABEL, SLOT_ANNOTATION,
    Submission,
};

/// Everything that is known of the backup, in no order. A condition and the Event of the same moment are both told: the Event is gone after
/// an hour, and the condition's next transition takes its place.
pub fn story(backup: &RdsBackup, events: &[Event], now: Timestamp) -> Vec<Line> {
    let mut lines = vec![created(backup)];
    lines.extend(events.iter().filter_map(event));
    match &backup.status {
        Some(status) => of_status(&mut lines, backup, status, now),
        None => lines.push(Line::now("not seen", "no operator has written a status: is one running, and does it watch this namespace?")),
    }
    if backup.is_paused() {
        lines.push(Line::now("paused", "the annotation rdsbackup.io/paused is true: `resume` takes it off"));
    }
    if let Some(at) = &backup.metadata.deletion_timestamp {
        lines.push(Line::at(at.0, "deletion", "the object is being deleted"));
    }
    lines
}

fn created(backup: &RdsBackup) -> Line {
    let mut detail =
        format!("uid={} instance={} account={}", backup.uid().unwrap_or_default(), backup.spec.db_instance_id, backup.spec.account);
    if let Some(schedule) = backup.labels().get(SCHEDULE_NAME_LABEL) {
        let slot =
            backup.annotations().get(SLOT_ANNOTATION).map_or_else(|| " by hand or at creation".to_owned(), |slot| format!(" slot={slot}"));
        detail.push_str(&format!(" schedule={schedule}{slot}"));
    }
    match &backup.metadata.creation_timestamp {
        Some(at) => Line::at(at.0, "created", detail),
        None => Line::now("created", detail),
    }
}

fn event(event: &Event) -> Option<Line> {
    // Of a repeated one its last time. Other reporters may fill in the old fields.
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let old = || event.deprecated_last_timestamp.as_ref().or(event.deprecated_first_timestamp.as_ref()).map(|at| at.0);
    let at = series.or_else(|| event.event_time.as_ref().map(|at| at.0)).or_else(old)?;
    let reason = event.reason.as_deref().unwrap_or("without a reason");
    let kind = if event.type_.as_deref() == Some("Warning") { "warning" } else { "event" };
    Some(Line::at(at, kind, format!("{reason}: {}", event.note.as_deref().unwrap_or_default())))
}

fn of_status(lines: &mut Vec<Line>, backup: &RdsBackup, status: &RdsBackupStatus, now: Timestamp) {
    if let Some(queue) = &status.queue {
        lines.push(Line::at(queue.since.0, "waits", format!("since then; now because of {}", queue.reason)));
    }
    lines.extend(status.attempts.iter().map(attempt));
    if let Some(submission) = &status.submission {
        lines.push(requested(submission));
    }
    if let Some(at) = &status.started_at {
        // A set that was there already came of no job of this object.
        let what = if matches!(status.origin, Some(Origin::Existing | Origin::Reused)) { "set began" } else { "job began" };
        let origin = status.origin.map(|origin| format!("{origin:?} ")).unwrap_or_default();
        let ids = [("job", &status.backup_job_id), ("request", &status.request_id), ("from", &status.reused_from)];
        let ids: Vec<String> = ids.iter().filter_map(|(name, id)| id.as_ref().map(|id| format!("{name}={id}"))).collect();
        lines.push(Line::at(at.0, what, format!("{origin}{}", ids.join(" "))));
    }
    if let Some(at) = &status.consistent_time {
        lines.push(Line::at(at.0, "consistent", "ConsistentTime of the set, as the service reports it"));
    }
    if let Some(at) = &status.completed_at {
        lines.push(Line::at(at.0, "ended", result(status)));
    }
    if let Some(error) = &status.last_error {
        let request = error.request_id.as_ref().map(|id| format!(" request={id}")).unwrap_or_default();
        lines.push(Line::at(error.at.0, "error", format!("{}{request}: {}", error.code, error.message)));
    }
    // Reconciling repeats what Ready says.
    let told = status.conditions.iter().filter(|condition| condition.type_ != ConditionType::Reconciling.as_str());
    lines.extend(told.map(condition));
    if let Some(at) = &status.expires_at {
        let (what, by) =
            if at.0 <= now { ("expired", "the service has removed the set") } else { ("expires", "the service removes the set") };
        let source = status.expiry_source.map(|source| format!(" (expirySource={source:?})")).unwrap_or_default();
        lines.push(Line::at(at.0, what, format!("{by}{source}")));
    }
    if let Some(percent) = status.progress_percent.filter(|_| status.phase == Phase::Running) {
        lines.push(Line::now("progress", format!("{percent} %")));
    }
    if status.phase == Phase::Succeeded && status.condition(ConditionType::Available).is_none() {
        lines.push(Line::now("audit", "no daily look at the set has found it gone or unusable"));
    }
    let reason = status.ready_reason().filter(|reason| *reason != status.phase.as_str());
    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    let unseen = backup.metadata.generation.is_some_and(|generation| status.observed_generation < generation);
    let unseen = if unseen { "; the newest edit of the spec was not seen yet" } else { "" };
    lines.push(Line::now("phase", format!("{}{reason}{unseen}", status.phase.as_str())));
}

fn requested(submission: &Submission) -> Line {
    let run = format!("run={} attempt={}", submission.run, submission.attempt);
    let detail = match (submission.outcome, submission.cleared) {
        (Some(outcome), _) => format!("{run} outcome={outcome:?}"),
        (None, true) => format!("{run} outcome not known yet"),
        (None, false) => format!("{run} written down, not sent yet"),
    };
    Line::at(submission.timestamp.0, "requested", detail)
}

fn attempt(attempt: &Attempt) -> Line {
    let ids = [("job", &attempt.backup_job_id), ("set", &attempt.backup_id), ("code", &attempt.code)];
    let ids: String = ids.iter().filter_map(|(name, id)| id.as_ref().map(|id| format!(" {name}={id}"))).collect();
    let outcome = match attempt.outcome {
        AttemptOutcome::Rejected => "the service refused the request",
        AttemptOutcome::NeverAccepted => "the service never accepted the request",
        AttemptOutcome::JobFailed => "the job failed",
        AttemptOutcome::NotOurs => "the adopted backup was another's",
        AttemptOutcome::PossibleDuplicate => "this may be a second backup for the object",
    };
    Line::at(attempt.at.0, "attempt", format!("run={} attempt={}{ids}: {outcome}", attempt.run, attempt.attempt))
}

fn result(status: &RdsBackupStatus) -> String {
    let size = status.size.as_ref().map(|size| format!(" size={size}")).unwrap_or_default();
    let duration = status.duration.as_ref().map(|duration| format!(" duration={duration}")).unwrap_or_default();
    let set = status.backup_id.as_ref().map(|id| format!(" set={id}")).unwrap_or_default();
    format!("{}{set}{size}{duration}", status.phase.as_str())
}

fn condition(condition: &Condition) -> Line {
    // What the daily look found.
    let what = if condition.type_ == ConditionType::Available.as_str() { "audit" } else { "condition" };
    let Condition { type_, status, reason, message, .. } = condition;
    Line::at(condition.last_transition_time.0, what, format!("{type_}={status} {reason}: {message}"))
}
