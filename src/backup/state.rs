//! What this process remembers about one RdsBackup between passes.

use tokio::time::Instant;

use super::{flap_damping::FlapDamping, memory::Memory};
use crate::{api::RdsBackup, controller::Freshest};

/// The state of one object; lost in a crash, and nothing is lost with it.
#[derive(Clone, Debug, Default)]
pub struct ObjectState {
    /// What was learnt from the service and from the API server.
    pub memory: Memory,
    /// Which copy of the object is the newest that this process knows.
    pub freshest: Freshest<RdsBackup>,
    /// The connection of the account through which the reads in `memory` were made.
    pub connection: Option<u64>,
    /// What this process wrote last, where another operator contradicts it.
    pub damping: FlapDamping,
    /// When the own intent was written, by a clock that cannot be set.
    pub intent_written: Option<Instant>,
    /// When to ask again for a place among the callers of the account; past or none where nothing keeps the object from asking.
    pub place_at: Option<Instant>,
    /// The API server does not take the object's status, because the object would become too large.
    pub too_large: bool,
    /// The object let go of its instance, and the objects that wait for it were not woken yet.
    pub owes_wake: bool,
}
