//! A backup for which a person must act before it goes on.

use crate::api::{ConditionType, RdsBackup};

/// Why a person must act for a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// The reason of its condition Stalled.
    pub reason: String,
    /// The message, which says what to do.
    pub message: String,
}

impl Stalled {
    /// Of a backup that has not ended. One that failed is Stalled for ever, and no person can change that.
    pub fn of(object: &RdsBackup) -> Option<Self> {
        let status = object.status.as_ref().filter(|status| !status.phase.is_terminal())?;
        let condition = status.condition(ConditionType::Stalled).filter(|condition| condition.status == "True")?;
        Some(Self { reason: condition.reason.clone(), message: condition.message.clone() })
    }
}
