//! What is wrong with a schedule.

use crate::api::Reason;

/// What is wrong with a schedule, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason of the condition.
    pub reason: Reason,
    /// In words.
    pub message: String,
    /// The spec alone is right: it is the instance's own backup window that leaves no run.
    pub by_native_window: bool,
}

impl Problem {
    pub(super) fn new(reason: Reason, message: String) -> Self {
        Self { reason, message, by_native_window: false }
    }

    /// All that is wrong, in one message: who corrects one field is not told the next only then. The reason is that of the first.
    pub(super) fn altogether(wrong: Vec<Self>) -> Self {
        let reason = wrong.first().map_or(Reason::InvalidSchedule, |first| first.reason);
        let messages: Vec<String> = wrong.into_iter().map(|problem| problem.message).collect();
        Self::new(reason, messages.join("; "))
    }
}
