//! The instance's own backup window: what moves when it changes, what waits for its first reading, and what is said of it.

use jiff::Timestamp;

use super::{draft::Draft, times::whole_second};
use crate::{
    api::{Reason, ScheduleCondition},
    schedule::{native::Reading, policy::LONGEST_WAIT_FOR_WINDOW, runs::Run, spec::ValidatedSpec},
    time::SaturatingTime,
};

impl Draft<'_> {
    /// Another window than before arms the schedule anew, so that no slot of before that was not promised starts because of it. A slot that is
    /// due, or that waits for the end of a window, stays due: by the new window it waits, starts or is skipped.
    pub fn window_moved(&mut self, valid: &ValidatedSpec) {
        if self.observed.native_window == self.observed.status.native_window.as_ref() {
            return;
        }
        let Some(next) = self.observed.status.next_schedule_time.as_ref() else { return };
        let is_due = |slot: Timestamp| valid.nominal_start(slot) <= self.now;
        let due = next.0 <= self.now || self.promised().is_some_and(|promised| is_due(promised.slot));
        let armed = whole_second(self.now);
        if !due && self.status.armed_since.as_ref().is_some_and(|since| since.0 < armed.0) {
            self.status.armed_since = Some(armed);
        }
    }

    /// Whether a backup that is due waits for the first reading of the window: not so long that its slot would be missed.
    pub fn waits_for_window(&mut self, valid: &ValidatedSpec, run: Run) -> bool {
        let nominal = valid.nominal_start(run.slot);
        let next = valid.slots.next(run.slot).map(|next| valid.nominal_start(next.at).duration_since(nominal));
        let most = [Some(LONGEST_WAIT_FOR_WINDOW), valid.deadline.map(|deadline| deadline / 2), next.map(|next| next / 2)];
        let until = nominal.plus(most.into_iter().flatten().min().unwrap_or(LONGEST_WAIT_FOR_WINDOW));
        self.waits_until(until)
    }

    /// The same of the backup of `runOnCreate`.
    pub fn first_waits_for_window(&mut self) -> bool {
        self.waits_until(self.created_at().plus(LONGEST_WAIT_FOR_WINDOW))
    }

    fn waits_until(&mut self, until: Timestamp) -> bool {
        let is_unread = self.spec.not_during.is_some() && self.observed.native_window.is_none() && *self.observed.native == Reading::Unread;
        let waits = is_unread && self.now < until;
        if waits {
            self.window_until = Some(until);
        }
        waits
    }

    /// The window that is in use, and whether its newest reading went well. What a process before this one said stays until this one has asked.
    pub fn native_window(&mut self) {
        self.status.native_window = self.observed.native_window.cloned();
        if self.spec.not_during.is_none() {
            self.drop_condition(ScheduleCondition::NativeWindowKnown);
            return;
        }
        match self.observed.native {
            Reading::Unread => {}
            Reading::Window(window) => {
                let message = format!("the instance makes its own backups in the window {window}: no slot starts in it");
                self.set(ScheduleCondition::NativeWindowKnown, "True", Reason::PolicyRead, &message);
            }
            Reading::Unreadable(why) => {
                let used = match self.observed.native_window {
                    Some(window) => format!("the window that was read before stays in use ({window})"),
                    None => "slots start as if there were no window".to_owned(),
                };
                let message = format!("the instance's backup policy cannot be read; {used}, and it is tried again: {why}");
                self.set(ScheduleCondition::NativeWindowKnown, "False", Reason::PolicyUnreadable, &message);
            }
        }
    }
}
