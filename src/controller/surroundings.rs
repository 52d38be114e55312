//! Whether what an object stands in is being deleted: its Namespace, and its kind. Read by GET before anything is deleted because of it.

use k8s_openapi::{api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::Api;

use super::{cluster::Cluster, error::Error, kind::Kind, retry::Call};
use crate::api::NAMESPACE_SUBMISSIONS_ANNOTATION;

/// What an object stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its CustomResourceDefinition is being deleted, or is gone: the operator is uninstalled, and nobody asked for the object to go.
    pub kind_is_going: bool,
    /// Its Namespace is being deleted, or is gone.
    pub namespace_is_going: bool,
    /// An annotation of the Namespace pauses it.
    pub is_paused: bool,
}

impl Cluster {
    /// What the objects of a kind in a namespace stand in, as the API server has it now.
    ///
    /// # Errors
    /// Something could not be read: what, and what to do, for a user.
    pub async fn surroundings<K: Kind>(&self, namespace: &str) -> Result<Surroundings, String> {
        let kind = format!("{}.{}", K::plural(&()), K::group(&()));
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let definition = self
            .ask_about("CustomResourceDefinition", Call::Read("get"), || definitions.get_metadata_opt(&kind))
            .await
            .map_err(|error| unread("CustomResourceDefinition", &kind, &error))?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let found = self
            .ask_about("Namespace", Call::Read("get"), || namespaces.get_metadata_opt(namespace))
            .await
            .map_err(|error| unread("Namespace", namespace, &error))?;
        let is_paused = found.as_ref().and_then(|found| found.metadata.annotations.as_ref()?.get(NAMESPACE_SUBMISSIONS_ANNOTATION));
        Ok(Surroundings {
            kind_is_going: definition.is_none_or(|found| found.metadata.deletion_timestamp.is_some()),
            is_paused: is_paused.is_some_and(|value| value == "Paused"),
            namespace_is_going: found.as_ref().is_none_or(|found| found.metadata.deletion_timestamp.is_some()),
        })
    }
}

fn unread(kind: &str, name: &str, error: &Error) -> String {
    if error.is_forbidden() {
        format!("the operator may not get the {kind} {name}. Grant its ServiceAccount get on it, as the chart does")
    } else {
        format!("the {kind} {name} cannot be read ({error})")
    }
}
