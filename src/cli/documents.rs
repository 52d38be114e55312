//! Objects as a stream of YAML.

use serde_json::Value;

/// One document for each object. The keys are in the order of the alphabet, so equal objects have equal texts.
pub(super) fn documents(objects: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object).map_err(|error| error.to_string())?);
    }
    Ok(text)
}
