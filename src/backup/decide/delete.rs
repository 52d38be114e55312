//! The stage of deletion: reached before every other one when the object has a deletionTimestamp, for ended objects too.
//!
//! An object that is being deleted exists only for as long as a finalizer keeps it. This release deletes no backup set, so the
//! object is let go at once; a job or a request that is under way is followed for as long as the object is there.

use super::{begun, draft::Draft, end::close};
use crate::api::{FINALIZER, Reason, SubmissionOutcome};

/// What is left to do for the object.
pub(super) enum LetGo {
    /// Write what was drafted, then look again.
    Again,
    /// Nothing more.
    Settled,
}

/// Lets go of an object that is being deleted; none where a job or a request of it is under way.
pub(super) fn let_go(draft: &mut Draft<'_>) -> Option<LetGo> {
    let observed = draft.observed;
    // A newer release deletes backup sets and keeps the object for that. This one must not keep it for ever, and deletes nothing in doubt.
    let finalizers = observed.object.metadata.finalizers.as_deref().unwrap_or_default();
    if finalizers.iter().any(|kept| kept == FINALIZER) {
        draft.set_finalizers(finalizers.iter().filter(|kept| *kept != FINALIZER).cloned().collect());
        return Some(LetGo::Again);
    }
    if observed.status.phase.is_terminal() {
        return Some(LetGo::Settled);
    }
    if observed.status.has_result() {
        return None;
    }
    match observed.status.open_submission() {
        None if begun::lacks_its_job(observed.status) => None,
        None => Some(LetGo::Settled),
        Some(intent) if intent.cleared => None,
        // It was never sent, and will not be: it must not hold the instance.
        Some(_) => {
            close(draft, SubmissionOutcome::Unsent);
            draft.queue(Reason::NeverAccepted, "the object is being deleted; its request was withdrawn before it was sent");
            Some(LetGo::Again)
        }
    }
}
