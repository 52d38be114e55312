//! Steps 1 to 3: admit, preflight, intent.

use jiff::{SignedDuration, Timestamp};

use super::{
    CREDENTIALS_RECHECK, Decision, Effect, FRESH, STALLED_RECHECK,
    compatibility::{self, Verdict},
    draft::Draft,
    errors::{self, Remedy},
};
use crate::{
    api::{AttemptOutcome, Baseline, Effective, Phase, Reason, Submission, SubmissionOutcome, Time},
    backup::{
        observation::{AccountView, Observation, Preflight},
        spec::{ValidatedSpec, queue_timeout},
    },
    rds::{ApiError, BackupSet, CallError, Engine, Instance},
};

/// Sets are kept in the baseline up to this many; the service allows 20 a day.
const LARGEST_BASELINE: usize = 500;

/// The spec breaks a rule that the CRD should have stopped.
pub(super) fn invalid(mut draft: Draft<'_>, wrong: &str) -> Decision {
    let phase = match draft.status.phase {
        Phase::Queued => Phase::Pending,
        phase => phase,
    };
    draft.stall(phase, Reason::InvalidSpec, wrong);
    let timeout = queue_timeout(draft.spec);
    waits_for_somebody(draft, timeout, STALLED_RECHECK)
}

/// It needs somebody, and nothing was asked for yet: looked at again after `pause`, but not for longer than queueTimeout. The next backup of
/// a schedule stands behind it, and one that nobody cures must not hold up every later one.
pub(super) fn waits_for_somebody(draft: Draft<'_>, timeout: SignedDuration, pause: SignedDuration) -> Decision {
    let unasked = matches!(draft.status.phase, Phase::Pending | Phase::Queued)
        && draft.observed.status.open_submission().is_none()
        && draft.observed.status.backup_job_id.is_none()
        && draft.observed.status.backup_id.is_none();
    let Some(since) = draft.waiting_since().filter(|_| unasked) else { return draft.wait(pause) };
    if draft.now > since + timeout {
        return queue_timed_out(draft, timeout);
    }
    let left = (since + timeout + SignedDuration::from_secs(1)).duration_since(draft.now);
    draft.wait(pause.min(left))
}

/// It was not asked for in time.
fn queue_timed_out(mut draft: Draft<'_>, timeout: SignedDuration) -> Decision {
    let ready = draft.observed.status.condition(crate::api::ConditionType::Ready);
    let last = ready.map(|ready| format!("{}: {}", ready.reason, ready.message)).unwrap_or_default();
    draft.fail(Reason::QueueTimeout, &format!("it was not accepted within queueTimeout ({}). The last reason was {last}", short(timeout)));
    draft.again()
}

/// No job and no open intent: it waits, or the next attempt begins.
pub(super) fn queued(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
    let observed = draft.observed;
    let now = draft.now;
    if observed.object.metadata.deletion_timestamp.is_some() {
        return draft.settled();
    }
    if let Some(since) = draft.waiting_since()
        && now > since + valid.queue_timeout
    {
        return queue_timed_out(draft, valid.queue_timeout);
    }
    if let Err(blocker) = &account.credentials {
        if blocker.reason == Reason::CredentialsNotFound {
            draft.queue(blocker.reason, &blocker.message);
            return draft.wait(blocker.again_in.unwrap_or(SignedDuration::from_secs(30)));
        }
        draft.stall(Phase::Pending, blocker.reason, &blocker.message);
        return waits_for_somebody(draft, valid.queue_timeout, CREDENTIALS_RECHECK);
    }
    if account.paused {
        draft.queue(
            Reason::SubmissionsPaused,
            "an administrator paused submissions in the operator's configuration; this backup starts when they are enabled again",
        );
        return draft.wait(SignedDuration::from_secs(60));
    }
    if let Some(until) = not_before(observed, valid)
        && now < until
    {
        let ends = draft.waiting_since().map_or(until, |since| until.min(since + valid.queue_timeout + SignedDuration::from_secs(1)));
        return draft.wait(ends.duration_since(now));
    }
    let first = observed.siblings.iter().any(|other| {
        errors::occupies(other, now) || (other.queues && (other.created_at, other.uid.as_str()) < (observed.created_at(), observed.uid()))
    });
    if first {
        draft.queue(
            Reason::WaitingForTurn,
            "another RdsBackup of the same instance goes first; the service runs one backup per instance at a time",
        );
        return draft.wait(account.poll.max.min(SignedDuration::from_secs(30)));
    }
    preflight(draft, valid, account)
}

/// Step 2. Read only: what the instance is, what runs on it, what sets it has.
fn preflight(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
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
    match compatibility::judge(&facts.instance, valid) {
        Verdict::Never(why) => {
            draft.fail(Reason::UnsupportedMethod, &why);
            draft.again()
        }
        Verdict::Stalled(..) if age >= STALLED_RECHECK => draft.then(read),
        Verdict::Stalled(reason, message) => {
            draft.stall(Phase::Pending, reason, &message);
            waits_for_somebody(draft, valid.queue_timeout, STALLED_RECHECK - age)
        }
        Verdict::Waits(..) if age >= pace => draft.then(read),
        Verdict::Waits(reason, message) => {
            draft.queue(reason, &message);
            draft.wait(pace - age)
        }
        Verdict::Allowed => match &facts.backups {
            Err(error) => unread(draft, valid, account, preflight, error, read),
            Ok(backups) if backups.running.is_empty() => match age > FRESH {
                true => draft.then(read),
                false => intent(draft, valid, account, (&facts.instance, &backups.sets), preflight.at, attempt),
            },
            Ok(_) if age >= pace => draft.then(read),
            Ok(_) => {
                let id = &valid.request.instance;
                draft.queue(Reason::InstanceBusy, &format!("another backup runs on {id}; this one starts when it has ended"));
                draft.wait(pace - age)
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
        Remedy::Stall | Remedy::Fail => STALLED_RECHECK,
    };
    let age = draft.now.duration_since(preflight.at);
    if age >= again_after {
        return draft.then(read);
    }
    let message = draft.trouble(&trouble, error, preflight.at);
    if let Remedy::Wait(_) = trouble.remedy {
        draft.queue(trouble.reason, &message);
        return draft.wait(again_after - age);
    }
    draft.stall(Phase::Pending, trouble.reason, &message);
    waits_for_somebody(draft, valid.queue_timeout, again_after - age)
}

/// Step 3. The durable intent: after it, and only after it, may something be sent.
fn intent(
    mut draft: Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    (instance, sets): (&Instance, &[BackupSet]),
    read_at: Timestamp,
    (run, attempt): (i32, i32),
) -> Decision {
    // The signed time travels with second precision; what is stored must be what is signed.
    let signed = Timestamp::from_second(draft.now.as_second()).unwrap_or(draft.now);
    let nonce = draft.observed.randomness.nonce.clone();
    let waiting_since = draft.waiting_since().unwrap_or(draft.now);
    let unresolved_since = match &draft.observed.status.submission {
        Some(last)
            if last.run == run
                && (last.outcome == Some(SubmissionOutcome::NeverAccepted) || last.unresolved_since.0 < last.timestamp.0) =>
        {
            last.unresolved_since.0
        }
        _ => signed,
    };
    draft.status.submission = Some(Submission {
        run,
        attempt,
        nonce: nonce.clone(),
        timestamp: Time(signed),
        cleared: false,
        baseline: Baseline {
            backup_ids: sets.iter().take(LARGEST_BASELINE).map(|set| set.backup_id.to_string()).collect(),
            at: Time(read_at),
        },
        outcome: None,
        unresolved_since: Time(unresolved_since),
        waiting_since: Time(waiting_since),
    });
    draft.status.effective = Some(Effective {
        region_id: Some(account.region_id.clone()),
        method: valid.request.method.clone(),
        backup_type: valid.request.backup_type.clone(),
        strategy: valid.request.strategy.clone(),
        engine: Some(clip(match &instance.engine {
            Engine::MySql => "MySQL",
            Engine::PostgreSql => "PostgreSQL",
            Engine::SqlServer => "SQLServer",
            Engine::MariaDb => "MariaDB",
            Engine::Other(name) => name,
        })),
        engine_version: instance.engine_version.as_deref().map(clip),
    });
    draft.working(Phase::Submitting, Reason::Submitting, "the request is about to be sent");
    draft.then(Effect::WriteIntent { nonce })
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
                            let error = ApiError { code: code.clone(), message: String::new(), request_id: None, http_status: 0 };
                            match errors::refused_request(&error, failures, valid, "", None).remedy {
                                Remedy::Wait(time) => time,
                                Remedy::Stall | Remedy::Fail => STALLED_RECHECK,
                            }
                        }
                        None => errors::backoff(failures, SignedDuration::from_mins(2)),
                    }
                }
                AttemptOutcome::NeverAccepted | AttemptOutcome::NotOurs | AttemptOutcome::PossibleDuplicate => return None,
            };
            Some(kept.at.0 + after)
        });
    hold.max(backoff)
}

/// Texts of the service are bounded before they are stored.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A length of time in a message.
pub(super) fn short(time: SignedDuration) -> String {
    format!("{time:#}")
}
