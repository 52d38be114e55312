//! What a process does: the passes of the operator, one request at a time. All rules are the shipped ones; what stands here is the order of
//! requests of `backup::apply`, so that a crash, a lost answer, another process or time can come between any two.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::SignedDuration;
use rds_backup_operator::{
    api::{Phase, RdsBackup, RdsBackupStatus},
    backup::{
        decide::{self, Decision, Effect, Requeue, decide},
        observation::{AccountView, Blocker, Look, Observation, Others, OwnIntent, PreflightFacts, Randomness, Sibling},
        siblings,
    },
    rds::{Answer, BackupSet, BackupTask, CallError, CreateOutcome, Rejection, Unknown},
};

use crate::model::{
    cloud::{self, Request},
    flaws::Flaw,
    print::Print,
    setup::Setup,
    world::{Decided, LateWrite, Pass, Seat, Sender, Step, Turn, Waiting, World, at, status_of},
};

/// A configuration, and what follows from it.
pub struct System {
    pub setup: Setup,
    pub account: Result<AccountView, Blocker>,
    /// The pause after two intents met, in milliseconds.
    pub pause: AtomicI64,
}

/// How a request to the API server or to the cloud ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Fine,
    /// It was done, and the answer was lost.
    Unheard,
    /// It was not done. Of a write that is a write which waits: the next pass decides again.
    Failed,
    /// Its client gives up, and it may be done later.
    Late,
}

impl System {
    fn view(&self) -> &AccountView {
        self.account.as_ref().expect("an account")
    }

    fn sibling(&self, object: &RdsBackup) -> Option<Sibling> {
        Sibling::of(object, true, self.view().protocol.release_after())
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.setup.flaw == Some(flaw)
    }
}

impl World {
    /// The process looks at an object: for a watch event, or because its time has come. Says whether anything came of it.
    pub fn wake(&mut self, system: &System, process: usize, slot: usize, ending: Ending) -> bool {
        let cached = self.slots[slot].history[self.processes[process].cache[slot]].object.clone();
        let Some(mut object) = cached else { return false };
        let uid = object.metadata.uid.clone().unwrap_or_default();
        if self.seat(process, slot).uid != uid {
            self.processes[process].seats[slot] = Arc::new(Seat::new(&uid));
        }
        let (before, writes) = (self.seat(process, slot).print.clone(), self.writes);
        if self.seat(process, slot).freshest.is_unsure() {
            let fresh = self.get(slot, Some(&uid));
            self.change_seat(process, slot, |seat| {
                if let Some(fresh) = &fresh {
                    seat.freshest.moved(&object, fresh.clone());
                }
                seat.freshest.see_again();
            });
            object = fresh.unwrap_or(object);
        } else {
            let seat = Arc::make_mut(&mut self.processes[process].seats[slot]);
            object = seat.freshest.newest(object);
        }
        self.proceed(system, process, Turn { slot, object });
        self.do_at_once(system, process, Some(ending));
        self.processes[process].pass.is_some() || self.writes != writes || self.seat(process, slot).print != before || self.broken.is_some()
    }

    /// The next request of a pass that others waited for, and what follows from it at once.
    pub fn go_on(&mut self, system: &System, process: usize, ending: Ending) {
        self.request(system, process, ending);
        self.do_at_once(system, process, None);
    }

    /// Does at once what nobody can tell from the same thing done later: reads, and the write that follows from them. To read later is to
    /// look later, and a write that waits for long is one of a process that is slow to look (or lands late, see `Setup::late_writes`).
    ///
    /// What is a step of its own: the intent, which is written upon what was read some time ago; the list of the others; what clears it; the
    /// request. Where writes are slow, every write is.
    /// `reads`: how the first read ends. None where the pass has done what others waited for: reading belongs to the next.
    fn do_at_once(&mut self, system: &System, process: usize, mut reads: Option<Ending>) {
        while let Some(pass) = &self.processes[process].pass {
            match &pass.step {
                Step::Act(decided) if decided.reads_only() => match reads {
                    Some(ending) => {
                        reads = Some(Ending::Fine);
                        self.request(system, process, ending);
                    }
                    None => self.processes[process].pass = None,
                },
                Step::Write(decided) if !system.setup.slow_writes && !decided.announces() => {
                    self.request(system, process, Ending::Fine);
                    // What follows from it is what the next pass finds.
                    if let Some(Pass { step: Step::Act(_) | Step::Write(_), .. }) = &self.processes[process].pass {
                        self.processes[process].pass = None;
                    }
                }
                _ => return,
            }
        }
    }

    /// Looks and decides; what was decided is what the pass does next.
    fn proceed(&mut self, system: &System, process: usize, turn: Turn) {
        self.processes[process].pass = None;
        let slot = turn.slot;
        let decision = self.decide(system, process, &turn);
        if let Some(until) = decision.hold_until {
            self.change_seat(process, slot, |seat| seat.memory.hold_until = Some(until));
        }
        let status = status_of(&turn.object);
        let changes = decision.status != status && (system.setup.slow_writes || !self.only_words(system, &turn, &decision));
        match (&decision.effect, decision.requeue) {
            // As far as it is explored.
            (Some(Effect::Preflight { attempt: (run, attempt), .. }), _)
                if *run > system.setup.runs || *attempt > system.setup.attempts =>
            {
                return;
            }
            // The instance's lock is held.
            (Some(Effect::Preflight { .. } | Effect::WriteIntent { .. }), _) if self.processes[process].sender.is_some() => return,
            (None, Requeue::Now) if decision.status == status => {
                self.broken = Some("a pass goes round in a circle");
                return;
            }
            (None, Requeue::OnChange) if !changes => {
                if self.seat(process, slot).freshest.is_cached() {
                    let uid = self.seat(process, slot).uid.clone();
                    self.processes[process].seats[slot] = Arc::new(Seat::new(&uid));
                }
                return;
            }
            (None, _) if !changes => return,
            _ => {}
        }
        let bare = system.has(Flaw::BareIntent) && matches!(decision.effect, Some(Effect::WriteIntent { .. }));
        let print = Print::of_decision(&decision);
        let decided = Arc::new(Decided { decision, print, now: self.now });
        let step = match () {
            () if !changes => Step::Act(decided),
            () if bare => Step::Reread(decided),
            () => Step::Write(decided),
        };
        self.processes[process].pass = Some(Pass { turn, step });
    }

    fn decide(&self, system: &System, process: usize, turn: &Turn) -> Decision {
        let status = status_of(&turn.object);
        let mut decision = self.seeing(system, process, turn, &status, |seen| decide(&turn.object.spec, seen, at(self.now)));
        if let Some(flaw) = system.setup.flaw {
            flaw.bend_decision(&mut decision);
        }
        decision
    }

    fn seeing<T>(
        &self,
        system: &System,
        process: usize,
        turn: &Turn,
        status: &RdsBackupStatus,
        judge: impl FnOnce(&Observation<'_>) -> T,
    ) -> T {
        let cache = &self.processes[process].cache;
        let others = (0..self.slots.len()).filter(|slot| *slot != turn.slot && !system.setup.alone);
        let siblings: Vec<Sibling> = others
            .filter_map(|slot| self.slots[slot].history[cache[slot]].object.as_ref().and_then(|other| system.sibling(other)))
            .collect();
        let idle = status.open_submission().is_none() && status.origin.is_none();
        let pause = SignedDuration::from_millis(system.pause.load(Ordering::Relaxed));
        let randomness = Randomness { nonce: if idle { self.unused_nonce() } else { String::new() }, pause };
        let memory = &self.seat(process, turn.slot).memory;
        judge(&Observation { object: &turn.object, status, account: &system.account, siblings: &siblings, memory, randomness: &randomness })
    }

    /// Whether a decision changes nothing but what people read. Such a write may wait (`backup::damping` lets it wait), and is not made here.
    fn only_words(&self, system: &System, turn: &Turn, decision: &Decision) -> bool {
        let deeds = |status: &RdsBackupStatus| {
            let class = match status.phase {
                Phase::Queued => Phase::Pending,
                Phase::Finalizing => Phase::Running,
                phase => phase,
            };
            let ids = (status.backup_job_id.clone(), status.backup_id.clone(), status.origin);
            (class, ids, status.attempts.clone(), status.submission.clone())
        };
        if deeds(&status_of(&turn.object)) != deeds(&decision.status) {
            return false;
        }
        let mut after = turn.object.as_ref().clone();
        after.status = Some(decision.status.clone());
        let seen_as = |object: &RdsBackup| system.sibling(object).map(|seen| (seen.blocked, seen.queues));
        seen_as(&turn.object) == seen_as(&after)
    }

    /// The next request of the pass.
    fn request(&mut self, system: &System, process: usize, ending: Ending) {
        let Some(Pass { turn, step }) = self.processes[process].pass.take() else { return };
        match step {
            Step::Reread(decided) => match self.get(turn.slot, turn.object.metadata.uid.as_deref()) {
                Some(fresh) if fresh.metadata.resource_version == turn.object.metadata.resource_version => {
                    self.processes[process].pass = Some(Pass { turn, step: Step::Write(decided) });
                }
                Some(fresh) => self.moved(system, process, turn, fresh),
                None => self.gone(process, turn.slot),
            },
            Step::Write(decided) => self.write(system, process, turn, decided, ending),
            Step::Act(decided) => self.act(system, process, turn, decided, ending),
            Step::ReadSets(decided, tasks, read_at) => match ending {
                Ending::Fine => {
                    let sets = self.cloud.sets(window(&decided));
                    self.processes[process].pass = Some(Pass { turn, step: Step::ReadClaims(decided, tasks, read_at, sets, self.now) });
                }
                _ => self.looked(system, process, turn, blind(&decided)),
            },
            Step::ReadClaims(_, tasks, tasks_at, sets, sets_at) => {
                let look = self.look(system, (tasks, tasks_at), (sets, sets_at));
                self.looked(system, process, turn, look);
            }
        }
    }

    /// Steps 3, 4, 7 to 11: the status write, with the resourceVersion that was decided upon.
    fn write(&mut self, system: &System, process: usize, mut turn: Turn, decided: Arc<Decided>, ending: Ending) {
        let slot = turn.slot;
        let stands = self.would_land(system, &turn, &decided.decision);
        if let Some(Effect::WriteIntent { nonce }) = &decided.decision.effect
            && stands
        {
            let now = self.now;
            self.change_seat(process, slot, |seat| {
                seat.memory.own = Some(OwnIntent::new(nonce));
                seat.intent_at = Some(now);
            });
        }
        if ending == Ending::Late {
            let version = turn.object.metadata.resource_version.clone().unwrap_or_default();
            self.late.push(LateWrite { slot, version, decided: decided.clone() });
        }
        if ending != Ending::Fine {
            if ending == Ending::Unheard && stands {
                self.land(process, slot, &decided.decision);
            }
            self.change_seat(process, slot, |seat| seat.freshest.lose_sight());
            return;
        }
        let uid = turn.object.metadata.uid.clone();
        if !stands {
            return match self.get(slot, uid.as_deref()) {
                Some(fresh) => self.moved(system, process, turn, fresh),
                None => self.gone(process, slot),
            };
        }
        self.land(process, slot, &decided.decision);
        let newest = self.object(slot).cloned().expect("it was just written");
        self.change_seat(process, slot, |seat| seat.freshest.moved(&turn.object, newest.clone()));
        turn.object = newest;
        match (&decided.decision.effect, decided.decision.requeue) {
            (Some(Effect::WriteIntent { .. }), _) | (None, Requeue::Now) => self.proceed(system, process, turn),
            (Some(_), _) => self.processes[process].pass = Some(Pass { turn, step: Step::Act(decided) }),
            (None, _) => {}
        }
    }

    /// Whether the API server would take the write: what stands is what was decided upon.
    fn would_land(&self, system: &System, turn: &Turn, decision: &Decision) -> bool {
        let Some(present) = self.object(turn.slot) else { return false };
        let bare = system.setup.flaw.is_some_and(|flaw| flaw.is_bare(&status_of(&turn.object), decision));
        bare || present.metadata.resource_version == turn.object.metadata.resource_version
    }

    fn land(&mut self, process: usize, slot: usize, decision: &Decision) {
        let present = self.present(slot);
        let mut object = present.object.as_ref().expect("it would land").as_ref().clone();
        let listed_before = match &decision.effect {
            Some(Effect::WriteIntent { .. }) => match &self.seat(process, slot).memory.preflight {
                Some(preflight) => preflight
                    .result
                    .iter()
                    .flat_map(|facts| facts.backups.iter())
                    .flat_map(|backups| &backups.sets)
                    .map(|set| set.backup_id.to_string())
                    .collect(),
                None => Vec::new(),
            },
            _ => present.listed_before.clone(),
        };
        let before = status_of(&object).phase;
        if before.is_terminal() && decision.status.phase != before {
            self.broken = Some("what was at its end went on");
        }
        object.status = Some(decision.status.clone());
        self.store(slot, Some(object), listed_before);
    }

    /// A write whose client gave up lands after all.
    pub fn land_late(&mut self, index: usize) {
        let LateWrite { slot, decided, .. } = self.late.remove(index);
        self.land(0, slot, &decided.decision);
    }

    fn moved(&mut self, system: &System, process: usize, mut turn: Turn, fresh: Arc<RdsBackup>) {
        self.change_seat(process, turn.slot, |seat| seat.freshest.moved(&turn.object, fresh.clone()));
        turn.object = fresh;
        self.proceed(system, process, turn);
    }

    fn gone(&mut self, process: usize, slot: usize) {
        let uid = self.seat(process, slot).uid.clone();
        self.processes[process].seats[slot] = Arc::new(Seat::new(&uid));
    }

    /// The effect of a decision.
    fn act(&mut self, system: &System, process: usize, turn: Turn, decided: Arc<Decided>, ending: Ending) {
        let (slot, now) = (turn.slot, at(self.now));
        let lost = || CallError::Lost { why: "reset".into() };
        match decided.decision.effect.as_ref().expect("an effect") {
            Effect::WriteIntent { .. } => self.proceed(system, process, turn),
            Effect::Preflight { attempt, .. } => {
                let facts = PreflightFacts::of(cloud::instance(), Ok((self.cloud.running(), self.cloud.sets(at(0)))));
                let result = if ending == Ending::Fine { Ok(facts) } else { Err(lost()) };
                self.change_seat(process, slot, |seat| seat.memory.absorb_preflight(*attempt, now, result));
                self.proceed(system, process, turn);
            }
            Effect::Clear { nonce } => {
                if ending != Ending::Fine {
                    return;
                }
                let uid = turn.object.metadata.uid.clone().unwrap_or_default();
                let listed: Vec<Sibling> = self.objects().filter_map(|other| system.sibling(other)).collect();
                let rival = if system.has(Flaw::NoClear) { None } else { siblings::rival(listed, &uid, at(decided.now)) };
                self.change_seat(process, slot, |seat| seat.memory.absorb_rival(nonce, rival));
                self.proceed(system, process, turn);
            }
            Effect::Send { stamp, .. } => self.send(system, process, turn, &stamp.nonce, stamp.timestamp.as_second()),
            Effect::Look { .. } => match ending {
                Ending::Fine if system.setup.slow_looks => {
                    let step = Step::ReadSets(decided, self.cloud.running(), self.now);
                    self.processes[process].pass = Some(Pass { turn, step });
                }
                Ending::Fine => {
                    let (tasks, sets) = (self.cloud.running(), self.cloud.sets(window(&decided)));
                    let look = self.look(system, (tasks, self.now), (sets, self.now));
                    self.looked(system, process, turn, look);
                }
                _ => self.looked(system, process, turn, blind(&decided)),
            },
            Effect::Follow { job, set, .. } => {
                let polled = if ending == Ending::Fine {
                    let task = job.as_ref().and_then(|job| self.cloud.task(job.as_str()));
                    let told = task.as_ref().and_then(|task| task.backup_id.clone());
                    let listed = told.as_ref().or(set.as_ref()).and_then(|id| self.cloud.set(id.as_str()));
                    Ok((task, listed))
                } else {
                    Err(lost())
                };
                let status = status_of(&turn.object);
                let key = status.backup_job_id.or(status.backup_id).unwrap_or_default();
                self.change_seat(process, slot, |seat| seat.memory.follow.absorb(&key, now, polled));
                self.proceed(system, process, turn);
            }
        }
    }

    /// Step 5. The request leaves, once, if it may.
    fn send(&mut self, system: &System, process: usize, turn: Turn, nonce: &str, signed: i64) {
        let slot = turn.slot;
        let since_intent = self.seat(process, slot).intent_at.map(|written| SignedDuration::from_secs(self.now - written));
        let mut may = Ok(());
        self.change_seat(process, slot, |seat| may = seat.memory.leave(nonce, since_intent));
        if let Err(why) = may {
            let outcome = CreateOutcome::Rejected(Rejection::NotSent { why: why.to_owned() });
            return self.record(system, process, turn, nonce, outcome);
        }
        let status = status_of(&turn.object);
        let intent = status.submission.filter(|intent| intent.nonce == nonce);
        if !intent.as_ref().is_some_and(|intent| intent.cleared) {
            self.broken = Some("a request was sent before its cleared intent stood");
        }
        let (run, attempt) = intent.map_or((0, 0), |intent| (intent.run, intent.attempt));
        let uid = turn.object.metadata.uid.clone().unwrap_or_default();
        self.cloud.wire.push(Request { nonce: nonce.to_owned(), uid, run, attempt, signed, used: false });
        self.processes[process].sender = Some(Sender { turn, nonce: nonce.to_owned(), answer: Waiting::ForAnswer });
    }

    /// The answer is read, or (not heard) waited for no longer; and recorded.
    pub fn hear(&mut self, system: &System, process: usize, heard: bool) {
        let Some(Sender { turn, nonce, answer }) = self.processes[process].sender.take() else { return };
        let mut answer = match answer {
            Waiting::Arrived(answer) if heard => answer,
            _ => CreateOutcome::Unknown(Unknown { why: "no answer".into(), api: None }),
        };
        if let Some(flaw) = system.setup.flaw {
            flaw.bend_answer(&mut answer);
        }
        self.record(system, process, turn, &nonce, answer);
    }

    /// Step 7. The answer is recorded, in the newest copy, for as long as the process lives. Tries that fail are not steps of their own: until
    /// one succeeds the answer might as well be still on its way. The loop ends: nobody else writes between a read and the write after it.
    fn record(&mut self, system: &System, process: usize, mut turn: Turn, nonce: &str, answer: CreateOutcome) {
        let (slot, uid) = (turn.slot, turn.object.metadata.uid.clone());
        self.change_seat(process, slot, |seat| seat.memory.absorb_answer(nonce, answer));
        loop {
            let status = status_of(&turn.object);
            let decision = self.seeing(system, process, &turn, &status, |seen| decide::record(&turn.object.spec, seen, at(self.now)));
            let Some(decision) = decision.filter(|decision| decision.status != status) else { return };
            if self.would_land(system, &turn, &decision) {
                self.land(process, slot, &decision);
                let newest = self.object(slot).cloned().expect("it was just written");
                return self.change_seat(process, slot, |seat| seat.freshest.moved(&turn.object, newest));
            }
            let Some(fresh) = self.get(slot, uid.as_deref()) else { return self.gone(process, slot) };
            self.change_seat(process, slot, |seat| seat.freshest.moved(&turn.object, fresh.clone()));
            turn.object = fresh;
        }
    }

    /// Step 8, from what was read, and the claims as they stand now.
    fn look(&self, system: &System, tasks: (Vec<BackupTask>, i64), sets: (Vec<BackupSet>, i64)) -> Look {
        let objects: Vec<_> = self.objects().collect();
        let mut others = Others::of(objects.iter().map(|object| &***object));
        for claim in &mut others.claims {
            if let Some(task) = claim.unmapped_job().and_then(|job| self.cloud.task(job)) {
                claim.learn(&[task]);
            }
        }
        let mut look = Look::of(answer(tasks.0, tasks.1), answer(sets.0, sets.1), others, at(self.now));
        if let (Some(flaw), Ok(facts)) = (system.setup.flaw, &mut look.result) {
            flaw.bend_facts(facts);
        }
        look
    }

    fn looked(&mut self, system: &System, process: usize, turn: Turn, look: Look) {
        let status = status_of(&turn.object);
        let protocol = &system.view().protocol;
        self.change_seat(process, turn.slot, |seat| decide::absorb_look(&mut seat.memory.looks, &status, protocol, look));
        self.proceed(system, process, turn);
    }
}

/// From when on sets are asked for.
fn window(decided: &Decided) -> jiff::Timestamp {
    match &decided.decision.effect {
        Some(Effect::Look { from, .. }) => *from,
        _ => at(0),
    }
}

fn blind(decided: &Decided) -> Look {
    Look { at: at(decided.now), result: Err(CallError::Lost { why: "reset".into() }) }
}

fn answer<T>(value: T, second: i64) -> Answer<T> {
    Answer { value, request_id: None, service_time: Some(at(second)) }
}
