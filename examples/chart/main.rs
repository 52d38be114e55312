//! Prints what is generated of the chart, from the types in `values.rs` and the defaults in `values.yaml`:
//! `cargo run --example chart -- schema` values.schema.json, `-- readme` its README.md.

mod readme;
mod values;

use std::process::ExitCode;

use schemars::generate::SchemaSettings;

/// The chart's own defaults.
const DEFAULTS: &str = include_str!("../../charts/rds-backup-operator/values.yaml");

fn main() -> ExitCode {
    let what = std::env::args().nth(1);
    let printed = match what.as_deref() {
        Some("schema") => schema(),
        Some("readme") => readme::readme(DEFAULTS),
        _ => Err("say which: schema or readme".to_owned()),
    };
    match printed {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("chart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The schema that Helm checks values against. Draft 7: every Helm 3 and Helm 4 reads it.
fn schema() -> Result<String, String> {
    // Defaults that the types do not take are a fault of the chart.
    serde_saphyr::from_str::<values::Values>(DEFAULTS).map_err(|error| format!("values.yaml: {error}"))?;
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<values::Values>();
    serde_json::to_string_pretty(&schema).map_err(|error| error.to_string())
}
