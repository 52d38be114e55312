//! Step 2: what the instance is, what runs on it, which sets it has. Read only.

use jiff::{SignedDuration, Timestamp};

use super::{
    compatibility::{self, Compatibility},
    decision::{Decision, Effect, Requeue},
    delete,
    draft::Draft,
    end::waits_for_somebody,
    errors::{self, Remedy},
    intent, quota,
    text::clip,
};
use crate::{
    api::{Phase, Reason, Span, SubmissionOutcome},
    backup::{
        memory::{Backups, Preflight},
        observation::{AccountView, Observation},
        policy::{FRESH, NOT_STARTED_HOLDS, QUOTA_RECHECK},
        spec::ValidatedSpec,
    },
    rds::{BackupTask, CallError, JobId, JobState, Mode, SETS_A_DAY, TaskAction},
};

/// Step 2. Read only: what the instance is, what runs on it, what sets it has.
pub(super) fn preflight(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView) -> Decision {
    let attempt = next_attempt(draft.observed);
    let read = Effect::Preflight { instance: valid.request.instance.clone(), attempt };
    let Some(preflight) = draft
        .observed
        .memory
        .preflight
        .as_ref()
        .filter(|preflight| (preflight.attempt, &preflight.region) == (attempt, &account.region_id))
    else {
        return draft.then(read);
    };
    let age = draft.now.duration_since(preflight.at);
    // Half of the time waited so far, as for polls of a job: a long wait is not made shorter by asking often.
    let pace = account.poll.after(draft.waiting_since().map_or(SignedDuration::ZERO, |since| preflight.at.duration_since(since)));
    let facts = match &preflight.result {
        Ok(facts) => facts,
        Err(error) => return unread(draft, valid, account, &failed(preflight, error), read),
    };
    let own_region = facts.instance.region_id.as_deref();
    let compatibility = match forbidden_region(&draft, account, own_region) {
        Some(why) => Compatibility::Stalled(Reason::RegionNotAllowed, why),
        None => compatibility::check(&facts.instance, valid),
    };
    match compatibility {
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
        // Everything else is asked of the instance's own region: what is listed there is what the baseline needs.
        Compatibility::Allowed if own_region.is_some_and(|own| is_elsewhere(&draft, account, own)) => {
            draft.set_region(own_region.unwrap_or_default());
            draft.again()
        }
        Compatibility::Allowed => match &facts.backups {
            Err(error) => unread(draft, valid, account, &failed(preflight, error), read),
            Ok(backups) => match in_the_way(preflight, backups) {
                None => match quota::used_up_until(&backups.sets, preflight.at) {
                    Some(until) if draft.now < until && age < QUOTA_RECHECK => {
                        draft.queue(Reason::QuotaExceeded, &used_up(valid, until));
                        let pause = until.duration_since(draft.now).min(QUOTA_RECHECK.saturating_sub(age));
                        waits_for_somebody(draft, valid.queue_timeout, pause)
                    }
                    Some(_) => draft.then(read),
                    None if age > FRESH => draft.then(read),
                    None if let Some(finalizers) = delete::other_finalizers(&draft, true) => {
                        draft.set_finalizers(finalizers);
                        draft.without_write(None, Requeue::Now)
                    }
                    None => intent::intent(draft, valid, account, (&facts.instance, backups), preflight.at, attempt),
                },
                Some(_) if age >= pace => draft.then(read),
                Some(job) => {
                    draft.queue(Reason::InstanceBusy, &busy(job, valid));
                    draft.wait(pace.saturating_sub(age))
                }
            },
        },
    }
}

fn failed<'e>(preflight: &Preflight, error: &'e CallError) -> Unread<'e> {
    Unread { at: preflight.at, failures: preflight.failures, error }
}

/// The job that another one must wait for. One that has not begun stands in the way for a while only: it may never begin.
fn in_the_way<'a>(preflight: &Preflight, backups: &'a Backups) -> Option<&'a BackupTask> {
    let holds = |job: &JobId| {
        let since = preflight.not_started.iter().find(|(listed, _)| listed == job).map(|(_, since)| *since);
        since.is_none_or(|since| preflight.at.duration_since(since) <= NOT_STARTED_HOLDS)
    };
    let (idle, begun): (Vec<&BackupTask>, Vec<&BackupTask>) = backups.running.iter().partition(|task| task.state == JobState::NotStarted);
    begun.into_iter().next().or_else(|| idle.into_iter().find(|task| holds(&task.job_id)))
}

fn used_up(valid: &ValidatedSpec, until: Timestamp) -> String {
    let id = &valid.request.instance;
    format!(
        "{id} has {SETS_A_DAY} manual backup sets of today, and the service makes no more a day. Nothing is asked of it before {until}, when the day turns in UTC or in China"
    )
}

/// What holds the instance, in words that do not change while it does.
fn busy(job: &BackupTask, valid: &ValidatedSpec) -> String {
    let id = &valid.request.instance;
    let whose = match (job.action, job.mode) {
        (TaskAction::Scheduled, _) | (_, Mode::Automated) => "of the instance's own backup policy",
        (TaskAction::OnDemand, _) | (_, Mode::Manual) => "started by hand or through the API",
        (TaskAction::Unknown, Mode::Unknown) => "of which the service does not say what began it",
    };
    let job_id = clip(job.job_id.as_str());
    match job.state {
        JobState::NotStarted => format!(
            "job {job_id}, {whose}, is listed for {id} and has not begun; this backup waits for it for at most {}",
            Span::of(NOT_STARTED_HOLDS)
        ),
        _ => format!("job {job_id}, {whose}, runs on {id}; this backup starts when it has ended"),
    }
}

/// The hosts of some regions answer for the instances of every region
/// (<https://github.com/aliyun/alibaba-cloud-sdk-go/issues/518>), so the allow-list is asked again with the region that the instance has,
/// not only with the one that the object or the account names.
pub(super) fn forbidden_region(draft: &Draft<'_>, account: &AccountView, own: Option<&str>) -> Option<String> {
    if account.regions.allow(own) {
        return None;
    }
    let object = draft.observed.object;
    let (id, name) = (&object.spec.db_instance_id, &object.spec.account);
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let region = match own {
        Some(own) => format!("{id} is in region {}", clip(own)),
        None => format!("the service does not tell the region of {id}"),
    };
    Some(format!(
        "{region}, and account {name:?} allows namespace {namespace:?} the instance in other regions only. Ask an administrator to add the region to the account's allow-list, or correct dbInstanceId"
    ))
}

/// Whether the instance is in another region than the one that is asked, and that is not recorded yet.
pub(super) fn is_elsewhere(draft: &Draft<'_>, account: &AccountView, own: &str) -> bool {
    let recorded = draft.status.effective.as_ref().and_then(|effective| effective.region_id.as_deref());
    own != account.region_id && recorded != Some(&*clip(own))
}

/// A read that failed.
pub(super) struct Unread<'e> {
    /// When.
    pub at: Timestamp,
    /// How many in a row.
    pub failures: u32,
    /// Why.
    pub error: &'e CallError,
}

/// Something that must be known before the object goes on could not be read.
pub(super) fn unread(mut draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, unread: &Unread<'_>, read: Effect) -> Decision {
    let Unread { at, failures, error } = unread;
    let trouble = errors::unread(error, *failures, valid, account);
    let again_after = match trouble.remedy {
        Remedy::Wait(time) => time,
        Remedy::Stall | Remedy::Fail => draft.stalled_recheck(),
    };
    let age = draft.now.duration_since(*at);
    if age >= again_after {
        return draft.then(read);
    }
    let message = draft.trouble(&trouble, error, *at);
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
