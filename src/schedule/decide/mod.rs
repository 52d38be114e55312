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
mod missed;
mod native;
mod plausible;
mod promise;
mod retention;
mod slots;
mod times;
mod trigger;

use jiff::Timestamp;

pub use child::manual_name;
pub use decision::{Decision, Deletion};

use super::{
    observation::Observation,
    policy::{AUDIT_RECHECK, LONGEST_WAIT},
    problem::Problem,
    spec::ValidatedSpec,
};
use crate::{
    api::{RdsBackupScheduleSpec, Span, Time},
    time::SaturatingTime,
};
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
    draft.status.next_runs = draft.next_runs(valid);
    let next = draft.status.next_runs.first().map(|run| run.start.0);
    draft.status.next_schedule_time = next.map(Time);
    draft.status.effective_jitter = (!valid.jitter.is_zero()).then(|| Span::of(valid.jitter).to_string());
    draft.plausible();
    draft.native_window();
    let fresh_until = draft.conditions(valid);
    let rules = valid.retention.as_ref();
    let plan = rules.map(|rules| retention::plan(rules, valid.successful_history, draft.name(), draft.observed.children, draft.now));
    draft.retention(rules, plan.as_ref());
    let mut beyond = history::beyond_limits(valid, draft.name(), draft.observed.children);
    beyond.extend(plan.iter().flat_map(|plan| plan.removed.iter().chain(&plan.records)));
    draft.cleanup(&beyond);
    let retry = draft.held_up.as_ref().map(|held_up| held_up.until);
    let wants_audit = plan.is_some_and(|plan| plan.wants_audit);
    let audit = wants_audit.then(|| draft.now.plus(AUDIT_RECHECK));
    let wait = [draft.next_look(valid), fresh_until, retry, audit, draft.window_until]
        .into_iter()
        .flatten()
        .min()
        .map_or(LONGEST_WAIT, |wake| draft.until(wake));
    let deletions = history::deletions(&beyond, draft.observed.memory, draft.now);
    Decision { deletions, wants_audit, ..draft.rest(Some(wait)) }
}

/// A schedule that has to be corrected.
fn invalid(mut draft: Draft<'_>, problem: &Problem) -> Decision {
    draft.disarm(problem);
    draft.update_child_status();
    draft.native_window();
    draft.status.next_schedule_time = None;
    draft.status.next_runs.clear();
    let wait = draft.invalid(problem).map(|until| draft.until(until));
    draft.rest(wait)
}
