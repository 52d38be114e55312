//! Takes programs out of a package of Debian or Ubuntu without installing it: `apt-get download` and `dpkg-deb --extract`, both without
//! root.
//!
//! apt checks the file against the SHA-256 of the distribution's signed index. No version is pinned: the archive keeps only the newest of a
//! release, so a pinned one would be gone after the next security update.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::build::{HEARTBEAT, span};
use super::progress::Progress;

/// How long one step may take. The download took 2 s here, and fetching the index of all packages 10 s.
const STEP_LIMIT: Duration = Duration::from_secs(600);

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// This is not Debian.
    #[error("there is no `{tool}` in PATH, so Debian's package {package} cannot be unpacked: {instead}")]
    NoTool {
        /// What is missing.
        tool: &'static str,
        /// The package.
        package: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// A step failed.
    #[error("Debian's package {package} could not be had: {step} failed ({status}): {output}\n{instead}")]
    Failed {
        /// The package.
        package: &'static str,
        /// The command.
        step: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// A step did not end.
    #[error("Debian's package {package} could not be had: {step} did not end within {limit:?}; {instead}")]
    TimedOut {
        /// The package.
        package: &'static str,
        /// The command.
        step: String,
        /// How long it was given.
        limit: Duration,
        /// What to do instead.
        instead: &'static str,
    },
    /// The package has no such file.
    #[error("Debian's package {package} ({file}) has no {missing}: {instead}")]
    Lacks {
        /// The package.
        package: &'static str,
        /// Its file, with its version.
        file: String,
        /// The program.
        missing: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// Files could not be written, or a program not be run.
    #[error("unpacking Debian's package {package}")]
    Io {
        /// The package.
        package: &'static str,
        /// What went wrong.
        source: io::Error,
    },
}

/// A package and the programs that are wanted of it.
pub(super) struct Package {
    pub name: &'static str,
    /// In its `/usr/bin`.
    pub programs: &'static [&'static str],
    /// About how much is downloaded.
    pub size: &'static str,
    /// What to do where this does not work.
    pub instead: &'static str,
}

impl Package {
    /// Puts the programs into `out`, and returns the name of the package's file, which has its version.
    pub(super) async fn unpack(&self, out: &Path, progress: &Progress) -> Result<String, DebianError> {
        let io = |source| DebianError::Io { package: self.name, source };
        let (apt_get, dpkg_deb) = (self.tool("apt-get")?, self.tool("dpkg-deb")?);
        let scratch = out.join("package");
        let (download, unpacked, apt) = (scratch.join("download"), scratch.join("unpacked"), scratch.join("apt"));
        for dir in [&download, &unpacked, &apt.join("state/lists/partial"), &apt.join("cache/archives/partial")] {
            fs::create_dir_all(dir).map_err(io)?;
        }
        progress(&format!("downloading Debian's package {} ({}), once", self.name, self.size));
        if self.run(&apt_get, &["download".into(), self.name.into()], &download, progress).await.is_err() {
            // No index on this machine, as in most images, or one so old that its file is gone. Ours needs no root and leaves theirs alone.
            progress("this machine's index of packages is missing or old: fetching one beside it (about 14 MB)");
            let option = |name: &str, dir: &str| -> [OsString; 2] { ["-o".into(), format!("{name}={}", apt.join(dir).display()).into()] };
            let mut ours = [option("Dir::State", "state"), option("Dir::Cache", "cache")].concat();
            ours.extend(["-o".into(), "Dir::State::status=/var/lib/dpkg/status".into()]);
            let with = |words: &[&str]| ours.iter().cloned().chain(words.iter().map(Into::into)).collect::<Vec<_>>();
            self.run(&apt_get, &with(&["update"]), &download, progress).await?;
            self.run(&apt_get, &with(&["download", self.name]), &download, progress).await?;
        }
        let deb =
            fs::read_dir(&download).map_err(io)?.flatten().map(|entry| entry.path()).find(|path| path.extension() == Some("deb".as_ref()));
        let deb = deb.ok_or_else(|| io(io::Error::new(io::ErrorKind::NotFound, "apt-get downloaded no file")))?;
        self.run(&dpkg_deb, &["--extract".into(), deb.clone().into(), unpacked.clone().into()], &download, progress).await?;

        let file = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for program in self.programs {
            let lacks = |_| DebianError::Lacks { package: self.name, file: file.clone(), missing: program, instead: self.instead };
            fs::rename(unpacked.join("usr/bin").join(program), out.join(program)).map_err(lacks)?;
        }
        fs::remove_dir_all(&scratch).map_err(io)?;
        progress(&format!("unpacked {file}"));
        Ok(file)
    }

    fn tool(&self, tool: &'static str) -> Result<PathBuf, DebianError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|path| path.is_file());
        found.ok_or(DebianError::NoTool { tool, package: self.name, instead: self.instead })
    }

    /// With our environment, which has the machine's proxies.
    async fn run(&self, program: &Path, args: &[OsString], dir: &Path, progress: &Progress) -> Result<(), DebianError> {
        let name = program.file_name().unwrap_or_default();
        let words: Vec<_> = [name].into_iter().chain(args.iter().map(OsString::as_os_str)).map(OsStr::to_string_lossy).collect();
        let step = words.join(" ");
        let io = |source| DebianError::Io { package: self.name, source };
        let mut command = Command::new(program);
        command.args(args).current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
        let began = Instant::now();
        let mut output = std::pin::pin!(command.output());
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
        let output = loop {
            tokio::select! {
                output = &mut output => break output.map_err(io)?,
                _ = heartbeat.tick() => {
                    if began.elapsed() > STEP_LIMIT {
                        return Err(DebianError::TimedOut { package: self.name, step, limit: STEP_LIMIT, instead: self.instead });
                    }
                    progress(&format!("{step}: {} so far", span(began.elapsed())));
                }
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = printed.trim().lines().collect();
        let tail = lines.split_at(lines.len().saturating_sub(10)).1.join("\n");
        Err(DebianError::Failed { package: self.name, step, status: output.status, output: tail, instead: self.instead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Package =
        Package { name: "rds-backup-no-such-package", programs: &["nothing"], size: "0 MB", instead: "set X to a directory with it" };

    /// Without a machine's archive nothing is downloaded: this is what a user sees on another system, or without a network.
    #[tokio::test]
    async fn a_step_that_fails_says_what_it_was_and_what_to_do_instead() {
        let dir = tempfile::tempdir().expect("a directory");
        let quiet: Progress = Box::new(|_| {});
        let args = ["-c".into(), "echo 'E: Unable to locate package' >&2; exit 100".into()];
        let error = NOTHING.run(Path::new("/bin/sh"), &args, dir.path(), &quiet).await.expect_err("it ends with 100").to_string();
        for words in ["rds-backup-no-such-package", "E: Unable to locate package", "exit status: 100", "set X to a directory with it"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        let error = NOTHING.tool("rds-backup-no-such-tool").expect_err("there is none").to_string();
        assert!(error.contains("no `rds-backup-no-such-tool` in PATH") && error.ends_with("set X to a directory with it"), "{error}");
    }
}
