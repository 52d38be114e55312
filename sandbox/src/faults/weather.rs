//! What happens to all the requests of one operator, until it is changed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// What the API server, or the way to it, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Calm,
    /// One of so many requests of those that have this in their names, at random, is answered so, and not forwarded.
    Answers { to: &'static str, one_of: u32, status: u16 },
    /// Every request takes longer.
    Slow(Duration),
    /// No request is answered, or arrives.
    Silent,
    /// Every watch of our kinds shows something else than the server sent.
    Watches(Distortion),
    /// The first list of a kind is the answer to every later one, and the watch that follows begins so late.
    OldLists(Duration),
    /// Everybody has a lease of his own, and is its holder.
    LeasesLie,
}

/// What is done to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distortion {
    /// The connection ends after so long.
    Cut(Duration),
    /// Of what was modified, one of so many is left out.
    Without(u32),
    /// One of so many events ends in the middle, and so does the connection.
    Torn(u32),
    /// Nothing but bookmarks.
    OnlyBookmarks,
    /// After so long the history is forgotten: 410.
    Expired(Duration),
}

/// The weather over one operator, and how often it has struck.
pub(super) struct Sky {
    now: Mutex<(Weather, StdRng)>,
    struck: AtomicUsize,
}

impl Default for Sky {
    fn default() -> Self {
        Self { now: Mutex::new((Weather::Calm, StdRng::seed_from_u64(1))), struck: AtomicUsize::new(0) }
    }
}

impl Sky {
    pub(super) fn change(&self, weather: Weather) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = weather;
    }

    pub(super) fn weather(&self) -> Weather {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether it is this one's turn. By dice: of a strict order, whoever is alone and always fails at the same step never gets through.
    pub(super) fn turn(&self, one_of: u32) -> bool {
        let turn = self.now.lock().unwrap_or_else(PoisonError::into_inner).1.random_ratio(1, one_of);
        if turn {
            self.strike();
        }
        turn
    }

    pub(super) fn strike(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was done to a request or an event.
    pub(super) fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }
}
