//! What `deploy/monitoring` has. The alert rules: promtool takes them, each one has a case in which it fires and one in which it does not,
//! and a runbook. The dashboards: their form, and that promtool reads their queries. What kube-state-metrics is told to export.

mod dashboards;
mod objects;
mod promtool;
mod rules;
mod runbooks;

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder of the repository with this extension, in order, from the repository's root.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut files: Vec<String> = names.filter(|name| name.ends_with(extension)).map(|name| format!("{folder}/{name}")).collect();
    files.sort();
    files
}
