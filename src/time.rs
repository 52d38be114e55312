//! Arithmetic on instants that stops at the ends of time. jiff's operators panic there, and times come from users' objects and from the
//! cloud's answers: a job that "ends" in the year 9999 must not end the operator.
//!
//! Lengths of time need nothing of this module: [`SignedDuration`] has `saturating_add`, `saturating_sub` and `saturating_mul` of its own,
//! and [`Timestamp::duration_since`] cannot overflow.

use jiff::{SignedDuration, Timestamp};

/// `+` and `-` for instants, without a panic.
pub trait SaturatingTime {
    /// The instant that much later, or the last one that there is.
    #[must_use]
    fn plus(self, by: SignedDuration) -> Self;

    /// The instant that much earlier, or the first one that there is.
    #[must_use]
    fn minus(self, by: SignedDuration) -> Self;
}

impl SaturatingTime for Timestamp {
    fn plus(self, by: SignedDuration) -> Self {
        self.checked_add(by).unwrap_or(if by.is_negative() { Self::MIN } else { Self::MAX })
    }

    // Not by jiff's saturating_sub: it takes the shortest duration for a positive one, because that has no opposite.
    fn minus(self, by: SignedDuration) -> Self {
        self.checked_sub(by).unwrap_or(if by.is_negative() { Self::MAX } else { Self::MIN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn in_the_middle_of_time_it_is_plain_arithmetic() {
        let (noon, hour) = (at("2026-03-01T12:00:00Z"), SignedDuration::from_hours(1));
        assert_eq!((noon.plus(hour), noon.minus(hour)), (at("2026-03-01T13:00:00Z"), at("2026-03-01T11:00:00Z")));
        assert_eq!((noon.plus(-hour), noon.minus(-hour)), (noon.minus(hour), noon.plus(hour)));
        assert_eq!((noon.plus(SignedDuration::ZERO), noon.minus(SignedDuration::ZERO)), (noon, noon));
    }

    #[test]
    fn after_the_year_9999_there_is_nothing_later() {
        let (last_day, two_days) = (at("9999-12-30T00:00:00Z"), SignedDuration::from_hours(48));
        assert_eq!((last_day.plus(two_days), last_day.minus(-two_days)), (Timestamp::MAX, Timestamp::MAX));
        assert_eq!((Timestamp::MAX.plus(SignedDuration::MAX), Timestamp::MAX.minus(SignedDuration::MIN)), (Timestamp::MAX, Timestamp::MAX));
        assert_eq!(Timestamp::MAX.minus(two_days), Timestamp::MAX.plus(-two_days));
        assert!(Timestamp::MAX.minus(two_days) < Timestamp::MAX);
    }

    #[test]
    fn before_the_year_minus_9999_there_is_nothing_earlier() {
        let (first_day, three_days) = (at("-009999-01-03T00:00:00Z"), SignedDuration::from_hours(72));
        assert_eq!((first_day.minus(three_days), first_day.plus(-three_days)), (Timestamp::MIN, Timestamp::MIN));
        assert_eq!((Timestamp::MIN.minus(SignedDuration::MAX), Timestamp::MIN.plus(SignedDuration::MIN)), (Timestamp::MIN, Timestamp::MIN));
        assert!(Timestamp::MIN.plus(three_days) > Timestamp::MIN);
    }
}
