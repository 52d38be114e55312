use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::zeroize::Zeroizing;

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

/// Names and values, which may be a token: wiped when they are dropped.
pub(in crate::rpc) type Pairs = Zeroizing<Vec<(String, String)>>;

/// A signed request. It has no `Debug`: it holds the token and the signature.
pub(in crate::rpc) struct Signed {
    /// Encoded already; none if everything is in the body.
    pub query: Option<Zeroizing<String>>,
    pub headers: Pairs,
    pub body: Zeroizing<String>,
}

/// A request of a call that takes no signature: its proof is one of its parameters. The query says what is asked, and the parameters travel
/// in a form body, because proxies and gateways write queries to their logs.
pub(in crate::rpc) fn without_signature(action: &str, version: &str, params: &[(String, String)], host: &str, date: &str) -> Signed {
    let query = [pair("Action", action), pair("Version", version), pair("Format", "JSON"), pair("Timestamp", date)];
    let headers = vec![pair("host", host), pair("content-type", "application/x-www-form-urlencoded"), pair("accept", "application/json")];
    Signed { query: Some(canonical_query(&query)), headers: headers.into(), body: canonical_query(params) }
}

/// The parameters in the order of their raw names, with names and values encoded. This text is signed, and it must travel unchanged.
pub(super) fn canonical_query(params: &[(String, String)]) -> Zeroizing<String> {
    let mut params: Vec<&(String, String)> = params.iter().collect();
    params.sort();
    let longest = params.iter().map(|(name, value)| encoded_size(name) + encoded_size(value) + 2).sum();
    let mut query = with_room(longest);
    for (name, value) in params {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, &KEPT));
        query.push('=');
        query.extend(utf8_percent_encode(value, &KEPT));
    }
    query
}

/// An empty text that takes so many bytes without being copied elsewhere: what a text leaves behind when it grows is not wiped.
pub(super) fn with_room(bytes: usize) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(bytes))
}

/// The most that a text has once it is encoded.
fn encoded_size(text: &str) -> usize {
    3 * text.len()
}

pub(in crate::rpc) fn encode(text: &str) -> Zeroizing<String> {
    let mut encoded = with_room(encoded_size(text));
    encoded.extend(utf8_percent_encode(text, &KEPT));
    encoded
}

pub(super) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
