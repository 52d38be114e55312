//! What the Namespaces say: which pause the submissions of their RdsBackups, by an annotation, and which labels each has.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::{sync::OwnedMutexGuard, time::Instant};

use crate::api::NAMESPACE_SUBMISSIONS_ANNOTATION;

/// How old the answer may be: after this time at the latest, a pause or another label takes effect.
const LONGEST_USE: Duration = Duration::from_secs(10);

/// The right to read a Namespace is asked for again this often: a grant takes effect without a restart.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// The labels of a Namespace.
pub(super) type Labels = Arc<BTreeMap<String, String>>;

/// What the operator knows of a namespace.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// When it was read.
    pub at: Instant,
    pub answer: NamespaceAnswer,
}

/// What the API server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NamespaceAnswer {
    /// Whether it pauses submissions, and its labels.
    Found { paused: bool, labels: Labels },
    /// It does not exist.
    Gone,
    /// The operator may not read the Namespace: an annotation there has no effect, and its labels are not known.
    Refused,
}

impl NamespaceAnswer {
    /// The answer to a GET.
    pub fn of(found: Option<ObjectMeta>) -> Self {
        let Some(metadata) = found else { return Self::Gone };
        let annotations = metadata.annotations.unwrap_or_default();
        let paused = annotations.get(NAMESPACE_SUBMISSIONS_ANNOTATION).is_some_and(|value| value == "Paused");
        Self::Found { paused, labels: Arc::new(metadata.labels.unwrap_or_default()) }
    }
}

/// What is known of one namespace. It is locked while it is read.
type Entry = Arc<tokio::sync::Mutex<Option<Known>>>;

/// Shared by all passes. Those of one namespace that come at the same time share one read.
#[derive(Clone, Default)]
pub(super) struct NamespaceFacts(Arc<Mutex<BTreeMap<String, Entry>>>);

impl NamespaceFacts {
    /// What is known of the namespace. Whoever holds it may read it anew.
    pub async fn of(&self, namespace: &str) -> OwnedMutexGuard<Option<Known>> {
        let entry = self.locked().entry(namespace.to_owned()).or_default().clone();
        entry.lock_owned().await
    }

    /// The namespaces that may not be read. One that is being read now is left out.
    pub fn refused(&self) -> Vec<String> {
        let is_refused = |known: &Known| known.answer == NamespaceAnswer::Refused;
        let refused = |entry: &Entry| entry.try_lock().is_ok_and(|known| known.as_ref().is_some_and(is_refused));
        self.locked().iter().filter(|(_, entry)| refused(entry)).map(|(name, _)| name.clone()).collect()
    }

    /// Forgets the namespaces that `keep` does not name. One that is needed after all is read again.
    pub fn sweep(&self, keep: impl Fn(&str) -> bool) {
        self.locked().retain(|namespace, _| keep(namespace));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// As it was answered now.
    pub fn now(answer: NamespaceAnswer) -> Self {
        Self { at: Instant::now(), answer }
    }

    /// Whether it need not be read again.
    pub fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.answer == NamespaceAnswer::Refused { TRY_AGAIN } else { LONGEST_USE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_for_10_s_and_a_refusal_for_a_minute() {
        let pauses = NamespaceFacts::default();
        let found = |paused: bool| NamespaceAnswer::Found { paused, labels: Labels::default() };
        let answers =
            [("a", found(true), 10), ("b", found(false), 10), ("c", NamespaceAnswer::Refused, 60), ("d", NamespaceAnswer::Gone, 10)];
        for (name, answer, fresh) in answers {
            *pauses.of(name).await = Some(Known::now(answer));
            tokio::time::advance(Duration::from_secs(fresh - 1)).await;
            assert!(pauses.of(name).await.as_ref().is_some_and(Known::is_fresh), "{name}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(pauses.of(name).await.as_ref().is_some_and(|known| !known.is_fresh()), "{name}");
        }
        assert_eq!(pauses.refused(), ["c"]);
        pauses.sweep(|namespace| namespace == "a");
        assert!(pauses.of("a").await.is_some() && pauses.of("c").await.is_none());
    }
}
