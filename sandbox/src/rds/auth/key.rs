//! An access key, and what it may do.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

use crate::rds::error::ApiError;

/// An access key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// `AccessKeyId`. One that begins with `STS.` is temporary and needs its token.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The token that has to come with it.
    #[serde(default)]
    pub token: Option<String>,
    /// Actions that its RAM policy denies.
    #[serde(default)]
    pub deny: Vec<String>,
    /// When it ends, by the service's clock.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
}

impl Key {
    /// A key that may do everything.
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), token: None, deny: Vec::new(), ends_at: None }
    }

    /// The same key with a token that has to come with it.
    pub fn token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The same key, which may not do that.
    pub fn deny(mut self, action: &str) -> Self {
        self.deny.push(action.to_owned());
        self
    }

    /// The same key, which ends then.
    pub fn ends_at(self, end: Timestamp) -> Self {
        Self { ends_at: Some(end), ..self }
    }

    /// Whether its policy allows the action.
    pub(in crate::rds) fn authorize(&self, action: &str) -> Result<(), ApiError> {
        if !self.deny.iter().any(|denied| denied == action) {
            return Ok(());
        }
        let message = "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        let mut error = ApiError::new(403, "Forbidden.RAM", message);
        for (name, value) in [
            ("AuthAction", format!("rds:{action}")),
            ("AuthPrincipalType", "SubUser".to_owned()),
            ("NoPermissionType", "ExplicitDeny".to_owned()),
            ("PolicyType", "AccountLevelIdentityBasedPolicy".to_owned()),
            ("EncodedDiagnosticMessage", "AQIBIAAAAA==".to_owned()),
        ] {
            error.detail.insert(name.to_owned(), value);
        }
        Err(error)
    }
}

impl fmt::Debug for Key {
    /// Without the secret and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("deny", &self.deny).finish_non_exhaustive()
    }
}
