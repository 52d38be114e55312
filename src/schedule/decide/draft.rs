//! The status under way, and what stands under the names of the backups that are wanted.

use jiff::{SignedDuration, Timestamp};

use super::{
    child::{self, Timing},
    decision::Decision,
};
use crate::{
    api::{RdsBackup, RdsBackupScheduleSpec, RdsBackupScheduleStatus, Reason},
    controller::Event,
    schedule::{
        memory::Outcome,
        observation::Observation,
        policy::{LONGEST_WAIT, REFUSED_PAUSE, unanswered_pause},
        runs::Run,
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
    /// A run that is due and cannot be made now, as it stays the next one: its backup cannot be created, a blackout must end first, or the instance's
    /// own window was not read yet.
    pub due: Option<Run>,
    /// When the backup of `runOnCreate` starts that waits for the end of a blackout.
    pub first_start: Option<Timestamp>,
    /// Until when a backup that is due waits for the first reading of the instance's own backup window.
    pub window_until: Option<Timestamp>,
    /// Backups for which a slot is skipped.
    pub unconfirmed: Vec<String>,
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
    /// It exists, under this name.
    Exists(String),
    /// Other objects have both of its names.
    Foreign,
    /// It cannot be created now.
    HeldUp,
}

impl<'a> Draft<'a> {
    pub fn new(spec: &'a RdsBackupScheduleSpec, observed: &'a Observation<'a>, now: Timestamp) -> Self {
        let mut status = observed.status.clone();
        status.observed_generation = observed.object.metadata.generation.unwrap_or_default();
        Self {
            spec,
            observed,
            now,
            status,
            events: Vec::new(),
            held_up: None,
            due: None,
            first_start: None,
            window_until: None,
            unconfirmed: Vec::new(),
            owes_first: false,
        }
    }

    /// Creates a backup before anything else: whatever else was drafted is decided again once it is there.
    pub fn create(self, child: Box<RdsBackup>) -> Decision {
        let status = self.observed.status.clone();
        Decision {
            create: Some(child),
            status,
            events: Vec::new(),
            unconfirmed: Vec::new(),
            deletions: Vec::new(),
            wants_audit: false,
            wait: None,
        }
    }

    /// Writes what differs, and looks again after this long.
    pub fn rest(self, wait: Option<SignedDuration>) -> Decision {
        Decision {
            create: None,
            status: self.status,
            events: self.events,
            unconfirmed: self.unconfirmed,
            deletions: Vec::new(),
            wants_audit: false,
            wait,
        }
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

    /// Whether the backup of that name was made, whatever became of it: for this schedule, its instance and its account.
    pub fn is_made(&self, name: &str) -> bool {
        self.observed.children.iter().any(|child| child.name == name && child.same_target)
            || self.observed.memory.created.get(name).is_some_and(|made| made.outcome.is_ours())
    }

    /// Whether something else has that name.
    fn is_taken(&self, name: &str) -> bool {
        self.observed.children.iter().any(|child| child.name == name && !child.same_target)
            || self.observed.memory.created.get(name).is_some_and(|made| made.outcome == Outcome::Foreign)
    }

    /// Whether nothing more is to be found out about the backup of that name: it was made, or neither of its names is free.
    pub fn is_handled(&self, name: &str) -> bool {
        let second = child::second_name(name, &self.spec.template.spec);
        self.is_made(name) || self.is_made(&second) || self.is_taken(name) && self.is_taken(&second)
    }

    /// Whether the backup of that name is there, or what became of it. A name that something else has costs no backup: there is a second.
    pub fn wanted(&mut self, name: &str, timing: Timing) -> Wanted {
        let second = child::second_name(name, &self.spec.template.spec);
        // The second one first: it exists only because something else had the first name then.
        if let Some(found) = [second.as_str(), name].into_iter().find(|name| self.is_made(name)) {
            if found == second {
                self.collision(name, Some(&second));
            }
            return Wanted::Exists(found.to_owned());
        }
        let name = if self.is_taken(name) { second.as_str() } else { name };
        if self.is_taken(name) {
            return Wanted::Foreign;
        }
        match self.observed.memory.created.get(name).map(|made| (&made.outcome, made.at)) {
            Some((Outcome::Refused(message), at)) if self.now < at.plus(REFUSED_PAUSE) => {
                self.held_up = Some(HeldUp { message: message.clone(), until: at.plus(REFUSED_PAUSE), unanswered_since: None });
                Wanted::HeldUp
            }
            Some((Outcome::Unanswered { message, tries, since }, at)) if self.now < at.plus(unanswered_pause(*tries)) => {
                let until = at.plus(unanswered_pause(*tries));
                self.held_up = Some(HeldUp { message: message.clone(), until, unanswered_since: Some(*since) });
                Wanted::HeldUp
            }
            _ => Wanted::Create(Box::new(child::child(self.observed.object, name, timing, self.now, self.observed.server_now))),
        }
    }

    /// Something else has the name; the backup was made under the second one, if that is free.
    pub fn collision(&mut self, name: &str, second: Option<&str>) {
        let made = match second {
            Some(second) => format!("the backup was made as {second}"),
            None => "its second name is taken too, so no backup was made in its place. Delete or rename one of them; a trigger needs another text then".to_owned(),
        };
        let note = format!("an RdsBackup {name} exists that is not of this schedule with its instance and account: {made}");
        self.events.push(Event::new(true, Reason::NameCollision, note));
    }

    /// The backups that this process has just created, and that the cache does not show: not yet, or not any more.
    fn unseen(&self) -> Vec<String> {
        let known = |name: &str| self.observed.children.iter().any(|child| child.name == name);
        let made = self.observed.memory.created.iter().filter(|(name, made)| made.outcome == Outcome::Created && !known(name));
        made.map(|(name, _)| name.clone()).collect()
    }

    /// The backups of the schedule that wait or run, those included that this process has just created.
    pub fn active(&self) -> Vec<String> {
        let unfinished = self.observed.children.iter().filter(|child| child.is_active());
        let mut names: Vec<String> = unfinished.map(|child| child.name.clone()).collect();
        names.extend(self.unseen());
        names.sort();
        names.dedup();
        names
    }
}
