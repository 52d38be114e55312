//! What an exchange with STS tells when it gives no key: which source, which role, which file or provider, and what to check. Never the
//! token or a key.

use std::time::Duration;

use jiff::SignedDuration;

use super::error::{CredentialsError, NotGiven};
use crate::{
    api::Reason,
    rpc::{Endpoint, ServiceError},
    sts::{StsError, StsErrorKind},
};

/// What was offered for a key of a role.
pub(super) enum Proof<'a> {
    /// The cluster's token in a file, for a provider.
    Token { file: &'a str, provider_arn: &'a str },
    /// Another key.
    Key {
        /// Whose: `account hub`.
        of: &'a str,
    },
}

/// The exchange that was tried.
pub(super) struct Exchange<'a> {
    /// The source as messages name it, its role among it.
    pub source: &'a str,
    pub role_arn: &'a str,
    pub endpoint: &'a Endpoint,
    pub proof: Proof<'a>,
}

impl Exchange<'_> {
    /// Why it gave no key.
    pub fn error(&self, error: &StsError) -> CredentialsError {
        match error {
            StsError::Refused { kind, error, retry_after } => self.refused(*kind, error, *retry_after),
            StsError::Unavailable(why) => self.passing(
                Reason::ServiceUnavailable,
                format!(
                    "STS at {} gave no answer that can be used ({why}). It is asked again. Check the network, and the account's \
                     stsEndpoint",
                    self.endpoint
                ),
            ),
            StsError::Unusable(why) => {
                self.for_a_person(Reason::InvalidCredentials, format!("the key that signs the request cannot be used: {why}"))
            }
        }
    }

    fn refused(&self, kind: StsErrorKind, error: &ServiceError, retry_after: Option<Duration>) -> CredentialsError {
        let Self { role_arn, .. } = self;
        let (file, provider) = match self.proof {
            Proof::Token { file, provider_arn } => (file, provider_arn),
            Proof::Key { .. } => ("", ""),
        };
        let (reason, what) = match kind {
            StsErrorKind::NotTrusted => (Reason::AccessDenied, self.not_trusted()),
            StsErrorKind::Audience => (
                Reason::InvalidCredentials,
                format!(
                    "the token in {file} is for another audience than {provider} accepts. Give the projected token the audience \
                     sts.aliyuncs.com, and the provider the client id sts.aliyuncs.com"
                ),
            ),
            StsErrorKind::TokenExpired => (
                Reason::CredentialsExpired,
                format!(
                    "the token in {file} has expired. The kubelet renews a projected token: check that the file is one, and the \
                     node's clock"
                ),
            ),
            StsErrorKind::TokenInvalid => (
                Reason::InvalidCredentials,
                format!(
                    "what is in {file} is no token that {provider} accepts. Check that the file holds the projected token, and its issuer"
                ),
            ),
            StsErrorKind::TokenSignature => (
                Reason::InvalidCredentials,
                format!("the token in {file} is not signed by the issuer of {provider}. Check that the provider is this cluster's"),
            ),
            StsErrorKind::Issuer => (
                Reason::InvalidCredentials,
                format!(
                    "STS cannot read the keys of the issuer of {provider}: check the issuer's URL, its certificate and the \
                     provider's fingerprints"
                ),
            ),
            StsErrorKind::NoRole => (Reason::InvalidCredentials, format!("there is no role {role_arn}. Check its name and its account")),
            StsErrorKind::Parameter => {
                let given = if provider.is_empty() { String::new() } else { format!(", the provider {provider}") };
                let what = format!(
                    "STS does not take the request: {}. Check the role {role_arn}{given} and the session's name, length and \
                     policy",
                    spoken(error)
                );
                (Reason::InvalidCredentials, what)
            }
            StsErrorKind::KeyRefused => (Reason::InvalidCredentials, format!("STS does not accept {}. Correct it there", self.signer())),
            StsErrorKind::Clock => {
                let what = format!(
                    "STS does not accept the request's time. It is asked again, by the service's clock. Check the nodes' clocks ({})",
                    coded(error)
                );
                return self.passing(Reason::ClockSkew, what);
            }
            StsErrorKind::Throttled => {
                let pause = retry_after.and_then(|pause| SignedDuration::try_from(pause).ok());
                let what =
                    format!("{}: STS answers that there are too many calls. It is asked again more slowly ({})", self.source, coded(error));
                return NotGiven::passing_in(Reason::Throttled, what, pause).into();
            }
            StsErrorKind::Fault => {
                return self.passing(
                    Reason::ServiceUnavailable,
                    format!("STS at {} answered with a fault: {}. It is asked again ({})", self.endpoint, spoken(error), coded(error)),
                );
            }
            StsErrorKind::Unrecognised => {
                (Reason::InvalidCredentials, format!("STS refuses: {}. Check the role {role_arn}", spoken(error)))
            }
        };
        self.for_a_person(reason, format!("{what} ({})", coded(error)))
    }

    fn not_trusted(&self) -> String {
        let Self { role_arn, .. } = self;
        match self.proof {
            Proof::Token { provider_arn, .. } => format!(
                "the role {role_arn} does not let the operator's ServiceAccount assume it, or there is no provider {provider_arn}. The \
                 role's trust policy must name the provider as Federated principal, with the conditions oidc:iss, oidc:aud (sts.aliyuncs.com) and \
                 oidc:sub (system:serviceaccount:NAMESPACE:SERVICEACCOUNT)"
            ),
            Proof::Key { of } => format!(
                "the role {role_arn} cannot be assumed with the key of {of}. The role's trust policy must name that \
                 key's user or role, with the externalId if it asks for one, and that user or role needs sts:AssumeRole on it"
            ),
        }
    }

    fn signer(&self) -> String {
        match self.proof {
            Proof::Token { .. } => "the request".to_owned(),
            Proof::Key { of } => format!("the key of {of}"),
        }
    }

    fn passing(&self, reason: Reason, what: String) -> CredentialsError {
        NotGiven::passing(reason, format!("{}: {what}", self.source)).into()
    }

    fn for_a_person(&self, reason: Reason, what: String) -> CredentialsError {
        NotGiven::new(reason, format!("{}: {what}", self.source)).into()
    }
}

/// The service's own message, to stand within a sentence.
fn spoken(error: &ServiceError) -> &str {
    match error.message.trim_end_matches(['.', ' ']) {
        "" => &error.code,
        message => message,
    }
}

/// What the service's support asks for.
fn coded(error: &ServiceError) -> String {
    match &error.request_id {
        Some(id) => format!("{}, request {id}", error.code),
        None => error.code.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_one_reason_and_names_what_to_check() {
        let endpoint = Endpoint::parse("https://sts.example").unwrap();
        let (role_arn, source) = ("acs:ram::1:role/backup", "RRSA (role acs:ram::1:role/backup)");
        let told = |code: &str, http_status: u16, proof: Proof<'_>| {
            let error = ServiceError { code: code.into(), message: "As it is.".into(), request_id: Some("R-1".into()), http_status };
            let kind = [
                ("AuthenticationFail.NoPermission", StsErrorKind::NotTrusted),
                ("AuthenticationFail.OIDCToken.AudienceNotMatch", StsErrorKind::Audience),
                ("AuthenticationFail.OIDCToken.Expired", StsErrorKind::TokenExpired),
                ("AuthenticationFail.OIDCToken.Invalid", StsErrorKind::TokenInvalid),
                ("AuthenticationFail.OIDCToken.InvalidSignature", StsErrorKind::TokenSignature),
                ("AuthenticationFail.OIDCToken.HttpsUrlInvalid", StsErrorKind::Issuer),
                ("EntityNotExist.Role", StsErrorKind::NoRole),
                ("InvalidParameter.RoleArn", StsErrorKind::Parameter),
                ("InvalidAccessKeyId.NotFound", StsErrorKind::KeyRefused),
                ("Throttling.User", StsErrorKind::Throttled),
                ("InternalError", StsErrorKind::Fault),
            ];
            let kind = kind.into_iter().find(|(known, _)| *known == code).unwrap().1;
            let refused = StsError::Refused { kind, error, retry_after: Some(Duration::from_secs(4)) };
            Exchange { source, role_arn, endpoint: &endpoint, proof }.error(&refused)
        };
        let token = || Proof::Token { file: "/var/run/token", provider_arn: "acs:ram::1:oidc-provider/ack" };
        for (code, status, reason, words) in [
            ("AuthenticationFail.NoPermission", 401, Reason::AccessDenied, "oidc-provider/ack"),
            ("AuthenticationFail.OIDCToken.AudienceNotMatch", 401, Reason::InvalidCredentials, "audience sts.aliyuncs.com"),
            ("AuthenticationFail.OIDCToken.Expired", 401, Reason::CredentialsExpired, "/var/run/token has expired"),
            ("AuthenticationFail.OIDCToken.Invalid", 401, Reason::InvalidCredentials, "/var/run/token"),
            ("AuthenticationFail.OIDCToken.InvalidSignature", 401, Reason::InvalidCredentials, "this cluster's"),
            ("AuthenticationFail.OIDCToken.HttpsUrlInvalid", 401, Reason::InvalidCredentials, "fingerprints"),
            ("EntityNotExist.Role", 404, Reason::InvalidCredentials, "there is no role acs:ram::1:role/backup"),
            ("InvalidParameter.RoleArn", 400, Reason::InvalidCredentials, "As it is"),
        ] {
            let error = told(code, status, token());
            let text = error.to_string();
            assert_eq!((error.reason(), error.again_in()), (reason, None), "{code}");
            assert!(text.starts_with("RRSA (role acs:ram::1:role/backup): ") && text.contains(words), "{text}");
            assert!(text.ends_with(&format!("({code}, request R-1)")), "{text}");
        }
        let throttled = told("Throttling.User", 400, token());
        assert_eq!((throttled.reason(), throttled.again_in()), (Reason::Throttled, Some(SignedDuration::from_secs(4))));
        let fault = told("InternalError", 500, token());
        assert_eq!((fault.reason(), fault.again_in().is_some()), (Reason::ServiceUnavailable, true));
        let key = told("InvalidAccessKeyId.NotFound", 404, Proof::Key { of: "account hub" });
        assert!(key.to_string().contains("does not accept the key of account hub"), "{key}");
        let untrusted = told("AuthenticationFail.NoPermission", 401, Proof::Key { of: "account hub" });
        assert!(untrusted.to_string().contains("externalId"), "{untrusted}");
    }
}
