//! Single requests, and lists by pages, each with a timeout.

use std::fmt;

use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    error::{AskError, TIMEOUT, one_line},
    kind::{BACKUPS, Kind},
    refusal::Asked,
};
use crate::{
    api::{RdsBackup, RdsBackupSchedule},
    controller::Guarded,
};

/// So many objects are asked for at a time, as kubectl does: an answer has a few MiB at most.
const PAGE: u32 = 500;

/// A list whose pages have expired on the server is begun again so often.
const MORE_LISTS: usize = 2;

/// The name under which these commands write fields.
const FIELD_MANAGER: &str = "kubectl-rdsbackup";

/// The cluster, as the person of the kubeconfig sees it.
#[derive(Clone)]
pub struct Session {
    client: Client,
    server: String,
    namespace: String,
}

impl Session {
    pub(super) fn new(client: Client, server: String, namespace: String) -> Self {
        Self { client, server, namespace }
    }

    /// The client of its API server.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace that was asked for, or that of the context.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The backups of the namespace.
    pub fn backups(&self) -> Api<Guarded<RdsBackup>> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The backups of all namespaces.
    pub fn all_backups(&self) -> Api<Guarded<RdsBackup>> {
        Api::all(self.client.clone())
    }

    /// The schedules of the namespace.
    pub fn schedules(&self) -> Api<Guarded<RdsBackupSchedule>> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The schedules of all namespaces.
    pub fn all_schedules(&self) -> Api<Guarded<RdsBackupSchedule>> {
        Api::all(self.client.clone())
    }

    /// The events of the namespace.
    pub fn events(&self) -> Api<k8s_openapi::api::events::v1::Event> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The namespaces.
    pub fn namespaces(&self) -> Api<k8s_openapi::api::core::v1::Namespace> {
        Api::all(self.client.clone())
    }

    /// One object.
    ///
    /// # Errors
    /// There is none, or it could not be asked for.
    pub async fn get<K>(&self, api: &Api<K>, kind: Kind, name: &str) -> Result<K, AskError>
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug,
    {
        self.answer(api.get(name), api, kind, "get", name).await
    }

    /// One object of our kinds, in its form.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it could not be asked for.
    pub async fn get_whole<K>(&self, api: &Api<Guarded<K>>, kind: Kind, name: &str) -> Result<K, AskError>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug,
    {
        match self.get(api, kind, name).await?.0 {
            Ok(object) => Ok(object.as_ref().clone()),
            Err(unreadable) => Err(AskError::Unreadable { kind: kind.kind, name: name.to_owned(), problem: one_line(&unreadable.error) }),
        }
    }

    /// All objects that a field selector takes, page by page.
    ///
    /// # Errors
    /// They could not be asked for.
    pub async fn list<K>(&self, api: &Api<K>, kind: Kind, fields: &str) -> Result<Vec<K>, AskError>
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug,
    {
        self.pages(api, kind, fields, |object| object).await
    }

    /// All objects, without a third of each: the annotations and who manages which field.
    ///
    /// # Errors
    /// They could not be asked for.
    pub async fn list_reduced<K>(&self, api: &Api<K>, kind: Kind) -> Result<Vec<K>, AskError>
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug,
    {
        self.pages(api, kind, "", reduced).await
    }

    /// The backups of all namespaces as the API server has them, also with fields that this release does not know; reduced like the others.
    ///
    /// # Errors
    /// They could not be asked for.
    pub async fn raw_backups(&self) -> Result<Vec<Value>, AskError> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &ApiResource::erase::<RdsBackup>(&()));
        self.pages(&api, BACKUPS, "", raw).await
    }

    async fn pages<K, T>(&self, api: &Api<K>, kind: Kind, fields: &str, kept: fn(K) -> T) -> Result<Vec<T>, AskError>
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug,
    {
        let mut lists = 0;
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let selector = (!fields.is_empty()).then(|| fields.to_owned());
            let params = ListParams { limit: Some(PAGE), continue_token: from.take(), field_selector: selector, ..ListParams::default() };
            let page = match tokio::time::timeout(TIMEOUT, api.list(&params)).await {
                Ok(Ok(page)) => page,
                // Expired: etcd has compacted the version that the pages are of.
                Ok(Err(kube::Error::Api(status))) if status.code == 410 && lists < MORE_LISTS => {
                    lists += 1;
                    found.clear();
                    continue;
                }
                Ok(Err(error)) => return Err(self.asked(api, kind, "list", "").refused(&error)),
                Err(_) => return Err(AskError::Silent { server: self.server.clone() }),
            };
            found.extend(page.items.into_iter().map(kept));
            from = page.metadata.continue_.filter(|token| !token.is_empty());
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    /// Merges a change into one object: what it does not name stays as it is. With `metadata.uid` in it an object that was created anew
    /// under the name is left alone.
    ///
    /// # Errors
    /// There is none, the API server refuses the change, or it could not be asked.
    pub async fn merge<K>(&self, api: &Api<K>, kind: Kind, name: &str, change: &Value) -> Result<K, AskError>
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug,
    {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(change);
        self.answer(api.patch(name, &params, &patch), api, kind, "patch", name).await
    }

    async fn answer<K>(
        &self,
        request: impl Future<Output = Result<K, kube::Error>>,
        api: &Api<K>,
        kind: Kind,
        verb: &'static str,
        name: &str,
    ) -> Result<K, AskError>
    where
        K: Resource,
    {
        match tokio::time::timeout(TIMEOUT, request).await {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) => Err(self.asked(api, kind, verb, name).refused(&error)),
            Err(_) => Err(AskError::Silent { server: self.server.clone() }),
        }
    }

    fn asked<'a, K: Resource>(&'a self, api: &'a Api<K>, kind: Kind, verb: &'static str, name: &'a str) -> Asked<'a> {
        Asked { server: &self.server, kind, verb, name, namespace: api.namespace() }
    }
}

fn reduced<K: Resource>(mut object: K) -> K {
    object.managed_fields_mut().clear();
    object.annotations_mut().clear();
    object
}

/// What can be told of an object whatever its form is.
fn raw(object: DynamicObject) -> Value {
    let DynamicObject { metadata, data: mut value, .. } = reduced(object);
    value["metadata"] = serde_json::to_value(&metadata).unwrap_or_default();
    value
}

#[cfg(test)]
mod tests;
