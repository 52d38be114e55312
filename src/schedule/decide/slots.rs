//! The slots: from when on they count, which one is due, and which ones were missed or skipped.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    child::{slot_name, slot_of},
    draft::{Draft, Wanted, whole_second},
};
use crate::{
    api::{BackupReference, RdsBackup, Reason, ScheduleCondition, SlotCount, Time},
    controller::Event,
    schedule::{
        policy::{CLOCK_SET_BACK, MOST_COUNTED},
        spec::{Problem, ValidatedSpec},
    },
    time::SaturatingTime,
};

/// Stands in `timingHash` for a timing that is wrong: whatever it is corrected to is a change.
const WRONG_TIMING: &str = "wrong";

impl Draft<'_> {
    /// An edit and a resumption never fire for slots before them.
    pub fn arm(&mut self, valid: &ValidatedSpec) {
        let edited = self.status.timing_hash.as_ref() != Some(&valid.timing_hash);
        if self.observed.status.observed_generation >= 0 && (edited || self.is_resumed()) {
            self.status.armed_since = Some(whole_second(self.now));
        }
        if self.cursor() > self.now.plus(CLOCK_SET_BACK) {
            let note = format!(
                "slots up to {} are settled, and it is {} only: the clock was set back. The schedule goes on from now",
                self.cursor(),
                self.now
            );
            self.events.push(Event::new(true, Reason::ClockSetBack, note));
            self.status.last_schedule_time = valid.slots.latest(self.now).map(|slot| Time(slot.at));
            self.status.armed_since = Some(whole_second(self.now));
        }
        if self.status.armed_since.is_none() && !self.owes_first {
            self.status.armed_since = Some(whole_second(self.created_at()));
        }
        self.status.timing_hash = Some(valid.timing_hash.clone());
    }

    /// A timing that is wrong has no slots: when it is corrected, also to what it was before, no slot of that time is made up for.
    pub fn disarm(&mut self, problem: &Problem) {
        if problem.reason != Reason::InvalidTemplate {
            self.status.timing_hash = Some(WRONG_TIMING.to_owned());
        }
        if self.is_resumed() {
            self.status.armed_since = Some(whole_second(self.now));
        }
    }

    fn is_resumed(&self) -> bool {
        !self.spec.suspend && self.observed.status.is_true(ScheduleCondition::Suspended)
    }

    /// The newest slot that was handled: everything after it is due or still to come.
    fn cursor(&self) -> Timestamp {
        let created_at = self.created_at();
        // Armed by its creation says no more than the creation does; a later edit or resumption beats what was handled before it.
        let armed = self.status.armed_since.as_ref().map(|time| time.0).filter(|armed| *armed > created_at);
        let handled = self.status.last_schedule_time.as_ref().map(|time| time.0);
        armed.max(handled).unwrap_or(created_at)
    }

    /// The newest slot that is due.
    pub fn by_slot(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if self.spec.suspend {
            return None;
        }
        let cursor = self.cursor();
        let newest = valid.slots.latest(self.now.minus(valid.jitter)).filter(|slot| slot.at > cursor)?;
        let name = slot_name(self.name(), newest.at);
        let start = newest.at.plus(valid.jitter);
        let next = valid.slots.next(newest.at);
        let handled = self.is_handled(&name);
        let too_late = valid.deadline.is_some_and(|deadline| self.now > start.plus(deadline));
        if too_late && !handled {
            self.missed(valid, cursor, newest.at, true);
        } else if !handled && !self.active().is_empty() {
            self.unconfirmed = self.unseen();
            self.missed(valid, cursor, newest.at, false);
            self.skipped(newest.at);
        } else {
            match self.wanted(&name, Some(newest.at), next.map(|next| next.at.plus(valid.jitter))) {
                Wanted::Create(child) => return Some(child),
                Wanted::Exists(name) => {
                    self.missed(valid, cursor, newest.at, false);
                    self.status.last_backup = Some(BackupReference { name, slot: Some(Time(newest.at)) });
                }
                Wanted::Foreign => {
                    self.collision(&name, None);
                    self.missed(valid, cursor, newest.at, true);
                }
                // It stays due.
                Wanted::HeldUp => return None,
            }
        }
        self.status.last_schedule_time = Some(Time(newest.at));
        None
    }

    /// Counts the slots after `cursor` up to `newest`, with or without itself, as missed: once. Those that have a backup were run: the
    /// process may have ended before it could say so.
    fn missed(&mut self, valid: &ValidatedSpec, cursor: Timestamp, newest: Timestamp, itself: bool) {
        let name = self.name();
        let children = self.observed.children.iter().filter(|child| child.same_instance).map(|child| child.name.as_str());
        let made = self.observed.memory.created.iter().filter(|(_, made)| made.outcome.is_ours()).map(|(name, _)| name.as_str());
        let run: HashSet<Timestamp> = children.chain(made).filter_map(|child| slot_of(name, child)).collect();
        let until = if itself { newest } else { newest.minus(SignedDuration::from_nanos(1)) };
        let mut slots = valid.slots.between(cursor, until).map(|slot| slot.at).take(MOST_COUNTED).filter(|slot| !run.contains(slot));
        let Some(first) = slots.next() else { return };
        let (mut count, mut last) = (1usize, first);
        for slot in slots {
            (count, last) = (count + 1, slot);
        }
        // The newest, also where there were more than are counted.
        last = valid.slots.latest(until).map(|slot| slot.at).filter(|slot| !run.contains(slot)).map_or(last, |newest| newest.max(last));
        let before = self.status.missed_runs.as_ref().map_or(0, |missed| missed.count);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.status.missed_runs = Some(SlotCount { count: before.saturating_add(count), last: Time(last) });
        let which = if count == 1 { format!("the slot {last} was") } else { format!("{count} slots from {first} to {last} were") };
        let note =
            format!("{which} not run: the operator was down, the API server refused the backup, or it was later than startingDeadline");
        self.events.push(Event::new(true, Reason::MissedRuns, note));
    }

    fn skipped(&mut self, slot: Timestamp) {
        let before = self.status.skipped_overlap.as_ref().map_or(0, |skipped| skipped.count);
        self.status.skipped_overlap = Some(SlotCount { count: before.saturating_add(1), last: Time(slot) });
        let note = format!("the slot {slot} was not run: {} still waits or runs", self.active().join(", "));
        self.events.push(Event::new(true, Reason::SkippedOverlap, note));
    }

    /// When the next backup starts.
    pub fn next(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        let handled = self.now.minus(valid.jitter).max(self.cursor());
        valid.slots.next(handled).map(|slot| slot.at.plus(valid.jitter))
    }

    /// When the next slot's backup starts: one that is made beside the slots must not wait for longer.
    pub fn next_start(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        valid.slots.next(self.now).map(|slot| slot.at.plus(valid.jitter))
    }
}
