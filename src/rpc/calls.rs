//! What became of each call, for whoever counts them. Nothing of a request or of an answer but a code gets there.

use std::time::Duration;

use super::{http::Failure, response::Response};
use crate::no_answer::NoAnswer;

/// Counts calls.
pub trait CallCounts: Send + Sync {
    /// A call to `action` ended so, after this time.
    fn called(&self, action: &'static str, outcome: CallOutcome<'_>, took: Duration);
}

/// What became of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome<'a> {
    /// The service did what it was asked.
    Ok,
    /// The service answered with this code: the service's text, of any content.
    Error(&'a str),
    /// Something answered, and neither as the service does when all is well, nor with a code.
    Unreadable,
    /// There is no answer.
    NoAnswer(NoAnswer),
    /// It was not sent, for its credentials cannot be used.
    Unusable,
}

impl<'a> CallOutcome<'a> {
    pub(super) fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::NotSent { cause, .. } | Failure::Lost { cause, .. } => Self::NoAnswer(*cause),
            Failure::Unusable(_) => Self::Unusable,
            Failure::TooLarge(_) => Self::Unreadable,
        }
    }

    pub(super) fn of_response(response: &'a Response) -> Self {
        match &response.error {
            Some(error) => Self::Error(&error.code),
            None if response.success().is_some() => Self::Ok,
            None => Self::Unreadable,
        }
    }
}
