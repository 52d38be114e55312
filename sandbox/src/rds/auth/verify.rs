//! Verifies that a request is signed by an access key that the endpoint knows.

use std::time::Duration;

use jiff::Timestamp;

use super::key::Key;
use super::{acs3, rpc1};
use crate::rds::clock::since;
use crate::rds::error::ApiError;
use crate::rds::request::{RawRequest, SignatureVersion};

/// What a request says about itself, once its signature has proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) key: Key,
    pub(crate) nonce: String,
    pub(crate) signed_at: Timestamp,
}

/// The access key that the request names, proved or not.
pub(crate) fn claimed_key(request: &RawRequest) -> String {
    let claimed = match request.signature_version() {
        SignatureVersion::V1 => request.parameter("AccessKeyId"),
        SignatureVersion::V3 => {
            request.header("authorization").and_then(acs3::Authorization::parse).map(|claim| claim.credential.to_owned())
        }
    };
    claimed.unwrap_or_default()
}

/// Verifies everything but the nonce, which needs a memory.
pub(crate) fn verify(request: &RawRequest, keys: &[Key], expiry: Duration, now: Timestamp) -> Result<Verified, ApiError> {
    match request.signature_version() {
        SignatureVersion::V1 => {
            let claim = rpc1::read(request)?;
            let key = find(keys, &claim.key)?;
            check_token(key, claim.token.as_deref())?;
            check_end(key, now)?;
            let signed_at = check_date(&claim.date, expiry, now)?;
            rpc1::check_signature(request, &claim, &key.secret)?;
            Ok(Verified { key: key.clone(), nonce: claim.nonce, signed_at })
        }
        SignatureVersion::V3 => {
            let claim = acs3::read(request)?;
            let key = find(keys, claim.authorization.credential)?;
            check_token(key, request.header("x-acs-security-token"))?;
            check_end(key, now)?;
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

fn check_end(key: &Key, now: Timestamp) -> Result<(), ApiError> {
    match key.ends_at {
        Some(end) if end <= now => Err(ApiError::new(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")),
        _ => Ok(()),
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

#[cfg(test)]
mod tests;
