//! The chart: the schema of its values, and the page that says what each is, from the types in `values.rs` and the defaults in
//! `values.yaml`.

mod monitoring;
mod values;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use self::values::Values;

/// The chart's own defaults.
const DEFAULTS: &str = include_str!("../../../../charts/rds-backup-operator/values.yaml");

/// The schema that Helm checks values against. Draft 7: every Helm 3 and Helm 4 reads it.
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Values>();
    format!("{:#}\n", schema.as_value())
}

/// The page of the reference.
pub fn page() -> String {
    format!("# Values of the chart\n\nHow to install it: [install/helm.md](../install/helm.md).\n\n{}", table())
}

/// The README of the chart, which is part of the chart's package.
pub fn readme() -> String {
    let links = "How to install it: [docs/install/helm.md](../../docs/install/helm.md).";
    format!("# rds-backup-operator\n\nBackups of Alibaba Cloud ApsaraDB RDS instances, declared in Kubernetes. {links}\n\n{}", table())
}

fn table() -> String {
    // Defaults that do not fit the types are an error of the chart.
    serde_saphyr::from_str::<Values>(DEFAULTS).unwrap_or_else(|error| panic!("values.yaml: {error}"));
    let defaults: Value = serde_saphyr::from_str(DEFAULTS).unwrap_or_else(|error| panic!("values.yaml: {error}"));
    let mut settings = SchemaSettings::draft07();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<Values>();
    let mut text =
        "At least one account is needed; everything else has a default. A value that is not in this table is refused.\n\n".to_owned();
    text.push_str("| Value | Default | Meaning |\n|---|---|---|\n");
    rows(&mut text, "", schema.as_value(), &defaults);
    text
}

/// Writes a row for each property; for a section, a row for each of its properties instead.
fn rows(text: &mut String, above: &str, schema: &Value, defaults: &Value) {
    for (key, default) in defaults.as_object().into_iter().flatten() {
        let path = format!("{above}{key}");
        let property = &schema["properties"][key];
        let closed = property["properties"].is_object() && property["additionalProperties"] == Value::Bool(false);
        // A map whose keys are from a list is closed too, and empty by default.
        let section = closed && default.as_object().is_some_and(|entries| !entries.is_empty()) || key == "global";
        if section {
            rows(text, &format!("{path}."), property, default);
            continue;
        }
        let description = property["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        text.push_str(&format!("| `{path}` | `{default}` | {}{} |\n", super::cell(description), choices(property)));
    }
}

/// The values of an enum, as text.
fn choices(property: &Value) -> String {
    let words = property["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
    if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) }
}
