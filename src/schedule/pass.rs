//! One pass over an RdsBackupSchedule as a state machine without I/O: an answer in, a request out. All order of requests is here: a backup
//! is created before anything else, then the status is written, then the objects beyond the history limits are deleted. The rules are in
//! [`super::decide`].

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    children::GuardedBackup,
    decide::decide,
    memory::{Made, Outcome, RefusedDeletion},
    observation::{Child, Observation, native_window},
    ownership,
    policy::{BEFORE_WHAT_IS_DUE, DEFERRAL, LONGEST_DEFERRAL, LONGEST_WAIT, MOST_DECISIONS, SHORTEST_PAUSE},
    request::{Answer, Error, Next, Present, Request, Rest},
    state::ObjectState,
};
use crate::{
    api::{RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, SCHEDULE_NAME_LABEL},
    audit::Audited,
    controller::{self, Creation, WriteResult},
    time::SaturatingTime,
};

mod stage;

use stage::Seen;
pub use stage::{Decided, Deletions, Stage};

/// One pass over one object.
#[derive(Clone, Debug)]
pub struct Pass {
    object: Arc<RdsBackupSchedule>,
    status: RdsBackupScheduleStatus,
    stage: Stage,
    /// How often was decided.
    decisions: usize,
    /// Backups that were asked for.
    asked: BTreeSet<String>,
    /// What the API server has of those that hold up a slot; none of one that is gone. A watch may have left its last event out.
    read: BTreeMap<String, Option<Arc<RdsBackup>>>,
    /// What is done before the pass goes on, and is answered by nothing but [`Answer::Done`].
    notes: VecDeque<Request>,
    /// What comes after the notes.
    after_notes: Option<Next>,
}

impl Pass {
    /// A pass that begins at the cache's copy of the object. Its first answer is [`Answer::Begin`].
    pub fn start(cached: Arc<RdsBackupSchedule>) -> Self {
        let status = status_of(&cached);
        Self {
            object: cached,
            status,
            stage: Stage::Begin,
            decisions: 0,
            asked: BTreeSet::new(),
            read: BTreeMap::new(),
            notes: VecDeque::new(),
            after_notes: None,
        }
    }

    /// The newest copy of the object that the pass has: what its requests are about.
    pub fn object(&self) -> &Arc<RdsBackupSchedule> {
        &self.object
    }

    /// What the pass waits for.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// How often was decided.
    pub fn decisions(&self) -> usize {
        self.decisions
    }

    /// Takes in an answer, and says what comes next. `state` is the object's, and stays this pass's until it rests.
    pub fn next(&mut self, state: &mut ObjectState, answer: Answer, present: Present) -> Next {
        if self.after_notes.is_none() {
            let next = self.advance(state, answer, present);
            self.after_notes = Some(next.unwrap_or_else(|error| self.fail(state, error, present.now)));
        }
        match self.notes.pop_front() {
            Some(note) => Next::Do(note),
            None => self.after_notes.take().unwrap_or(Next::Rest(Rest::AwaitChange)),
        }
    }

    fn advance(&mut self, state: &mut ObjectState, answer: Answer, present: Present) -> Result<Next, Error> {
        match (std::mem::replace(&mut self.stage, Stage::Over), answer) {
            (Stage::Begin, Answer::Begin) => Ok(self.ask(Stage::FirstList, Request::AwaitFirstList)),
            (Stage::FirstList, Answer::Done) => Ok(self.begin(state)),
            (Stage::Refresh, Answer::Object(found)) => Ok(self.refreshed(state, found?)),
            (Stage::Observe, Answer::Observed { backups, audits_are_due, native }) => {
                self.observed(state, &Seen { backups, audits_are_due, native }, present)
            }
            (Stage::Reread(backup, decided), Answer::Object(found)) => Ok(self.reread(state, backup, &decided, found?, present.now)),
            (Stage::LastBackup(backup, last), Answer::Backup(found)) => {
                Ok(self.last_backup(state, backup, last, found?.as_deref(), present.now))
            }
            (Stage::Unconfirmed(name), Answer::Backup(found)) => Ok(self.confirmed(state, name, found?)),
            (Stage::Create(backup, began), Answer::Created(created)) => Ok(self.created(state, backup, began, created)),
            (Stage::Namesake(backup, began), Answer::Namesake(found)) => Ok(self.namesake(state, backup, began, found)),
            (Stage::Write(decided), Answer::Written(written)) => self.written(state, &decided, written),
            (Stage::Conflict, Answer::Object(found)) => self.conflicted(state, found),
            (Stage::Delete(deletions), Answer::Deleted(deleted)) => Ok(self.deleted(state, deletions, &deleted, present.now)),
            _ => Err(Error::Mismatch),
        }
    }

    /// Reads the object where only the API server knows what stands there, then observes.
    fn begin(&mut self, state: &mut ObjectState) -> Next {
        if state.freshest.is_unsure() {
            return self.ask(Stage::Refresh, Request::ReadObject);
        }
        self.take(state.freshest.newest(self.object.clone()));
        self.observe()
    }

    fn refreshed(&mut self, state: &mut ObjectState, found: Option<Box<RdsBackupSchedule>>) -> Next {
        let Some(fresh) = found else { return self.rest(Rest::AwaitChange) };
        self.move_to(state, *fresh);
        state.freshest.see_again();
        self.observe()
    }

    fn observe(&mut self) -> Next {
        self.ask(Stage::Observe, Request::Observe)
    }

    fn observed(&mut self, state: &mut ObjectState, seen: &Seen, present: Present) -> Result<Next, Error> {
        self.decisions = self.decisions.saturating_add(1);
        if self.decisions > MOST_DECISIONS {
            return Err(Error::NoRest(MOST_DECISIONS));
        }
        let decided = self.decide(state, seen, present);
        // One that creates asks for no other look: what was due before is due still.
        state.due = decided.due().or(state.due);
        if let Some(backup) = &decided.decision.create {
            let backup = Arc::new(backup.as_ref().clone());
            return Ok(self.ask(Stage::Reread(backup, decided), Request::ReadObject));
        }
        if let Some(name) = decided.decision.unconfirmed.iter().find(|name| !self.asked.contains(*name)).cloned() {
            self.asked.insert(name.clone());
            return Ok(self.ask(Stage::Unconfirmed(name.clone()), Request::ReadBackup(name)));
        }
        if decided.decision.status == self.status {
            return Ok(self.settle(state, &decided, present.now));
        }
        Ok(self.write(state, decided, present))
    }

    fn decide(&self, state: &mut ObjectState, seen: &Seen, present: Present) -> Arc<Decided> {
        let Present { now, server_now, .. } = present;
        // One that cannot be read counts for nothing but its name.
        let readable = seen.backups.iter().filter_map(|(guarded, audited)| Some((guarded.0.as_ref().ok()?, audited.as_ref())));
        let children: Vec<Child> = readable.filter_map(|(backup, audited)| self.child(backup, audited)).collect();
        let cached = seen.backups.iter().filter_map(|(guarded, _)| kube::Resource::meta(guarded.as_ref()).name.clone()).collect();
        let window = native_window(&self.object, &self.status, &seen.native);
        let valid = state.validated(&self.object, window, now).clone();
        let observation = Observation {
            object: &self.object,
            status: &self.status,
            children: &children,
            memory: &state.memory,
            server_now,
            audits_are_due: seen.audits_are_due,
            native: &seen.native,
            native_window: window,
        };
        let decision = decide(&self.object.spec, &valid, &observation, now);
        Arc::new(Decided { decision, at: now, cached })
    }

    /// A backup as the cache has it, or as it was read where the cache holds up a slot by it; none if it is gone.
    fn child(&self, cached: &RdsBackup, audited: Option<&Audited>) -> Option<Child> {
        let child = Child::of(cached, &self.object, audited);
        match self.read.get(&child.name).filter(|_| child.is_active()) {
            Some(read) => read.as_deref().map(|read| Child::of(read, &self.object, audited)),
            None => Some(child),
        }
    }

    fn reread(
        &mut self,
        state: &mut ObjectState,
        backup: Arc<RdsBackup>,
        decided: &Decided,
        found: Option<Box<RdsBackupSchedule>>,
        now: Timestamp,
    ) -> Next {
        match found {
            None => self.rest(Rest::AwaitChange),
            Some(fresh) if fresh.metadata.resource_version != self.object.metadata.resource_version => {
                self.move_to(state, *fresh);
                self.observe()
            }
            Some(_) => match self.unseen_last(state, &backup, decided) {
                Some(last) => self.ask(Stage::LastBackup(backup, last.clone()), Request::ReadBackup(last)),
                None => self.create(backup, now),
            },
        }
    }

    /// The newest backup, where neither the cache nor the memory tells of it: it was deleted, or the watch does not bring it.
    fn unseen_last(&self, state: &ObjectState, backup: &RdsBackup, decided: &Decided) -> Option<String> {
        let last = &self.status.last_backup.as_ref()?.name;
        let known = state.memory.created.contains_key(last) || decided.cached.contains(last) || backup.metadata.name.as_ref() == Some(last);
        (!known).then(|| last.clone())
    }

    /// One that still runs is remembered, and decided with.
    fn last_backup(
        &mut self,
        state: &mut ObjectState,
        backup: Arc<RdsBackup>,
        last: String,
        found: Option<&RdsBackup>,
        now: Timestamp,
    ) -> Next {
        let runs = found.is_some_and(|found| {
            let label = found.metadata.labels.as_ref().and_then(|labels| labels.get(SCHEDULE_NAME_LABEL));
            label == self.object.metadata.name.as_ref() && Child::of(found, &self.object, None).is_active()
        });
        if !runs {
            return self.create(backup, now);
        }
        self.asked.insert(last.clone());
        state.memory.created.insert(last, Made { at: now, outcome: Outcome::Created });
        self.observe()
    }

    /// One that is over or gone was made, and holds up nothing.
    fn confirmed(&mut self, state: &mut ObjectState, name: String, found: Option<Box<RdsBackup>>) -> Next {
        let is_active = found.as_deref().is_some_and(|found| Child::of(found, &self.object, None).is_active());
        if let Some(made) = state.memory.created.get_mut(&name).filter(|_| !is_active) {
            made.outcome = Outcome::Ours;
        }
        self.read.insert(name, found.map(Arc::from));
        self.observe()
    }

    fn create(&mut self, backup: Arc<RdsBackup>, now: Timestamp) -> Next {
        self.ask(Stage::Create(backup.clone(), now), Request::Create(backup))
    }

    fn created(
        &mut self,
        state: &mut ObjectState,
        backup: Arc<RdsBackup>,
        began: Timestamp,
        created: Result<Creation, controller::Error>,
    ) -> Next {
        match created {
            Ok(Creation::Created) => {
                self.notes.push_back(Request::CountCreation);
                self.learn(state, backup, Made { at: began, outcome: Outcome::Created })
            }
            Ok(Creation::Refused(message)) => self.learn(state, backup, Made { at: began, outcome: Outcome::Refused(message) }),
            Ok(Creation::AlreadyExists) => {
                let name = name_of(&backup).to_owned();
                self.ask(Stage::Namesake(backup, began), Request::ReadNamesake(name))
            }
            Err(error) => self.unanswered(state, backup, began, error.to_string()),
        }
    }

    /// An object stands under the backup's name: it is a backup of this schedule, or not.
    fn namesake(
        &mut self,
        state: &mut ObjectState,
        backup: Arc<RdsBackup>,
        began: Timestamp,
        found: Result<Option<Box<GuardedBackup>>, controller::Error>,
    ) -> Next {
        match found {
            Ok(Some(found)) => {
                let outcome = if ownership::is_of(&found, &self.object) { Outcome::Ours } else { Outcome::Foreign };
                self.learn(state, backup, Made { at: began, outcome })
            }
            Ok(None) => {
                let message = format!("an RdsBackup {} existed, and was deleted a moment later", name_of(&backup));
                self.unanswered(state, backup, began, message)
            }
            Err(error) => self.unanswered(state, backup, began, error.to_string()),
        }
    }

    fn unanswered(&mut self, state: &mut ObjectState, backup: Arc<RdsBackup>, began: Timestamp, message: String) -> Next {
        let made = state.memory.unanswered(name_of(&backup), message, began);
        self.learn(state, backup, made)
    }

    /// Remembers what became of a creation, and decides with it.
    fn learn(&mut self, state: &mut ObjectState, backup: Arc<RdsBackup>, made: Made) -> Next {
        self.notes.push_back(Request::LogCreation { backup: backup.clone(), outcome: made.outcome.clone() });
        state.memory.created.insert(name_of(&backup).to_owned(), made);
        self.observe()
    }

    /// While many schedules create backups at the same moment a status waits: the backups come first. Other passes in between, as when the
    /// cache shows the created backup, change nothing about that.
    fn write(&mut self, state: &mut ObjectState, decided: Arc<Decided>, present: Present) -> Next {
        let waited = present.now.duration_since(*state.deferred_since.get_or_insert(present.now));
        // Less than none: the clock was set back.
        if present.is_burst && !waited.is_negative() && waited < LONGEST_DEFERRAL {
            let wait = until(decided.due(), present.now).map_or(DEFERRAL, |due| due.min(DEFERRAL));
            return self.rest(Rest::Requeue(wait));
        }
        state.deferred_since = None;
        let status = Box::new(decided.decision.status.clone());
        self.ask(Stage::Write(decided), Request::WriteStatus(status))
    }

    fn written(
        &mut self,
        state: &mut ObjectState,
        decided: &Decided,
        written: Result<WriteResult<RdsBackupSchedule>, controller::Error>,
    ) -> Result<Next, Error> {
        match written {
            Ok(WriteResult::Yes(newest)) => {
                self.move_to(state, *newest);
                state.memory.settle(|name| decided.cached.contains(name), true, decided.at);
                if !decided.decision.events.is_empty() {
                    self.notes.push_back(Request::Announce(decided.decision.events.clone()));
                }
                Ok(self.observe())
            }
            Ok(WriteResult::Gone) => Ok(self.rest(Rest::AwaitChange)),
            Ok(WriteResult::Conflict) => Ok(self.ask(Stage::Conflict, Request::ReadObject)),
            Err(error) => {
                state.freshest.lose_sight();
                Err(error.into())
            }
        }
    }

    /// Another process, or a person, wrote in between: the pass goes on with what stands now.
    fn conflicted(
        &mut self,
        state: &mut ObjectState,
        found: Result<Option<Box<RdsBackupSchedule>>, controller::Error>,
    ) -> Result<Next, Error> {
        match found {
            Ok(Some(newest)) => {
                self.move_to(state, *newest);
                Ok(self.observe())
            }
            Ok(None) => Ok(self.rest(Rest::AwaitChange)),
            Err(error) => {
                state.freshest.lose_sight();
                Err(error.into())
            }
        }
    }

    /// The status says all: what is left are the deletions.
    fn settle(&mut self, state: &mut ObjectState, decided: &Decided, now: Timestamp) -> Next {
        state.memory.settle(|name| decided.cached.contains(name), false, decided.at);
        state.memory.refused_deletions.retain(|name, _| decided.cached.contains(name));
        if decided.decision.wants_audit {
            self.notes.push_back(Request::HurryAudit);
        }
        let left = decided.decision.deletions.iter().cloned().collect();
        self.delete(Deletions { current: None, has_refused: false, left, due: decided.due() }, now)
    }

    /// Deletes the next object, unless something is due before its deletion must be over.
    fn delete(&mut self, mut deletions: Deletions, now: Timestamp) -> Next {
        let is_time = deletions.due.is_none_or(|due| due.duration_since(now) >= BEFORE_WHAT_IS_DUE);
        match deletions.left.pop_front().filter(|_| is_time) {
            Some(next) => {
                deletions.current = Some(next.clone());
                self.ask(Stage::Delete(deletions), Request::Delete(next))
            }
            None if deletions.has_refused => self.observe(),
            None => self.rest(until(deletions.due, now).map_or(Rest::AwaitChange, Rest::Requeue)),
        }
    }

    /// One that has changed, or is gone, delays nothing, nor does one that may not be deleted. If the API server does not answer, the rest
    /// is left to the next pass: each call may take ten seconds.
    fn deleted(
        &mut self,
        state: &mut ObjectState,
        mut deletions: Deletions,
        deleted: &Result<bool, controller::Error>,
        now: Timestamp,
    ) -> Next {
        match (deleted, deletions.current.take()) {
            (Err(error), Some(current)) if error.is_about_the_object() => {
                deletions.has_refused = true;
                let refused = RefusedDeletion { at: now, message: error.to_string() };
                state.memory.refused_deletions.insert(current.name, refused);
            }
            (Err(_), _) => deletions.left.clear(),
            (Ok(_), current) => {
                current.map(|current| state.memory.refused_deletions.remove(&current.name));
            }
        }
        self.delete(deletions, now)
    }

    fn move_to(&mut self, state: &mut ObjectState, newest: RdsBackupSchedule) {
        let newest = Arc::new(newest);
        state.freshest.moved(&self.object, newest.clone());
        self.take(newest);
    }

    fn take(&mut self, newest: Arc<RdsBackupSchedule>) {
        self.status = status_of(&newest);
        self.object = newest;
    }

    fn ask(&mut self, stage: Stage, request: Request) -> Next {
        self.stage = stage;
        Next::Do(request)
    }

    fn rest(&mut self, rest: Rest) -> Next {
        self.stage = Stage::Over;
        Next::Rest(rest)
    }

    /// What is due already has just failed: only its growing pause counts then.
    fn fail(&mut self, state: &ObjectState, error: Error, now: Timestamp) -> Next {
        let due = state.due.filter(|due| *due > now);
        let again_within = until(due, now).map(|wait| wait.max(SHORTEST_PAUSE));
        self.rest(Rest::Failed { error: Arc::new(error), again_within })
    }
}

impl Decided {
    /// When there is something to do.
    fn due(&self) -> Option<Timestamp> {
        self.decision.wait.map(|wait| self.at.plus(wait))
    }
}

/// How long until then: nothing where that is over, and no longer than any wait where the clock was set back since it was decided.
fn until(due: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    due.map(|due| Duration::try_from(due.duration_since(now).min(LONGEST_WAIT)).unwrap_or_default())
}

fn name_of(backup: &RdsBackup) -> &str {
    backup.metadata.name.as_deref().unwrap_or_default()
}

fn status_of(object: &RdsBackupSchedule) -> RdsBackupScheduleStatus {
    object.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh)
}

#[cfg(test)]
mod tests;
