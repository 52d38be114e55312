//! What should happen to an RdsBackup: a pure function of the object, what was observed, and the present. No clock, no client, no
//! randomness.
//!
//! The steps are those of the submission protocol, `docs/explain/exactly-once.md`.

mod admission;
mod answer;
mod availability;
mod begun;
mod compatibility;
mod decision;
mod deletable;
mod delete;
mod draft;
mod end;
mod errors;
mod follow;
mod intent;
mod look;
mod matching;
mod pause;
mod preflight;
mod quota;
mod resolve;
mod take_in;
mod text;
mod ttl;

#[cfg(test)]
mod tests;

use std::{ops::ControlFlow, time::Duration};

use jiff::{SignedDuration, Timestamp};

pub use admission::HeldUp;
pub use availability::is_news;
pub use decision::{Decision, Effect, Requeue};
pub use delete::asks_of_its_set;
pub use errors::reason_when_submitted;
pub use look::absorb_look;
pub use take_in::{is_enough, is_usable, reusable};
pub use ttl::has_newer;

use super::{observation::Observation, spec::ValidatedSpec};
use crate::api::{Phase, RdsBackupSpec, RdsBackupStatus};
use draft::Draft;

/// Decides. `now` is the service's time: our clock, corrected by the `Date` of its answers. The stages follow from the object alone; what
/// this process remembers only says which step of a stage is next.
pub fn decide(spec: &RdsBackupSpec, observed: &Observation<'_>, now: Timestamp) -> Decision {
    let mut draft = Draft::new(spec, observed, now);

    // Step 7. A direct answer is recorded before anything else, whatever became of the object meanwhile: memory has the only copy of it.
    if answer::record(&mut draft) {
        return draft.again();
    }
    if let Some(finalizers) = delete::other_finalizers(&draft, false) {
        draft.set_finalizers(finalizers);
        return draft.without_write(None, Requeue::Now);
    }
    if observed.is_being_deleted() {
        draft = match delete::stage(draft) {
            ControlFlow::Break(decision) => return decision,
            ControlFlow::Continue(draft) => draft,
        };
    }
    let mut decision = alive(draft);
    // What is followed although it is being deleted is let go of in time.
    if let (Some(ends), Requeue::After(wait)) = (delete::ends(observed), &mut decision.requeue) {
        *wait = (*wait).min(ends.duration_since(observed.server_now.unwrap_or(now))).max(SignedDuration::from_secs(1));
    }
    decision
}

/// What should happen to an object that is not being deleted, or is followed all the same.
fn alive(mut draft: Draft<'_>) -> Decision {
    let (spec, observed, now) = (draft.spec, draft.observed, draft.now);
    if observed.status.phase.is_terminal() {
        return delete::ended(draft);
    }
    if admission::comes_too_late(&draft) {
        return admission::expired(draft);
    }
    let valid = match ValidatedSpec::from_spec(spec) {
        Ok(valid) => valid,
        // An earlier version took it, and its request may have left: that one is followed to its end.
        Err(_) if may_have_left(observed.status) => ValidatedSpec::as_sent(spec),
        Err(wrong) => return admission::invalid(draft, &wrong),
    };
    let account = match observed.account {
        Ok(account) => account,
        Err(blocker) => return admission::blocked(draft, &valid, blocker),
    };
    draft.admit(&account.region_id);
    let has_job = observed.status.has_result();
    if has_job && let Err(blocker) = &account.credentials {
        return admission::without_credentials(draft, observed.status.phase, blocker);
    }
    let decision = match (observed.status.open_submission(), has_job) {
        (Some(intent), true) => follow::adopted(draft, &valid, account, intent),
        (None, true) => follow::accepted(draft, &valid, account),
        (Some(intent), false) if !intent.cleared => resolve::uncleared(draft, &valid, account, intent),
        (Some(intent), false) => resolve::cleared(draft, &valid, account, intent),
        (None, false) if begun::lacks_its_job(observed.status) => resolve::reopened(draft),
        (None, false) => admission::queued(draft, &valid, account),
    };
    // A look that cannot read every claim proves nothing.
    match observed.claims {
        Err(blocker) if matches!(decision.effect, Some(Effect::Look { .. })) => {
            let phase = if has_job { observed.status.phase } else { Phase::Resolving };
            admission::without_credentials(Draft::new(spec, observed, now), phase, blocker)
        }
        _ => decision,
    }
}

/// Whether a request of the object may have reached the service, and is not decided otherwise.
fn may_have_left(status: &RdsBackupStatus) -> bool {
    status.has_result() || status.open_submission().is_some_and(|intent| intent.cleared) || begun::lacks_its_job(status)
}

/// What says that the object is held up; none if its status has conditions already.
pub fn first_seen(spec: &RdsBackupSpec, observed: &Observation<'_>, by: HeldUp, wait: Duration, now: Timestamp) -> Option<Decision> {
    let mut draft = Draft::new(spec, observed, now);
    if let Ok(account) = observed.account {
        draft.admit(&account.region_id);
    }
    admission::first_seen(draft, by, wait)
}

/// What records the answer that this process holds; none if the status shows it already. Step 7 alone, for the task that outlives a pass.
pub fn record(spec: &RdsBackupSpec, observed: &Observation<'_>, now: Timestamp) -> Option<Decision> {
    let mut draft = Draft::new(spec, observed, now);
    answer::record(&mut draft).then(|| draft.again())
}
