//! Generated files are what their command prints.

use std::process::Command;

use rds_backup_operator::{
    api::Reason,
    rds::{error_families, published_errors},
};

#[test]
fn the_crds_are_what_the_binary_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator")).arg("crds").output().expect("it runs");
    assert!(printed.status.success());
    let kept = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/rdsbackup.io.yaml")).expect("crds/rdsbackup.io.yaml");
    assert!(printed.stdout == kept, "crds/ is out of date: cargo run -- crds > crds/rdsbackup.io.yaml");
}

#[test]
fn every_reason_is_documented_in_the_words_of_the_code() {
    let kept = include_str!("../docs/reasons.md");
    for reason in Reason::ALL {
        let line = format!("| `{reason}` | {} |", reason.explanation());
        assert!(
            kept.lines().any(|kept| kept == line),
            "docs/reasons.md is out of date: cargo run --example reasons > docs/reasons.md\n{line}"
        );
    }
    let rows = kept.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Reason::ALL.len(), "docs/reasons.md has reasons that no longer exist");
}

#[test]
fn every_error_of_the_service_is_documented() {
    let kept = include_str!("../docs/reference/errors.md");
    // What is no code but a case is described in a table of its own.
    let codes = || published_errors().iter().filter(|row| !row.code.contains(' '));
    for row in codes() {
        let code = format!("| `{}` |", row.code);
        let documented = |line: &str| line.starts_with(&code) && line.ends_with(&format!("| {} |", row.meaning.cure));
        assert!(
            kept.lines().any(documented),
            "docs/reference/errors.md is out of date: cargo run --example errors > docs/reference/errors.md\n{}",
            row.code
        );
    }
    let rows = kept.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, codes().count() + error_families().len(), "docs/reference/errors.md has errors that are not in the table");
}
