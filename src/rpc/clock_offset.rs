//! How far the service's clock is ahead of ours. Requests are signed with the service's time, because the service refuses a request whose
//! time is 15 minutes off.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Smaller differences are not corrected: they do no harm, and a correction would make recorded times jump.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);

/// A larger difference is not corrected: either the time is a proxy's, or our clock is so wrong that an administrator must set it.
const LARGEST: SignedDuration = SignedDuration::from_hours(24);

/// The service's clock minus ours.
pub(super) struct ClockOffset(Mutex<Option<SignedDuration>>);

impl ClockOffset {
    pub fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// None before the first answer.
    pub fn get(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from the `Date` of an answer, and from the times, by our clock, at which its request was sent and its head arrived.
    ///
    /// The service wrote `Date`, in whole seconds, at some moment between the two, so one answer gives an interval for the offset. The
    /// known offset stays as it is while it lies within that interval, however slow the answer was.
    pub fn learn(&self, sent: Timestamp, received: Timestamp, date: Timestamp) {
        let least = date.duration_since(received);
        let most = date.duration_since(sent).saturating_add(SignedDuration::from_secs(1));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Our own clock was set back between the two, so this answer says nothing.
        if most < least || known.is_some_and(|known| (least..=most).contains(&known)) {
            return;
        }
        let middle = least.saturating_add(most.saturating_sub(least) / 2);
        if middle.abs() < SMALLEST {
            *known = Some(SignedDuration::ZERO);
        } else if middle.abs() <= LARGEST {
            *known = Some(middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn the_offset_follows_the_service() {
        let known = ClockOffset::new();
        for (sent, received, date, offset) in [
            (0, 100, 0, 0),
            (0, 100, 1000, 0),
            // 1.5 s ahead: nothing to correct.
            (0, 0, 1000, 0),
            (0, 100, 600_000, 600_450),
            // Within the interval: the offset does not jitter.
            (1300, 1400, 601_000, 600_450),
            (700, 800, 601_000, 600_450),
            // An answer that took 20 s gives a wide interval, with the offset in it.
            (0, 20_000, 610_000, 600_450),
            // The service's clock was set right.
            (0, 100, 0, 0),
            (0, 100, -90_000, -89_550),
            // More than a day is not corrected.
            (0, 100, 100_000_000, -89_550),
            // Our clock was set back by a minute while the request was under way.
            (60_000, 0, 600_000, -89_550),
        ] {
            known.learn(at(sent), at(received), at(date));
            assert_eq!(known.get(), Some(SignedDuration::from_millis(offset)), "sent {sent}, received {received}, date {date}");
        }
    }
}
