//! How a command ends: what it prints, or why there is nothing, and the exit code.

use crate::kubectl::AskError;

/// The exit code when the cluster or the cloud could not be asked: a monitor must not take that for a missed objective.
pub(super) const NO_ANSWER: u8 = 3;

/// What is printed at the end of a command.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// For stdout.
    pub text: String,
    /// Lines for stderr.
    pub notes: Vec<String>,
}

/// Why a command has no result.
#[derive(Debug)]
pub(super) struct Failure {
    /// 1 for an answer that is not what was wanted, 2 for a wrong command line, 3 where the cluster or the cloud could not be asked.
    pub code: u8,
    /// One line for each thing that is wrong.
    pub message: String,
}

impl Failure {
    /// The cluster or the cloud could not be asked.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self { code: NO_ANSWER, message: message.into() }
    }

    /// There is an answer, and it is not what was wanted.
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self { code: if error.is_about_the_object() { 1 } else { NO_ANSWER }, message: error.to_string() }
    }
}
