//! What should happen to an RdsBackupSchedule: a pure function of the object, what was observed, and the present.
//!
//! A backup is created first, and everything else is written after it: a crash in between finds the child under its name, which is the lock.

mod child;
mod conditions;
mod history;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    cron::Slot,
    observation::{Memory, Observation, Outcome},
    spec::{Problem, ValidatedSpec},
};
use crate::{
    api::{BackupReference, RdsBackup, RdsBackupScheduleSpec, RdsBackupScheduleStatus, Reason, ScheduleCondition, SlotCount, Time},
    controller::Event,
};
pub use child::{manual_name, slot_name, slot_of};
pub use history::Deletion;

/// No wait is longer: clocks are set and machines sleep, and a timer knows of neither.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(4);

/// A backup that the API server refused is tried again after this long.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// A trigger whose child is older than this was used before; a younger one was created just before a crash.
const TRIGGER_IS_OLD: SignedDuration = SignedDuration::from_mins(5);

/// A settled slot that is further ahead than this was settled under a wrong clock: without a new start the schedule would be silent until then.
const CLOCK_SET_BACK: SignedDuration = SignedDuration::from_mins(10);

/// Slots that are counted one by one, since it is done between two other passes: ten weeks of every minute. Longer ago, the count is a lower
/// bound.
const MOST_COUNTED: usize = 100_000;

/// Stands in `timingHash` for a timing that is wrong: whatever it is corrected to is a change.
const WRONG_TIMING: &str = "wrong";

/// Everything that should happen now.
#[derive(Clone, Debug)]
pub struct Decision {
    /// A backup to create, before anything else: the schedule is read live first, and this is decided again if it has changed.
    pub create: Option<Box<RdsBackup>>,
    /// Written if it differs from what the object has, once there is nothing to create.
    pub status: RdsBackupScheduleStatus,
    /// Published once the status was written.
    pub events: Vec<Event>,
    /// Objects to delete once the status was written.
    pub deletions: Vec<Deletion>,
    /// When to look again, at the latest.
    pub wait: Option<SignedDuration>,
}

/// Decides.
pub fn decide(
    spec: &RdsBackupScheduleSpec,
    valid: &Result<ValidatedSpec, Problem>,
    observed: &Observation<'_>,
    now: Timestamp,
) -> Decision {
    if observed.object.metadata.deletion_timestamp.is_some() {
        return Decision { create: None, status: observed.status.clone(), events: Vec::new(), deletions: Vec::new(), wait: None };
    }
    let mut draft = Draft::new(spec, observed, now);
    draft.meet();
    match valid {
        Err(problem) => {
            draft.disarm(problem);
            draft.update_child_status();
            draft.status.next_schedule_time = None;
            let wait = draft.invalid(problem).map(|until| draft.until(until));
            Decision { create: None, status: draft.status, events: draft.events, deletions: Vec::new(), wait }
        }
        Ok(valid) => draft.run(valid),
    }
}

/// The status under way.
struct Draft<'a> {
    spec: &'a RdsBackupScheduleSpec,
    observed: &'a Observation<'a>,
    now: Timestamp,
    status: RdsBackupScheduleStatus,
    events: Vec<Event>,
    /// A backup that is wanted and cannot be created.
    held_up: Option<HeldUp>,
    /// The backup of `runOnCreate` is still to be made.
    owes_first: bool,
}

/// A backup that is wanted and cannot be created.
#[derive(Clone)]
struct HeldUp {
    /// The API server's words.
    words: String,
    /// When it is tried again.
    until: Timestamp,
    /// Since when the API server does not answer, or fails; none where it refuses.
    unanswered_since: Option<Timestamp>,
}

/// Where a wanted backup stands.
enum Wanted {
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
    fn new(spec: &'a RdsBackupScheduleSpec, observed: &'a Observation<'a>, now: Timestamp) -> Self {
        let mut status = observed.status.clone();
        status.observed_generation = observed.object.metadata.generation.unwrap_or_default();
        Self { spec, observed, now, status, events: Vec::new(), held_up: None, owes_first: false }
    }

    fn run(mut self, valid: &ValidatedSpec) -> Decision {
        let create = self.on_create(valid).or_else(|| self.by_trigger(valid)).or_else(|| {
            self.arm(valid);
            self.by_slot(valid)
        });
        if let Some(create) = create {
            let status = self.observed.status.clone();
            return Decision { create: Some(create), status, events: Vec::new(), deletions: Vec::new(), wait: None };
        }
        self.update_child_status();
        let next = self.next(valid);
        self.status.next_schedule_time = next.map(Time);
        self.status.effective_jitter = (!valid.jitter.is_zero()).then(|| super::spec::words(valid.jitter));
        let fresh_until = self.conditions(valid);
        let deletions = history::beyond_limits(valid, self.observed.children);
        let retry = self.held_up.as_ref().map(|held_up| held_up.until);
        let wait = [next, fresh_until, retry].into_iter().flatten().min().map_or(LONGEST_WAIT, |wake| self.until(wake));
        Decision { create: None, status: self.status, events: self.events, deletions, wait: Some(wait) }
    }

    /// How long to wait for that instant, at most.
    fn until(&self, wake: Timestamp) -> SignedDuration {
        wake.duration_since(self.now).clamp(SignedDuration::ZERO, LONGEST_WAIT)
    }

    /// A trigger that stands at first sight is only recorded: a re-applied Git repository must not fire old ones.
    fn meet(&mut self) {
        if self.observed.status.observed_generation < 0 {
            self.status.last_handled_trigger.clone_from(&self.spec.trigger);
        }
    }

    /// Slots before the schedule was as it is now are nobody's.
    fn arm(&mut self, valid: &ValidatedSpec) {
        let edited = self.status.timing_hash.as_ref() != Some(&valid.timing_hash);
        if self.observed.status.observed_generation >= 0 && (edited || self.is_resumed()) {
            self.status.armed_since = Some(whole_second(self.now));
        }
        if self.cursor() > self.now + CLOCK_SET_BACK {
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

    /// While a timing is wrong nobody can tell what its slots are: when it is corrected, also to what it was before, nothing is made up for.
    fn disarm(&mut self, problem: &Problem) {
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

    fn created_at(&self) -> Timestamp {
        self.observed.object.metadata.creation_timestamp.as_ref().map_or(self.now, |time| time.0)
    }

    /// `runOnCreate`, at the first sight of a valid schedule.
    fn on_create(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if !self.spec.run_on_create || self.spec.suspend || self.status.armed_since.is_some() {
            return None;
        }
        let name = slot_name(self.name(), self.created_at());
        match self.wanted(&name, None, self.next_start(valid)) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists => self.status.last_backup = Some(BackupReference { name, slot: None }),
            Wanted::Foreign => self.collision(&name),
            Wanted::HeldUp => self.owes_first = true,
        }
        None
    }

    /// `trigger`.
    fn by_trigger(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        let token = self.spec.trigger.as_ref().filter(|token| self.status.last_handled_trigger.as_ref() != Some(token))?;
        let name = manual_name(self.name(), token);
        match self.wanted(&name, None, self.next_start(valid)) {
            Wanted::Create(child) => return Some(child),
            Wanted::Exists => {
                let old = |child: &&super::observation::Child| child.name == name && self.now > child.created_at + TRIGGER_IS_OLD;
                if self.observed.children.iter().any(|child| old(&child)) {
                    let note = format!("the trigger {token:?} was used before, for {name}: no other backup is made. Write another text");
                    self.events.push(Event::new(true, Reason::TriggerUsed, note));
                }
                self.status.last_backup = Some(BackupReference { name, slot: None });
                self.status.last_handled_trigger = Some(token.clone());
            }
            Wanted::Foreign => {
                self.collision(&name);
                self.status.last_handled_trigger = Some(token.clone());
            }
            Wanted::HeldUp => {}
        }
        None
    }

    /// The newest slot that is due.
    fn by_slot(&mut self, valid: &ValidatedSpec) -> Option<Box<RdsBackup>> {
        if self.spec.suspend {
            return None;
        }
        let cursor = self.cursor();
        let newest = valid.slots.latest(self.now.checked_sub(valid.jitter).ok()?).filter(|slot| slot.at > cursor)?;
        let name = slot_name(self.name(), newest.at);
        let start = newest.at + valid.jitter;
        let next = valid.slots.next(newest.at);
        let handled = self.observed.children.iter().any(|child| child.name == name)
            || self.observed.memory.created.get(&name).is_some_and(|made| made.outcome.is_settled());
        let too_late = valid.deadline.is_some_and(|deadline| self.now > start + deadline);
        if too_late && !handled {
            self.missed(valid, cursor, newest.at, true);
        } else if !handled && !self.active().is_empty() {
            self.missed(valid, cursor, newest.at, false);
            self.skipped(newest.at);
        } else {
            match self.wanted(&name, Some(newest.at), next.map(|next: Slot| next.at + valid.jitter)) {
                Wanted::Create(child) => return Some(child),
                Wanted::Exists => {
                    self.missed(valid, cursor, newest.at, false);
                    self.status.last_backup = Some(BackupReference { name, slot: Some(Time(newest.at)) });
                }
                Wanted::Foreign => {
                    self.collision(&name);
                    self.missed(valid, cursor, newest.at, true);
                }
                // It stays due.
                Wanted::HeldUp => return None,
            }
        }
        self.status.last_schedule_time = Some(Time(newest.at));
        None
    }

    /// Whether the child of that name is there, or what became of it.
    fn wanted(&mut self, name: &str, slot: Option<Timestamp>, next_start: Option<Timestamp>) -> Wanted {
        let made = self.observed.memory.created.get(name);
        if self.observed.children.iter().any(|child| child.name == name) {
            return Wanted::Exists;
        }
        match made.map(|made| (&made.outcome, made.at)) {
            Some((Outcome::Created | Outcome::Ours, _)) => Wanted::Exists,
            Some((Outcome::Foreign, _)) => Wanted::Foreign,
            Some((Outcome::Refused(words), at)) if self.now < at + REFUSED_PAUSE => {
                self.held_up = Some(HeldUp { words: words.clone(), until: at + REFUSED_PAUSE, unanswered_since: None });
                Wanted::HeldUp
            }
            Some((Outcome::Unanswered { words, tries, since }, at)) if self.now < at + unanswered_pause(*tries) => {
                let until = at + unanswered_pause(*tries);
                self.held_up = Some(HeldUp { words: words.clone(), until, unanswered_since: Some(*since) });
                Wanted::HeldUp
            }
            _ => Wanted::Create(Box::new(child::child(self.observed.object, name, slot, next_start, self.now))),
        }
    }

    /// Counts the slots after `cursor` up to `newest`, with or without itself, as missed: once. Those that have a backup were run: the process
    /// may have ended before it could say so.
    fn missed(&mut self, valid: &ValidatedSpec, cursor: Timestamp, newest: Timestamp, itself: bool) {
        let name = self.name();
        let children = self.observed.children.iter().map(|child| child.name.as_str());
        let made = self.observed.memory.created.iter().filter(|(_, made)| made.outcome.is_ours()).map(|(name, _)| name.as_str());
        let run: HashSet<Timestamp> = children.chain(made).filter_map(|child| slot_of(name, child)).collect();
        let until = if itself { newest } else { newest - SignedDuration::from_nanos(1) };
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

    fn collision(&mut self, name: &str) {
        let note = format!(
            "an RdsBackup {name} exists that is not of this schedule: no backup was made in its place. Delete or rename one of them"
        );
        self.events.push(Event::new(true, Reason::NameCollision, note));
    }

    /// The backups of the schedule that wait or run, those included that this process has just created.
    fn active(&self) -> Vec<String> {
        let known = |name: &str| self.observed.children.iter().any(|child| child.name == name);
        let unfinished = self.observed.children.iter().filter(|child| child.same_instance && !child.phase.is_terminal());
        let mut names: Vec<String> = unfinished.map(|child| child.name.clone()).collect();
        let made = self.observed.memory.created.iter().filter(|(name, made)| made.outcome == Outcome::Created && !known(name));
        names.extend(made.map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        names
    }

    fn update_child_status(&mut self) {
        self.status.active = self.active();
        self.status.active.truncate(10);
        history::count(&mut self.status, &self.spec.template.spec.account, self.observed.children, self.now);
    }

    /// When the next backup starts.
    fn next(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        let handled = self.now.checked_sub(valid.jitter).ok()?.max(self.cursor());
        valid.slots.next(handled).and_then(|slot| slot.at.checked_add(valid.jitter).ok())
    }

    /// When the next slot's backup starts: one that is made beside the slots must not wait for longer.
    fn next_start(&self, valid: &ValidatedSpec) -> Option<Timestamp> {
        if self.spec.suspend {
            return None;
        }
        valid.slots.next(self.now).and_then(|slot| slot.at.checked_add(valid.jitter).ok())
    }

    fn name(&self) -> &'a str {
        self.observed.object.metadata.name.as_deref().unwrap_or_default()
    }
}

/// 2 s, 4 s, 8 s ... up to a minute.
fn unanswered_pause(tries: u32) -> SignedDuration {
    SignedDuration::from_secs(1i64 << tries.min(6)).min(SignedDuration::from_mins(1))
}

/// Times in a status have whole seconds.
fn whole_second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// A created backup that the cache does not show after this long was deleted at once.
const UNSEEN: SignedDuration = SignedDuration::from_mins(2);

/// Forgets what the status and the cache tell by now.
pub fn settle(memory: &mut Memory, is_cached: impl Fn(&str) -> bool, written: bool, now: Timestamp) {
    memory.created.retain(|name, made| {
        let recent = now.duration_since(made.at) < UNSEEN;
        match made.outcome {
            // A child that is not in the cache yet still counts as one that runs.
            Outcome::Created => recent && !is_cached(name),
            Outcome::Ours | Outcome::Foreign => !written,
            Outcome::Refused(_) | Outcome::Unanswered { .. } => recent,
        }
    });
}
