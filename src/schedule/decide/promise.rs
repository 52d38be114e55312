//! Starts that `nextScheduleTime` showed: an edit or a pause takes back none without a word.

use jiff::{SignedDuration, Timestamp};

use super::{child::slot_name, draft::Draft, times::whole_second};
use crate::{
    api::{Span, Time},
    schedule::{runs::Run, spec::ValidatedSpec},
    time::SaturatingTime,
};

impl Draft<'_> {
    /// The start that `nextScheduleTime` promised, before the operator saw the present spec; none if its slot is settled, or was run before
    /// a process could say so.
    pub fn promised(&self) -> Option<Run> {
        let status = self.observed.status;
        let start = status.next_schedule_time.as_ref()?.0;
        let slot = match status.next_runs.iter().find(|run| run.start.0 == start) {
            // The backup of `runOnCreate` has a rule of its own.
            Some(run) => run.slot.as_ref()?.0,
            // An earlier release wrote it: then the jitter alone lies between the two.
            None => {
                let jitter = status.effective_jitter.as_deref().and_then(|jitter| Span::new(jitter).get().ok());
                start.minus(jitter.unwrap_or_default())
            }
        };
        let settled = status.last_schedule_time.as_ref().is_some_and(|settled| slot <= settled.0);
        (!settled && !self.is_handled(&slot_name(self.name(), slot))).then_some(Run { slot, start })
    }

    /// A start that was promised runs or is counted, whatever the edit. One that lay ahead of the edit and is a slot of the new timing too
    /// stays due, also where a shorter jitter or another blackout moves it to before the edit, unless the new timing has a newer slot before
    /// the edit: then it is missed. Where a new blackout leaves it no start, it is skipped. One that lay behind the edit, while the operator
    /// was down, is missed too. One that lay ahead of it and is no slot of the new timing was taken back by the edit.
    pub fn keep_promise(&mut self, valid: &ValidatedSpec) {
        let (Some(promised), edited) = (self.promised(), self.edited_at()) else { return };
        let is_slot = valid.slots.latest(promised.slot).is_some_and(|slot| slot.at == promised.slot);
        let new_start = if is_slot { valid.start_of(promised.slot) } else { None };
        if new_start.is_some_and(|start| start > edited) {
            return;
        }
        if promised.start > edited && (!is_slot || self.spec.suspend) {
            return;
        }
        let is_newest = || valid.slots.latest(edited.minus(valid.jitter)).is_some_and(|slot| slot.at == promised.slot);
        match new_start {
            Some(start) if promised.start > edited && is_newest() => {
                self.status.armed_since = Some(whole_second(start.minus(SignedDuration::from_secs(1))));
            }
            None if promised.start > edited => {
                // One whose time is still to come is skipped when it comes.
                if valid.nominal_start(promised.slot) <= edited {
                    self.count_skipped(1, promised.slot, promised.slot);
                    self.status.last_schedule_time = Some(Time(promised.slot));
                }
            }
            _ => self.miss_promised(promised.slot),
        }
    }

    pub fn miss_promised(&mut self, slot: Timestamp) {
        self.count_missed(1, slot, slot);
        self.status.last_schedule_time = Some(Time(slot));
    }

    /// The pause is seen for the first time: slots that were due before it, while the operator was down, are missed. One that waited for the
    /// end of a blackout was not due.
    pub fn miss_before_the_pause(&mut self, valid: &ValidatedSpec) {
        let (cursor, until) = (self.cursor(valid), self.edited_at());
        if let Some(newest) = valid.latest_settled(until).filter(|newest| *newest > cursor) {
            self.passed(valid, cursor, newest);
            self.status.last_schedule_time = Some(Time(newest));
        }
    }
}
