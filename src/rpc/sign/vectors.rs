//! The published vectors, and captured requests of the official client.

use serde_json::Value;

const FILE: &str = include_str!("../../../tests/fixtures/signature-vectors.json");

/// The key of the captures. It is invented.
pub(super) const CAPTURED_ID: &str = "LTAItestAccessKeyId0001"; // gitleaks:allow
pub(super) const CAPTURED_SECRET: &str = "testAccessKeySecret/+=0001"; // gitleaks:allow

fn file(part: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(FILE).expect("the fixture is JSON");
    file[part].as_array().expect("a list").clone()
}

/// The vectors of a version: `v1` or `v3`.
pub(super) fn vectors(version: &str) -> Vec<Value> {
    file(version)
}

/// The captures whose algorithm has this in its name.
pub(super) fn captures(algorithm: &str) -> Vec<Value> {
    file("captures").into_iter().filter(|capture| text(capture, "signature_algorithm").contains(algorithm)).collect()
}

pub(super) fn text(vector: &Value, key: &str) -> String {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} of {}", vector["name"])).to_owned()
}

/// Pairs: a list of two texts each, or an object.
pub(super) fn pairs(vector: &Value, key: &str) -> Vec<(String, String)> {
    let owned = |value: &Value| value.as_str().expect("text").to_owned();
    match &vector[key] {
        Value::Array(list) => list.iter().map(|pair| (owned(&pair[0]), owned(&pair[1]))).collect(),
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), owned(value))).collect(),
        other => panic!("{key} of {}: {other}", vector["name"]),
    }
}
