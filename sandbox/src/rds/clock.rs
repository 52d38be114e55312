//! The endpoint's time. No other file of this module reads a clock.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Where the endpoint takes its time from.
pub trait Clock: Send + Sync {
    /// The machine's time.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the endpoint reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved, so that a test of a backup of sixteen hours takes no time.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = later(*now, by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One instant, on both clocks. Durations (a job's progress, listing lag, rate limits) run on the machine's, so that a test may move the
/// service's clock under a running job; what is signed, shown or counted per day is the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The machine's time.
    pub machine: Timestamp,
    /// What the service believes: the `Date` header, timestamps in answers, the expiry of requests, the day of the daily limit.
    pub service: Timestamp,
}

impl Now {
    /// Both clocks, with the service's `offset_ms` ahead of the machine's (behind, if negative).
    pub fn new(machine: Timestamp, offset_ms: i64) -> Self {
        let service = machine.checked_add(SignedDuration::from_millis(offset_ms)).unwrap_or(machine);
        Self { machine, service }
    }
}

/// `at` plus `by`, or the end of time.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `at` minus `by`, or the beginning of time.
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// How long after `from` is `to`; nothing if it is before.
pub(crate) fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
