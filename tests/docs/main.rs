//! The documentation is correct: links lead to a target, and the API server and the operator accept the YAML on the pages.

mod apply;
mod examples;
mod links;
mod markdown;
mod snippets;

use std::{path::PathBuf, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The files of the repository with this extension, including new ones that are not committed yet.
fn files(ending: &str) -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(ROOT).output();
    let listed = listed.expect("git lists the files");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names");
    // A file that was deleted and not committed is still listed.
    let files =
        names.split('\0').filter(|name| name.ends_with(ending)).map(PathBuf::from).filter(|file| PathBuf::from(ROOT).join(file).is_file());
    let files: Vec<PathBuf> = files.collect();
    assert!(!files.is_empty(), "there is no file *{ending}");
    files
}

fn read(file: &std::path::Path) -> String {
    std::fs::read_to_string(PathBuf::from(ROOT).join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
