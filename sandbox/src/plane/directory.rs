//! The directory of a plane.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::certs::write_private;
use super::components::{AUDIT_POLICY, Layout};

/// Why a directory cannot be a plane's.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made or written.
    #[error("the plane's directory {} cannot be used", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is removed at the end, so it must not hold other files.
    #[error("the plane's directory {} is not empty: name a new or an empty one", .0.display())]
    NotEmpty(PathBuf),
    /// etcd's sockets would not fit.
    #[error("the plane's directory {} has a path of {length} bytes, and a Unix socket in it can have {LONGEST}: name a shorter one, with --dir or TMPDIR", path.display())]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
}

/// The kernel takes 107 bytes for a socket's path (macOS 103), of which `/etcd.sock` and `/peer.sock` are 10.
const LONGEST: usize = 93;

/// A directory that only its owner can enter. Removed when dropped, unless it is to be kept.
pub(super) struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    pub(super) fn create(wanted: Option<&Path>, keep: bool) -> Result<Self, DirectoryError> {
        let path = match wanted {
            Some(path) => Self::take(path).map_err(|source| DirectoryError::Io { path: path.to_owned(), source })?,
            None => {
                let parent = std::env::temp_dir();
                let made =
                    tempfile::Builder::new().prefix("rds-backup-sandbox-").permissions(Permissions::from_mode(0o700)).tempdir_in(&parent);
                made.map_err(|source| DirectoryError::Io { path: parent, source })?.keep()
            }
        };
        if wanted.is_some() && fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(DirectoryError::NotEmpty(path));
        }
        let directory = Self { path, keep };
        match directory.path.as_os_str().len() {
            length if length > LONGEST => Err(DirectoryError::TooLong { path: directory.path.clone(), length }),
            _ => Ok(directory),
        }
    }

    fn take(path: &Path) -> io::Result<PathBuf> {
        let path = std::path::absolute(path)?;
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Makes what the components expect to find.
    pub(super) fn fill(&self, layout: &Layout) -> Result<(), DirectoryError> {
        let fill = || {
            fs::set_permissions(&self.path, Permissions::from_mode(0o700))?;
            for dir in [layout.certs(), layout.logs(), layout.home(), layout.kubeconfigs()] {
                fs::create_dir(dir)?;
            }
            write_private(&layout.audit_policy(), AUDIT_POLICY)
        };
        fill().map_err(|source| DirectoryError::Io { path: self.path.clone(), source })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path, if it stays.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.keep.then_some(&*self.path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            // A failure cannot be handled here, and the system removes temporary directories.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_private_and_goes_when_it_is_not_to_be_kept() {
        for keep in [false, true] {
            let directory = Directory::create(None, keep).expect("a directory");
            let path = directory.path().to_owned();
            directory.fill(&Layout { root: path.clone() }).expect("filled");
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
            drop(directory);
            assert_eq!(path.exists(), keep);
            let _ = fs::remove_dir_all(&path);
        }
    }

    #[test]
    fn a_directory_with_somebody_elses_files_is_refused_and_left_alone() {
        let theirs = tempfile::tempdir().expect("a directory");
        fs::write(theirs.path().join("thesis"), "").expect("a file");
        let refused = Directory::create(Some(theirs.path()), false).err();
        assert!(matches!(refused, Some(DirectoryError::NotEmpty(_))), "{refused:?}");
        assert!(theirs.path().join("thesis").exists());
    }

    #[test]
    fn a_path_that_no_socket_fits_into_is_refused_before_etcd_stumbles_over_it() {
        let parent = tempfile::tempdir().expect("a directory");
        let long = parent.path().join("d".repeat(LONGEST));
        let refused = Directory::create(Some(&long), false).err();
        assert!(matches!(refused, Some(DirectoryError::TooLong { .. })), "{refused:?}");
        assert!(!long.exists(), "it was made for nothing");
    }
}
