//! The one place that reads the wall clock. Everything else takes `now` as a parameter, or a [`Clock`] where time passes inside.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::time::SaturatingTime;

/// A source of the present time: the system's clock, or one that a test controls.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The wall clock of this machine.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that calls `read` for the present.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// A clock that follows tokio's: `base`, plus the time that has passed on tokio's clock (which a test may pause) since this call.
    pub fn from_tokio(base: Timestamp) -> Self {
        let start = tokio::time::Instant::now();
        Self::new(move || base.plus(SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX)))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
