//! One pass over an RdsBackup as a state machine without I/O: an answer in, a request out. All order of requests is here: what is read
//! before what is written, what a conflict or a lost answer leads to, which events are published and which objects are woken. The rules are
//! in [`super::decide`].

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    decide::{self, Decision, Effect, HeldUp, Requeue, absorb_look, asks_of_its_set, decide, has_newer, is_usable, reusable},
    memory::OwnIntent,
    observation::Observation,
    policy::{BURST_PAUSE, LOCKED_PAUSE, MOST_STEPS},
    reads::{Finding, Reads, Step},
    recorded,
    request::{Announcement, Answer, Error, InstanceObject, Next, Observed, Present, Request, Rest},
    siblings::Sibling,
    state::ObjectState,
};
use crate::{
    api::{RdsBackup, RdsBackupStatus, Reason},
    controller::{self, Event},
    rds::{BackupRef, JobId},
};

mod delete;
mod stage;
mod submit;
mod write;

pub use stage::{Decided, Purpose, Stage};

/// One pass over one object.
#[derive(Clone, Debug)]
pub struct Pass {
    object: Arc<RdsBackup>,
    /// The object is the cache's copy, which has not all of its metadata and of a finished status.
    is_projected: bool,
    status: RdsBackupStatus,
    stage: Stage,
    /// How often was decided what should happen, and the last decision.
    decisions: usize,
    decided: Option<Arc<Decided>>,
    /// Held from the preflight to the end of the pass.
    holds_instance: bool,
    /// What is done before the pass goes on, and is answered by nothing but [`Answer::Done`].
    notes: VecDeque<Request>,
    /// What comes after the notes.
    after_notes: Option<Next>,
}

impl Pass {
    /// A pass that begins at the cache's copy of the object. Its first answer is [`Answer::Begin`].
    pub fn start(cached: Arc<RdsBackup>) -> Self {
        let status = status_of(&cached);
        Self {
            object: cached,
            is_projected: true,
            status,
            stage: Stage::Begin,
            decisions: 0,
            decided: None,
            holds_instance: false,
            notes: VecDeque::new(),
            after_notes: None,
        }
    }

    /// The newest copy of the object that the pass has: what its requests are about.
    pub fn object(&self) -> &Arc<RdsBackup> {
        &self.object
    }

    /// What the pass waits for.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// How often was decided what should happen.
    pub fn decisions(&self) -> usize {
        self.decisions
    }

    /// The last decision, and what it was made of.
    pub fn decided(&self) -> Option<&Arc<Decided>> {
        self.decided.as_ref()
    }

    /// Takes in an answer, and says what comes next. `state` is the object's, and stays this pass's until it rests.
    pub fn next(&mut self, state: &mut ObjectState, answer: Answer, present: Present) -> Next {
        if self.after_notes.is_none() {
            let next = self.advance(state, answer, present);
            self.after_notes = Some(next.unwrap_or_else(|error| self.fail(error)));
        }
        match self.notes.pop_front() {
            Some(note) => Next::Do(note),
            None => self.after_notes.take().unwrap_or(Next::Rest(Rest::AwaitChange)),
        }
    }

    fn advance(&mut self, state: &mut ObjectState, answer: Answer, present: Present) -> Result<Next, Error> {
        match (std::mem::replace(&mut self.stage, Stage::Over), answer) {
            (Stage::Begin, Answer::Begin) => Ok(self.begin(state)),
            (Stage::Refresh(purpose), Answer::Object(found)) => self.refreshed(state, purpose, found),
            (Stage::Observe(purpose), Answer::Observed(observed)) => self.observed(state, purpose, observed, present),
            (Stage::Lock(decided), Answer::Locked(true)) => {
                self.holds_instance = true;
                self.reread_or_write(state, decided, present)
            }
            (Stage::Lock(decided), Answer::Locked(false)) => self.held_up(state, &decided, HeldUp::ByTheInstance, LOCKED_PAUSE, present),
            (Stage::Reread(decided), Answer::Object(found)) => self.reread(state, decided, found?, present),
            (Stage::Write(decided), Answer::Written(written)) => self.written(state, decided, written, present),
            (Stage::WriteFinalizers(decided), Answer::Written(written)) => self.finalizers_written(state, &decided, written),
            (Stage::Conflict(purpose), Answer::Object(found)) => self.conflicted(state, purpose, found),
            (Stage::Admit(decided, _), Answer::Admitted(Err(wait))) => {
                state.place_at = present.steady.checked_add(wait);
                self.held_up(state, &decided, HeldUp::ByTheAccount, wait, present)
            }
            (Stage::Admit(decided, reads), Answer::Admitted(Ok(()))) => {
                let first = reads.first();
                Ok(self.read(state, decided, reads, first))
            }
            (Stage::Read(decided, mut reads), answer) => {
                let step = reads.take(answer)?;
                Ok(self.read(state, decided, reads, step))
            }
            (Stage::Clear(decided), Answer::Instance(listed)) => self.listed(state, &decided, listed?),
            (Stage::Send(decided), Answer::Sent(outcome)) => Ok(self.sent(state, &decided, outcome)),
            (Stage::Surroundings(decided), Answer::Surroundings(found)) => {
                state.memory.deletion.absorb_surroundings(decided.observed.now, found);
                Ok(self.observe(Purpose::Decide))
            }
            (Stage::Newer(decided), Answer::Instance(listed)) => {
                state.memory.newer = Some((decided.observed.now, has_newer(&self.object, &listed?)));
                Ok(self.observe(Purpose::Decide))
            }
            (Stage::Reusable(decided), Answer::Instance(listed)) => {
                state.memory.taking_in.absorb_reusable(decided.observed.now, reusable(&self.object, &listed?));
                Ok(self.observe(Purpose::Decide))
            }
            (Stage::Remove, Answer::Removed(removed)) => self.removed(removed),
            (Stage::DeleteSet(decided), Answer::Deleted(result)) => Ok(self.deleted(state, &decided, result)),
            (Stage::PauseRecording { failures }, Answer::Done) => Ok(self.refresh(state, Purpose::Record { failures })),
            _ => Err(Error::Mismatch),
        }
    }

    fn begin(&mut self, state: &mut ObjectState) -> Next {
        if !state.freshest.is_unsure() {
            let newest = state.freshest.newest(self.object.clone());
            self.is_projected = Arc::ptr_eq(&newest, &self.object);
            self.take(newest);
        }
        self.refresh(state, Purpose::Decide)
    }

    /// Reads the object where only the API server knows what stands there, then observes.
    fn refresh(&mut self, state: &ObjectState, purpose: Purpose) -> Next {
        // Of an ended object the cache has not what is asked of its set.
        let is_short = self.is_projected && asks_of_its_set(&self.object, &self.status);
        if state.freshest.is_unsure() || is_short {
            return self.ask(Stage::Refresh(purpose), Request::ReadObject);
        }
        self.observe(purpose)
    }

    fn refreshed(
        &mut self,
        state: &mut ObjectState,
        purpose: Purpose,
        found: Result<Option<Box<RdsBackup>>, controller::Error>,
    ) -> Result<Next, Error> {
        match (found, purpose) {
            (Ok(Some(fresh)), _) => self.move_to(state, *fresh),
            (Ok(None), Purpose::Record { .. }) => return Ok(self.gone(state)),
            (Ok(None), Purpose::Decide) if self.is_projected => return Ok(self.gone(state)),
            // One that is gone is found out at its next write.
            (Ok(None), Purpose::Decide) => {}
            (Err(error), Purpose::Record { failures }) => return Ok(self.pause_recording(failures, &error)),
            (Err(error), Purpose::Decide) => return Err(error.into()),
        }
        state.freshest.see_again();
        Ok(self.observe(purpose))
    }

    fn observe(&mut self, purpose: Purpose) -> Next {
        // An ended object asks for nothing but for its set, and a record needs nothing of the account: no credentials are read for them.
        let at_rest = self.status.phase.is_terminal() && !asks_of_its_set(&self.object, &self.status) || purpose != Purpose::Decide;
        self.ask(Stage::Observe(purpose), Request::Observe { at_rest })
    }

    fn observed(&mut self, state: &mut ObjectState, purpose: Purpose, observed: Box<Observed>, present: Present) -> Result<Next, Error> {
        if purpose == Purpose::Decide {
            self.decisions = self.decisions.saturating_add(1);
            if self.decisions > MOST_STEPS {
                return Err(Error::NoRest(MOST_STEPS));
            }
        }
        if let Ok(account) = &observed.account {
            let before = state.connection.replace(account.connection);
            if before.is_some_and(|before| before != account.connection) {
                state.memory.forget_reads();
            }
        }
        let siblings = self.siblings(&observed.cached);
        let observation = self.observation(state, &observed, &siblings);
        let decision = match purpose {
            Purpose::Decide => decide(&self.object.spec, &observation, observed.now),
            Purpose::Record { .. } => match decide::record(&self.object.spec, &observation, observed.now) {
                Some(decision) => decision,
                // The status shows it already.
                None => return Ok(self.observe(Purpose::Decide)),
            },
        };
        if let Some(until) = decision.hold_until {
            state.memory.hold_until = Some(until);
        }
        let submits = matches!(decision.effect, Some(Effect::Preflight { .. } | Effect::WriteIntent { .. }));
        let decided = Arc::new(Decided { decision, observed, purpose });
        self.decided = Some(decided.clone());
        if submits && !self.holds_instance {
            return Ok(self.ask(Stage::Lock(decided), Request::LockInstance));
        }
        self.reread_or_write(state, decided, present)
    }

    fn observation<'a>(&'a self, state: &'a ObjectState, observed: &'a Observed, siblings: &'a [Sibling]) -> Observation<'a> {
        Observation {
            object: &self.object,
            status: &self.status,
            account: &observed.account,
            siblings,
            claims: &observed.claims,
            namespace: &observed.namespace,
            audited: observed.audited.as_ref(),
            server_now: observed.server_now,
            memory: &state.memory,
            time_is_known: observed.time_is_known,
            randomness: &observed.randomness,
        }
    }

    /// The pass goes no further before `wait` is over. An object that was never written is written first; but while many schedules create
    /// their backups that waits, since those of a thousand objects doubled the time until the last backup was created.
    fn held_up(&mut self, state: &mut ObjectState, decided: &Decided, by: HeldUp, wait: Duration, present: Present) -> Result<Next, Error> {
        let observed = &decided.observed;
        let Some(decision) = decide::first_seen(&self.object.spec, &self.observation(state, observed, &[]), by, wait, observed.now) else {
            return Ok(self.rest(Rest::Requeue(wait)));
        };
        if present.is_burst {
            return Ok(self.rest(Rest::Requeue(wait.min(BURST_PAUSE))));
        }
        let decided = Arc::new(Decided { decision, observed: observed.clone(), purpose: decided.purpose });
        self.decided = Some(decided.clone());
        self.write(state, decided, present)
    }

    /// The other objects of the instance, as the cache shows them.
    fn siblings(&self, cached: &[InstanceObject]) -> Vec<Sibling> {
        let uid = self.uid();
        cached
            .iter()
            .filter(|listed| !listed.ended && listed.object.metadata.uid.as_deref().unwrap_or_default() != uid)
            .filter_map(InstanceObject::sibling)
            .collect()
    }

    /// The effect of a decision whose status stands.
    fn act(&mut self, state: &mut ObjectState, decided: Arc<Decided>, present: Present) -> Result<Next, Error> {
        let Decision { effect, requeue, .. } = &decided.decision;
        match (effect, requeue) {
            (Some(Effect::WriteIntent { .. }), _) | (None, Requeue::Now) => Ok(self.observe(Purpose::Decide)),
            (Some(Effect::Clear { .. }), _) => Ok(self.ask(Stage::Clear(decided), Request::ListInstance)),
            (Some(Effect::ReadSurroundings), _) => Ok(self.ask(Stage::Surroundings(decided), Request::ReadSurroundings)),
            (Some(Effect::LookForNewer), _) => Ok(self.ask(Stage::Newer(decided), Request::ListInstance)),
            (Some(Effect::LookForReusable), _) => Ok(self.ask(Stage::Reusable(decided), Request::ListInstance)),
            (Some(Effect::RemoveObject), _) => Ok(self.ask(Stage::Remove, Request::RemoveObject)),
            (Some(Effect::DeleteSet { instance, set }), _) => {
                let (instance, set) = (instance.clone(), set.clone());
                self.delete_set(decided, instance, set, present)
            }
            (Some(Effect::Send { request, stamp }), _) => {
                let (request, stamp) = (request.clone(), stamp.clone());
                Ok(self.send(state, decided, request, stamp, present))
            }
            // An event takes no other turn, not even that of the write that said so: each makes the turns of the other objects later.
            (Some(_), _)
                if let Some(wait) =
                    state.place_at.and_then(|at| at.checked_duration_since(present.steady)).filter(|wait| !wait.is_zero()) =>
            {
                self.held_up(state, &decided, HeldUp::ByTheAccount, wait, present)
            }
            (Some(effect), _) => {
                let reads = Reads::of(effect, self.uid(), decided.observed.now).ok_or(Error::Mismatch)?;
                Ok(self.ask(Stage::Admit(decided, Box::new(reads)), Request::Admit))
            }
            (None, Requeue::After(time)) => {
                let wait = time.unsigned_abs();
                self.settle(state);
                Ok(self.rest(Rest::Requeue(wait)))
            }
            (None, Requeue::OnChange) => {
                // Once the cache shows the end too, there is nothing left to remember.
                if self.settle(state) {
                    self.notes.push_back(Request::Forget);
                }
                Ok(self.rest(Rest::AwaitChange))
            }
        }
    }

    fn read(&mut self, state: &mut ObjectState, decided: Arc<Decided>, reads: Box<Reads>, step: Step) -> Next {
        match step {
            Step::Ask(request) => self.ask(Stage::Read(decided, reads), request),
            Step::Found(finding) => {
                self.learn(state, &decided.observed, *finding);
                self.observe(Purpose::Decide)
            }
        }
    }

    fn learn(&self, state: &mut ObjectState, observed: &Observed, finding: Finding) {
        match finding {
            Finding::Preflight { attempt, at, result } => {
                let region = observed.account.as_ref().map(|account| account.region_id.as_str()).unwrap_or_default();
                state.memory.absorb_preflight(attempt, region, at, result);
            }
            Finding::Inspection { at, findings } => state.memory.deletion.absorb_inspection(at, *findings),
            Finding::Verified { set, at, result } => {
                let region = observed.account.as_ref().map(|account| account.region_id.as_str()).unwrap_or_default();
                state.memory.taking_in.absorb_verified((set, region), at, result.map(|facts| *facts), is_usable);
            }
            Finding::Look(look) => {
                if let Ok(account) = &observed.account {
                    absorb_look(&mut state.memory.looks, &self.status, &account.protocol, look);
                }
            }
            Finding::Follow { at, result } => {
                let followed = recorded::result(&self.status);
                state.memory.follow.absorb(followed.key().unwrap_or_default(), at, result);
            }
        }
    }

    /// At rest. Says whether the cache is as new as what this process wrote; only then can the objects that wait see that they may go on.
    fn settle(&mut self, state: &mut ObjectState) -> bool {
        let caught_up = state.freshest.is_cached();
        if caught_up && std::mem::take(&mut state.owes_wake) {
            self.notes.push_back(Request::WakeSiblings);
        }
        caught_up
    }

    /// The object was deleted, or another stands under its name. An event names the job that it started and whose id its status never had:
    /// no operator follows it any more.
    fn gone(&mut self, state: &ObjectState) -> Next {
        let recorded = recorded::result(&self.status);
        let unrecorded = |job: &&JobId| !recorded.is(&BackupRef::of_job((*job).clone()));
        if let Some(job) = state.memory.own.as_ref().and_then(OwnIntent::accepted_job).filter(unrecorded) {
            let note = format!(
                "the RdsBackup was deleted while its request was under way; the service accepted it as job {job}, which the operator does not follow"
            );
            let events = vec![Event::new(true, Reason::Abandoned, note)];
            self.notes.push_back(Request::Announce(Box::new(Announcement { transition: None, events })));
        }
        self.notes.push_back(Request::Forget);
        self.rest(Rest::AwaitChange)
    }

    /// No status of the object can be written: it leaves the queue of its instance, and an event says so once.
    fn too_large(&mut self, state: &mut ObjectState) {
        if !std::mem::replace(&mut state.too_large, true) {
            let note = "the API server does not take the status of this RdsBackup, because the object would become larger than its store allows (1.5 MiB). Take labels, annotations or finalizers off it, or delete it; until then other RdsBackups of the instance go first";
            let events = vec![Event::new(true, Reason::ObjectTooLarge, note)];
            self.notes.push_back(Request::NoteTooLarge(true));
            self.notes.push_back(Request::Announce(Box::new(Announcement { transition: None, events })));
            self.notes.push_back(Request::WakeSiblings);
        }
    }

    fn announce(&mut self, before: &RdsBackupStatus, decision: &Decision) {
        let after = &decision.status;
        let moved = before.phase != after.phase || before.ready_reason() != after.ready_reason();
        if moved || !decision.events.is_empty() {
            let announcement = Announcement { transition: moved.then(|| after.clone()), events: decision.events.clone() };
            self.notes.push_back(Request::Announce(Box::new(announcement)));
        }
    }

    fn move_to(&mut self, state: &mut ObjectState, newest: RdsBackup) {
        let newest = Arc::new(newest);
        state.freshest.moved(&self.object, newest.clone());
        self.is_projected = false;
        self.take(newest);
    }

    fn take(&mut self, newest: Arc<RdsBackup>) {
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

    fn fail(&mut self, error: Error) -> Next {
        self.rest(Rest::Failed(Arc::new(error)))
    }

    fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }
}

impl InstanceObject {
    /// The object as the queue of its instance sees it; none if it is finished.
    pub fn sibling(&self) -> Option<Sibling> {
        let sibling = Sibling::of(&self.object, self.admissible && !self.too_large, self.release_after)?;
        Some(Sibling { blocked: sibling.blocked || self.too_large, ..sibling })
    }
}

fn status_of(object: &RdsBackup) -> RdsBackupStatus {
    object.status.clone().unwrap_or_else(RdsBackupStatus::fresh)
}

#[cfg(test)]
mod tests;
