//! RRSA: the token of the operator's ServiceAccount, exchanged for a temporary key of a RAM role. The kubelet renews the token's file, so
//! it is read at each exchange.

use std::{io::Read, path::Path};

use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    error::{CredentialsError, NotGiven},
    exchange::{Exchange, Proof},
    refresh::TemporarySource,
};
use crate::{
    api::Reason,
    rpc::Credentials,
    sts::{AssumeRoleWithOidc, Client, Session},
};

/// The longest token that is read, bytes. A projected token has about 1,000.
const LONGEST_TOKEN: u64 = 16 * 1024;

pub(super) const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
pub(super) const PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
pub(super) const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";

/// The role, the provider and the file.
pub(super) struct Rrsa {
    name: String,
    proof: TokenProof,
    session: Session,
    sts: Client,
}

/// Which token is offered to which provider for which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenProof {
    pub role_arn: String,
    pub provider_arn: String,
    pub token_file: String,
}

impl TokenProof {
    /// By the variables that the webhook of ACK sets.
    pub fn of_environment(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, CredentialsError> {
        let required = |name: &'static str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).ok_or_else(|| {
                let why = format!(
                    "RRSA: the operator's environment has no {name}. On ACK, install ack-pod-identity-webhook, annotate the operator's \
                     ServiceAccount with pod-identity.alibabacloud.com/role-name, label its pods with \
                     pod-identity.alibabacloud.com/injection: \"on\", and restart them"
                );
                CredentialsError::from(NotGiven::new(Reason::InvalidCredentials, why))
            })
        };
        let (role_arn, provider_arn, token_file) = (required(ROLE_ARN)?, required(PROVIDER_ARN)?, required(TOKEN_FILE)?);
        Ok(Self { role_arn, provider_arn, token_file })
    }
}

impl Rrsa {
    pub fn new(proof: TokenProof, session: Session, sts: Client) -> Self {
        Self { name: format!("RRSA (role {})", proof.role_arn), proof, session, sts }
    }

    async fn exchange(&self) -> Result<Credentials, CredentialsError> {
        let Self { name, proof: TokenProof { role_arn, provider_arn, token_file }, session, sts } = self;
        let path = token_file.clone();
        let read = tokio::task::spawn_blocking(move || read_token(Path::new(&path)));
        let token = read.await.unwrap_or(Err(TokenError::Unreadable("the read was given up".to_owned())));
        let token = token.map_err(|error| error.told(name, token_file))?;
        let request = AssumeRoleWithOidc { role_arn, provider_arn, token: &token, session };
        sts.assume_role_with_oidc(&request).await.map_err(|error| {
            let proof = Proof::Token { file: token_file, provider_arn };
            Exchange { source: name, role_arn, endpoint: sts.endpoint(), proof }.error(&error)
        })
    }
}

impl TemporarySource for Rrsa {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(self.exchange())
    }

    fn now(&self) -> Timestamp {
        self.sts.now()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "RRSA"
    }
}

/// Why a file holds no token.
#[derive(Debug)]
enum TokenError {
    /// The system's error.
    Unreadable(String),
    Empty,
    /// It has more than a token can have, or what no token has.
    NoToken,
}

impl TokenError {
    fn told(self, name: &str, file: &str) -> CredentialsError {
        let (reason, what) = match self {
            Self::Unreadable(why) => (
                Reason::CredentialsNotFound,
                format!(
                    "the token's file {file} cannot be read: {why}. Check the projected volume of the operator's pods; it is read again"
                ),
            ),
            Self::Empty => {
                (Reason::InvalidCredentials, format!("the token's file {file} is empty. Check the projected volume of the operator's pods"))
            }
            Self::NoToken => (
                Reason::InvalidCredentials,
                format!("the file {file} holds something else than a token. Check that {TOKEN_FILE} names the projected token"),
            ),
        };
        NotGiven::new(reason, format!("{name}: {what}")).into()
    }
}

/// The token, without the white space that editors leave around it.
fn read_token(path: &Path) -> Result<SecretString, TokenError> {
    let unreadable = |error: std::io::Error| TokenError::Unreadable(error.kind().to_string());
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LONGEST_TOKEN + 1).read_to_end(&mut text).map_err(unreadable)?;
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(TokenError::Empty);
    }
    if text.len() as u64 > LONGEST_TOKEN || !token.iter().all(u8::is_ascii_graphic) {
        return Err(TokenError::NoToken);
    }
    Ok(String::from_utf8_lossy(token).into_owned().into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_is_trimmed_and_what_is_none_says_which_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            read_token(&path).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(read(b" a.b.c\r\n").unwrap(), "a.b.c");
        assert!(matches!(read(b"\n \n"), Err(TokenError::Empty)));
        for wrong in [&b"a.b c"[..], b"a.\xffb", &b"x".repeat(17_000)] {
            assert!(matches!(read(wrong), Err(TokenError::NoToken)));
        }
        std::fs::remove_file(&path).unwrap();
        let error = read_token(&path).unwrap_err().told("RRSA (role r)", "/token");
        assert_eq!(error.reason(), Reason::CredentialsNotFound);
        assert!(error.to_string().starts_with("RRSA (role r): the token's file /token cannot be read: entity not found."), "{error}");
    }
}
