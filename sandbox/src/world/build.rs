//! Builds the operator with the cargo that runs the sandbox.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

const BINARY: &str = "rds-backup-operator";

/// Why there is no operator to run.
#[derive(Debug, thiserror::Error)]
pub enum OperatorBuildError {
    /// cargo could not be run.
    #[error("cargo could not be run")]
    Io(#[from] io::Error),
    /// The compiler failed; its errors are on stderr.
    #[error("building the operator failed ({0})")]
    Failed(ExitStatus),
    /// It was built, and cargo did not say where it is.
    #[error("cargo did not say where it put {BINARY}")]
    Nowhere,
}

/// How the operator is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For tests and demonstrations.
    Dev,
    /// As users run it.
    Release,
}

impl Profile {
    /// That of the sandbox.
    pub fn of_the_sandbox() -> Self {
        if cfg!(debug_assertions) { Self::Dev } else { Self::Release }
    }
}

/// Builds the operator and returns its binary. cargo's progress goes to stderr.
pub async fn operator(repository: &Path, profile: Profile) -> Result<PathBuf, OperatorBuildError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args(["build", "--package", BINARY, "--bin", BINARY, "--message-format=json-render-diagnostics"])
        .current_dir(repository)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // A group of its own: so that its compilers can be ended with it.
        .process_group(0);
    if profile == Profile::Release {
        command.arg("--release");
    }
    // What the outer cargo says about the sandbox's own package. Build scripts that watch these variables (ring's does) would be run again,
    // and with them half of the operator's dependencies compiled again, each time.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let mut building = Building(command.spawn()?);
    let mut printed = String::new();
    if let Some(stdout) = &mut building.0.stdout {
        stdout.read_to_string(&mut printed).await?;
    }
    let status = building.0.wait().await?;
    match status.success() {
        true => executable(&printed).ok_or(OperatorBuildError::Nowhere),
        false => Err(OperatorBuildError::Failed(status)),
    }
}

/// A build that ends with us.
struct Building(Child);

impl Drop for Building {
    fn drop(&mut self) {
        // `id` is None once the exit status was collected; until then the kernel keeps the pid, and with it the group, for us.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The binary, as cargo's messages name it: the target directory may be anywhere.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = |message: &Value| message["reason"] == "compiler-artifact" && message["target"]["name"] == BINARY;
    messages.filter(ours).find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"rds-backup-operator"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"other"},"executable":"/t/debug/other"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"rds-backup-operator"},"executable":"/t/debug/rds-backup-operator"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/rds-backup-operator")));
        assert_eq!(executable(""), None);
    }
}
