//! Whether a GitOps tool tracks an object: what it tracks and does not find, it creates again.

use super::RdsBackup;

/// What Argo CD writes on what it tracks.
pub const ARGOCD_TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";

/// A hook of Argo CD, which is not created again.
pub const ARGOCD_HOOK_ANNOTATION: &str = "argocd.argoproj.io/hook";

/// What Flux writes on what it tracks: for a Kustomization, and for a HelmRelease.
pub const FLUX_LABELS: [&str; 2] = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];

impl RdsBackup {
    /// Whether a tool creates the object again when it is deleted.
    pub fn is_tracked(&self) -> bool {
        let (annotations, labels) = (self.metadata.annotations.as_ref(), self.metadata.labels.as_ref());
        let annotated = |name: &str| annotations.is_some_and(|all| all.contains_key(name));
        let labelled = FLUX_LABELS.iter().any(|name| labels.is_some_and(|all| all.contains_key(*name)));
        labelled || (annotated(ARGOCD_TRACKING_ANNOTATION) && !annotated(ARGOCD_HOOK_ANNOTATION))
    }
}
