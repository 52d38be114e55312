//! What the kinds of this operator have in common for the API server.

use std::fmt;

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};

use super::field_times;

/// A namespaced kind of ours.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + fmt::Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + fmt::Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// What an object's copy in memory does without: a third of its size, and the operator does not read it. Of the managed fields it keeps
/// when a schedule was edited.
pub fn prune<K: ResourceExt>(object: &mut K) {
    field_times::project(&mut object.meta_mut().managed_fields);
    if let Some(annotations) = &mut object.meta_mut().annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

pub(super) fn pruned<K: ResourceExt>(mut object: K) -> K {
    prune(&mut object);
    object
}
