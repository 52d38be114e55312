//! Slots that were not run: missed, or skipped for a blackout or for a backup that still runs. Each is counted once.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{child::slot_of, draft::Draft};
use crate::{
    api::{Reason, SlotCount, Time},
    controller::Event,
    schedule::{policy::MOST_COUNTED, spec::ValidatedSpec},
    time::SaturatingTime,
};

/// Slots of one kind that were found together.
#[derive(Clone, Copy)]
struct Found {
    count: i64,
    first: Timestamp,
    last: Timestamp,
}

impl Draft<'_> {
    /// Counts the slots after `cursor` and before `slot`.
    pub fn passed_before(&mut self, valid: &ValidatedSpec, cursor: Timestamp, slot: Timestamp) {
        self.passed(valid, cursor, slot.minus(SignedDuration::from_nanos(1)));
    }

    /// Counts the slots after `cursor` up to `until`, once: those that the blackouts leave no start as skipped, the others as missed. Those
    /// that have a backup were run: the process may have ended before it could say so.
    pub fn passed(&mut self, valid: &ValidatedSpec, cursor: Timestamp, until: Timestamp) {
        let name = self.name();
        let children = self.observed.children.iter().filter(|child| child.same_instance).map(|child| child.name.as_str());
        let made = self.observed.memory.created.iter().filter(|(_, made)| made.outcome.is_ours()).map(|(name, _)| name.as_str());
        let run: HashSet<Timestamp> = children.chain(made).filter_map(|child| slot_of(name, child)).collect();
        let (mut missed, mut skipped): (Option<Found>, Option<Found>) = (None, None);
        let add = |found: &mut Option<Found>, slot: Timestamp| match found {
            Some(found) => (found.count, found.last) = (found.count.saturating_add(1), found.last.max(slot)),
            None => *found = Some(Found { count: 1, first: slot, last: slot }),
        };
        for (slot, start) in valid.starts_between(cursor, until).take(MOST_COUNTED).filter(|(slot, _)| !run.contains(&slot.at)) {
            add(if start.is_some() { &mut missed } else { &mut skipped }, slot.at);
        }
        // The newest, also where there were more than are counted.
        if let Some(newest) = valid.slots.latest(until).map(|slot| slot.at).filter(|slot| !run.contains(slot)) {
            let of_its_kind = if valid.start_of(newest).is_some() { &mut missed } else { &mut skipped };
            of_its_kind.iter_mut().for_each(|found| found.last = found.last.max(newest));
        }
        if let Some(Found { count, first, last }) = missed {
            self.count_missed(count, first, last);
        }
        if let Some(Found { count, first, last }) = skipped {
            self.count_skipped(count, first, last);
        }
    }

    pub fn count_missed(&mut self, count: i64, first: Timestamp, last: Timestamp) {
        add(&mut self.status.missed_runs, count, last);
        let note = format!(
            "{} not run: the operator was down, the API server refused the backup, or it was later than startingDeadline",
            which(count, first, last)
        );
        self.events.push(Event::new(true, Reason::MissedRuns, note));
    }

    pub fn count_skipped(&mut self, count: i64, first: Timestamp, last: Timestamp) {
        add(&mut self.status.skipped_blackout, count, last);
        let note = format!("{} not run because of blackouts, and could not start at their end", which(count, first, last));
        self.events.push(Event::new(false, Reason::SkippedBlackout, note));
    }

    /// An earlier backup still waits or runs.
    pub fn skipped(&mut self, slot: Timestamp) {
        add(&mut self.status.skipped_overlap, 1, slot);
        let note = format!("the slot {slot} was not run: {} still waits or runs", self.active().join(", "));
        self.events.push(Event::new(true, Reason::SkippedOverlap, note));
    }
}

fn add(counted: &mut Option<SlotCount>, count: i64, last: Timestamp) {
    let before = counted.as_ref().map_or(0, |counted| counted.count);
    *counted = Some(SlotCount { count: before.saturating_add(count), last: Time(last) });
}

fn which(count: i64, first: Timestamp, last: Timestamp) -> String {
    if count == 1 { format!("the slot {last} was") } else { format!("{count} slots from {first} to {last} were") }
}
