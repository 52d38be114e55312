//! The V1 signature: RPC, HMAC-SHA1. Everything stands in parameters, of the query or of a form body, and all of them are signed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::utf8_percent_encode;
use sha1::Sha1;

use super::encoding::ENCODED;
use crate::rds::error::ApiError;
use crate::rds::request::RawRequest;

/// What a request claims in its parameters.
pub(super) struct Claim {
    pub(super) key: String,
    pub(super) date: String,
    pub(super) nonce: String,
    pub(super) token: Option<String>,
    signature: String,
}

/// Reads the claim and refuses one that is not whole.
pub(super) fn read(request: &RawRequest) -> Result<Claim, ApiError> {
    let required = |name: &str| request.parameter(name).ok_or_else(|| ApiError::missing(name));
    required("Action")?;
    required("Version")?;
    let key = required("AccessKeyId")?;
    for (name, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
        if required(name)? != only {
            return Err(ApiError::invalid(name));
        }
    }
    let (date, nonce) = (required("Timestamp")?, required("SignatureNonce")?);
    let incomplete = || ApiError::new(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.");
    let signature = request.parameter("Signature").ok_or_else(incomplete)?;
    Ok(Claim { key, date, nonce, token: request.parameter("SecurityToken"), signature })
}

/// Compares with a signature of our own. As the real service's, the message of a refusal repeats what was to be signed, the token included.
pub(super) fn check_signature(request: &RawRequest, claim: &Claim, secret: &str) -> Result<(), ApiError> {
    let text = string_to_sign(&request.method, &canonical_query(request));
    let sent = BASE64_STANDARD.decode(&claim.signature);
    if sent.is_ok_and(|sent| mac(secret, &text).verify_slice(&sent).is_ok()) {
        return Ok(());
    }
    let message = format!("Specified signature is not matched with our calculation. server string to sign is:{text}");
    Err(ApiError::new(400, "SignatureDoesNotMatch", message))
}

/// Every parameter but the signature, the empty ones too, sorted by their names.
pub(super) fn canonical_query(request: &RawRequest) -> String {
    let mut pairs = request.pairs();
    pairs.retain(|(name, _)| name != "Signature");
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

pub(super) fn string_to_sign(method: &str, canonical_query: &str) -> String {
    format!("{method}&%2F&{}", encode(canonical_query))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn mac(secret: &str, text: &str) -> Hmac<Sha1> {
    // HMAC takes a key of any length, so the error cannot happen; an empty key in its place would only refuse everything.
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests;
