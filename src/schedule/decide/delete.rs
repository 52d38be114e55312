//! The stage of deletion: reached before every other one when the schedule has a deletionTimestamp.
//!
//! A schedule that is being deleted exists only for as long as a finalizer of another program keeps it. It creates nothing any more, and
//! its backups stay: nothing is left to do for it.

use super::decision::Decision;
use crate::schedule::observation::Observation;

/// Lets go of a schedule that is being deleted.
pub(super) fn let_go(observed: &Observation<'_>) -> Decision {
    Decision {
        create: None,
        status: observed.status.clone(),
        events: Vec::new(),
        unconfirmed: Vec::new(),
        deletions: Vec::new(),
        wants_audit: false,
        wait: None,
    }
}
