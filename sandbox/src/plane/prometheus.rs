//! Prometheus and its `promtool`: `PROMETHEUS_ASSETS`, else the cache, else Debian's package.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::binaries::{BinariesError, cache_root, kept};
use super::debian::Package;
use super::progress::Progress;

/// The oldest version that the rules and their cases were run with.
const OLDEST: (u32, u32) = (2, 42);

/// No program takes that long to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// Changes whenever other files are taken from the package, so that an older cache is not used.
const KEY: &str = "debian-1";

const PACKAGE: Package = Package { name: "prometheus", programs: &[PROMTOOL, PROMETHEUS], size: "19 MB", instead: INSTEAD };

const PROMTOOL: &str = "promtool";
const PROMETHEUS: &str = "prometheus";

const INSTEAD: &str = "get Prometheus 2.42 or newer from prometheus.io or your distribution, and set PROMETHEUS_ASSETS to the directory with \
    promtool and prometheus";

/// The monitoring system that reads the operator's metrics, and the tool that checks its rules.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// Checks rules, and runs cases over them.
    pub promtool: PathBuf,
    /// The server.
    pub server: PathBuf,
}

impl Prometheus {
    /// Finds both, downloading Debian's package if need be, which takes about 10 s and happens once per user.
    pub async fn find(progress: &Progress) -> Result<Self, BinariesError> {
        if let Some(dir) = std::env::var_os("PROMETHEUS_ASSETS").filter(|dir| !dir.is_empty()) {
            return Self::given(Path::new(&dir)).await;
        }
        let make = async |partial: &Path, _: &Path| -> Result<(), BinariesError> {
            PACKAGE.unpack(partial, progress).await?;
            new_enough(&partial.join(PROMTOOL)).await
        };
        let dir = kept(&cache_root()?, PACKAGE.name, KEY, PACKAGE.programs, progress, make).await?;
        Ok(Self { promtool: dir.join(PROMTOOL), server: dir.join(PROMETHEUS) })
    }

    async fn given(dir: &Path) -> Result<Self, BinariesError> {
        if let Some(missing) = PACKAGE.programs.iter().find(|program| !dir.join(program).is_file()) {
            return Err(BinariesError::PrometheusAsset { dir: dir.to_owned(), missing });
        }
        new_enough(&dir.join(PROMTOOL)).await?;
        Ok(Self { promtool: dir.join(PROMTOOL), server: dir.join(PROMETHEUS) })
    }
}

/// Refuses a `promtool` that does not run, or that is older than the rules need.
async fn new_enough(promtool: &Path) -> Result<(), BinariesError> {
    let output = Command::new(promtool).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let printed = match tokio::time::timeout(VERSION_LIMIT, output).await {
        // Older versions print it to stderr.
        Ok(Ok(output)) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {VERSION_LIMIT:?}"),
    };
    match version(&printed) {
        Some(found) if found >= OLDEST => Ok(()),
        _ => {
            let said = printed.lines().next().unwrap_or_default().to_owned();
            Err(BinariesError::OldPrometheus { promtool: promtool.to_owned(), said, instead: INSTEAD })
        }
    }
}

/// `promtool, version 2.42.0+ds (branch: ...` as (2, 42).
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.split_once("version ")?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_given_directory_must_have_both_programs_and_new_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        let program = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        };
        program(PROMTOOL, "echo 'promtool, version 2.31.2+ds1 (branch: debian/sid)'");
        let error = Prometheus::given(dir.path()).await.expect_err("one is missing").to_string();
        assert!(error.contains("has no prometheus"), "{error}");
        program(PROMETHEUS, "");
        let error = Prometheus::given(dir.path()).await.expect_err("it is too old").to_string();
        assert!(error.contains("version 2.31.2") && error.contains("2.42 or newer") && error.contains("PROMETHEUS_ASSETS"), "{error}");
        program(PROMTOOL, "echo 'promtool, version 3.5.0 (branch: HEAD)'");
        assert_eq!(Prometheus::given(dir.path()).await.expect("both are there").server, dir.path().join(PROMETHEUS));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(version("promtool, version 2.42.0+ds (branch: debian/sid"), Some((2, 42)));
        assert!(version("promtool, version 2.100.0").is_some_and(|found| found > OLDEST));
        assert_eq!(version("Exec format error"), None);
    }
}
