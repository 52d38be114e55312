//! Who is asking, and may they? Each kind of signature is a file of its own.

mod acs3;
mod nonces;
mod rpc1;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Deserialize;

use super::clock::since;
use super::error::ApiError;
use super::request::{RawRequest, SignatureVersion};

pub(super) use nonces::Nonces;

/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

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
}

impl Key {
    /// A key that may do everything.
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), token: None, deny: Vec::new() }
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

    /// Whether its policy allows the action.
    pub(super) fn authorize(&self, action: &str) -> Result<(), ApiError> {
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

/// What a request says about itself, once its signature has proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) key: Key,
    pub(super) nonce: String,
    pub(super) signed_at: Timestamp,
}

/// The access key that the request names, proved or not.
pub(super) fn claimed_key(request: &RawRequest) -> String {
    let claimed = match request.signature_version() {
        SignatureVersion::V1 => request.parameter("AccessKeyId"),
        SignatureVersion::V3 => {
            request.header("authorization").and_then(acs3::Authorization::parse).map(|claim| claim.credential.to_owned())
        }
    };
    claimed.unwrap_or_default()
}

/// Verifies everything but the nonce, which needs a memory.
pub(super) fn verify(request: &RawRequest, keys: &[Key], expiry: Duration, now: Timestamp) -> Result<Verified, ApiError> {
    match request.signature_version() {
        SignatureVersion::V1 => {
            let claim = rpc1::read(request)?;
            let key = find(keys, &claim.key)?;
            check_token(key, claim.token.as_deref())?;
            let signed_at = check_date(&claim.date, expiry, now)?;
            rpc1::check_signature(request, &claim, &key.secret)?;
            Ok(Verified { key: key.clone(), nonce: claim.nonce, signed_at })
        }
        SignatureVersion::V3 => {
            let claim = acs3::read(request)?;
            let key = find(keys, claim.authorization.credential)?;
            check_token(key, request.header("x-acs-security-token"))?;
            let signed_at = check_date(claim.date, expiry, now)?;
            acs3::check_signature(request, &claim, &key.secret)?;
            Ok(Verified { key: key.clone(), nonce: claim.nonce.to_owned(), signed_at })
        }
    }
}

fn find<'k>(keys: &'k [Key], id: &str) -> Result<&'k Key, ApiError> {
    let not_found = || ApiError::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    keys.iter().find(|key| key.id == id).ok_or_else(not_found)
}

fn check_token(key: &Key, sent: Option<&str>) -> Result<(), ApiError> {
    let sent = sent.filter(|token| !token.is_empty());
    match (&key.token, sent) {
        (None, None) if !key.id.starts_with("STS.") => Ok(()),
        (_, None) => Err(ApiError::new(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")),
        (None, Some(_)) => {
            Err(ApiError::new(400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."))
        }
        (Some(token), Some(sent)) if token == sent => Ok(()),
        (Some(_), Some(_)) => Err(ApiError::new(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")),
    }
}

/// Exactly `yyyy-MM-ddTHH:mm:ssZ`: no fraction, no other zone.
fn check_date(date: &str, expiry: Duration, now: Timestamp) -> Result<Timestamp, ApiError> {
    let well_formed = date.len() == "2026-01-02T03:04:05Z".len() && date.ends_with('Z') && date.get(10..11) == Some("T");
    let parsed = date.parse::<Timestamp>().ok().filter(|_| well_formed);
    let signed_at =
        parsed.ok_or_else(|| ApiError::new(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."))?;
    if since(signed_at, now) > expiry || since(now, signed_at) > expiry {
        return Err(ApiError::new(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."));
    }
    Ok(signed_at)
}

/// The names of a `SignedHeaders` list.
fn names(list: &str) -> BTreeSet<&str> {
    list.split(';').collect()
}

#[cfg(test)]
mod tests;
