//! Who keeps new requests from being sent, while everything that has begun goes on: an administrator for an account or for all, the owner of
//! the namespace, or the author of the object.

use jiff::SignedDuration;

use crate::{
    accounts::Submissions,
    api::{NAMESPACE_SUBMISSIONS_ANNOTATION, PAUSED_ANNOTATION, Reason},
    backup::{
        observation::{AccountView, Blocker, Observation},
        policy::{PAUSE_UNREAD_RECHECK, PAUSED_RECHECK},
    },
};

/// Why no new request is sent for the object now; none if nobody paused it.
pub(super) fn pause(observed: &Observation<'_>, account: &AccountView) -> Option<Blocker> {
    let paused =
        |message: String, again_in: SignedDuration| Some(Blocker { reason: Reason::SubmissionsPaused, message, again_in: Some(again_in) });
    let namespace = observed.object.metadata.namespace.as_deref().unwrap_or_default();
    if account.paused {
        let message = "an administrator paused submissions in the operator's configuration; this backup starts when they are enabled again";
        return paused(message.to_owned(), PAUSED_RECHECK);
    }
    match observed.namespace {
        Ok(Submissions::Paused) => {
            let annotation = format!("{NAMESPACE_SUBMISSIONS_ANNOTATION}: Paused");
            let message = format!(
                "the annotation {annotation} of namespace {namespace:?} pauses its backups; this backup starts within a minute after it is removed"
            );
            return paused(message, PAUSED_RECHECK);
        }
        Err(why) => {
            let message = format!(
                "whether namespace {namespace:?} pauses its backups cannot be read ({why}); it is tried again, and nothing is sent before"
            );
            return paused(message, PAUSE_UNREAD_RECHECK);
        }
        Ok(Submissions::Enabled) => {}
    }
    if observed.object.is_paused() {
        let message = format!("the annotation {PAUSED_ANNOTATION}: \"true\" pauses this backup; it starts when the annotation is removed");
        return paused(message, PAUSED_RECHECK);
    }
    None
}
