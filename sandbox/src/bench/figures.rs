//! Figures of many measurements.

use jiff::SignedDuration;

/// Sorted measurements.
pub(super) struct Figures(Vec<SignedDuration>);

impl Figures {
    pub(super) fn of(mut measured: Vec<SignedDuration>) -> Self {
        measured.sort();
        Self(measured)
    }

    /// The smallest measurement that is not below `percent` of all (nearest rank); zero if there is none.
    pub(super) fn percentile(&self, percent: usize) -> SignedDuration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    pub(super) fn min(&self) -> SignedDuration {
        self.0.first().copied().unwrap_or_default()
    }
}

/// `1.234 s`
pub(super) fn seconds(span: SignedDuration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let figures = Figures::of((1..=200).rev().map(SignedDuration::from_millis).collect());
        let [p50, p99, max] = [50, 99, 100].map(|percent| figures.percentile(percent).as_millis());
        assert_eq!((figures.min().as_millis(), p50, p99, max), (1, 100, 198, 200));
        assert!(Figures::of(Vec::new()).percentile(99).is_zero());
    }
}
