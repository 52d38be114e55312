//! Builds etcd, Kubernetes and Helm from the Go modules pinned in `sandbox/kubernetes`, and reports progress, since it takes minutes.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};

use super::modules::{Set, Step, go_version, ldflags, wanted_go};
use super::process::Supervised;
use super::progress::Progress;

/// How often a build reports that it still runs.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long one program may take. The slowest took 4 min 32 s on 2 busy cores.
const STEP_LIMIT: Duration = Duration::from_secs(3600);

/// Why the programs could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no Go.
    #[error("{what} have to be built once, and there is no `go` in PATH: install Go {wanted} or later{instead}")]
    NoGo {
        /// What is to be built.
        what: String,
        /// What can be done instead of installing Go.
        instead: &'static str,
        /// The oldest version that will do.
        wanted: String,
    },
    /// There is a Go, but an old one.
    #[error("{what} have to be built once, and {} is {found}: install Go {wanted} or later{instead}", go.display())]
    OldGo {
        /// What is to be built.
        what: String,
        /// What can be done instead of installing Go.
        instead: &'static str,
        /// The one in PATH.
        go: PathBuf,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        wanted: String,
    },
    /// Files could not be written, or Go could not be run.
    #[error("building {program}")]
    Io {
        /// The program that was being built.
        program: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// The Go compiler failed.
    #[error("go could not build {program} ({status}):\n{output}")]
    Failed {
        /// The program that was being built.
        program: &'static str,
        /// How Go ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The build did not end in time.
    #[error("go did not build {program} within {limit:?}")]
    TimedOut {
        /// The program that was being built.
        program: &'static str,
        /// How long it was given.
        limit: Duration,
    },
}

/// Builds all programs of a set into `out`, which is to become `home`.
pub(super) async fn build(set: &Set, out: &Path, home: &Path, progress: &Progress) -> Result<(), BuildError> {
    let began = Instant::now();
    let environment = Environment::ours();
    let io = |program| move |source| BuildError::Io { program, source };
    let modules = out.join("modules");
    for module in set.modules {
        let dir = modules.join(module.name);
        fs::create_dir_all(&dir).map_err(io(module.name))?;
        fs::write(dir.join("go.mod"), module.go_mod).map_err(io(module.name))?;
        fs::write(dir.join("go.sum"), module.go_sum).map_err(io(module.name))?;
    }
    let log = modules.join("go.log");
    let go = find_go(set, &environment, &modules, &log).await?;

    let count = set.steps.len();
    progress(&format!("building {} with Go, once, for {}; {} on 2 cores", (set.what)(), home.display(), set.usually));
    for (number, step) in set.steps.iter().enumerate() {
        let step_began = Instant::now();
        progress(&format!("[{}/{count}] building {} (about {} on 2 cores)", number + 1, step.program, step.usually));
        fs::write(&log, "").map_err(io(step.program))?;
        run_step(step, &go, &environment, out, progress).await?;
        let (took, total) = (span(step_began.elapsed()), span(began.elapsed()));
        progress(&format!("[{}/{count}] built {} in {took}; {total} in all", number + 1, step.program));
    }
    fs::remove_dir_all(&modules).map_err(io("the modules"))
}

async fn run_step(step: &Step, go: &Path, environment: &Environment, out: &Path, progress: &Progress) -> Result<(), BuildError> {
    let program = step.program;
    let io = |source| BuildError::Io { program, source };
    let modules = out.join("modules");
    let flags = ldflags(step.module);
    let (module, target) = (modules.join(step.module.name), out.join(program));
    let args: [&OsStr; 10] = [
        "build".as_ref(),
        "-C".as_ref(),
        module.as_os_str(),
        "-trimpath".as_ref(),
        "-buildvcs=false".as_ref(),
        "-ldflags".as_ref(),
        flags.as_ref(),
        "-o".as_ref(),
        target.as_os_str(),
        step.package.as_ref(),
    ];
    let mut process = Supervised::spawn(program, go, args, environment.with_go(), &modules.join("go.log")).map_err(io)?;
    let began = Instant::now();
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            status = process.wait() => {
                let status = status.map_err(io)?;
                return if status.success() { Ok(()) } else { Err(BuildError::Failed { program, status, output: process.log_tail() }) };
            }
            _ = heartbeat.tick() => {
                if began.elapsed() > STEP_LIMIT {
                    return Err(BuildError::TimedOut { program, limit: STEP_LIMIT });
                }
                progress(&format!("building {program}, {} so far; about {} on 2 cores, once", span(began.elapsed()), step.usually));
            }
        }
    }
}

async fn find_go(set: &Set, environment: &Environment, dir: &Path, log: &Path) -> Result<PathBuf, BuildError> {
    let (major, minor) = wanted_go(set);
    let wanted = format!("{major}.{minor}");
    let path = environment.get("PATH").unwrap_or_default();
    let go = std::env::split_paths(&path).map(|dir| dir.join("go")).find(|go| go.is_file());
    let go = go.ok_or_else(|| BuildError::NoGo { what: (set.what)(), instead: set.instead, wanted: wanted.clone() })?;

    let io = |source| BuildError::Io { program: "go", source };
    // `-C` so that no go.mod of the current directory is read.
    let args = ["env".as_ref(), "-C".as_ref(), dir.as_os_str(), "GOVERSION".as_ref()];
    let mut process = Supervised::spawn("go env", &go, args, environment.with_go(), log).map_err(io)?;
    let limit = Duration::from_secs(60);
    let status =
        tokio::time::timeout(limit, process.wait()).await.map_err(|_| BuildError::TimedOut { program: "go", limit })?.map_err(io)?;
    let printed = process.log_tail();
    if !status.success() {
        return Err(BuildError::Failed { program: "go", status, output: printed });
    }
    match go_version(printed.trim().trim_start_matches("go")) {
        Some(found) if found < (major, minor) => {
            Err(BuildError::OldGo { what: (set.what)(), instead: set.instead, go, found: printed.trim().to_owned(), wanted })
        }
        // A development build has a version like `devel go1.28-...`, and is assumed to be new enough.
        _ => Ok(go),
    }
}

/// Go gets our environment: its caches, its proxy and the machine's certificates are set there.
struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    fn ours() -> Self {
        Self(std::env::vars_os().collect())
    }

    fn get(&self, name: &str) -> Option<OsString> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// What must not depend on the user: static binaries, no toolchain that Go fetches by itself, no flags or workspace from outside.
    fn with_go(&self) -> Vec<(OsString, OsString)> {
        let ours = [("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")];
        let theirs = self.0.iter().filter(|(key, _)| ours.iter().all(|(name, _)| key != name)).cloned();
        theirs.chain(ours.iter().map(|(key, value)| (key.into(), value.into()))).collect()
    }
}

/// Prints `2 mins 15 secs`.
static PRINTER: SpanPrinter = SpanPrinter::new().designator(Designator::Short).spacing(Spacing::BetweenUnitsAndDesignators);

/// A duration in whole seconds: `45 secs`, `2 mins`, `2 mins 15 secs`.
pub(super) fn span(duration: Duration) -> String {
    PRINTER.unsigned_duration_to_string(&Duration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_must_not_take_from_outside_is_set_once() {
        let outside = Environment(vec![("GOFLAGS".into(), "-mod=mod".into()), ("GOPROXY".into(), "direct".into())]);
        let given = outside.with_go();
        let values = |name: &str| given.iter().filter(|(key, _)| key == name).map(|(_, value)| value.to_str()).collect::<Vec<_>>();
        assert_eq!(values("GOFLAGS"), [Some("-mod=readonly")]);
        assert_eq!(values("GOPROXY"), [Some("direct")]);
    }

    #[test]
    fn a_span_is_written_in_minutes_and_seconds() {
        let spans = [15, 120, 135].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["15 secs", "2 mins", "2 mins 15 secs"]);
    }
}
