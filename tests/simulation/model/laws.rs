//! What must hold in every state, and what must be seen at all if a configuration is to prove anything.

use rds_backup_operator::{
    api::{AttemptOutcome, Origin, Phase, RdsBackupStatus, Reason, SubmissionOutcome},
    backup::pass::Stage,
};
use stateright::Property;

use crate::model::{
    cloud::{self, Job, Owner, State, index_of},
    process::{System, UNLED},
    world::World,
};

pub const ONE_ACCEPTED: &str = "at most one accepted request of a run whose job did not fail";
pub const ONE_SET: &str = "at most one successful set of an object";
pub const RECORDED: &str = "an accepted job is recorded when its object is at its end";
pub const ONE_RESULT: &str = "a job is the result of one object";
pub const BASELINE: &str = "a set listed at preflight is never adopted";
pub const TRUE_END: &str = "the end that an object shows is that of its job";
pub const UNBROKEN: &str = "sent after its cleared intent; ends absorb; no circles";
pub const LED: &str = "nothing is sent by a process that does not lead";
pub const FAILED_RUNS: &str = "a run that counts as failed had a job that failed";

pub const ALWAYS: [&str; 9] = [ONE_ACCEPTED, ONE_SET, RECORDED, ONE_RESULT, BASELINE, TRUE_END, FAILED_RUNS, LED, UNBROKEN];

/// What some configuration must lead to.
pub const ADOPTED: &str = "a lost answer is adopted, and final";
pub const SECOND: &str = "attempt 2 is accepted";
pub const WITHDRAWN: &str = "an intent is withdrawn";
pub const PROVEN: &str = "an attempt is proven never accepted";
pub const ALL_GOOD: &str = "all objects succeed";
pub const GIVEN_BACK: &str = "an adoption is given back";
pub const BESIDE: &str = "a possible duplicate is reported";
pub const SECOND_RUN: &str = "run 2 succeeds";
pub const STUCK: &str = "an unknown outcome is left to people";
pub const ENDED: &str = "a process knows of an end that its cache does not show";
pub const RENEWED: &str = "a look begins again with other credentials";

pub fn all() -> Vec<Property<System>> {
    vec![
        Property::always(ONE_ACCEPTED, |_, world: &World| one_accepted(world)),
        Property::always(ONE_SET, |_, world: &World| one_set(world)),
        Property::always(RECORDED, |_, world: &World| recorded(world)),
        Property::always(ONE_RESULT, |_, world: &World| one_result(world)),
        Property::always(BASELINE, |_, world: &World| baseline(world)),
        Property::always(TRUE_END, |_, world: &World| true_end(world)),
        Property::always(FAILED_RUNS, |_, world: &World| failed_runs(world)),
        Property::always(LED, |_, world: &World| world.broken != Some(UNLED)),
        Property::always(UNBROKEN, |_, world: &World| world.broken.is_none_or(|broken| broken == UNLED)),
        Property::sometimes(ADOPTED, |_, world: &World| {
            statuses(world).any(|(_, status)| status.phase == Phase::Succeeded && status.origin == Some(Origin::Adopted))
        }),
        Property::sometimes(SECOND, |_, world: &World| {
            world.cloud.jobs.iter().any(|job| matches!(job.owner, Owner::Ours { attempt: 2.., .. }))
        }),
        Property::sometimes(WITHDRAWN, |_, world: &World| has_outcome(world, SubmissionOutcome::Unsent)),
        Property::sometimes(PROVEN, |_, world: &World| has_outcome(world, SubmissionOutcome::NeverAccepted)),
        Property::sometimes(ALL_GOOD, |_, world: &World| {
            (0..world.slots.len()).all(|slot| {
                world.object(slot).and_then(|object| object.status.as_ref()).is_some_and(|status| status.phase == Phase::Succeeded)
            })
        }),
        Property::sometimes(GIVEN_BACK, |_, world: &World| {
            statuses(world).any(|(_, status)| {
                let back = |kept: &AttemptOutcome| matches!(kept, AttemptOutcome::NotOurs | AttemptOutcome::JobFailed);
                status.origin.is_none() && status.open_submission().is_some() && status.attempts.iter().any(|kept| back(&kept.outcome))
            })
        }),
        Property::sometimes(BESIDE, |_, world: &World| {
            statuses(world).any(|(_, status)| status.attempts.iter().any(|kept| kept.outcome == AttemptOutcome::PossibleDuplicate))
        }),
        Property::sometimes(SECOND_RUN, |_, world: &World| {
            statuses(world).any(|(_, status)| {
                status.phase == Phase::Succeeded && status.submission.as_ref().is_some_and(|submission| submission.run == 2)
            })
        }),
        Property::sometimes(STUCK, |_, world: &World| statuses(world).any(|(_, status)| is_left_to_people(status))),
        // Where the cache shows it, it is forgotten: see `tidy`.
        Property::sometimes(ENDED, |_, world: &World| world.processes.iter().any(|process| !process.ended.is_empty())),
        Property::sometimes(RENEWED, |_, world: &World| {
            let passes = world.processes.iter().filter_map(|process| process.pass.as_ref());
            passes
                .map(|under_way| under_way.work.pass.stage())
                .any(|stage| matches!(stage, Stage::Read(_, reads) if reads.refused.is_some()))
        }),
    ]
}

/// `requestExpiry: Never`: the documented place where an object waits for somebody.
pub fn is_left_to_people(status: &RdsBackupStatus) -> bool {
    status.phase == Phase::Resolving
        && status.is_true(rds_backup_operator::api::ConditionType::Stalled)
        && status.ready_reason() == Some(Reason::OutcomeUnknown.as_str())
}

fn has_outcome(world: &World, outcome: SubmissionOutcome) -> bool {
    statuses(world).any(|(_, status)| status.submission.as_ref().is_some_and(|submission| submission.outcome == Some(outcome)))
}

/// The uids of the objects that exist, with what they show.
fn statuses(world: &World) -> impl Iterator<Item = (&str, &RdsBackupStatus)> {
    world.objects().filter_map(|object| Some((object.metadata.uid.as_deref()?, object.status.as_ref()?)))
}

fn ours(world: &World) -> impl Iterator<Item = (usize, &Job, &str, i32)> {
    world.cloud.jobs.iter().enumerate().filter_map(|(index, job)| match &job.owner {
        Owner::Ours { uid, run, .. } => Some((index, job, uid.as_str(), *run)),
        Owner::Foreign(_) | Owner::Automated => None,
    })
}

fn one_accepted(world: &World) -> bool {
    let good = || ours(world).filter(|(_, job, ..)| job.state != State::Failed);
    !good().any(|(one, _, uid, run)| good().any(|(other, _, other_uid, other_run)| other > one && (uid, run) == (other_uid, other_run)))
}

fn one_set(world: &World) -> bool {
    let good = || ours(world).filter(|(_, job, ..)| job.state == State::Succeeded);
    !good().any(|(one, _, uid, _)| good().any(|(other, _, other_uid, _)| other > one && uid == other_uid))
}

/// A job that failed and whose answer was lost leaves nothing that could be found; nor does an object that is gone.
fn recorded(world: &World) -> bool {
    ours(world).filter(|(_, job, ..)| job.state != State::Failed).all(|(index, _, uid, _)| {
        let Some((_, status)) = statuses(world).find(|(kept, _)| *kept == uid) else { return true };
        let answered = |process: &crate::model::world::Process| {
            process.sender.as_ref().is_some_and(|sender| sender.work.pass.object().metadata.uid.as_deref() == Some(uid))
        };
        if !status.phase.is_terminal() || world.processes.iter().any(answered) {
            return true;
        }
        let (job, set) = (cloud::job_id(index), cloud::set_id(index));
        let is = |kept_job: &Option<String>, kept_set: &Option<String>| kept_job.as_ref() == Some(&job) || kept_set.as_ref() == Some(&set);
        is(&status.backup_job_id, &status.backup_id) || status.attempts.iter().any(|kept| is(&kept.backup_job_id, &kept.backup_id))
    })
}

fn result(status: &RdsBackupStatus) -> Option<usize> {
    status.origin.and_then(|_| index_of(status.backup_job_id.as_deref(), status.backup_id.as_deref()))
}

fn one_result(world: &World) -> bool {
    let results = || statuses(world).filter_map(|(uid, status)| Some((uid, result(status)?)));
    !results().any(|(uid, job)| results().any(|(other, other_job)| uid != other && job == other_job))
}

fn baseline(world: &World) -> bool {
    (0..world.slots.len()).all(|slot| {
        let version = world.present(slot);
        let status = version.object.as_ref().and_then(|object| object.status.as_ref());
        let adopted = status.filter(|status| status.origin == Some(Origin::Adopted)).and_then(result);
        adopted.is_none_or(|job| !version.listed_before.contains(&cloud::set_id(job)))
    })
}

fn true_end(world: &World) -> bool {
    statuses(world).all(|(uid, status)| match status.phase {
        Phase::Succeeded => result(status).and_then(|job| world.cloud.jobs.get(job)).is_some_and(|job| job.state == State::Succeeded),
        Phase::Failed if status.ready_reason() == Some(Reason::BackupFailed.as_str()) => {
            !ours(world).any(|(_, job, owner, _)| owner == uid && job.state != State::Failed)
        }
        _ => true,
    })
}

/// Or somebody's job did that could be taken for its own.
fn failed_runs(world: &World) -> bool {
    let failed = |job: &Job| job.state == State::Failed;
    if world.cloud.jobs.iter().any(|job| matches!(job.owner, Owner::Foreign(_)) && failed(job)) {
        return true;
    }
    statuses(world).all(|(uid, status)| {
        let Some(newest) = &status.submission else { return true };
        let over = status.phase == Phase::Failed && status.ready_reason() == Some(Reason::BackupFailed.as_str());
        let last = if over { newest.run } else { newest.run - 1 };
        (1..=last).all(|counted| ours(world).any(|(_, job, owner, run)| owner == uid && run == counted && failed(job)))
    })
}
