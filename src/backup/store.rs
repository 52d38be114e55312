//! The API server, as far as RdsBackup needs it. Every call has a timeout: kube has none of its own.

use std::{future::Future, time::Duration};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{Scope, context::Guarded, decide};
use crate::api::{FIELD_MANAGER, RdsBackup, RdsBackupStatus};

const TIMEOUT: Duration = Duration::from_secs(10);

/// An event is worth less than the pass that it belongs to.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1024;

/// The API server and the namespaces that are watched.
#[derive(Clone)]
pub struct Store {
    client: Client,
    scope: Scope,
    /// Our name in events: the host's or pod's name.
    instance: String,
}

/// Why the API server could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It answered with an error, or not over HTTP at all.
    #[error("the API server cannot {verb}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// It did not answer.
    #[error("the API server did not answer within {} s when asked to {verb}", TIMEOUT.as_secs())]
    Timeout {
        /// What was tried.
        verb: &'static str,
    },
}

/// What became of a status write.
pub(super) enum Written {
    /// It stands, and this is the object now.
    Yes(Box<RdsBackup>),
    /// Somebody wrote in between: nothing was changed.
    Conflict,
    /// The object is gone.
    Gone,
}

impl Store {
    /// A store for the namespaces of `scope`.
    pub fn new(client: Client, scope: Scope, instance: String) -> Self {
        Self { client, scope, instance }
    }

    /// The object as the API server has it (quorum read); none if it is gone or another stands under its name.
    pub(super) async fn get(&self, object: &RdsBackup) -> Result<Option<RdsBackup>, StoreError> {
        let api = self.api(object);
        let found = bounded("get an RdsBackup", api.get_opt(&object.name_any())).await?;
        Ok(found.filter(|found| found.metadata.uid == object.metadata.uid).map(pruned))
    }

    /// Writes the whole status, only if the object still has the resourceVersion that `object` has: a forced apply without it would erase
    /// another process's intent.
    pub(super) async fn write_status(&self, object: &RdsBackup, status: &RdsBackupStatus) -> Result<Written, StoreError> {
        let body = json!({
            "apiVersion": RdsBackup::api_version(&()),
            "kind": RdsBackup::kind(&()),
            "metadata": { "name": object.name_any(), "namespace": object.namespace(), "resourceVersion": object.metadata.resource_version },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match bounded("write the status of an RdsBackup", self.api(object).patch_status(&object.name_any(), &params, &Patch::Apply(body)))
            .await
        {
            Ok(written) => Ok(Written::Yes(Box::new(pruned(written)))),
            Err(StoreError::Api { source, .. }) if code(&source) == Some(409) => Ok(Written::Conflict),
            Err(StoreError::Api { source, .. }) if code(&source) == Some(404) => Ok(Written::Gone),
            Err(error) => Err(error),
        }
    }

    /// All objects of an instance as the API server has them (quorum LIST by the field selector). One that does not deserialise is left out:
    /// its intent, if it has one, cannot be read by anybody.
    pub(super) async fn of_instance(&self, id: &str) -> Result<Vec<RdsBackup>, StoreError> {
        let params = ListParams::default().fields(&format!("spec.dbInstanceId={id}"));
        let apis: Vec<Api<Guarded>> = match &self.scope {
            Scope::Cluster => vec![Api::all(self.client.clone())],
            Scope::Namespaces(names) => names.iter().map(|name| Api::namespaced(self.client.clone(), name)).collect(),
        };
        let mut found = Vec::new();
        for api in apis {
            let list = bounded("list the RdsBackups of an instance", api.list(&params)).await?;
            found.extend(list.items.into_iter().filter_map(|guarded| guarded.0.ok()));
        }
        Ok(found)
    }

    /// Publishes an event. An event that cannot be published is logged and lost: the status says the same.
    pub(super) async fn publish(&self, about: ObjectReference, event: decide::Event, now: Timestamp) {
        let namespace = about.namespace.clone().unwrap_or_default();
        let name = about.name.clone().unwrap_or_default();
        let body = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-", name.chars().take(200).collect::<String>())),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(cut(event.note, LONGEST_NOTE)),
            reason: Some(event.reason.as_str().to_owned()),
            regarding: Some(about),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(cut(self.instance.clone(), 128)),
            type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match tokio::time::timeout(EVENT_TIMEOUT, api.create(&PostParams::default(), &body)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%namespace, %name, %error, "an event was not published"),
            Err(_) => tracing::debug!(%namespace, %name, "an event was not published within 5 s"),
        }
    }

    fn api(&self, object: &RdsBackup) -> Api<RdsBackup> {
        Api::namespaced(self.client.clone(), object.metadata.namespace.as_deref().unwrap_or_default())
    }
}

/// What an object's copy in memory does without: a third of its size, and nobody here reads it.
pub fn prune<K: ResourceExt>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    if let Some(annotations) = &mut object.meta_mut().annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn pruned(mut object: RdsBackup) -> RdsBackup {
    prune(&mut object);
    object
}

async fn bounded<T>(verb: &'static str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(StoreError::Api { verb, source: Box::new(source) }),
        Err(_) => Err(StoreError::Timeout { verb }),
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Cuts at a character's edge: `limit` counts bytes.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
