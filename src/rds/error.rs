//! Errors of calls, and what they prove.

use std::time::Duration;

use super::{
    codes::{SERVER_FAULT, meaning_of},
    meaning::{Created, ErrorKind, Meaning},
};
use crate::rpc::{Failure, ServiceError};

/// An error that the service answered, made safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The call that was answered so, as RAM policies name it after `rds:`. None of an error of which a status has kept the code alone.
    pub action: Option<&'static str>,
    /// `Code`
    pub code: String,
    /// `Message`: at most 256 bytes, without addresses, keys and the text that was signed.
    pub message: String,
    /// `RequestId`, for the service's support.
    pub request_id: Option<String>,
    /// The HTTP status. It decides only one thing: a 5xx is a fault of the service, whatever its code, unless it is a 503 with a code of
    /// throttling.
    pub http_status: u16,
    /// `x-acs-retry-after`: the pause that the service asks for, 2 minutes at most. The account's pace keeps it for all calls.
    pub retry_after: Option<Duration>,
}

impl From<ServiceError> for ApiError {
    fn from(ServiceError { code, message, request_id, http_status }: ServiceError) -> Self {
        Self { action: None, code, message, request_id, http_status, retry_after: None }
    }
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The request was not sent: no connection.
    #[error("not sent: {why}")]
    NotSent {
        /// Why.
        why: String,
    },
    /// The request was not sent: no request can carry the credentials, or they have ended.
    #[error("not sent: {why}")]
    Unusable {
        /// Why. It holds no part of the credentials.
        why: String,
    },
    /// The request was not sent: the account's limit of calls, or a pause that the service asked for.
    #[error("not sent: the account's pace allows no call for {} s", wait.as_secs())]
    Paused {
        /// How long that lasts, at least.
        wait: Duration,
    },
    /// The request was not sent: what the client was given out for was taken back meanwhile ([`super::Permit`]).
    #[error("not sent: the operator's configuration changed")]
    Withdrawn,
    /// The service answered with an empty list where the instance should be.
    #[error("the service lists no such instance")]
    NoInstance,
    /// The request was sent, and no readable answer came back.
    #[error("sent, and the answer was lost: {why}")]
    Lost {
        /// Why.
        why: String,
    },
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why, .. } => Self::NotSent { why },
            Failure::Unusable(why) => Self::Unusable { why },
            Failure::Lost { why, .. } | Failure::TooLarge(why) => Self::Lost { why },
        }
    }
}

impl ApiError {
    /// An error of which a status has kept the code alone.
    pub fn of_code(code: impl Into<String>) -> Self {
        Self { action: None, code: code.into(), message: String::new(), request_id: None, http_status: 0, retry_after: None }
    }

    /// What the code means.
    pub fn meaning(&self) -> Meaning {
        let meaning = meaning_of(&self.code);
        // Some gateways throttle with 503, before the service acts. Any other 5xx may come from a gateway that had passed the request on.
        let throttled = self.http_status == 503 && meaning.kind == ErrorKind::Throttled;
        if self.http_status >= 500 && !throttled { SERVER_FAULT } else { meaning }
    }

    /// What the error is about.
    pub fn kind(&self) -> ErrorKind {
        self.meaning().kind
    }

    /// Whether the service knows no set of the id that was asked for.
    pub(super) fn is_of_a_missing_set(&self) -> bool {
        self.code.eq_ignore_ascii_case("InvalidBackupSetID.NotFound")
    }

    /// Whether the service does not accept the credentials.
    pub fn refuses_credentials(&self) -> bool {
        matches!(self.kind(), ErrorKind::InvalidCredentials | ErrorKind::TokenExpired)
    }

    /// Whether the error proves that the request made no backup. In doubt it does not.
    pub fn proves_nothing_was_created(&self) -> bool {
        self.meaning().created == Created::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_under_a_server_fault_proves_nothing() {
        for (code, status, kind, proof) in [
            ("InvalidParameter", 400, ErrorKind::InvalidParameter, true),
            ("InvalidParameter", 502, ErrorKind::ServiceFault, false),
            ("Forbidden", 403, ErrorKind::AccessDenied, true),
            ("Forbidden", 500, ErrorKind::ServiceFault, false),
            ("Throttling.Api", 503, ErrorKind::Throttled, true),
            ("Throttling.Api", 502, ErrorKind::ServiceFault, false),
            ("BackupJobExists", 400, ErrorKind::BackupJobExists, false),
            ("SignatureNonceUsed", 400, ErrorKind::NonceUsed, false),
            ("InternalFailure", 400, ErrorKind::ServiceFault, false),
            // Statuses that differ from the published ones decide nothing.
            ("OperationDenied.DBInstanceStatus", 403, ErrorKind::InstanceNotReady, true),
            ("Forbidden.RAM", 400, ErrorKind::AccessDenied, true),
            ("Throttling.User", 429, ErrorKind::Throttled, true),
            ("IllegalTimestamp", 403, ErrorKind::ClockSkew, true),
            ("SomethingNobodyKnows", 400, ErrorKind::Unrecognised, false),
        ] {
            let error = ApiError {
                action: None,
                code: code.into(),
                message: String::new(),
                request_id: None,
                http_status: status,
                retry_after: None,
            };
            assert_eq!((error.kind(), error.proves_nothing_was_created()), (kind, proof), "{code} {status}");
        }
    }
}
