//! Which namespaces pause the submissions of their RdsBackups, by an annotation of the Namespace.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::OwnedMutexGuard, time::Instant};

/// How old the answer may be: after this time at the latest, a pause takes effect.
const LONGEST_USE: Duration = Duration::from_secs(10);

/// The right to read a Namespace is asked for again this often: a grant takes effect without a restart.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// What the operator knows of a namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    at: Instant,
    pub answer: Pauses,
}

/// Whether a namespace pauses submissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pauses {
    Yes,
    No,
    /// The operator may not read the Namespace: an annotation there has no effect.
    Refused,
}

/// What is known of one namespace. It is locked while it is read.
type Entry = Arc<tokio::sync::Mutex<Option<Known>>>;

/// Shared by all passes. Those of one namespace that come at the same time share one read.
#[derive(Clone, Default)]
pub(super) struct NamespacePauses(Arc<Mutex<BTreeMap<String, Entry>>>);

impl NamespacePauses {
    /// What is known of the namespace. Whoever holds it may read it anew.
    pub async fn of(&self, namespace: &str) -> OwnedMutexGuard<Option<Known>> {
        let entry = self.locked().entry(namespace.to_owned()).or_default().clone();
        entry.lock_owned().await
    }

    /// The namespaces that may not be read. One that is being read now is left out.
    pub fn refused(&self) -> Vec<String> {
        let refused = |known: &Entry| known.try_lock().is_ok_and(|known| known.is_some_and(|known| known.answer == Pauses::Refused));
        self.locked().iter().filter(|(_, known)| refused(known)).map(|(name, _)| name.clone()).collect()
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
    pub fn now(answer: Pauses) -> Self {
        Self { at: Instant::now(), answer }
    }

    /// Whether it need not be read again.
    pub fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.answer == Pauses::Refused { TRY_AGAIN } else { LONGEST_USE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_for_10_s_and_a_refusal_for_a_minute() {
        let pauses = NamespacePauses::default();
        for (name, answer, fresh) in [("a", Pauses::Yes, 10), ("b", Pauses::No, 10), ("c", Pauses::Refused, 60)] {
            *pauses.of(name).await = Some(Known::now(answer));
            tokio::time::advance(Duration::from_secs(fresh - 1)).await;
            assert!(pauses.of(name).await.is_some_and(|known| known.is_fresh()), "{name}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(pauses.of(name).await.is_some_and(|known| !known.is_fresh()), "{name}");
        }
        assert_eq!(pauses.refused(), ["c"]);
        pauses.sweep(|namespace| namespace == "a");
        assert!(pauses.of("a").await.is_some() && pauses.of("c").await.is_none());
    }
}
