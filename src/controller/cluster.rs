//! The API server, for every kind that is ours. Each call has a timeout: kube has none of its own.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::{
    error::Error,
    fence::Fence,
    guarded::Guarded,
    kind::{Kind, pruned},
    namespace_facts::{Known, NamespaceAnswer, NamespaceFacts},
    namespaces::{Closed, Namespaces},
    retry::{Call, MORE_TRIES, tried},
};
use crate::api::FIELD_MANAGER;

/// The namespaces that the operator watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Cluster,
    /// These, at least one.
    Namespaces(Vec<String>),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("all namespaces"),
            Self::Namespaces(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// The API server and the namespaces that are watched.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    scope: Scope,
    /// Our name in events: the host's or pod's name.
    pub(super) instance: String,
    /// Shut when another process leads.
    fence: Fence,
    /// How often what is not served is asked for again at once.
    more_tries: usize,
    /// Which namespaces of the scope cannot be read.
    namespaces: Namespaces,
    /// What the Namespaces say.
    namespace_facts: NamespaceFacts,
}

/// What a list found.
#[derive(Clone, Debug)]
pub struct Found<K> {
    /// The objects.
    pub objects: Vec<Guarded<K>>,
    /// The namespaces of the scope that exist, as far as can be told, and whose objects the operator may not read.
    pub closed: Vec<String>,
}

/// What became of a write of an object.
#[derive(Clone, Debug)]
pub enum WriteResult<K> {
    /// It stands, and this is the object now.
    Yes(Box<K>),
    /// Somebody wrote in between: nothing was changed.
    Conflict,
    /// The object is gone.
    Gone,
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It was created.
    Created,
    /// An object of that name exists.
    AlreadyExists,
    /// The API server refuses it, with this message; it will refuse the same object again.
    Refused(String),
}

impl Cluster {
    /// The API server, for the namespaces of `scope`.
    pub fn new(client: Client, scope: Scope, instance: String, fence: Fence) -> Self {
        Self {
            client,
            scope,
            instance,
            fence,
            more_tries: MORE_TRIES,
            namespaces: Namespaces::default(),
            namespace_facts: NamespaceFacts::default(),
        }
    }

    /// The same, for what must be written to its end although another process may lead by now: the record of an answer. Whoever does that
    /// tries without end, so each call is made once.
    pub fn unfenced(&self) -> Self {
        Self { fence: Fence::none(), more_tries: 0, ..self.clone() }
    }

    /// Whether something may be begun now.
    ///
    /// # Errors
    /// `NotLeading`.
    pub fn may_begin(&self) -> Result<(), Error> {
        if self.fence.is_open() { Ok(()) } else { Err(Error::NotLeading) }
    }

    /// The object as the API server has it (quorum read); none if it is gone or another stands under its name.
    pub async fn get<K: Kind>(&self, object: &K) -> Result<Option<K>, Error> {
        let found = self.named(object.meta().namespace.as_deref().unwrap_or_default(), &object.name_any()).await?;
        Ok(found.filter(|found: &K| found.meta().uid == object.meta().uid))
    }

    /// The object of that name, whichever it is (quorum read).
    pub async fn named<K: Kind>(&self, namespace: &str, name: &str) -> Result<Option<K>, Error> {
        let api = self.api::<K>(namespace);
        let found = self.ask::<K, _, _>(Call::Read("get"), || api.get_opt(name)).await?;
        Ok(found.map(pruned))
    }

    /// The object of that name, also one that does not deserialise; none if it is gone (quorum read).
    pub async fn guarded<K: Kind>(&self, namespace: &str, name: &str) -> Result<Option<Guarded<K>>, Error> {
        let api: Api<Guarded<K>> = Api::namespaced(self.client.clone(), namespace);
        let found = self.ask::<K, _, _>(Call::Read("get"), || api.get_opt(name)).await?;
        Ok(found.map(pruned))
    }

    /// Writes the whole status (PUT), only if the object still has the uid and the resourceVersion that `object` has: without them it would
    /// erase another process's intent. A field that another client wrote into the status does not stay.
    pub async fn write_status<K: Kind>(&self, object: &K, status: &impl Serialize) -> Result<WriteResult<K>, Error> {
        let name = object.name_any();
        let meta = object.meta();
        // The API server takes spec and metadata from what stands, managed fields too.
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name, "namespace": meta.namespace, "uid": meta.uid, "resourceVersion": meta.resource_version },
            "status": status,
        });
        let api = self.api::<K>(meta.namespace.as_deref().unwrap_or_default());
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let write = || api.replace_subresource("status", &name, &params, &body);
        write_result(self.ask::<K, _, _>(Call::Write("write the status of"), write).await)
    }

    /// Writes the finalizers, only if the object still has the resourceVersion that `object` has.
    pub async fn write_finalizers<K: Kind>(&self, object: &K, finalizers: &[String]) -> Result<WriteResult<K>, Error> {
        let name = object.name_any();
        let api = self.api::<K>(object.meta().namespace.as_deref().unwrap_or_default());
        let (uid, version) = (&object.meta().uid, &object.meta().resource_version);
        let patch = Patch::Merge(json!({ "metadata": { "uid": uid, "resourceVersion": version, "finalizers": finalizers } }));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = self.ask::<K, _, _>(Call::Write("write the finalizers of"), || api.patch(&name, &params, &patch)).await;
        write_result(written)
    }

    /// Creates an object.
    pub async fn create<K: Kind>(&self, object: &K) -> Result<Creation, Error> {
        let api = self.api::<K>(object.meta().namespace.as_deref().unwrap_or_default());
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.ask::<K, _, _>(Call::Write("create"), || api.create(&params, object)).await {
            Ok(_) => Ok(Creation::Created),
            Err(error) => match error.answer() {
                // A quota that other clients use at the same moment is a 409 too, and then no object of that name exists.
                Some((409, _)) if error.status().is_some_and(|status| status.reason == "AlreadyExists") => Ok(Creation::AlreadyExists),
                // Validation, admission, quota and permission: the object or the cluster has to change first.
                Some((400 | 403 | 422, words)) => Ok(Creation::Refused(words.to_owned())),
                _ => Err(error),
            },
        }
    }

    /// Deletes an object, only if it is still the one that was seen. Answers whether it was.
    pub async fn delete<K: Kind>(&self, namespace: &str, name: &str, uid: &str, resource_version: &str) -> Result<bool, Error> {
        let api = self.api::<K>(namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) }),
            ..DeleteParams::background()
        };
        match self.ask::<K, _, _>(Call::Write("delete"), || api.delete(name, &params)).await {
            Ok(_) => Ok(true),
            Err(error) => match error.answer() {
                Some((404 | 409, _)) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Which namespaces of the scope cannot be read, as far as is known.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Whether a namespace is one that the operator watches.
    pub fn watches(&self, namespace: &str) -> bool {
        match &self.scope {
            Scope::Cluster => true,
            Scope::Namespaces(names) => names.iter().any(|name| name == namespace),
        }
    }

    /// All objects that match the field selector, as the API server has them (quorum LIST): of the whole cluster where the operator may
    /// list them, so that operators of several scopes see each other's requests and results; else of the namespaces that it watches.
    ///
    /// A namespace that cannot be read ends no list: one that is gone has no objects, and one that exists is named in the answer.
    pub async fn list<K: Kind>(&self, fields: &str) -> Result<Found<K>, Error> {
        let params = ListParams::default().fields(fields);
        let list = |api: Api<Guarded<K>>| {
            let params = &params;
            async move { self.ask::<K, _, _>(Call::Read("list"), || api.list(params)).await.map(|list| list.items) }
        };
        let names: &[String] = match &self.scope {
            Scope::Cluster => &[],
            Scope::Namespaces(names) => names,
        };
        if names.is_empty() || self.namespaces.may_try_everywhere() {
            match list(Api::all(self.client.clone())).await {
                Err(error) if !names.is_empty() && error.is_forbidden() => self.namespaces.everywhere(false),
                listed => {
                    let objects = listed?;
                    self.namespaces.everywhere(true);
                    return Ok(Found { objects, closed: Vec::new() });
                }
            }
        }
        let mut found = Found { objects: Vec::new(), closed: Vec::new() };
        for name in names {
            match list(Api::namespaced(self.client.clone(), name)).await {
                Ok(objects) => {
                    self.namespaces.opened(name);
                    found.objects.extend(objects);
                }
                Err(error) if error.is_forbidden() => {
                    if self.close(name).await? != Closed::Gone {
                        found.closed.push(name.clone());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The objects of a namespace may not be read: finds out whether it exists, and remembers it.
    pub async fn close(&self, namespace: &str) -> Result<Closed, Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let closed = match self.ask_about("Namespace", Call::Read("get"), || api.get_metadata_opt(namespace)).await {
            Ok(None) => Closed::Gone,
            Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => Closed::Terminating,
            Ok(Some(_)) => Closed::Refused,
            Err(error) if error.is_forbidden() => Closed::Refused,
            Err(error) => return Err(error),
        };
        self.namespaces.closes(namespace, closed);
        Ok(closed)
    }

    /// Whether a Namespace pauses the submissions of its objects: as it was at most 10 s ago, or, while the API server does not answer, as it
    /// was last. One that the operator may not read pauses nothing.
    ///
    /// # Errors
    /// The API server did not answer, and it never has.
    pub async fn pauses(&self, namespace: &str) -> Result<bool, Error> {
        let (known, error) = self.read_namespace(namespace).await;
        match (known, error) {
            (Some(known), _) => Ok(matches!(known.answer, NamespaceAnswer::Found { paused: true, .. })),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(false),
        }
    }

    /// The labels of a Namespace, and when they were read: at most 10 s ago, or earlier while the API server does not answer.
    ///
    /// # Errors
    /// They cannot be read: why not, for a user.
    pub async fn labels(&self, namespace: &str) -> Result<(Arc<BTreeMap<String, String>>, Instant), String> {
        let (known, error) = self.read_namespace(namespace).await;
        match (known, error) {
            (Some(Known { at, answer: NamespaceAnswer::Found { labels, .. } }), _) => Ok((labels, at)),
            (Some(Known { answer: NamespaceAnswer::Refused, .. }), _) => {
                Err(format!("the operator may not get the Namespace. Grant its ServiceAccount get on the Namespace {namespace}"))
            }
            (Some(Known { answer: NamespaceAnswer::Gone, .. }), _) => Err("it does not exist".to_owned()),
            (None, error) => Err(error.map_or_else(|| "they were not read".to_owned(), |error| error.to_string())),
        }
    }

    /// What is known of a Namespace once it has been read where that is due, and why a read that was due failed.
    async fn read_namespace(&self, namespace: &str) -> (Option<Known>, Option<Error>) {
        let mut known = self.namespace_facts.of(namespace).await;
        let mut failure = None;
        if !known.as_ref().is_some_and(Known::is_fresh) {
            let api: Api<Namespace> = Api::all(self.client.clone());
            match self.ask_about("Namespace", Call::Read("get"), || api.get_metadata_opt(namespace)).await {
                Ok(found) => *known = Some(Known::now(NamespaceAnswer::of(found.map(|found| found.metadata)))),
                Err(error) if error.is_forbidden() => *known = Some(Known::now(NamespaceAnswer::Refused)),
                Err(error) => failure = Some(error),
            }
        }
        (known.clone(), failure)
    }

    /// Frees what is remembered of namespaces that `keep` does not name.
    pub fn forget_namespaces(&self, keep: impl Fn(&str) -> bool) {
        self.namespace_facts.sweep(keep);
    }

    /// The namespaces whose pause cannot be seen, because the operator may not read them.
    pub fn unseen_pauses(&self) -> Vec<String> {
        self.namespace_facts.refused()
    }

    /// A watch shows the namespace. Answers whether it could not be read before.
    pub fn open(&self, namespace: &str) -> bool {
        self.namespaces.opened(namespace)
    }

    /// Whether the objects of the whole cluster can be listed. Where that is not known, or was refused a while ago, it is tried.
    pub async fn sees_everything<K: Kind>(&self) -> bool {
        if self.namespaces.is_everywhere_due() {
            let params = ListParams::default().limit(1);
            let api: Api<Guarded<K>> = Api::all(self.client.clone());
            match self.ask::<K, _, _>(Call::Read("list"), || api.list(&params)).await {
                Ok(_) => self.namespaces.everywhere(true),
                Err(error) if error.is_forbidden() => self.namespaces.everywhere(false),
                Err(_) => {}
            }
        }
        self.namespaces.reads_everywhere() == Some(true)
    }

    /// Why the objects of a namespace cannot be read; none where they can. One that could not be read is asked about again every 10 s.
    pub async fn closed<K: Kind>(&self, namespace: &str) -> Option<Closed> {
        if self.namespaces.is_due(namespace) {
            let params = ListParams::default().limit(1);
            let api: Api<Guarded<K>> = Api::namespaced(self.client.clone(), namespace);
            match self.ask::<K, _, _>(Call::Read("list"), || api.list(&params)).await {
                Ok(_) => _ = self.namespaces.opened(namespace),
                // Where that cannot be told now, what was known stays.
                Err(error) if error.is_forbidden() => _ = self.close(namespace).await,
                Err(_) => {}
            }
        }
        self.namespaces.closed(namespace)
    }

    /// Makes a call about one of our kinds.
    async fn ask<K: Kind, T, F>(&self, call: Call, make: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        self.ask_about(&K::kind(&()), call, make).await
    }

    /// Makes a call, again where that is worth it. Nothing is written, the second time neither, when another process may lead.
    pub(super) async fn ask_about<T, F>(&self, kind: &str, call: Call, make: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let once = || async {
            if matches!(call, Call::Write(_)) {
                self.may_begin()?;
            }
            make().await.map_err(|source| Error::Api { verb: call.verb(), kind: kind.to_string(), source: Box::new(source) })
        };
        tried(call, kind, self.more_tries, once).await
    }

    fn api<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn write_result<K: Kind>(written: Result<K, Error>) -> Result<WriteResult<K>, Error> {
    match written {
        Ok(newest) => Ok(WriteResult::Yes(Box::new(pruned(newest)))),
        Err(error) => match error.answer() {
            Some((409, _)) => Ok(WriteResult::Conflict),
            Some((404, _)) => Ok(WriteResult::Gone),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests;
