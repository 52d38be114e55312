//! The slots: from when on they count, which one is due, and which ones were missed or skipped.

use jiff::{SignedDuration, Timestamp};

use super::{
    child::{Timing, slot_name},
    draft::{Draft, Wanted},
    times::whole_second,
};
use crate::{
    api::{BackupReference, NextRun, RdsBackup, Reason, ScheduleCondition, Time},
    controller::{Event, written_at},
    schedule::{policy::CLOCK_SET_BACK, problem::Problem, runs::Run, spec::ValidatedSpec},
    time::SaturatingTime,
};

/// Stands in `timingHash` for a timing that is wrong: whatever it is corrected to is a change.
const WRONG_TIMING: &str = "wrong";

/// The same where the spec is right, and the instance's own window leaves no run. Nobody edits anything when that changes.
const WRONG_WINDOW: &str = "wrong window";

/// The CRD keeps so many starts that are to come.
const SHOWN_RUNS: usize = 3;

/// What an edit of the timing or of the pause changes.
const TIMING_FIELDS: [&str; 6] = ["schedule", "timeZone", "jitter", "blackouts", "notDuring", "suspend"];

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
            } else {
                self.window_moved(valid);
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
            let (wrong, since) = if problem.by_native_window { (WRONG_WINDOW, self.now) } else { (WRONG_TIMING, self.edited_at()) };
            if let Some(promised) = self.promised().filter(|promised| promised.start <= since) {
                self.miss_promised(promised.slot);
            }
            self.status.timing_hash = Some(wrong.to_owned());
        }
        if self.is_resumed() {
            self.status.armed_since = Some(whole_second(self.resumed_at()));
        }
    }

    /// When the timing was edited. The API server tells it, so that slots after an edit are not lost where the operator was down.
    pub fn edited_at(&self) -> Timestamp {
        if self.observed.status.timing_hash.as_deref() == Some(WRONG_WINDOW) {
            return self.now;
        }
        written_at(&self.observed.object.metadata, &TIMING_FIELDS).map_or(self.now, |at| at.min(self.now))
    }

    /// When the pause ended. What was written before the pause was seen did not end it.
    fn resumed_at(&self) -> Timestamp {
        let paused = self.observed.status.condition(ScheduleCondition::Suspended).map(|condition| condition.last_transition_time.0);
        let edited = self.edited_at();
        if paused.is_some_and(|paused| edited < paused) { self.now } else { edited }
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
    pub fn cursor(&self, valid: &ValidatedSpec) -> Timestamp {
        let created_at = self.created_at();
        // Before the creation where a start was promised, and an edit moved it to before the creation.
        let armed = self.status.armed_since.as_ref().map_or(created_at, |armed| armed.0);
        let before = armed.minus(valid.jitter);
        // In a blackout, a slot from before that time starts at the end.
        let waits =
            || valid.slots.latest(before).map(|slot| slot.at).filter(|slot| valid.start_of(*slot).is_some_and(|start| start > armed));
        let waits = if valid.blackouts.is_empty() { None } else { waits() };
        let before = waits.map_or(before, |slot| slot.minus(SignedDuration::from_nanos(1)));
        let handled = self.status.last_schedule_time.as_ref().map(|time| time.0);
        handled.max(Some(before)).unwrap_or(created_at)
    }

    /// The newest slot that is due.
    pub fn by_slot(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if self.spec.suspend {
            return None;
        }
        let cursor = self.cursor(valid);
        let newest = valid.slots.latest(self.now.minus(valid.jitter)).map(|slot| slot.at).filter(|slot| *slot > cursor)?;
        let name = slot_name(self.name(), newest);
        if self.is_handled(&name) {
            return self.make(valid, cursor, Run { slot: newest, start: valid.nominal_start(newest) });
        }
        let Some(start) = valid.start_of(newest) else {
            self.passed(valid, cursor, newest);
            self.status.last_schedule_time = Some(Time(newest));
            return None;
        };
        let run = Run { slot: newest, start };
        if start > self.now {
            self.wait_for(valid, cursor, run);
            return None;
        }
        let deadline = valid.deadline.map(|deadline| valid.nominal_start(newest).plus(deadline));
        match valid.late_start(newest, self.now) {
            Some(late) if deadline.is_none_or(|deadline| late <= deadline) => {
                if late > self.now {
                    self.wait_for(valid, cursor, Run { start: late, ..run });
                    return None;
                }
                if self.waits_for_window(valid, run) {
                    self.wait_for(valid, cursor, run);
                    return None;
                }
                if self.active().is_empty() {
                    return self.make(valid, cursor, run);
                }
                self.unconfirmed = self.active();
                self.passed_before(valid, cursor, newest);
                self.skipped(newest);
            }
            _ => self.passed(valid, cursor, newest),
        }
        self.status.last_schedule_time = Some(Time(newest));
        None
    }

    /// Makes the backup of a run, or finds it made.
    fn make(&mut self, valid: &ValidatedSpec, cursor: Timestamp, run: Run) -> Option<Box<RdsBackup>> {
        let (slot, name) = (run.slot, slot_name(self.name(), run.slot));
        let timing = Timing { slot: Some((slot, run.start)), next_start: self.next_start(valid), blackout: self.next_blackout(valid) };
        match self.wanted(&name, timing) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists(name) => {
                self.passed_before(valid, cursor, slot);
                self.status.last_backup = Some(BackupReference { name, slot: Some(Time(slot)) });
            }
            Wanted::Foreign => {
                self.collision(&name, None);
                self.passed(valid, cursor, slot);
            }
            // It stays due, and promised.
            Wanted::HeldUp => {
                self.due = Some(run);
                return None;
            }
        }
        self.status.last_schedule_time = Some(Time(slot));
        None
    }

    /// The run waits for the end of a blackout, and stays the next one. The slots before it are settled.
    fn wait_for(&mut self, valid: &ValidatedSpec, cursor: Timestamp, run: Run) {
        self.passed_before(valid, cursor, run.slot);
        let before = valid.slots.latest(run.slot.minus(SignedDuration::from_nanos(1))).map(|slot| slot.at);
        if let Some(before) = before.filter(|before| *before > cursor) {
            self.status.last_schedule_time = Some(Time(before));
        }
        self.due = Some(run);
    }

    /// The next starts, the first of them that of the run that is due.
    pub fn next_runs(&self, valid: &ValidatedSpec) -> Vec<NextRun> {
        if self.spec.suspend {
            return Vec::new();
        }
        let settled = self.due.map_or_else(|| self.cursor(valid), |due| due.slot);
        let coming = std::iter::successors(valid.next_run_beyond(self.now, settled), |run| valid.next_run(run.start));
        let next = |run: Run| NextRun { slot: Some(Time(run.slot)), start: Time(run.start) };
        let first = self.first_start.map(|start| NextRun { slot: None, start: Time(start) });
        let mut runs: Vec<NextRun> = first.into_iter().chain(self.due.into_iter().chain(coming).take(SHOWN_RUNS).map(next)).collect();
        runs.sort_by_key(|run| run.start.0);
        runs.truncate(SHOWN_RUNS);
        runs
    }

    /// When there is something to do by time alone: the next start, and the next slot, which may be one to skip.
    pub fn next_look(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        let handled = self.now.minus(valid.jitter).max(self.cursor(valid));
        let slot = valid.slots.next(handled).map(|slot| valid.nominal_start(slot.at));
        let starts = self.status.next_runs.iter().map(|run| run.start.0).filter(|start| *start > self.now);
        starts.chain(slot).min()
    }

    /// When the next slot's backup starts: one that is made now must not wait for longer.
    pub fn next_start(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        valid.next_run(self.now).map(|run| run.start)
    }

    /// When a blackout begins, if that is before the next slot's backup starts.
    pub fn next_blackout(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        valid.blackouts.next_begin(self.now, self.next_start(valid)?)
    }
}
