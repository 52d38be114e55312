//! A projected token's directory, swapped as the kubelet does it: a new directory, then one rename of the symbolic link `..data`.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A directory with the file `token`.
#[derive(Debug)]
pub struct ProjectedToken {
    directory: PathBuf,
    versions: u32,
}

impl ProjectedToken {
    /// A directory that holds no token yet.
    pub fn new(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        symlink("..data/token", directory.join("token"))?;
        Ok(Self { directory: directory.to_owned(), versions: 0 })
    }

    /// The path that pods are told.
    pub fn path(&self) -> PathBuf {
        self.directory.join("token")
    }

    /// Replaces the token in one step.
    pub fn swap(&mut self, token: &str) -> io::Result<()> {
        self.versions += 1;
        let version = format!("..2026_03_01_{}", self.versions);
        let versioned = self.directory.join(&version);
        std::fs::create_dir(&versioned)?;
        std::fs::write(versioned.join("token"), token)?;
        let (next, data) = (self.directory.join("..data_tmp"), self.directory.join("..data"));
        let before = std::fs::read_link(&data).ok();
        symlink(&version, &next)?;
        std::fs::rename(&next, &data)?;
        if let Some(before) = before {
            std::fs::remove_dir_all(self.directory.join(before))?;
        }
        Ok(())
    }

    /// Takes the token away, as when the volume was never mounted.
    pub fn remove(&mut self) -> io::Result<()> {
        std::fs::remove_file(self.directory.join("..data"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_shows_the_newest_token() {
        let directory = tempfile::tempdir().unwrap();
        let mut token = ProjectedToken::new(&directory.path().join("tokens")).unwrap();
        let read = |token: &ProjectedToken| std::fs::read_to_string(token.path()).ok();
        assert_eq!(read(&token), None);
        for text in ["first", "second", "third"] {
            token.swap(text).unwrap();
            assert_eq!(read(&token).as_deref(), Some(text));
        }
        token.remove().unwrap();
        assert_eq!(read(&token), None);
        token.swap("fourth").unwrap();
        assert_eq!(read(&token).as_deref(), Some("fourth"));
    }
}
