//! The runs of a valid schedule: its slots, started later by the jitter, and kept out of its blackouts.
//!
//! A slot whose start lies in a blackout starts at its end, if that is before the end of `startingDeadline` and before the next slot would
//! start; else it is not run. So runs have the order of their slots, no two start together, and of the slots within one window the last one
//! may start.

use jiff::{SignedDuration, Timestamp};

use super::{cron::Slot, spec::ValidatedSpec};
use crate::time::SaturatingTime;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// A window that has not begun so soon is looked for again.
const LOOKED_AHEAD: SignedDuration = SignedDuration::from_hours(48);

/// So far ahead, and back, a run is looked for, as a slot is.
const FARTHEST: SignedDuration = SignedDuration::from_hours(9 * 366 * 24);

/// A run: a slot, and when its backup starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The slot, without the jitter.
    pub slot: Timestamp,
    /// When its backup starts.
    pub start: Timestamp,
}

impl ValidatedSpec {
    /// When the slot would start without blackouts.
    pub fn nominal_start(&self, slot: Timestamp) -> Timestamp {
        slot.plus(self.jitter)
    }

    /// When the slot starts; none if the blackouts leave it no start.
    pub fn start_of(&self, slot: Timestamp) -> Option<Timestamp> {
        let start = self.nominal_start(slot);
        self.after_blackout(slot, start, self.blackouts.end(start))
    }

    /// When the slot starts that has not started by `now`; none if the blackouts leave it no start any more.
    pub fn late_start(&self, slot: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let start = self.nominal_start(slot).max(now);
        self.after_blackout(slot, start, self.blackouts.end(start))
    }

    fn after_blackout(&self, slot: Timestamp, start: Timestamp, ends: Option<Timestamp>) -> Option<Timestamp> {
        let Some(end) = ends else { return Some(start) };
        // At the deadline itself it would be late: no timer is exact.
        let in_time = self.deadline.is_none_or(|deadline| end < self.nominal_start(slot).plus(deadline));
        let before_the_next = || self.slots.next(slot).is_none_or(|next| end < self.nominal_start(next.at));
        (in_time && end < Timestamp::MAX && before_the_next()).then_some(end)
    }

    /// The slots after `from` and not after `until`, each with its start, oldest first.
    pub fn starts_between(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = (Slot, Option<Timestamp>)> + '_ {
        let mut known: Option<(Timestamp, Timestamp, Option<Timestamp>)> = None;
        self.slots.between(from, until).map(move |slot| {
            let start = self.nominal_start(slot.at);
            // A window, or the time between two, has many slots: it is worked out once.
            let ends = match known {
                Some((first, last, ends)) if first <= start && start < last => ends,
                _ => {
                    let ends = self.blackouts.end(start);
                    let ahead = start.plus(LOOKED_AHEAD);
                    let last = ends.or_else(|| self.blackouts.next_begin(start, ahead)).unwrap_or(ahead);
                    known = Some((start, last, ends));
                    ends
                }
            };
            (slot, self.after_blackout(slot.at, start, ends))
        })
    }

    /// The first run that starts after this instant; none if the blackouts, or the calendar, leave none for years.
    pub fn next_run(&self, after: Timestamp) -> Option<Run> {
        let mut within = self.blackouts.end(after);
        let (mut after, last) = (after, after.plus(FARTHEST));
        loop {
            if let Some(end) = within {
                // The last slot before the end may start at it.
                let last = self.slots.latest(end.minus(self.jitter).minus(NANOSECOND)).filter(|_| end < Timestamp::MAX);
                if let Some(slot) = last.map(|slot| slot.at).filter(|slot| self.start_of(*slot) == Some(end)) {
                    return Some(Run { slot, start: end });
                }
                after = end.minus(NANOSECOND);
            }
            let slot = self.slots.next(after.minus(self.jitter))?.at;
            let start = self.nominal_start(slot);
            if start > last {
                return None;
            }
            within = self.blackouts.end(start);
            if within.is_none() {
                return Some(Run { slot, start });
            }
        }
    }

    /// The first run that starts after `now`, of a slot after `settled`.
    pub fn next_run_beyond(&self, now: Timestamp, settled: Timestamp) -> Option<Run> {
        std::iter::successors(self.next_run(now), |run| self.next_run(run.start)).find(|run| run.slot > settled)
    }

    /// The newest run that has started by this instant.
    pub fn latest_run(&self, until: Timestamp) -> Option<Run> {
        let mut before = until;
        loop {
            let slot = self.slots.latest(before.minus(self.jitter))?.at;
            if until.duration_since(slot) > FARTHEST {
                return None;
            }
            if let Some(start) = self.start_of(slot).filter(|start| *start <= until) {
                return Some(Run { slot, start });
            }
            // The other slots of the window have no start.
            before = self.blackouts.begin(self.nominal_start(slot))?.minus(NANOSECOND);
        }
    }

    /// The newest slot that is run, missed or skipped by this instant; one that waits for the end of a blackout is not.
    pub fn latest_settled(&self, until: Timestamp) -> Option<Timestamp> {
        let newest = self.slots.latest(until.minus(self.jitter))?.at;
        let waits = self.start_of(newest).is_some_and(|start| start > until);
        if waits { self.slots.latest(newest.minus(NANOSECOND)).map(|slot| slot.at) } else { Some(newest) }
    }

    /// The longest time between two starts: as [`crate::schedule::cron::Slots::longest_gap`], and around each blackout that begins within
    /// the year after `from`.
    pub(super) fn longest_gap_of_runs(&self, from: Timestamp) -> Option<SignedDuration> {
        let mut longest = self.slots.longest_gap(from);
        let until = from.plus(SignedDuration::from_hours(366 * 24));
        let mut at = from;
        while let Some(begin) = self.blackouts.begin(at).or_else(|| self.blackouts.next_begin(at, until)) {
            let Some(end) = self.blackouts.end(begin).filter(|end| *end < Timestamp::MAX) else { break };
            let starts_in_it =
                self.slots.next(begin.minus(self.jitter).minus(NANOSECOND)).is_some_and(|slot| self.nominal_start(slot.at) < end);
            if starts_in_it && let Some((before, next)) = self.latest_run(begin.minus(NANOSECOND)).zip(self.next_run(end.minus(NANOSECOND)))
            {
                longest = longest.max(Some(next.start.duration_since(before.start)));
                // The windows before it lie between the same two.
                at = next.start;
            }
            at = at.max(end);
            if at > until {
                break;
            }
        }
        longest
    }
}
