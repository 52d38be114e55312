use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::rpc::Credentials;

/// RFC 3986: letters, digits and `-_.~` stay.
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request before it is signed. It becomes a POST, because a proxy may repeat a GET.
pub(in crate::rpc) struct Unsigned<'a> {
    pub action: &'static str,
    /// The version of the product's API.
    pub version: &'static str,
    /// The action's own parameters.
    pub params: &'a [(String, String)],
    /// The `Host` header.
    pub host: &'a str,
    pub nonce: &'a str,
    /// `yyyy-MM-ddTHH:mm:ssZ`
    pub date: &'a str,
    pub credentials: &'a Credentials,
}

/// A signed request.
pub(in crate::rpc) struct Signed {
    /// Encoded already; none if everything is in the body.
    pub query: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A request of a call that takes no signature: its proof is one of its parameters. The query says what is asked, and the parameters travel
/// in a form body, because proxies and gateways write queries to their logs.
pub(in crate::rpc) fn without_signature(action: &str, version: &str, params: &[(String, String)], host: &str, date: &str) -> Signed {
    let query = [pair("Action", action), pair("Version", version), pair("Format", "JSON"), pair("Timestamp", date)];
    let headers = vec![pair("host", host), pair("content-type", "application/x-www-form-urlencoded"), pair("accept", "application/json")];
    Signed { query: Some(canonical_query(&query)), headers, body: canonical_query(params) }
}

/// The parameters in the order of their raw names, with names and values encoded. This text is signed, and it must travel unchanged.
pub(super) fn canonical_query(params: &[(String, String)]) -> String {
    let mut params: Vec<&(String, String)> = params.iter().collect();
    params.sort();
    params.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, &KEPT).to_string()
}

pub(super) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
