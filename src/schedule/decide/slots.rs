//! The slots: from when on they count, which one is due, and which ones were missed or skipped.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    child::{Timing, slot_name, slot_of},
    draft::{Draft, Wanted},
    times::whole_second,
};
use crate::{
    api::{BackupReference, RdsBackup, Reason, ScheduleCondition, SlotCount, Span, Time},
    controller::{Event, written_at},
    schedule::{
        policy::{CLOCK_SET_BACK, MOST_COUNTED},
        spec::{Problem, ValidatedSpec},
    },
    time::SaturatingTime,
};

/// Stands in `timingHash` for a timing that is wrong: whatever it is corrected to is a change.
const WRONG_TIMING: &str = "wrong";

/// What an edit of the timing or of the pause changes.
const TIMING_FIELDS: [&str; 4] = ["schedule", "timeZone", "jitter", "suspend"];

/// A start that `nextScheduleTime` showed.
#[derive(Clone, Copy)]
struct Promised {
    slot: Timestamp,
    start: Timestamp,
}

impl Draft<'_> {
    /// An edit and a resumption never fire for slots that should have started before them, and take back no start that was promised.
    pub fn arm(&mut self, valid: &ValidatedSpec) {
        let edited = self.status.timing_hash.as_ref() != Some(&valid.timing_hash);
        if self.observed.status.observed_generation >= 0 {
            if self.is_resumed() {
                self.status.armed_since = Some(whole_second(self.resumed_at()));
            } else if edited {
                self.status.armed_since = Some(whole_second(self.edited_at()));
                self.keep_promise(valid);
            } else if self.is_paused() {
                self.miss_before_the_pause(valid);
            }
        }
        if self.cursor(valid) > self.now.plus(CLOCK_SET_BACK) {
            let note = format!(
                "slots up to {} are settled, and it is {} only: the clock was set back. The schedule goes on from now",
                self.cursor(valid),
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
            if let Some(promised) = self.promised().filter(|promised| promised.start <= self.edited_at()) {
                self.miss_promised(promised.slot);
            }
            self.status.timing_hash = Some(WRONG_TIMING.to_owned());
        }
        if self.is_resumed() {
            self.status.armed_since = Some(whole_second(self.resumed_at()));
        }
    }

    /// When the timing was edited. The API server tells it, so that slots after an edit are not lost where the operator was down.
    fn edited_at(&self) -> Timestamp {
        written_at(&self.observed.object.metadata, &TIMING_FIELDS).map_or(self.now, |at| at.min(self.now))
    }

    /// When the pause ended. What was written before the pause was seen did not end it.
    fn resumed_at(&self) -> Timestamp {
        let paused = self.observed.status.condition(ScheduleCondition::Suspended).map(|condition| condition.last_transition_time.0);
        let edited = self.edited_at();
        if paused.is_some_and(|paused| edited < paused) { self.now } else { edited }
    }

    /// The start that `nextScheduleTime` promised, before the operator saw the present spec; none if its slot is settled, or was run before
    /// a process could say so.
    fn promised(&self) -> Option<Promised> {
        let status = self.observed.status;
        let start = status.next_schedule_time.as_ref()?.0;
        let jitter = status.effective_jitter.as_deref().and_then(|jitter| Span::new(jitter).get().ok());
        let slot = start.minus(jitter.unwrap_or_default());
        let settled = status.last_schedule_time.as_ref().is_some_and(|settled| slot <= settled.0);
        (!settled && !self.is_handled(&slot_name(self.name(), slot))).then_some(Promised { slot, start })
    }

    /// A start that was promised runs or is counted, whatever the edit. One that lay ahead of the edit and is a slot of the new timing too
    /// stays due, also where a shorter jitter moves it to before the edit, unless the new timing has a newer slot before the edit: then it
    /// is missed. One that lay behind the edit, while the operator was down, is missed too. One that lay ahead of it and is no slot of the
    /// new timing was taken back by the edit.
    fn keep_promise(&mut self, valid: &ValidatedSpec) {
        let (Some(promised), edited) = (self.promised(), self.edited_at()) else { return };
        let is_slot = valid.slots.latest(promised.slot).is_some_and(|slot| slot.at == promised.slot);
        let new_start = promised.slot.plus(valid.jitter);
        if is_slot && new_start > edited {
            return;
        }
        let is_newest = || valid.slots.latest(edited.minus(valid.jitter)).is_some_and(|slot| slot.at == promised.slot);
        if promised.start > edited && (!is_slot || self.spec.suspend) {
            return;
        }
        if promised.start > edited && is_newest() {
            self.status.armed_since = Some(whole_second(new_start.minus(SignedDuration::from_secs(1))));
        } else {
            self.miss_promised(promised.slot);
        }
    }

    fn miss_promised(&mut self, slot: Timestamp) {
        self.count_missed(1, slot, slot);
        self.status.last_schedule_time = Some(Time(slot));
    }

    /// The pause is seen for the first time: slots that were due before it, while the operator was down, are missed.
    fn miss_before_the_pause(&mut self, valid: &ValidatedSpec) {
        let (cursor, until) = (self.cursor(valid), self.edited_at().minus(valid.jitter));
        if let Some(newest) = valid.slots.latest(until).map(|slot| slot.at).filter(|newest| *newest > cursor) {
            self.missed(valid, cursor, newest, true);
            self.status.last_schedule_time = Some(Time(newest));
        }
    }

    fn is_paused(&self) -> bool {
        self.spec.suspend && !self.observed.status.is_true(ScheduleCondition::Suspended)
    }

    fn is_resumed(&self) -> bool {
        !self.spec.suspend && self.observed.status.is_true(ScheduleCondition::Suspended)
    }

    /// Every slot after this instant is due or still to come: it is newer than the newest that was handled, and starts after the schedule
    /// was armed. The start counts, not the slot: `nextScheduleTime` shows the start, so with a jitter of hours a schedule that is edited
    /// between the two still runs.
    fn cursor(&self, valid: &ValidatedSpec) -> Timestamp {
        let created_at = self.created_at();
        // Before the creation where a start was promised, and an edit moved it to before the creation.
        let armed = self.status.armed_since.as_ref().map_or(created_at, |armed| armed.0);
        let handled = self.status.last_schedule_time.as_ref().map(|time| time.0);
        handled.max(Some(armed.minus(valid.jitter))).unwrap_or(created_at)
    }

    /// The newest slot that is due.
    pub fn by_slot(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if self.spec.suspend {
            return None;
        }
        let cursor = self.cursor(valid);
        let newest = valid.slots.latest(self.now.minus(valid.jitter)).filter(|slot| slot.at > cursor)?;
        let name = slot_name(self.name(), newest.at);
        let start = newest.at.plus(valid.jitter);
        let next = valid.slots.next(newest.at);
        let handled = self.is_handled(&name);
        let too_late = valid.deadline.is_some_and(|deadline| self.now > start.plus(deadline));
        if too_late && !handled {
            self.missed(valid, cursor, newest.at, true);
        } else if !handled && !self.active().is_empty() {
            self.unconfirmed = self.active();
            self.missed(valid, cursor, newest.at, false);
            self.skipped(newest.at);
        } else {
            match self.wanted(&name, Timing { slot: Some((newest.at, start)), next_start: next.map(|next| next.at.plus(valid.jitter)) }) {
                Wanted::Create(child) => return Some(child),
                Wanted::Exists(name) => {
                    self.missed(valid, cursor, newest.at, false);
                    self.status.last_backup = Some(BackupReference { name, slot: Some(Time(newest.at)) });
                }
                Wanted::Foreign => {
                    self.collision(&name, None);
                    self.missed(valid, cursor, newest.at, true);
                }
                // It stays due, and promised.
                Wanted::HeldUp => {
                    self.due_since = Some(start);
                    return None;
                }
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
        self.count_missed(i64::try_from(count).unwrap_or(i64::MAX), first, last);
    }

    fn count_missed(&mut self, count: i64, first: Timestamp, last: Timestamp) {
        let before = self.status.missed_runs.as_ref().map_or(0, |missed| missed.count);
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
        let handled = self.now.minus(valid.jitter).max(self.cursor(valid));
        valid.slots.next(handled).map(|slot| slot.at.plus(valid.jitter))
    }

    /// When the next slot's backup starts: one that is made beside the slots must not wait for longer.
    pub fn next_start(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        valid.slots.next(self.now.minus(valid.jitter)).map(|slot| slot.at.plus(valid.jitter))
    }
}
