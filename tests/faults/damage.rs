//! Damages of a status into which a user writes.

use jiff::Timestamp;
use serde_json::{Value, json};

pub const LONG_AGO: &str = "2001-01-01T00:00:00Z";
pub const FAR_AHEAD: &str = "2099-01-01T00:00:00Z";

/// Merge patches: one for each field of a status that removes it, unless the CRD's schema requires it, and two for each time, which set it
/// long ago and far ahead. A list is one field.
pub fn all(status: &Value, schema: &Value) -> Vec<Value> {
    let Value::Object(fields) = status else { return Vec::new() };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut damages = Vec::new();
    for (field, value) in fields {
        let within = match value {
            Value::String(text) if text.parse::<Timestamp>().is_ok() => vec![LONG_AGO.into(), FAR_AHEAD.into()],
            value => all(value, &schema["properties"][field]),
        };
        let without = (!required.contains(&field.as_str().into())).then_some(Value::Null);
        damages.extend(without.into_iter().chain(within).map(|damage| json!({ field: damage })));
    }
    damages
}

/// The schema of the status of a kind.
pub fn schema_of_the_status(kind: &str) -> Value {
    let crds: Vec<Value> = serde_saphyr::from_multiple(include_str!("../../crds/rdsbackup.io.yaml")).expect("the CRDs are YAML");
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == kind).expect("its CRD is there");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"].clone()
}
