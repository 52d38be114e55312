//! Single requests with a timeout, and what their refusal means.

use std::fmt;

use kube::{
    Api, Client, Resource,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{AskError, TIMEOUT, one_line};
use crate::{
    api::{GROUP, RdsBackup, RdsBackupSchedule},
    controller::{Guarded, error_text},
};

/// So many objects are asked for at a time, as kubectl does: an answer has a few MiB at most.
const PAGE: u32 = 500;

/// A list whose pages have expired on the server is begun again so often.
const MORE_LISTS: usize = 2;

/// The name under which these commands write fields.
const FIELD_MANAGER: &str = "kubectl-rdsbackup";

/// A kind, by the names that RBAC and people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As in a manifest.
    pub kind: &'static str,
    /// As in a role: plural and group.
    pub resource: &'static str,
}

/// RdsBackup.
pub const BACKUPS: Kind = Kind { kind: "RdsBackup", resource: "rdsbackups.rdsbackup.io" };
/// RdsBackupSchedule.
pub const SCHEDULES: Kind = Kind { kind: "RdsBackupSchedule", resource: "rdsbackupschedules.rdsbackup.io" };
/// Events, as the operator writes them.
pub const EVENTS: Kind = Kind { kind: "Event", resource: "events.events.k8s.io" };
/// Namespaces.
pub const NAMESPACES: Kind = Kind { kind: "Namespace", resource: "namespaces" };

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
                Ok(Err(error)) => return Err(self.refused(api, kind, "list", "", &error)),
                Err(_) => return Err(AskError::Silent { server: self.server.clone() }),
            };
            found.extend(page.items);
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
            Ok(Err(error)) => Err(self.refused(api, kind, verb, name, &error)),
            Err(_) => Err(AskError::Silent { server: self.server.clone() }),
        }
    }

    fn refused<K: Resource>(&self, api: &Api<K>, kind: Kind, verb: &'static str, name: &str, error: &kube::Error) -> AskError {
        let namespace = (kind != NAMESPACES && api.resource_url().contains("/namespaces/")).then_some(self.namespace.as_str());
        let place = match namespace {
            Some(namespace) => format!("namespace {namespace}"),
            None if kind == NAMESPACES => "the cluster".to_owned(),
            None => "all namespaces".to_owned(),
        };
        let status = match error {
            kube::Error::Api(status) => status,
            kube::Error::Auth(_) => return AskError::Credentials(one_line(&crate::controller::without_secrets(error))),
            error => {
                return AskError::Other { server: self.server.clone(), resource: kind.resource, problem: one_line(&error_text(error)) };
            }
        };
        // An API server without the kind answers 404 as well, and names no object.
        let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        let is_ours = kind.resource.ends_with(GROUP);
        match status.code {
            401 => AskError::Unauthenticated,
            403 if is_of_rbac(&status.message) => {
                let user = user_in(&status.message);
                let cure = cure(kind, verb, namespace, name, user.as_deref());
                let user = user.map_or_else(|| "the user".to_owned(), |user| format!("{user:?}"));
                AskError::Forbidden { user, verb, resource: kind.resource, place, cure }
            }
            404 if is_ours && (name.is_empty() || !names_object) => AskError::NoKind(kind.resource),
            404 if !name.is_empty() => {
                let within = namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
                let list = format!("kubectl get {}{within}", kind.resource);
                AskError::NotFound { kind: kind.kind, name: name.to_owned(), place, list }
            }
            409 => AskError::Replaced(format!("the {} {name:?}", kind.kind)),
            // An admission policy of the cluster answers 403 or 422, an invalid object 422.
            400 | 403 | 422 if verb == "patch" => {
                AskError::Refused { what: format!("the {} {name:?}", kind.kind), problem: one_line(&status.message) }
            }
            _ => AskError::Other { server: self.server.clone(), resource: kind.resource, problem: one_line(&error_text(error)) },
        }
    }
}

/// RBAC's refusal, and not that of an admission policy.
fn is_of_rbac(message: &str) -> bool {
    user_in(message).is_some() && message.contains(" cannot ")
}

/// The command that grants it. The ClusterRoles of our kinds are the chart's.
fn cure(kind: Kind, verb: &str, namespace: Option<&str>, name: &str, user: Option<&str>) -> String {
    let subject = subject_of(user);
    if kind == NAMESPACES {
        let role =
            format!("kubectl create clusterrole rds-backup-pause-{name} --verb=get,patch --resource=namespaces --resource-name={name}");
        let bind = format!("kubectl create clusterrolebinding rds-backup-pause-{name} --clusterrole=rds-backup-pause-{name} {subject}");
        return format!("`{role}` and `{bind}` grant it");
    }
    let role = match (kind, verb) {
        (EVENTS, _) => "view",
        (_, "patch") => "rds-backup-operator-edit",
        _ => "rds-backup-operator-view",
    };
    match namespace {
        Some(namespace) => format!("`kubectl create rolebinding {role}-by-hand -n {namespace} --clusterrole={role} {subject}` grants it"),
        None => format!("`kubectl create clusterrolebinding {role}-by-hand --clusterrole={role} {subject}` grants it"),
    }
}

/// The user that the API server refuses: `... is forbidden: User "x" cannot list ...`.
fn user_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:@/".contains(c);
    (!user.is_empty() && user.len() <= 256 && user.chars().all(is_plain)).then(|| user.to_owned())
}

/// The option of `kubectl create rolebinding` that names the user.
fn subject_of(user: Option<&str>) -> String {
    let account = user.and_then(|user| user.strip_prefix("system:serviceaccount:"));
    match (account, user) {
        (Some(account), _) => format!("--serviceaccount={account}"),
        (None, Some(user)) => format!("--user={user}"),
        (None, None) => "--user=USER".to_owned(),
    }
}
