//! A request as it came over the wire, and the parameters in it.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A request, before anybody believes a word of it.
#[derive(Debug, Clone, Default)]
pub(super) struct RawRequest {
    pub(super) method: String,
    pub(super) path: String,
    /// Without the question mark.
    pub(super) query: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl RawRequest {
    /// The first header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.trim())
    }

    /// The parameters as they stand in the query, decoded. Bytes that are not UTF-8 become replacement characters: no signature over them
    /// can match.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
    }

    /// The parameters by name; one with an empty value counts as not sent.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        self.pairs().into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The first name that stands in the query twice.
    pub(super) fn repeated(&self) -> Option<String> {
        let mut seen = std::collections::BTreeSet::new();
        self.pairs().into_iter().map(|(name, _)| name).find(|name| !seen.insert(name.clone()))
    }

    /// The action it names.
    pub(super) fn action(&self) -> &str {
        self.header("x-acs-action").unwrap_or_default()
    }

    /// The instance it names.
    pub(super) fn instance(&self) -> String {
        self.parameters().remove("DBInstanceId").unwrap_or_default()
    }
}

/// What the endpoint sends back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json;charset=utf-8".into())], body: body.to_string().into_bytes() }
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/html".into())], body: body.as_bytes().to_vec() }
    }
}
