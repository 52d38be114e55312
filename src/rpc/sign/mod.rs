//! Signed requests: what travels, and the proof that it comes from the key's owner.
//!
//! Both versions sign every parameter. The older one, V1, knows no headers: key, signature and token are parameters themselves. They travel
//! in a form body here and not in the query, which proxies and gateways write to their logs.

mod v1;
mod v3;
#[cfg(test)]
mod vectors;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Credentials;

/// The version of the API.
const VERSION: &str = "2014-08-15";

/// RFC 3986: letters, digits and `-_.~` stay.
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// RPC, HMAC-SHA1: private clouds and old gateways. <https://help.aliyun.com/document_detail/315526.html>
    V1,
    /// ACS3-HMAC-SHA256.
    #[default]
    V3,
}

/// A request before it is signed. It becomes a POST: a GET may be repeated by any proxy on the way.
pub(crate) struct Unsigned<'a> {
    pub action: &'static str,
    /// The action's own parameters.
    pub params: &'a [(String, String)],
    /// The `Host` header.
    pub host: &'a str,
    pub nonce: &'a str,
    /// `yyyy-MM-ddTHH:mm:ssZ`
    pub date: &'a str,
    pub credentials: &'a Credentials,
}

/// A request as it travels.
pub(crate) struct Signed {
    /// Encoded already; none where everything is in the body.
    pub query: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Signs a request, and asks for an answer in JSON.
pub(crate) fn sign(version: SignatureVersion, unsigned: &Unsigned<'_>) -> Signed {
    let mut signed = match version {
        SignatureVersion::V1 => v1::sign(unsigned),
        SignatureVersion::V3 => v3::sign(unsigned),
    };
    signed.headers.push(pair("accept", "application/json"));
    signed
}

/// The parameters in the order of their raw names, names and values encoded: what is signed, and what must travel.
fn canonical_query(params: &[(String, String)]) -> String {
    let mut params: Vec<&(String, String)> = params.iter().collect();
    params.sort();
    params.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &KEPT).to_string()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
