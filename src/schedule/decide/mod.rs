//! What should happen to an RdsBackupSchedule: a pure function of the object, what was observed, and the present.
//!
//! A backup is created first, and everything else is written after it: a crash in between finds the child under its name, which is the
//! lock.

mod child;
mod conditions;
mod decision;
mod delete;
mod draft;
mod history;
mod slots;
mod times;
mod trigger;

use jiff::Timestamp;

pub use decision::{Decision, Deletion};

use super::{
    observation::Observation,
    policy::LONGEST_WAIT,
    spec::{Problem, ValidatedSpec},
};
use crate::api::{RdsBackupScheduleSpec, Span, Time};
use draft::Draft;

/// Decides. `now` is our clock's time.
pub fn decide(
    spec: &RdsBackupScheduleSpec,
    valid: &Result<ValidatedSpec, Problem>,
    observed: &Observation<'_>,
    now: Timestamp,
) -> Decision {
    if observed.is_being_deleted() {
        return delete::let_go(observed);
    }
    let mut draft = Draft::new(spec, observed, now);
    draft.see_trigger();
    match valid {
        Ok(valid) => run(draft, valid),
        Err(problem) => invalid(draft, problem),
    }
}

/// A schedule that can be used.
fn run(mut draft: Draft<'_>, valid: &ValidatedSpec) -> Decision {
    let create = draft.on_create(valid).or_else(|| draft.by_trigger(valid)).or_else(|| {
        draft.arm(valid);
        draft.by_slot(valid)
    });
    if let Some(child) = create {
        return draft.create(child);
    }
    draft.update_child_status();
    let next = draft.next(valid);
    draft.status.next_schedule_time = draft.due_since.or(next).map(Time);
    draft.status.effective_jitter = (!valid.jitter.is_zero()).then(|| Span::of(valid.jitter).to_string());
    let fresh_until = draft.conditions(valid);
    let beyond = history::beyond_limits(valid, draft.name(), draft.observed.children);
    draft.cleanup(&beyond);
    let retry = draft.held_up.as_ref().map(|held_up| held_up.until);
    let wait = [next, fresh_until, retry].into_iter().flatten().min().map_or(LONGEST_WAIT, |wake| draft.until(wake));
    let deletions = history::deletions(&beyond, draft.observed.memory, draft.now);
    Decision { deletions, ..draft.rest(Some(wait)) }
}

/// A schedule that has to be corrected.
fn invalid(mut draft: Draft<'_>, problem: &Problem) -> Decision {
    draft.disarm(problem);
    draft.update_child_status();
    draft.status.next_schedule_time = None;
    let wait = draft.invalid(problem).map(|until| draft.until(until));
    draft.rest(wait)
}
