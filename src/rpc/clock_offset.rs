//! How far the service's clock is ahead of ours, and what the service's time was when it answered. Requests are signed with the service's
//! time, because the service refuses a request whose time is 15 minutes off.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Smaller differences are not corrected: they do no harm, and a correction would make recorded times jump.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);

/// A `Date` that is further than this from the corrected clock, or from our own, is ignored: either it is a proxy's, or our clock is so
/// wrong that an administrator must set it.
const LARGEST: SignedDuration = SignedDuration::from_hours(24);

/// Once the offset is known, a `Date` that is further than this from the corrected clock is believed only if something bears it out. A
/// single wrong `Date` would otherwise let hours pass at once, and end what waits. The protocol's `clockSkew` is as long by default.
const STEP: SignedDuration = SignedDuration::from_mins(2);

/// The service's clock minus ours.
pub(super) struct ClockOffset(Mutex<Known>);

struct Known {
    /// None before an answer is believed: until then our own clock is no better than the answer.
    offset: Option<SignedDuration>,
    /// The offset by the newest answer, where it was not believed.
    doubted: Option<SignedDuration>,
}

impl ClockOffset {
    pub fn new() -> Self {
        Self(Mutex::new(Known { offset: None, doubted: None }))
    }

    /// None before the first answer whose `Date` can be believed.
    pub fn get(&self) -> Option<SignedDuration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).offset
    }

    /// The service's time of an answer by its `Date`, from the times, by our clock, at which its request was sent and its head arrived.
    /// None if the `Date` cannot be believed: then the answer changes no offset, and is no older nor younger than our corrected clock says.
    /// `time_refused`: the answer refuses the request for its time, which bears out that our time is wrong.
    ///
    /// The service wrote `Date`, in whole seconds, at some moment between the two, so one answer gives an interval for the offset. The
    /// known offset stays as it is while it lies within that interval, however slow the answer was.
    pub fn service_time(&self, sent: Timestamp, received: Timestamp, date: Timestamp, time_refused: bool) -> Option<Timestamp> {
        let least = date.duration_since(received);
        let most = date.duration_since(sent).saturating_add(SignedDuration::from_secs(1));
        let middle = least.saturating_add(most.saturating_sub(least) / 2);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let doubted = known.doubted.take();
        // Our own clock was set back between the two, so this answer says nothing.
        if most < least {
            return None;
        }
        if !known.offset.is_some_and(|offset| (least..=most).contains(&offset)) {
            let step = middle.saturating_sub(known.offset.unwrap_or_default()).abs();
            if step > LARGEST || middle.abs() > LARGEST {
                return None;
            }
            let repeated = doubted.is_some_and(|doubted| middle.saturating_sub(doubted).abs() <= STEP);
            if known.offset.is_some() && step > STEP && !time_refused && !repeated {
                known.doubted = Some(middle);
                return None;
            }
            known.offset = Some(if middle.abs() < SMALLEST { SignedDuration::ZERO } else { middle });
        }
        Some(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    /// Takes in one answer after the other. Each says whether its `Date` is believed, and the offset after it.
    fn answers(all: &[(i64, i64, i64, bool, i64)]) {
        let known = ClockOffset::new();
        for &(sent, received, date, believed, offset) in all {
            let found = known.service_time(at(sent), at(received), at(date), false);
            assert_eq!(found, believed.then(|| at(date)), "sent {sent}, received {received}, date {date}");
            assert_eq!(
                known.get().unwrap_or_default(),
                SignedDuration::from_millis(offset),
                "sent {sent}, received {received}, date {date}"
            );
        }
    }

    #[test]
    fn the_offset_follows_the_service() {
        answers(&[
            // The first answer is believed at once.
            (0, 100, 600_000, true, 600_450),
            // Within the interval: the offset does not jitter.
            (1300, 1400, 601_000, true, 600_450),
            (700, 800, 601_000, true, 600_450),
            // An answer that took 20 s gives a wide interval, with the offset in it.
            (0, 20_000, 610_000, true, 600_450),
            // The service's clock was set right: two answers say so.
            (0, 100, 0, false, 600_450),
            (0, 100, 0, true, 0),
            // A small step needs no second answer.
            (0, 100, -90_000, true, -89_550),
            // Our clock was set back by a minute while the request was under way.
            (60_000, 0, 600_000, false, -89_550),
        ]);
        answers(&[(0, 100, 0, true, 0), (0, 100, 1000, true, 0), (0, 0, 1000, true, 0)]);
    }

    #[test]
    fn a_date_that_cannot_be_believed_changes_nothing() {
        const HOUR: i64 = 3_600_000;
        for wrong in [-1_800_000_000_000, -30 * HOUR, 30 * HOUR, 10_000 * HOUR] {
            // Before anything is known and after, once and again and again.
            answers(&[
                (0, 100, wrong, false, 0),
                (0, 100, wrong, false, 0),
                (0, 100, 60_000, true, 60_450),
                (0, 100, wrong, false, 60_450),
                (0, 100, wrong, false, 60_450),
                (0, 100, 60_000, true, 60_450),
            ]);
        }
        // A single one of some hours is not followed. Another in a row says that a clock was set.
        answers(&[
            (0, 100, 0, true, 0),
            (0, 100, 5 * HOUR, false, 0),
            (0, 100, 0, true, 0),
            (0, 100, 5 * HOUR, false, 0),
            (0, 100, 9 * HOUR, false, 0),
            (0, 100, 0, true, 0),
            (0, 100, 5 * HOUR, false, 0),
            (0, 100, 5 * HOUR, true, 5 * HOUR + 450),
            // 20 h and 5 h: more than a day from the corrected clock.
            (0, 100, -20 * HOUR, false, 5 * HOUR + 450),
            (0, 100, -20 * HOUR, false, 5 * HOUR + 450),
        ]);
    }

    #[test]
    fn nothing_is_known_before_an_answer_is_believed() {
        let known = ClockOffset::new();
        assert_eq!(known.get(), None);
        known.service_time(at(0), at(100), at(-1_800_000_000_000), false);
        assert_eq!(known.get(), None);
        known.service_time(at(0), at(100), at(0), false);
        assert_eq!(known.get(), Some(SignedDuration::ZERO));
    }

    #[test]
    fn a_refusal_of_our_time_bears_a_step_out() {
        let known = ClockOffset::new();
        assert_eq!(known.service_time(at(0), at(0), at(0), false), Some(at(0)));
        assert_eq!(known.service_time(at(0), at(0), at(3_600_000), true), Some(at(3_600_000)));
        assert_eq!(known.get(), Some(SignedDuration::from_millis(3_600_500)));
        assert_eq!(known.service_time(at(0), at(0), at(108_000_000), true), None, "30 h are not believed for that either");
    }
}
