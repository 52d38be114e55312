//! Why the API server could not be used, and how long it is waited for.

use std::time::Duration;

use kube::core::Status;

use super::error_text::error_text;

/// The longest that one call of the API server takes, with all its tries. kube has no timeout of its own.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the API server could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It answered with an error, or not over HTTP at all.
    #[error("the API server cannot {verb} {kind}: {}", error_text(source))]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On which kind.
        kind: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// It was not asked: another replica may lead by now.
    #[error("nothing is written any more: the lease was not renewed in time, and another replica may lead")]
    NotLeading,
    /// It did not answer.
    #[error("the API server did not answer within {} s when asked to {verb} {kind}", TIMEOUT.as_secs())]
    Timeout {
        /// What was tried.
        verb: &'static str,
        /// On which kind.
        kind: String,
    },
}

impl Error {
    /// Whether the API server answered, and would answer the next call about another object: not one that did not answer, is overloaded, or
    /// was not asked.
    pub fn is_about_the_object(&self) -> bool {
        self.answer().is_some_and(|(code, _)| code != 429)
    }

    /// The HTTP status of the answer, and the server's message.
    pub(super) fn answer(&self) -> Option<(u16, &str)> {
        let status = self.status()?;
        Some((status.code, &status.message))
    }

    /// Whether the API server refuses it for lack of rights.
    pub(super) fn is_forbidden(&self) -> bool {
        self.answer().is_some_and(|(code, _)| code == 403)
    }

    /// Whether the object would become too large for the API server's store. etcd takes 1.5 MiB, and the API server hands on its refusal as
    /// a 500.
    pub fn is_too_large(&self) -> bool {
        self.answer().is_some_and(|(code, message)| code == 413 || message.contains("request is too large"))
    }

    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Timeout { .. } | Self::NotLeading => None,
        }
    }
}
