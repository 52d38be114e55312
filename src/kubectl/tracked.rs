//! Whether a GitOps tool tracks an object: what a person changes by hand, it writes back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ARGOCD_TRACKING_ANNOTATION, FLUX_LABELS};

/// The tool that tracks the object, if one does.
pub fn tracked_by(meta: &ObjectMeta) -> Option<&'static str> {
    let (annotations, labels) = (meta.annotations.as_ref(), meta.labels.as_ref());
    if annotations.is_some_and(|all| all.contains_key(ARGOCD_TRACKING_ANNOTATION)) {
        return Some("Argo CD");
    }
    FLUX_LABELS.iter().any(|name| labels.is_some_and(|all| all.contains_key(*name))).then_some("Flux")
}

/// What to tell of a change of `field` in the object, if a tool tracks it.
pub fn writes_it_back(meta: &ObjectMeta, field: &str) -> Option<String> {
    let tool = tracked_by(meta)?;
    Some(format!(
        "note: {tool} tracks this object. If {field} is in its repository, {tool} writes the old value back at its next sync: change it there too"
    ))
}
