//! Applies what the operator needs before it starts: its CRDs, its namespace and roles, and the Secret with the access key.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::plane::{Kubectl, Plane};

use super::error::WorldError;
use super::installed::{NAMESPACE, SECRET};

/// An access key that the endpoint knows.
pub(super) struct AccessKey {
    pub id: &'static str,
    pub secret: &'static str,
}

/// The files of the repository that are applied.
pub(super) struct Manifests {
    crds: PathBuf,
    /// The namespace, and what the operator may do.
    operator: [PathBuf; 2],
}

impl Manifests {
    pub(super) fn find(repository: &Path) -> Result<Self, WorldError> {
        let crds = repository.join("crds");
        if manifests_in(&crds).is_empty() {
            return Err(WorldError::Missing { what: "the directory of the CRDs", path: crds });
        }
        // Not its Deployment: the control plane runs no pods, and the operator is a process of its own.
        let operator = ["namespace.yaml", "rbac.yaml"].map(|file| repository.join("deploy").join("install").join(file));
        match operator.iter().find(|path| !path.is_file()) {
            Some(path) => Err(WorldError::Missing { what: "a manifest of the operator", path: path.clone() }),
            None => Ok(Self { crds, operator }),
        }
    }
}

/// The manifests in a directory.
fn manifests_in(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect()
}

pub(super) async fn install(plane: &Plane, manifests: &Manifests, key: &AccessKey) -> Result<(), WorldError> {
    let kubectl = plane.kubectl();
    plane.apply_file(&manifests.crds).await?;
    // The CRDs need a moment before they are served: the rest is applied meanwhile.
    let files: Vec<String> = manifests.operator.iter().map(|path| path.display().to_string()).collect();
    let mut apply = vec!["apply", "--server-side"];
    apply.extend(files.iter().flat_map(|file| ["--filename", file.as_str()]));
    kubectl.run(&apply).await?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": SECRET, "namespace": NAMESPACE },
        "stringData": { "accessKeyId": key.id, "accessKeySecret": key.secret },
    });
    // Through standard input: a command line can be read by every user of the machine.
    kubectl.run_with_input(&["apply", "--server-side", "--filename=-"], &secret.to_string()).await?;
    served(&kubectl).await
}

/// Waits until the API server really serves the CRDs: for up to a second after it calls one Established it answers 429 while it makes the
/// storage, and a client that stops at such an error would fail in one start of ten.
async fn served(kubectl: &Kubectl) -> Result<(), WorldError> {
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
    let names = kubectl.run(&["get", "crd", "--output=name"]).await?;
    for resource in names.lines().filter_map(|line| line.split('/').nth(1)) {
        let began = Instant::now();
        while let Err(error) = kubectl.run(&["get", resource, "--all-namespaces"]).await {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_is_not_there_is_named() {
        let repository = tempfile::tempdir().expect("a directory");
        let write = |path: &str| {
            let path = repository.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, "").expect("a file");
        };
        write("crds/rdsbackups.yaml");
        write("deploy/install/namespace.yaml");
        let missing = Manifests::find(repository.path()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(missing.ends_with("deploy/install/rbac.yaml"), "{missing}");
        write("deploy/install/rbac.yaml");
        assert!(Manifests::find(repository.path()).is_ok());
    }
}
