//! What is wrong with a schedule.

use crate::api::Reason;

/// What is wrong with a schedule, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason of the condition.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

impl Problem {
    /// All that is wrong, in one message: who corrects one field is not told the next only then. The reason is that of the first.
    pub(super) fn altogether(wrong: Vec<Self>) -> Self {
        let reason = wrong.first().map_or(Reason::InvalidSchedule, |first| first.reason);
        let messages: Vec<String> = wrong.into_iter().map(|problem| problem.message).collect();
        Self { reason, message: messages.join("; ") }
    }
}
