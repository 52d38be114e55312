//! The service's errors.

use std::collections::BTreeMap;
use std::fmt;

/// An error as the service answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `Code`.
    pub code: String,
    /// `Message`.
    pub message: String,
    /// `AccessDeniedDetail`, if there is one.
    pub detail: BTreeMap<String, String>,
    /// `x-acs-retry-after` in milliseconds, if it is sent.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    /// An error without detail.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), detail: BTreeMap::new(), retry_after_ms: None }
    }

    /// A parameter that has to be there.
    pub(crate) fn missing(name: &str) -> Self {
        let message = format!("The input parameter {name} that is mandatory for processing this request is not supplied.");
        Self::new(400, "MissingParameter", message)
    }

    /// A parameter with a value the service does not know.
    pub(crate) fn invalid(name: &str) -> Self {
        Self::new(400, "InvalidParameter", format!("The specified parameter {name} is not valid."))
    }

    /// Too many calls.
    pub(crate) fn throttled(status: u16, retry_after_ms: Option<u64>) -> Self {
        Self { retry_after_ms, ..Self::new(status, "Throttling.User", "Request was denied due to user flow control.") }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for ApiError {}
