//! Why STS gave out no key. Codes decide, as everywhere; the lists of codes are at
//! <https://api.aliyun.com/document/Sts/2015-04-01/errorCode>.

use std::time::Duration;

use crate::rpc::{Failure, ServiceError};

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsError {
    /// STS answered with an error.
    Refused {
        /// What it is about.
        kind: StsErrorKind,
        /// The error, made safe to show.
        error: ServiceError,
        /// The pause that it asks for.
        retry_after: Option<Duration>,
    },
    /// There is no answer that can be read. The text says why.
    Unavailable(String),
    /// The request was not sent: no request can carry the key that should sign it, or that has ended.
    Unusable(String),
}

/// What an error of STS is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsErrorKind {
    /// The role's trust policy does not allow it, or there is no such OIDC provider; for AssumeRole also: the caller's own policy.
    NotTrusted,
    /// The token is for another audience.
    Audience,
    /// The token has expired.
    TokenExpired,
    /// The token is empty or is not one.
    TokenInvalid,
    /// The token's signature is not the provider's.
    TokenSignature,
    /// STS cannot read the keys of the token's issuer.
    Issuer,
    /// There is no such role.
    NoRole,
    /// A parameter is wrong: an ARN, the session's name, the external id.
    Parameter,
    /// The key that signs is not accepted.
    KeyRefused,
    /// The signed time is not accepted.
    Clock,
    /// Too many calls.
    Throttled,
    /// A fault of the service.
    Fault,
    /// None of these.
    Unrecognised,
}

/// The beginnings of codes, in small letters. The first that fits decides.
const CODES: &[(&str, StsErrorKind)] = &[
    ("authenticationfail.nopermission", StsErrorKind::NotTrusted),
    ("authenticationfail.oidctoken.audiencenotmatch", StsErrorKind::Audience),
    ("authenticationfail.oidctoken.expired", StsErrorKind::TokenExpired),
    ("authenticationfail.oidctoken.invalidsignature", StsErrorKind::TokenSignature),
    ("authenticationfail.oidctoken.httpsurlinvalid", StsErrorKind::Issuer),
    ("authenticationfail.oidctoken.", StsErrorKind::TokenInvalid),
    ("nopermission", StsErrorKind::NotTrusted),
    ("forbidden", StsErrorKind::NotTrusted),
    ("entitynotexist.", StsErrorKind::NoRole),
    ("invalidparameter", StsErrorKind::Parameter),
    ("missing", StsErrorKind::Parameter),
    ("invalidaccesskey", StsErrorKind::KeyRefused),
    ("invalidsecuritytoken", StsErrorKind::KeyRefused),
    ("signaturedoesnotmatch", StsErrorKind::KeyRefused),
    ("incompletesignature", StsErrorKind::KeyRefused),
    ("invalidtimestamp", StsErrorKind::Clock),
    ("illegaltimestamp", StsErrorKind::Clock),
    ("throttling", StsErrorKind::Throttled),
    ("signaturenonceused", StsErrorKind::Fault),
    ("internalerror", StsErrorKind::Fault),
    ("internalfailure", StsErrorKind::Fault),
    ("serviceunavailable", StsErrorKind::Fault),
];

impl StsErrorKind {
    /// A 5xx is a fault of the service whatever its code, unless the code is of throttling.
    pub(super) fn of(error: &ServiceError) -> Self {
        let code = error.code.to_ascii_lowercase();
        let kind = CODES.iter().find(|(beginning, _)| code.starts_with(beginning)).map_or(Self::Unrecognised, |(_, kind)| *kind);
        if error.http_status >= 500 && kind != Self::Throttled { Self::Fault } else { kind }
    }
}

impl From<Failure> for StsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unusable(why) => Self::Unusable(why),
            Failure::NotSent { why, .. } | Failure::Lost { why, .. } | Failure::TooLarge(why) => Self::Unavailable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_and_a_server_fault_is_one_whatever_its_code() {
        for (code, http_status, kind) in [
            ("AuthenticationFail.NoPermission", 401, StsErrorKind::NotTrusted),
            ("NoPermission", 403, StsErrorKind::NotTrusted),
            ("AuthenticationFail.OIDCToken.AudienceNotMatch", 401, StsErrorKind::Audience),
            ("AuthenticationFail.OIDCToken.Expired", 401, StsErrorKind::TokenExpired),
            ("AuthenticationFail.OIDCToken.Invalid", 401, StsErrorKind::TokenInvalid),
            ("AuthenticationFail.OIDCToken.InvalidSignature", 401, StsErrorKind::TokenSignature),
            ("AuthenticationFail.OIDCToken.HttpsUrlInvalid", 401, StsErrorKind::Issuer),
            ("EntityNotExist.Role", 404, StsErrorKind::NoRole),
            ("InvalidParameter.RoleArn", 400, StsErrorKind::Parameter),
            ("InvalidAccessKeyId.NotFound", 404, StsErrorKind::KeyRefused),
            ("InvalidSecurityToken.Expired", 400, StsErrorKind::KeyRefused),
            ("SignatureDoesNotMatch", 400, StsErrorKind::KeyRefused),
            ("InvalidTimeStamp.Expired", 400, StsErrorKind::Clock),
            ("Throttling.Api", 400, StsErrorKind::Throttled),
            ("Throttling", 503, StsErrorKind::Throttled),
            ("AuthenticationFail.NoPermission", 502, StsErrorKind::Fault),
            ("InternalError", 500, StsErrorKind::Fault),
            ("SomethingNew", 400, StsErrorKind::Unrecognised),
        ] {
            let error = ServiceError { code: code.into(), message: String::new(), request_id: None, http_status };
            assert_eq!(StsErrorKind::of(&error), kind, "{code} {http_status}");
        }
    }
}
