//! Pauses that double.

use std::time::Duration;

/// How long to wait after a number of failures in a row: `first`, then twice as long each time, up to `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Both bounds.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many failures in a row; `first` also where there was none.
    pub fn pause(&self, failures: u32) -> Duration {
        // 2^31 of the shortest first pause (250 ms) is 17 years: more doublings change nothing.
        self.first.saturating_mul(1u32 << failures.saturating_sub(1).min(31)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_with_each_failure_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let pauses: Vec<u64> = (0..10).map(|failures| backoff.pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.pause(u32::MAX).as_secs(), 60);
        assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).pause(9), Duration::MAX);
    }
}
