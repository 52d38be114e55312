//! The V3 signature, ACS3-HMAC-SHA256.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::utf8_percent_encode;
use sha2::{Digest, Sha256};

use super::encoding::{ENCODED, names};
use crate::rds::error::ApiError;
use crate::rds::request::RawRequest;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The `Authorization` header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<list>,Signature=<hex>`, without spaces after the commas.
    pub(super) fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut parts = rest.splitn(3, ',');
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed_headers = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        Some(Self { credential, signed_headers, signature })
    }
}

/// What a request claims in its headers.
pub(super) struct Claim<'a> {
    pub(super) authorization: Authorization<'a>,
    pub(super) date: &'a str,
    pub(super) nonce: &'a str,
}

/// Reads the claim and refuses one that does not cover what it must.
pub(super) fn read(request: &RawRequest) -> Result<Claim<'_>, ApiError> {
    let incomplete =
        |why: &str| ApiError::new(400, "IncompleteSignature", format!("The request signature does not conform to the standard: {why}."));
    let header = request.header("authorization").ok_or_else(|| incomplete("there is no Authorization header"))?;
    let authorization = Authorization::parse(header).ok_or_else(|| incomplete("the Authorization header is not well formed"))?;
    let required = |name: &str| request.header(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name));
    for name in ["host", "x-acs-action", "x-acs-version"] {
        required(name)?;
    }
    let (date, nonce) = (required("x-acs-date")?, required("x-acs-signature-nonce")?);

    let signed = names(authorization.signed_headers);
    if signed.iter().copied().collect::<Vec<_>>().join(";") != authorization.signed_headers {
        return Err(incomplete("SignedHeaders is not sorted"));
    }
    let present = |name: &str| request.headers.iter().any(|(found, _)| found == name);
    if let Some(absent) = signed.iter().find(|name| !present(name)) {
        return Err(incomplete(&format!("the signed header {absent:?} was not sent")));
    }
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-acs-");
    if let Some((open, _)) = request.headers.iter().find(|(name, _)| must_be_signed(name) && !signed.contains(name.as_str())) {
        return Err(incomplete(&format!("the header {open} is not signed")));
    }
    if required("x-acs-content-sha256")? != HEXLOWER.encode(&Sha256::digest(&request.body)) {
        return Err(ApiError::new(400, "SignatureDoesNotMatch", "x-acs-content-sha256 is not the hash of the body."));
    }
    Ok(Claim { authorization, date, nonce })
}

/// Compares with a signature of our own. The message of a refusal echoes what was to be signed, as the real service's does: it holds the
/// token, and a client has to keep it to itself.
pub(super) fn check_signature(request: &RawRequest, claim: &Claim<'_>, secret: &str) -> Result<(), ApiError> {
    let canonical = canonical_request(request, claim.authorization.signed_headers);
    let text = string_to_sign(&canonical);
    let expected = mac(secret, &text);
    let sent = HEXLOWER.decode(claim.authorization.signature.as_bytes());
    if sent.is_ok_and(|sent| expected.verify_slice(&sent).is_ok()) {
        return Ok(());
    }
    let message = format!(
        "Specified signature is not matched with our calculation. server StringToSign is:{text} server CanonicalRequest is:{canonical}"
    );
    Err(ApiError::new(400, "SignatureDoesNotMatch", message))
}

pub(super) fn canonical_request(request: &RawRequest, signed_headers: &str) -> String {
    let RawRequest { method, path, body, .. } = request;
    let mut headers = String::new();
    for name in names(signed_headers) {
        let mut values: Vec<_> = request.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.trim()).collect();
        values.sort_unstable();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    let (query, payload) = (canonical_query(request), HEXLOWER.encode(&Sha256::digest(body)));
    format!("{method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}")
}

/// Sorted by the names themselves, not by their encoded form.
fn canonical_query(request: &RawRequest) -> String {
    let mut pairs = request.query_pairs();
    pairs.sort();
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

pub(super) fn string_to_sign(canonical: &str) -> String {
    format!("{ALGORITHM}\n{}", HEXLOWER.encode(&Sha256::digest(canonical)))
}

fn mac(secret: &str, text: &str) -> Hmac<Sha256> {
    // HMAC takes a key of any length, so the error cannot happen; an empty key in its place would only refuse everything.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(text.as_bytes());
    mac
}
