//! Events of the API `events.k8s.io`.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

use super::cluster::Cluster;
use crate::api::{FIELD_MANAGER, Reason};

/// An event is worth less than the pass that it belongs to.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1024;

/// A Kubernetes Event on a transition. Only [`Event::new`] makes one, so that the documentation has them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    warning: bool,
    reason: Reason,
    note: String,
}

impl Event {
    /// An event of the closed list; `note` says what happened and what to do.
    ///
    /// One that is not in the list is still published by a release. Every test, and the sandbox, stops at it: nothing else sees all events.
    pub fn new(warning: bool, reason: Reason, note: impl Into<String>) -> Self {
        let listed = reason.events().iter().any(|rule| rule.warning == warning);
        debug_assert!(listed, "an event {reason}, warning: {warning}, is not in Reason::events");
        Self { warning, reason, note: note.into() }
    }

    /// Whether its type is Warning.
    pub fn is_warning(&self) -> bool {
        self.warning
    }

    /// One of the closed list.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What happened and what to do.
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl Cluster {
    /// Publishes an event. An event that cannot be published is logged and lost: the status says the same. The fence lets it pass: it is
    /// about a write that stands already.
    pub async fn publish(&self, about: ObjectReference, event: Event, now: Timestamp) {
        let namespace = about.namespace.clone().unwrap_or_default();
        let name = about.name.clone().unwrap_or_default();
        let body = v1::Event {
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
            ..v1::Event::default()
        };
        let api: Api<v1::Event> = Api::namespaced(self.client.clone(), &namespace);
        match tokio::time::timeout(TIMEOUT, api.create(&PostParams::default(), &body)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%namespace, %name, %error, "an event was not published"),
            Err(_) => tracing::debug!(%namespace, %name, "an event was not published within 5 s"),
        }
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
