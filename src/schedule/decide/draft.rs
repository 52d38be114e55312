//! The status under way, and what stands under the names of the backups that are wanted.

use jiff::{SignedDuration, Timestamp};

use super::{child, decision::Decision};
use crate::{
    api::{RdsBackup, RdsBackupScheduleSpec, RdsBackupScheduleStatus, Reason, Time},
    controller::Event,
    schedule::{
        memory::Outcome,
        observation::Observation,
        policy::{LONGEST_WAIT, REFUSED_PAUSE, unanswered_pause},
    },
    time::SaturatingTime,
};

/// The status under way.
pub(super) struct Draft<'a> {
    pub spec: &'a RdsBackupScheduleSpec,
    pub observed: &'a Observation<'a>,
    pub now: Timestamp,
    pub status: RdsBackupScheduleStatus,
    pub events: Vec<Event>,
    /// A backup that is wanted and cannot be created.
    pub held_up: Option<HeldUp>,
    /// The backup of `runOnCreate` is still to be made.
    pub owes_first: bool,
}

/// A backup that is wanted and cannot be created.
#[derive(Clone)]
pub(super) struct HeldUp {
    /// The API server's message.
    pub message: String,
    /// When it is tried again.
    pub until: Timestamp,
    /// Since when the API server does not answer, or fails; none where it refuses.
    pub unanswered_since: Option<Timestamp>,
}

/// Where a wanted backup stands.
pub(super) enum Wanted {
    /// It is to be created.
    Create(Box<RdsBackup>),
    /// It exists.
    Exists,
    /// Another object has its name.
    Foreign,
    /// It cannot be created now.
    HeldUp,
}

impl<'a> Draft<'a> {
    pub fn new(spec: &'a RdsBackupScheduleSpec, observed: &'a Observation<'a>, now: Timestamp) -> Self {
        let mut status = observed.status.clone();
        status.observed_generation = observed.object.metadata.generation.unwrap_or_default();
        Self { spec, observed, now, status, events: Vec::new(), held_up: None, owes_first: false }
    }

    /// Creates a backup before anything else: whatever else was drafted is decided again once it is there.
    pub fn create(self, child: Box<RdsBackup>) -> Decision {
        let status = self.observed.status.clone();
        Decision { create: Some(child), status, events: Vec::new(), deletions: Vec::new(), wait: None }
    }

    /// Writes what differs, and looks again after this long.
    pub fn rest(self, wait: Option<SignedDuration>) -> Decision {
        Decision { create: None, status: self.status, events: self.events, deletions: Vec::new(), wait }
    }

    /// How long to wait for that instant, at most.
    pub fn until(&self, wake: Timestamp) -> SignedDuration {
        wake.duration_since(self.now).clamp(SignedDuration::ZERO, LONGEST_WAIT)
    }

    pub fn created_at(&self) -> Timestamp {
        self.observed.object.metadata.creation_timestamp.as_ref().map_or(self.now, |time| time.0)
    }

    pub fn name(&self) -> &'a str {
        self.observed.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether the child of that name is there, or what became of it.
    pub fn wanted(&mut self, name: &str, slot: Option<Timestamp>, next_start: Option<Timestamp>) -> Wanted {
        if self.observed.children.iter().any(|child| child.name == name) {
            return Wanted::Exists;
        }
        match self.observed.memory.created.get(name).map(|made| (&made.outcome, made.at)) {
            Some((Outcome::Created | Outcome::Ours, _)) => Wanted::Exists,
            Some((Outcome::Foreign, _)) => Wanted::Foreign,
            Some((Outcome::Refused(message), at)) if self.now < at.plus(REFUSED_PAUSE) => {
                self.held_up = Some(HeldUp { message: message.clone(), until: at.plus(REFUSED_PAUSE), unanswered_since: None });
                Wanted::HeldUp
            }
            Some((Outcome::Unanswered { message, tries, since }, at)) if self.now < at.plus(unanswered_pause(*tries)) => {
                let until = at.plus(unanswered_pause(*tries));
                self.held_up = Some(HeldUp { message: message.clone(), until, unanswered_since: Some(*since) });
                Wanted::HeldUp
            }
            _ => Wanted::Create(Box::new(child::child(self.observed.object, name, slot, next_start, self.now))),
        }
    }

    pub fn collision(&mut self, name: &str) {
        let note = format!(
            "an RdsBackup {name} exists that is not of this schedule: no backup was made in its place. Delete or rename one of them"
        );
        self.events.push(Event::new(true, Reason::NameCollision, note));
    }

    /// The backups of the schedule that wait or run, those included that this process has just created.
    pub fn active(&self) -> Vec<String> {
        let known = |name: &str| self.observed.children.iter().any(|child| child.name == name);
        let unfinished = self.observed.children.iter().filter(|child| child.same_instance && !child.phase.is_terminal());
        let mut names: Vec<String> = unfinished.map(|child| child.name.clone()).collect();
        let made = self.observed.memory.created.iter().filter(|(name, made)| made.outcome == Outcome::Created && !known(name));
        names.extend(made.map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        names
    }
}

/// Times in a status have whole seconds.
pub(super) fn whole_second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
