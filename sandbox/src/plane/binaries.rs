//! Where the plane's programs come from: `KUBEBUILDER_ASSETS`, else a cache, else a build of the pinned Go modules.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::build::{self, BuildError};
use super::debian::DebianError;
use super::modules::{self, Set};
use super::progress::Progress;

/// The programs of a control plane.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controllers that make it a cluster: ServiceAccounts, namespaces, garbage collection.
    pub kube_controller_manager: PathBuf,
    /// The command line client of the same version.
    pub kubectl: PathBuf,
}

/// Why there are no programs to start.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// `KUBEBUILDER_ASSETS` names a directory that lacks one.
    #[error(
        "KUBEBUILDER_ASSETS={} has no {missing}: the directory must hold etcd, kube-apiserver, kube-controller-manager and kubectl; \
         unset the variable to have all four built with Go",
        dir.display()
    )]
    Asset {
        /// What the variable says.
        dir: PathBuf,
        /// The first program that is not there.
        missing: &'static str,
    },
    /// There is no place for a cache.
    #[error("neither XDG_CACHE_HOME nor HOME names a directory for the binaries: set one of them, or KUBEBUILDER_ASSETS")]
    NoCache,
    /// The cache cannot be used.
    #[error("the cache directory {} cannot be used", path.display())]
    Cache {
        /// The cache, or a path in it.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// `PROMETHEUS_ASSETS` names a directory that lacks one.
    #[error(
        "PROMETHEUS_ASSETS={} has no {missing}: the directory must hold promtool and prometheus; unset the variable to have them \
         unpacked from Debian's package",
        dir.display()
    )]
    PrometheusAsset {
        /// What the variable says.
        dir: PathBuf,
        /// The first program that is not there.
        missing: &'static str,
    },
    /// The promtool that was found does not run or is too old.
    #[error("{} is too old or does not run ({said}): {instead}", promtool.display())]
    OldPrometheus {
        /// Which.
        promtool: PathBuf,
        /// What it prints as its version.
        said: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// Debian's package could not be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
}

const ETCD: &str = "etcd";
const KUBE_APISERVER: &str = "kube-apiserver";
const KUBE_CONTROLLER_MANAGER: &str = "kube-controller-manager";
const KUBECTL: &str = "kubectl";

/// How long to wait for another process that builds. A build takes minutes, so one that takes longer hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

impl Binaries {
    /// Finds the programs, building them if need be, which takes about 8 minutes on 2 cores and happens once per version and user.
    pub async fn find(progress: &Progress) -> Result<Self, BinariesError> {
        // The only places where the sandbox's plane reads its environment are this function and `Environment`, for Go.
        match std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty()) {
            Some(dir) => Self::in_dir(Path::new(&dir)).map_err(|missing| BinariesError::Asset { dir: dir.into(), missing }),
            None => Self::of(&cached(&modules::PLANE, &cache_root()?, progress).await?),
        }
    }

    fn of(dir: &Path) -> Result<Self, BinariesError> {
        Self::in_dir(dir).map_err(|missing| incomplete(dir, missing))
    }

    /// The programs in a directory, or the name of the first that is not there.
    fn in_dir(dir: &Path) -> Result<Self, &'static str> {
        let find = |name: &'static str| Some(dir.join(name)).filter(|path| path.is_file()).ok_or(name);
        Ok(Self {
            etcd: find(ETCD)?,
            kube_apiserver: find(KUBE_APISERVER)?,
            kube_controller_manager: find(KUBE_CONTROLLER_MANAGER)?,
            kubectl: find(KUBECTL)?,
        })
    }
}

/// Helm 4 and Helm 3, built once like the programs of the plane.
#[derive(Debug, Clone)]
pub struct Helms {
    /// Helm 4.
    pub v4: PathBuf,
    /// Helm 3.
    pub v3: PathBuf,
}

impl Helms {
    /// Finds them, building them if need be, which takes about 3 minutes on 2 cores and happens once per version and user.
    pub async fn find(progress: &Progress) -> Result<Self, BinariesError> {
        let dir = cached(&modules::HELM, &cache_root()?, progress).await?;
        Ok(Self { v4: dir.join("helm4"), v3: dir.join("helm3") })
    }
}

/// The directory with a set's programs.
async fn cached(set: &Set, root: &Path, progress: &Progress) -> Result<PathBuf, BinariesError> {
    let programs: Vec<&'static str> = set.programs().collect();
    let make = async |partial: &Path, dir: &Path| Ok(build::build(set, partial, dir, progress).await?);
    kept(root, set.name, &key(set), &programs, progress, make).await
}

/// The directory `NAME-KEY` of the cache with these programs. If it is not there, `make` is given an empty directory to put them into and
/// the name that it will get.
pub(super) async fn kept(
    root: &Path,
    name: &str,
    key: &str,
    programs: &[&'static str],
    progress: &Progress,
    make: impl AsyncFnOnce(&Path, &Path) -> Result<(), BinariesError>,
) -> Result<PathBuf, BinariesError> {
    let unusable = |source| BinariesError::Cache { path: root.to_owned(), source };
    let dir = root.join(format!("{name}-{key}"));
    let missing = || programs.iter().find(|program| !dir.join(program).is_file());
    // Without the lock: the directory appears by a rename, when it is complete.
    if missing().is_none() {
        return Ok(dir);
    }
    fs::create_dir_all(root).map_err(unusable)?;
    // The kernel releases the lock when its holder ends, however it ends, so none is ever stale.
    let _lock = lock(&root.join(format!("{name}.lock")), progress).await.map_err(unusable)?;
    if missing().is_none() {
        return Ok(dir);
    }
    let partial = root.join(format!("{name}-{key}.partial"));
    for leftover in [&dir, &partial] {
        remove(leftover).map_err(unusable)?;
    }
    fs::create_dir(&partial).map_err(unusable)?;
    make(&partial, &dir).await?;
    fs::rename(&partial, &dir).map_err(unusable)?;
    match missing() {
        None => Ok(dir),
        Some(program) => Err(incomplete(&dir, program)),
    }
}

fn incomplete(dir: &Path, missing: &str) -> BinariesError {
    let source = io::Error::new(io::ErrorKind::NotFound, format!("the build made no {missing}"));
    BinariesError::Cache { path: dir.to_owned(), source }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// `$XDG_CACHE_HOME` if it is absolute, as its specification demands, else `~/.cache`.
pub(super) fn cache_root() -> Result<PathBuf, BinariesError> {
    let dir = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cache = dir("XDG_CACHE_HOME").or_else(|| dir("HOME").map(|home| home.join(".cache")));
    Ok(cache.ok_or(BinariesError::NoCache)?.join("rds-backup-sandbox"))
}

/// Changes whenever the binaries would: hashed over all that the build is given.
fn key(set: &Set) -> String {
    let mut hash = Sha256::new();
    for part in set.inputs() {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize()[..6])
}

async fn lock(path: &Path, progress: &Progress) -> io::Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path)?;
    let began = Instant::now();
    let mut last_progress = None;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if began.elapsed() > BUILD_LIMIT => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process has been building for an hour"));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if last_progress.is_none_or(|last: Instant| last.elapsed() >= build::HEARTBEAT) {
            progress(&format!("another process is building the binaries; waiting for it, {} so far", build::span(began.elapsed())));
            last_progress = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn touch(dir: &Path, programs: &[&str]) {
        fs::create_dir_all(dir).expect("a directory");
        for program in programs {
            fs::write(dir.join(program), "").expect("a file");
        }
    }

    #[test]
    fn an_incomplete_assets_directory_is_refused_with_what_it_lacks() {
        let dir = tempfile::tempdir().expect("a directory");
        touch(dir.path(), &[ETCD, KUBE_APISERVER, KUBECTL]);
        assert_eq!(Binaries::in_dir(dir.path()).err(), Some(KUBE_CONTROLLER_MANAGER));
        touch(dir.path(), &[KUBE_CONTROLLER_MANAGER]);
        assert!(Binaries::in_dir(dir.path()).is_ok());
    }

    #[tokio::test]
    async fn a_process_that_waits_for_a_build_uses_its_result() {
        let root = tempfile::tempdir().expect("a directory");
        let other = File::create(root.path().join("kubernetes.lock")).expect("a lock");
        other.lock().expect("locked");
        let (lines, waiting) = (Arc::new(Mutex::new(Vec::new())), root.path().to_owned());
        let received = Arc::clone(&lines);
        let progress: Progress = Box::new(move |line| received.lock().expect("lines").push(line.to_owned()));
        let found = async { cached(&modules::PLANE, &waiting, &progress).await };
        let build = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            touch(
                &root.path().join(format!("kubernetes-{}", key(&modules::PLANE))),
                &[ETCD, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBECTL],
            );
            other.unlock().expect("unlocked");
        };
        let (found, ()) = tokio::join!(found, build);
        assert!(found.expect("binaries").starts_with(root.path()));
        let lines = lines.lock().expect("lines");
        assert!(matches!(&lines[..], [line] if line.starts_with("another process is building")), "{lines:?}");
    }
}
