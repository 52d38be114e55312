//! Conditions that last: what happens to every request of one operator to the API server until another condition is set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// What the API server, or the network in front of it, does to requests and watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkCondition {
    /// Nothing is changed.
    Normal,
    /// Of the requests whose name contains `to`, one of so many, chosen at random, is answered with this status and not forwarded.
    Answers { to: &'static str, one_of: u32, status: u16 },
    /// Every request takes longer.
    Slow(Duration),
    /// No request is answered, or arrives.
    Silent,
    /// Every watch of our kinds shows something other than what the server sent.
    Watches(Distortion),
    /// The first list of a kind is the answer to every later one, and the watch that follows begins so late.
    OldLists(Duration),
    /// Each operator reads and writes a lease of its own, and so holds it.
    SeparateLeases,
}

/// What is done to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distortion {
    /// The connection ends after so long.
    Cut(Duration),
    /// One of so many MODIFIED events is left out.
    Without(u32),
    /// One of so many events ends in the middle, and the connection with it.
    Torn(u32),
    /// Only bookmarks are passed on.
    OnlyBookmarks,
    /// After so long the history is gone: 410.
    Expired(Duration),
}

/// The current condition for one operator, and how often a condition was applied.
pub(super) struct NetworkConditions {
    current: Mutex<(NetworkCondition, StdRng)>,
    applied: AtomicUsize,
}

impl Default for NetworkConditions {
    fn default() -> Self {
        Self { current: Mutex::new((NetworkCondition::Normal, StdRng::seed_from_u64(1))), applied: AtomicUsize::new(0) }
    }
}

impl NetworkConditions {
    pub(super) fn set(&self, condition: NetworkCondition) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).0 = condition;
    }

    pub(super) fn current(&self) -> NetworkCondition {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether the condition applies to this request or event: to one of so many, at random. With a fixed order, an operator that always
    /// fails at the same step would never get past it.
    pub(super) fn chosen(&self, one_of: u32) -> bool {
        let chosen = self.current.lock().unwrap_or_else(PoisonError::into_inner).1.random_ratio(1, one_of);
        if chosen {
            self.count_applied();
        }
        chosen
    }

    /// Counts a request or an event that the condition changed.
    pub(super) fn count_applied(&self) {
        self.applied.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests and events were changed so far.
    pub(super) fn applied(&self) -> usize {
        self.applied.load(Ordering::Relaxed)
    }
}
