//! What the operator finds when it starts: its CRDs, its namespace and roles, and the Secret with the access key.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::plane::{Kubectl, Plane};

use super::WorldError;

/// The operator's namespace, as `deploy/operator/` makes it.
pub const NAMESPACE: &str = "rds-backup-system";
/// The operator's ServiceAccount, as `deploy/operator/` makes it.
pub const SERVICE_ACCOUNT: &str = "rds-backup-operator";
/// The Secret that the account `default` reads.
pub(super) const SECRET: &str = "sandbox-key";

/// An access key that the endpoint knows.
pub(super) struct AccessKey {
    pub id: &'static str,
    pub secret: &'static str,
}

/// The files of the repository that are applied.
pub(super) struct Manifests {
    crds: PathBuf,
    /// The namespace first: the others live in it.
    operator: Vec<PathBuf>,
}

impl Manifests {
    pub(super) fn find(repository: &Path) -> Result<Self, WorldError> {
        let crds = repository.join("crds");
        if manifests_in(&crds).is_empty() {
            return Err(WorldError::Missing { what: "the directory of the CRDs", path: crds });
        }
        let dir = repository.join("deploy").join("operator");
        let namespace = dir.join("namespace.yaml");
        if !namespace.is_file() {
            return Err(WorldError::Missing { what: "the manifest of the operator's namespace", path: namespace });
        }
        let mut operator = manifests_in(&dir);
        operator.sort_by_key(|path| *path != namespace); // Stable, so the rest stays in order.
        Ok(Self { crds, operator })
    }
}

/// The manifests in a directory, in order. A kustomization is not one: it is for kustomize.
fn manifests_in(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let manifest = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "yaml") && !path.ends_with("kustomization.yaml");
    let mut found: Vec<PathBuf> = entries.filter(manifest).collect();
    found.sort();
    found
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
/// storage, and a client that takes that for an error would fail in one start of ten.
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
    fn the_namespace_is_applied_before_what_lives_in_it_and_a_kustomization_not_at_all() {
        let repository = tempfile::tempdir().expect("a directory");
        let write = |path: &str| {
            let path = repository.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, "").expect("a file");
        };
        for file in ["role", "cluster-role", "namespace", "kustomization"] {
            write(&format!("deploy/operator/{file}.yaml"));
        }
        write("crds/rdsbackups.yaml");
        let manifests = Manifests::find(repository.path()).expect("manifests");
        let names: Vec<_> = manifests.operator.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["namespace.yaml", "cluster-role.yaml", "role.yaml"]);
    }
}
