//! Waiting until watches have listed their objects once.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

/// Waits for watches, each of one namespace or, as `None`, of all; for any number of waiters.
///
/// kube's own `Store::wait_until_ready` wakes only the one that asked last (kube-runtime 5, `DelayedInit`): kube's controller asks too, so
/// that every other waiter would sleep for ever.
#[derive(Clone, Debug)]
pub struct InitialSync {
    missing: Arc<watch::Sender<BTreeSet<Option<String>>>>,
    watches: usize,
}

impl InitialSync {
    /// None of these watches has listed its objects.
    pub fn none_of(watches: impl IntoIterator<Item = Option<String>>) -> Self {
        let missing: BTreeSet<_> = watches.into_iter().collect();
        Self { watches: missing.len(), missing: Arc::new(watch::Sender::new(missing)) }
    }

    /// A watch has listed its objects.
    pub fn listed(&self, watch: &Option<String>) {
        self.missing.send_modify(|missing| _ = missing.remove(watch));
    }

    /// Whether any watch has listed its objects. Before that the caches are empty, which says nothing.
    pub fn shows_anything(&self) -> bool {
        self.missing.borrow().len() < self.watches
    }

    /// Waits until the watch that shows a namespace has listed its objects: a schedule does not wait for namespaces of others.
    pub async fn of(&self, namespace: &str) {
        self.until(|missing| !missing.contains(&None) && !missing.iter().flatten().any(|name| name == namespace)).await;
    }

    async fn until(&self, is_over: impl Fn(&BTreeSet<Option<String>>) -> bool) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.missing.subscribe().wait_for(|missing| is_over(missing)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn every_waiter_is_woken_by_the_watch_of_its_own_namespace() {
        let watches = ["a", "b"].map(|name| Some(name.to_owned()));
        let listed = InitialSync::none_of(watches.clone());
        let waiters: Vec<_> = (0..20)
            .map(|number| {
                let listed = listed.clone();
                tokio_util::task::TaskTracker::new().spawn(async move { listed.of(if number < 10 { "a" } else { "b" }).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(!listed.shows_anything());
        listed.listed(&watches[0]);
        assert!(listed.shows_anything());
        let (of_a, of_b): (Vec<_>, Vec<_>) = waiters.into_iter().enumerate().partition(|(number, _)| *number < 10);
        for (_, waiter) in of_a {
            tokio::time::timeout(Duration::from_secs(10), waiter).await.expect("woken").unwrap();
        }
        assert!(of_b.iter().all(|(_, waiter)| !waiter.is_finished()), "the watch of b is missing");
        listed.listed(&watches[1]);
        for (_, waiter) in of_b {
            tokio::time::timeout(Duration::from_secs(10), waiter).await.expect("woken").unwrap();
        }
    }

    #[tokio::test]
    async fn the_watch_of_the_whole_cluster_is_that_of_every_namespace() {
        let listed = InitialSync::none_of([None]);
        assert!(tokio::time::timeout(Duration::from_millis(20), listed.of("a")).await.is_err());
        listed.listed(&None);
        listed.of("a").await;
    }
}
