//! The backups that are made beside the slots: `runOnCreate` and `trigger`.

use super::{
    child::{Timing, manual_name, slot_name, trigger_hash},
    draft::{Draft, Wanted},
};
use crate::{
    api::{BackupReference, RdsBackup, Reason},
    controller::Event,
    schedule::{
        observation::Child,
        policy::{REMEMBERED_TRIGGERS, TRIGGER_IS_OLD},
        spec::ValidatedSpec,
    },
    time::SaturatingTime,
};

impl Draft<'_> {
    /// What the spec's trigger was so far. One with which the schedule was created is only recorded: a Git repository that is applied again
    /// must not fire old ones. One that a schedule has at first sight and that was edited since its creation may be new, and runs.
    pub fn see_trigger(&mut self) {
        if self.observed.status.observed_generation < 0
            && self.observed.object.metadata.generation.is_none_or(|generation| generation <= 1)
            && let Some(token) = &self.spec.trigger
        {
            let note = format!(
                "the schedule was created with the trigger {token:?}: it is recorded, and makes no backup. To make one, write another text"
            );
            self.events.push(Event::new(false, Reason::TriggerRecorded, note));
            self.status.last_handled_trigger = Some(token.clone());
        }
        // Also one that an earlier release recorded, which had no list.
        if let Some(last) = self.status.last_handled_trigger.clone()
            && !self.was_handled(&last)
        {
            self.remember_trigger(&last);
        }
        if self.spec.trigger.is_none() {
            // Written again, it is a change, and the user hears of it.
            self.status.last_handled_trigger = None;
        }
    }

    fn was_handled(&self, token: &str) -> bool {
        self.status.handled_triggers.contains(&trigger_hash(token))
    }

    /// It is the newest now; the oldest beyond the limit are forgotten.
    fn remember_trigger(&mut self, token: &str) {
        let hash = trigger_hash(token);
        let handled = &mut self.status.handled_triggers;
        handled.retain(|known| *known != hash);
        handled.push(hash);
        let most = handled.len().saturating_sub(REMEMBERED_TRIGGERS);
        handled.drain(..most);
        self.status.last_handled_trigger = Some(token.to_owned());
    }

    fn trigger_used(&mut self, token: &str, of: &str) {
        let note = format!("the trigger {token:?} was seen before{of}: no other backup is made. Write another text");
        self.events.push(Event::new(true, Reason::TriggerUsed, note));
    }

    /// `runOnCreate`, at the first sight of a valid schedule, or at the end of the blackout in which that lies.
    pub fn on_create(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        // An edit while it waits for the end of a blackout arms the slots, and takes it back no more than any other start.
        let was_promised = self.observed.status.next_runs.iter().any(|run| run.slot.is_none());
        if !self.spec.run_on_create || self.spec.suspend || (self.status.armed_since.is_some() && !was_promised) {
            return None;
        }
        let name = slot_name(self.name(), self.created_at());
        if !self.is_handled(&name)
            && let Some(end) = valid.blackouts.end(self.now)
        {
            // A slot that starts at the window's end is as good.
            if valid.next_run(self.now).is_none_or(|run| run.start > end) {
                self.owes_first = true;
                self.first_start = Some(end);
            }
            return None;
        }
        if !self.is_handled(&name) && self.first_waits_for_window() {
            self.owes_first = true;
            return None;
        }
        let timing = Timing { slot: None, next_start: self.next_start(valid), blackout: self.next_blackout(valid) };
        match self.wanted(&name, timing) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists(name) => self.status.last_backup = Some(BackupReference { name, slot: None }),
            Wanted::Foreign => self.collision(&name, None),
            Wanted::HeldUp => self.owes_first = true,
        }
        None
    }

    /// `trigger`, also in a blackout: a person asks for it. A text that was ever seen is never run again, whatever became of its backup:
    /// somebody edits it by hand, and a GitOps tool sets it back to what it was.
    pub fn by_trigger(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        let token = self.spec.trigger.as_ref().filter(|token| self.status.last_handled_trigger.as_ref() != Some(token))?;
        if self.was_handled(token) {
            self.trigger_used(token, "");
            self.remember_trigger(token);
            return None;
        }
        let name = manual_name(self.name(), token);
        match self.wanted(&name, Timing { slot: None, next_start: self.next_start(valid), blackout: None }) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists(name) => {
                // An earlier schedule of the name made it, or this one, so long ago that the text is not remembered. One that this schedule
                // made just now was created before a crash, for this text.
                let is_old = |child: &Child| !child.of_this_schedule || self.now > child.created_at.plus(TRIGGER_IS_OLD);
                let old = |child: &&Child| child.name == name && is_old(child);
                if self.observed.children.iter().any(|child| old(&child)) {
                    self.trigger_used(token, &format!(", for {name}"));
                }
                self.status.last_backup = Some(BackupReference { name, slot: None });
                self.remember_trigger(token);
            }
            Wanted::Foreign => {
                self.collision(&name, None);
                self.remember_trigger(token);
            }
            Wanted::HeldUp => {}
        }
        None
    }
}
