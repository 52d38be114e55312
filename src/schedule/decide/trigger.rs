//! The backups that are made beside the slots: `runOnCreate` and `trigger`.

use super::{
    child::{manual_name, slot_name},
    draft::{Draft, Wanted},
};
use crate::{
    api::{BackupReference, RdsBackup, Reason},
    controller::Event,
    schedule::{observation::Child, policy::TRIGGER_IS_OLD, spec::ValidatedSpec},
    time::SaturatingTime,
};

impl Draft<'_> {
    /// A trigger that stands at first sight is only recorded: a re-applied Git repository must not fire old ones.
    pub fn record_first_trigger(&mut self) {
        if self.observed.status.observed_generation < 0 {
            self.status.last_handled_trigger.clone_from(&self.spec.trigger);
        }
    }

    /// `runOnCreate`, at the first sight of a valid schedule.
    pub fn on_create(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if !self.spec.run_on_create || self.spec.suspend || self.status.armed_since.is_some() {
            return None;
        }
        let name = slot_name(self.name(), self.created_at());
        match self.wanted(&name, None, self.next_start(valid)) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists(name) => self.status.last_backup = Some(BackupReference { name, slot: None }),
            Wanted::Foreign => self.collision(&name, None),
            Wanted::HeldUp => self.owes_first = true,
        }
        None
    }

    /// `trigger`.
    pub fn by_trigger(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        let token = self.spec.trigger.as_ref().filter(|token| self.status.last_handled_trigger.as_ref() != Some(token))?;
        let name = manual_name(self.name(), token);
        match self.wanted(&name, None, self.next_start(valid)) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists(name) => {
                let old = |child: &&Child| child.name == name && self.now > child.created_at.plus(TRIGGER_IS_OLD);
                if self.observed.children.iter().any(|child| old(&child)) {
                    let note = format!("the trigger {token:?} was used before, for {name}: no other backup is made. Write another text");
                    self.events.push(Event::new(true, Reason::TriggerUsed, note));
                }
                self.status.last_backup = Some(BackupReference { name, slot: None });
                self.status.last_handled_trigger = Some(token.clone());
            }
            Wanted::Foreign => {
                self.collision(&name, None);
                self.status.last_handled_trigger = Some(token.clone());
            }
            Wanted::HeldUp => {}
        }
        None
    }
}
