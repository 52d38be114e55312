//! Waiting until every watch has listed its objects once.

use std::sync::Arc;

use tokio::sync::watch;

/// Waits for a number of watches, for any number of waiters.
///
/// kube's own `Store::wait_until_ready` wakes only the one that asked last (kube-runtime 5, `DelayedInit`): kube's controller asks too, so
/// that every other waiter would sleep for ever.
#[derive(Clone, Debug)]
pub struct InitialSync {
    missing: Arc<watch::Sender<usize>>,
}

impl InitialSync {
    /// None of so many watches has listed its objects.
    pub fn none_of(watches: usize) -> Self {
        Self { missing: Arc::new(watch::Sender::new(watches)) }
    }

    /// One more watch has listed its objects; called once for each.
    pub fn one(&self) {
        self.missing.send_modify(|missing| *missing = missing.saturating_sub(1));
    }

    /// Waits until all of them have.
    pub async fn all(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.missing.subscribe().wait_for(|missing| *missing == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_woken() {
        let listed = InitialSync::none_of(2);
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let listed = listed.clone();
                tokio_util::task::TaskTracker::new().spawn(async move { listed.all().await })
            })
            .collect();
        listed.one();
        tokio::task::yield_now().await;
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "one watch is missing");
        listed.one();
        for waiter in waiters {
            tokio::time::timeout(std::time::Duration::from_secs(10), waiter).await.expect("woken").unwrap();
        }
        listed.all().await;
    }
}
