//! Prints every circle of files that import each other: `cargo run --quiet --locked --example import_circles [-- FOLDER...]`.
//!
//! A folder is the `src` of a crate (with lib.rs, main.rs or both). Without an argument the command reads every crate of the repository
//! that has hand-written modules. The exit code is 1 if there is a circle, and 2 if a file could not be read or a name could not be
//! resolved: an unknown name is an error, so that no import is left out silently.
//!
//! One file imports another if a `use`, or a path in an expression, a type, a macro's arguments or an attribute, leads to an item of the
//! other file. A `pub use` is followed to the file that has the item: a file that only re-exports a name does not import it, unless its own
//! code uses the name too. A `mod x;` is no import, and code under `#[cfg(test)]` is left out.

mod circles;
mod resolve;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The crates of this repository, relative to its root.
const FOLDERS: [&str; 2] = ["src", "sandbox/src"];

/// The text of every Rust file of one crate by its path, with `/` between folders.
type Files = BTreeMap<String, String>;

fn main() -> ExitCode {
    let mut folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.is_empty() {
        folders = FOLDERS.map(String::from).to_vec();
    }
    let (mut counts, mut files, mut imports, mut errors) = (Vec::new(), 0, 0, 0);
    for folder in &folders {
        let report = match read(folder).map(|files| resolve::imports(folder, &files)) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("error: {folder}: {error}");
                return ExitCode::from(2);
            }
        };
        report.errors.iter().for_each(|error| eprintln!("error: {error}"));
        let found = circles::circles(&report.imports);
        found.iter().for_each(|circle| print!("{}", circles::text(circle, &report.imports)));
        counts.push((found.len(), folder));
        files += report.files;
        imports += report.imports.len();
        errors += report.errors.len();
    }
    let by_folder: Vec<String> = counts.iter().map(|(count, folder)| format!("{count} in {folder}")).collect();
    println!("import circles: {} ({files} files, {imports} imports)", by_folder.join(", "));
    match (errors, counts.iter().all(|(count, _)| *count == 0)) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

/// Every `.rs` file under a folder.
fn read(folder: &str) -> io::Result<Files> {
    let (mut files, mut open) = (Files::new(), vec![folder.trim_end_matches('/').to_owned()]);
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if Path::new(&path).extension().is_some_and(|ending| ending == "rs") {
                files.insert(path.clone(), fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}
