//! Generated files are what their command prints.

use std::process::Command;

#[test]
fn the_crds_are_what_the_binary_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator")).arg("crds").output().expect("it runs");
    assert!(printed.status.success());
    let kept = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/rdsbackup.io.yaml")).expect("crds/rdsbackup.io.yaml");
    assert!(printed.stdout == kept, "crds/ is out of date: cargo run -- crds > crds/rdsbackup.io.yaml");
}
