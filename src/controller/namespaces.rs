//! The namespaces of the scope whose objects the operator cannot read, and what became of each.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A namespace that could not be read is asked about again this often, where it matters to an object.
const RECHECK: Duration = Duration::from_secs(10);

/// A refused list over all namespaces is tried again this often: a grant takes effect without a restart.
const TRY_EVERYWHERE: Duration = Duration::from_secs(300);

/// Why the objects of a namespace cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It does not exist any more: nothing in it takes part in anything.
    Gone,
    /// It is being deleted, and its rights went first. This passes.
    Terminating,
    /// It exists, or whether it exists cannot be told: the operator lacks the rights.
    Refused,
}

/// Shared by everything that lists and watches.
#[derive(Clone, Default)]
pub struct Namespaces(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    closed: BTreeMap<String, (Closed, Instant)>,
    /// None: not tried yet. Some(None): granted. Some(Some): refused then.
    everywhere: Option<Option<Instant>>,
}

impl Namespaces {
    /// Why a namespace cannot be read; none where it can, as far as is known.
    pub fn closed(&self, namespace: &str) -> Option<Closed> {
        self.locked().closed.get(namespace).map(|(closed, _)| *closed)
    }

    /// All that cannot be read.
    pub fn all_closed(&self) -> Vec<(String, Closed)> {
        self.locked().closed.iter().map(|(name, (closed, _))| (name.clone(), *closed)).collect()
    }

    /// Whether the claims of the whole cluster are read: none before the first try.
    pub fn reads_everywhere(&self) -> Option<bool> {
        self.locked().everywhere.map(|refused| refused.is_none())
    }

    pub(super) fn opened(&self, namespace: &str) -> bool {
        self.locked().closed.remove(namespace).is_some()
    }

    pub(super) fn closes(&self, namespace: &str, closed: Closed) {
        self.locked().closed.insert(namespace.to_owned(), (closed, Instant::now()));
    }

    /// Whether to ask about it again. The caller asks then: for the next 10 s this says no.
    pub(super) fn is_due(&self, namespace: &str) -> bool {
        match self.locked().closed.get_mut(namespace) {
            Some((_, at)) if at.elapsed() >= RECHECK => {
                *at = Instant::now();
                true
            }
            _ => false,
        }
    }

    pub(super) fn may_try_everywhere(&self) -> bool {
        self.locked().everywhere.flatten().is_none_or(|refused| refused.elapsed() >= TRY_EVERYWHERE)
    }

    pub(super) fn is_everywhere_due(&self) -> bool {
        self.reads_everywhere() != Some(true) && self.may_try_everywhere()
    }

    pub(super) fn everywhere(&self, granted: bool) {
        self.locked().everywhere = Some((!granted).then(Instant::now));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_cannot_be_read_is_asked_about_every_10_s() {
        let namespaces = Namespaces::default();
        assert!(!namespaces.is_due("b") && namespaces.closed("b").is_none());
        namespaces.closes("b", Closed::Refused);
        assert!(!namespaces.is_due("b"));
        tokio::time::advance(RECHECK).await;
        assert!(namespaces.is_due("b") && !namespaces.is_due("b"), "one caller asks");
        namespaces.opened("b");
        assert_eq!(namespaces.all_closed(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_over_all_namespaces_is_tried_and_tried_again_5_minutes_after_a_refusal() {
        let namespaces = Namespaces::default();
        assert!(namespaces.may_try_everywhere() && namespaces.reads_everywhere().is_none());
        namespaces.everywhere(false);
        assert!(!namespaces.may_try_everywhere() && namespaces.reads_everywhere() == Some(false));
        tokio::time::advance(TRY_EVERYWHERE).await;
        assert!(namespaces.may_try_everywhere());
        namespaces.everywhere(true);
        assert!(namespaces.may_try_everywhere() && !namespaces.is_everywhere_due() && namespaces.reads_everywhere() == Some(true));
    }
}
