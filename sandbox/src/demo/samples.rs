//! The samples: manifests that say how they end.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The annotation that says how a sample ends in the sandbox.
pub const EXPECTED: &str = "sandbox.rdsbackup.io/expected";

/// The samples of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// The manifest of their namespace, which is applied first.
    pub namespace: PathBuf,
    /// The backups, in the order of their files.
    pub backups: Vec<Sample>,
}

/// One manifest: of an `RdsBackup`, or of an `RdsBackupSchedule`, which stands for the first backup that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its file.
    pub file: PathBuf,
    /// `namespace/name` of the object.
    pub name: String,
    /// The instance.
    pub instance: String,
    /// How it ends.
    pub expected: Expected,
}

/// How a sample ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// With a backup set.
    Succeeded,
    /// Without a backup set, as the operator decides.
    Failed,
    /// The API server refuses it.
    Refused,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
        })
    }
}

/// Why the samples cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SamplesError {
    /// They cannot be read.
    #[error("the samples: {} cannot be read", path.display())]
    Read {
        /// The file or the directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// One is not what a sample is.
    #[error("the sample {}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Samples {
    /// Reads the manifests of a directory.
    pub fn read(dir: &Path) -> Result<Self, SamplesError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            |source| SamplesError::Read { path, source }
        };
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unread(dir))?;
        let mut files: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        files.retain(|file| file.extension().is_some_and(|ext| ext == "yaml"));
        files.sort();
        let (mut namespace, mut backups) = (None, Vec::new());
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(unread(&file))?;
            let yaml = serde_saphyr::from_str(&text);
            let manifest: Value =
                yaml.map_err(|error| SamplesError::Content { path: file.clone(), why: format!("not one YAML document: {error}") })?;
            match manifest["kind"].as_str() {
                Some("Namespace") => namespace = Some(file),
                Some("RdsBackup" | "RdsBackupSchedule") => match sample(&file, &manifest) {
                    Ok(sample) => backups.push(sample),
                    Err(why) => return Err(SamplesError::Content { path: file, why }),
                },
                other => {
                    return Err(SamplesError::Content { path: file, why: format!("kind {} is none of a sample", other.unwrap_or("?")) });
                }
            }
        }
        let none = || SamplesError::Content { path: dir.to_owned(), why: "there is no manifest of their namespace".into() };
        Ok(Self { namespace: namespace.ok_or_else(none)?, backups })
    }
}

fn sample(file: &Path, manifest: &Value) -> Result<Sample, String> {
    let metadata = &manifest["metadata"];
    let text = |value: &Value, what: &str| value.as_str().map(str::to_owned).ok_or_else(|| format!("it has no {what}"));
    let expected = match metadata["annotations"][EXPECTED].as_str() {
        Some("Succeeded") => Expected::Succeeded,
        Some("Failed") => Expected::Failed,
        Some("Refused") => Expected::Refused,
        _ => return Err(format!("its annotation {EXPECTED} must be Succeeded, Failed or Refused")),
    };
    let (namespace, name) = (text(&metadata["namespace"], "namespace")?, text(&metadata["name"], "name")?);
    let spec = &manifest["spec"];
    let spec = if manifest["kind"] == "RdsBackupSchedule" { &spec["template"]["spec"] } else { spec };
    let instance = text(&spec["dbInstanceId"], "dbInstanceId")?;
    Ok(Sample { file: file.to_owned(), name: format!("{namespace}/{name}"), instance, expected })
}
