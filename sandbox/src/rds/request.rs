//! A request as it came over the wire, and the parameters in it.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// Parameters of the V1 signature and its request, which are not the action's own.
pub(crate) const COMMON: [&str; 11] = [
    "AccessKeyId",
    "Action",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureVersion {
    /// RPC, HMAC-SHA1: everything stands in parameters.
    V1,
    /// ACS3-HMAC-SHA256: everything but the action's own parameters stands in headers. Also what a request without any signature counts as.
    V3,
}

/// A request before it is verified.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Without the question mark.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl RawRequest {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.trim())
    }

    /// The first parameter of that name, wherever it stands; one with an empty value counts as not sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// How it is signed, by what it looks like.
    pub(crate) fn signature_version(&self) -> SignatureVersion {
        let parameter = |name: &str| self.pairs().iter().any(|(found, _)| found == name);
        if self.header("authorization").is_none() && (parameter("Signature") || parameter("AccessKeyId")) {
            SignatureVersion::V1
        } else {
            SignatureVersion::V3
        }
    }

    /// The parameters of query and form body, decoded, in this order.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let form = self.has_form().then(|| String::from_utf8_lossy(&self.body));
        [self.query_pairs(), form.map(|form| decoded(&form)).unwrap_or_default()].concat()
    }

    /// The parameters as they stand in the query, decoded.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        decoded(&self.query)
    }

    /// Whether the body holds parameters.
    pub(crate) fn has_form(&self) -> bool {
        let form = |content: &str| content.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        self.method == "POST" && self.header("content-type").is_some_and(form)
    }

    /// The action's own parameters by name; one with an empty value counts as not sent.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        self.pairs().into_iter().filter(|(name, value)| !value.is_empty() && !COMMON.contains(&name.as_str())).collect()
    }

    /// The first name that comes twice.
    pub(crate) fn repeated(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        self.pairs().into_iter().map(|(name, _)| name).find(|name| !seen.insert(name.clone()))
    }

    /// The action it names.
    pub(crate) fn action(&self) -> String {
        self.common("x-acs-action", "Action")
    }

    /// The version of the API it names.
    pub(crate) fn version(&self) -> String {
        self.common("x-acs-version", "Version")
    }

    /// Its nonce.
    pub(crate) fn nonce(&self) -> String {
        self.common("x-acs-signature-nonce", "SignatureNonce")
    }

    fn common(&self, header: &str, parameter: &str) -> String {
        match self.signature_version() {
            SignatureVersion::V1 => self.parameter(parameter).unwrap_or_default(),
            SignatureVersion::V3 => self.header(header).unwrap_or_default().to_owned(),
        }
    }

    /// The instance it names.
    pub(crate) fn instance(&self) -> String {
        self.parameters().remove("DBInstanceId").unwrap_or_default()
    }
}

/// Bytes that are not UTF-8 become replacement characters: no signature over them can match.
fn decoded(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
}
