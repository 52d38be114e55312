//! One operator process: when it looks at an object, and what a pass does, in the order of `backup::apply`. All rules are the shipped ones.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rds_backup_operator::{
    api::{RdsBackup, RdsBackupStatus},
    backup::{
        decide::{self, Decision, Effect, Requeue, decide},
        flap_damping::FlapDamping,
        observation::{Memory, Observation, OwnIntent, Randomness as Thrown, Sibling},
    },
    controller::Freshest,
};
use tokio::time::Instant;

use crate::walks::{
    time::{MINUTE, Ms, SECOND, at},
    world::{Event, World, status_of, uid_of},
};

/// A pass that has not come to rest by then never will.
const MOST_STEPS: usize = 30;

pub struct Process {
    pub up: bool,
    /// Counts how often it was started: what an earlier life had planned is nothing to this one.
    pub life: u32,
    pub watch_is_at: Ms,
    /// How wrong it takes the service's time to be.
    pub clock_error: Ms,
    pub cache: BTreeMap<usize, Arc<RdsBackup>>,
    pub seats: HashMap<String, Seat>,
    pub passes: HashMap<usize, Pass>,
    due: HashMap<usize, Ms>,
    /// Objects that became due while a pass was under way.
    again: HashSet<usize>,
    /// The instances on which it submits.
    locks: HashSet<String>,
    pub born: Instant,
}

/// What a process remembers of one object.
#[derive(Default)]
pub struct Seat {
    pub memory: Memory,
    pub freshest: Freshest<RdsBackup>,
    pub damping: FlapDamping,
    pub intent_at: Option<Ms>,
    owes_wake: bool,
    failures: u32,
}

pub struct Pass {
    pub object: Arc<RdsBackup>,
    pub status: RdsBackupStatus,
    pub steps: usize,
    locked: bool,
    pub effect: Option<Effect>,
    /// When the effect was decided, as the process has it.
    pub decided: Timestamp,
    /// The nonce of the request whose answer is waited for.
    pub sent: Option<String>,
}

/// Whether a status stands.
pub enum Stands {
    Yes,
    Moved,
    Gone,
    Failed,
}

impl Process {
    pub fn new(_: usize) -> Self {
        Self {
            up: false,
            life: 0,
            watch_is_at: 0,
            clock_error: 0,
            cache: BTreeMap::new(),
            seats: HashMap::new(),
            passes: HashMap::new(),
            due: HashMap::new(),
            again: HashSet::new(),
            locks: HashSet::new(),
            born: Instant::now(),
        }
    }

    pub fn seat(&mut self, uid: &str) -> &mut Seat {
        self.seats.entry(uid.to_owned()).or_default()
    }

    fn instant(&self, now: Ms) -> Instant {
        self.born + Duration::from_millis(now.unsigned_abs())
    }
}

impl World {
    pub fn crash(&mut self, process: usize) {
        let it = &mut self.processes[process];
        let (life, born) = (it.life + 1, it.born);
        *it = Process { life, born, ..Process::new(process) };
        let after = if self.finale { SECOND } else { self.dice.between(SECOND, 10 * 60 * SECOND) };
        self.plan(self.now + after, Event::Start { process });
    }

    pub fn start(&mut self, process: usize) {
        let it = &mut self.processes[process];
        it.up = true;
        it.watch_is_at = self.now;
        it.clock_error = self.dice.between(-700, 700);
        it.cache = self.slots.iter().enumerate().filter_map(|(slot, object)| Some((slot, object.clone()?))).collect();
        for slot in 0..self.slots.len() {
            let after = self.dice.between(0, SECOND);
            self.schedule(process, slot, self.now + after);
        }
    }

    /// The earliest time counts.
    pub fn schedule(&mut self, process: usize, slot: usize, at: Ms) {
        let it = &mut self.processes[process];
        if it.passes.contains_key(&slot) && at <= self.now {
            it.again.insert(slot);
            return;
        }
        if it.due.get(&slot).is_none_or(|due| at < *due) {
            it.due.insert(slot, at);
            let life = it.life;
            self.plan(at, Event::Due { process, life, slot });
        }
    }

    pub fn see(&mut self, process: usize, slot: usize, object: Option<Arc<RdsBackup>>) {
        let it = &mut self.processes[process];
        match object {
            Some(object) => {
                it.cache.insert(slot, object);
                self.schedule(process, slot, self.now);
            }
            None => {
                let gone = it.cache.remove(&slot);
                if let Some(gone) = gone.filter(|_| !it.passes.contains_key(&slot)) {
                    it.seats.remove(uid_of(&gone));
                }
            }
        }
    }

    pub fn due(&mut self, process: usize, slot: usize) {
        let it = &mut self.processes[process];
        if it.due.get(&slot) != Some(&self.now) {
            return;
        }
        it.due.remove(&slot);
        if it.passes.contains_key(&slot) {
            it.again.insert(slot);
            return;
        }
        let Some(cached) = it.cache.get(&slot).cloned() else { return };
        let uid = uid_of(&cached).to_owned();
        let seat = it.seat(&uid);
        let object = if seat.freshest.is_unsure() { cached } else { seat.freshest.newest(cached) };
        let pass = Pass { status: status_of(&object), object, steps: 0, locked: false, effect: None, decided: at(self.now), sent: None };
        it.passes.insert(slot, pass);
        self.judge.pass_begins(process, &uid);
        match self.refresh(process, slot) {
            Stands::Failed => self.fail(process, slot),
            // One that is gone is found out at its next write.
            _ => self.proceed(process, slot),
        }
    }

    /// Reads the newest copy if only the API server knows it.
    pub fn refresh(&mut self, process: usize, slot: usize) -> Stands {
        let uid = self.uid(process, slot);
        if !self.processes[process].seat(&uid).freshest.is_unsure() {
            return Stands::Yes;
        }
        if self.dice.permille(self.weather.api) {
            return Stands::Failed;
        }
        let fresh = self.get(slot, &uid);
        self.processes[process].seat(&uid).freshest.see_again();
        match fresh {
            Some(fresh) => {
                self.moved_to(process, slot, fresh);
                Stands::Yes
            }
            None => Stands::Gone,
        }
    }

    fn moved_to(&mut self, process: usize, slot: usize, newest: Arc<RdsBackup>) {
        let uid = self.uid(process, slot);
        let it = &mut self.processes[process];
        let pass = it.passes.get_mut(&slot).expect("a pass");
        pass.status = status_of(&newest);
        let before = std::mem::replace(&mut pass.object, newest.clone());
        it.seats.entry(uid).or_default().freshest.moved(&before, newest);
    }

    pub fn pass(&self, process: usize, slot: usize) -> &Pass {
        &self.processes[process].passes[&slot]
    }

    pub fn uid(&self, process: usize, slot: usize) -> String {
        uid_of(&self.pass(process, slot).object).to_owned()
    }

    /// The time as a process has it.
    pub fn clock(&self, process: usize) -> Timestamp {
        at(self.now + self.processes[process].clock_error)
    }

    /// What is seen of an object, and what is made of it.
    pub fn seeing<T>(&mut self, process: usize, slot: usize, judge: impl FnOnce(&Observation<'_>, Timestamp) -> T) -> T {
        let thrown = Thrown {
            nonce: format!("{:016x}{:016x}", self.dice.draw(), self.dice.draw()),
            pause: SignedDuration::from_millis(self.dice.between(1000, 5000)),
        };
        let it = &self.processes[process];
        let pass = &it.passes[&slot];
        let account = self.account(&pass.object).view(pass.status.phase.is_terminal(), self.now);
        let uid = uid_of(&pass.object);
        let siblings: Vec<Sibling> = match &account {
            Ok(_) if !pass.status.phase.is_terminal() => it
                .cache
                .values()
                .filter(|other| other.spec.db_instance_id == pass.object.spec.db_instance_id && uid_of(other) != uid)
                .filter_map(|other| self.sibling(other))
                .collect(),
            _ => Vec::new(),
        };
        let fresh = Memory::default();
        let memory = it.seats.get(uid).map_or(&fresh, |seat| &seat.memory);
        let seen =
            Observation { object: &pass.object, status: &pass.status, account: &account, siblings: &siblings, memory, randomness: &thrown };
        judge(&seen, self.clock(process))
    }

    pub fn sibling(&self, other: &RdsBackup) -> Option<Sibling> {
        let account = self.account(other);
        Sibling::of(other, account.is_known() && !account.paused, account.protocol.release_after())
    }

    /// Looks and decides, until there is something to wait for.
    pub fn proceed(&mut self, process: usize, slot: usize) {
        loop {
            let pass = self.processes[process].passes.get_mut(&slot).expect("a pass");
            pass.steps += 1;
            self.judge.worst.steps = self.judge.worst.steps.max(pass.steps);
            if pass.steps > MOST_STEPS {
                self.judge.wrong(format!("1 a pass over {} did not come to rest within {MOST_STEPS} steps", uid_of(&pass.object)));
                return;
            }
            let (decision, judged) = self.seeing(process, slot, |seen, now| {
                let decision = decide(&seen.object.spec, seen, now);
                let judged = crate::walks::decisions::Judged::of(seen, &decision, now);
                (decision, judged)
            });
            self.totals.decided(&decision);
            let life = self.processes[process].life;
            self.judge.decided(process, life, &judged, self.now);
            if !self.apply(process, slot, decision) || !self.judge.is_content() {
                return;
            }
        }
    }

    /// Does what was decided. Says whether to look again at once.
    fn apply(&mut self, process: usize, slot: usize, decision: Decision) -> bool {
        let uid = self.uid(process, slot);
        let instance = self.pass(process, slot).object.spec.db_instance_id.clone();
        if let Some(until) = decision.hold_until {
            self.processes[process].seat(&uid).memory.hold_until = Some(until);
        }
        if matches!(decision.effect, Some(Effect::Preflight { .. } | Effect::WriteIntent { .. })) {
            let it = &mut self.processes[process];
            let pass = it.passes.get_mut(&slot).expect("a pass");
            if !pass.locked && !it.locks.insert(instance) {
                self.rest(process, slot, Some(SECOND));
                return false;
            }
            pass.locked = true;
        }
        if let Some(Effect::WriteIntent { nonce }) = &decision.effect {
            match self.get(slot, &uid) {
                None => return self.gone(process, slot),
                Some(fresh) if fresh.metadata.resource_version != self.pass(process, slot).object.metadata.resource_version => {
                    self.moved_to(process, slot, fresh);
                    return true;
                }
                Some(_) => {}
            }
            let now = self.now;
            let seat = self.processes[process].seat(&uid);
            seat.memory.own = Some(OwnIntent::new(nonce));
            seat.intent_at = Some(now);
        }
        let quiet_for = {
            let it = &self.processes[process];
            let pass = &it.passes[&slot];
            it.seats.get(&uid).and_then(|seat| seat.damping.quiet_for(&pass.status, &decision.status, it.instant(self.now)))
        };
        if quiet_for.is_none() {
            match self.write(process, slot, &decision) {
                Stands::Yes => {}
                Stands::Moved => return true,
                Stands::Gone => return self.gone(process, slot),
                Stands::Failed => {
                    self.fail(process, slot);
                    return false;
                }
            }
        }
        if let (Some(quiet), None) = (quiet_for, &decision.effect) {
            let quiet = Ms::try_from(quiet.as_millis()).unwrap_or(Ms::MAX);
            let wait = if let Requeue::After(time) = decision.requeue { millis(time).min(quiet) } else { quiet };
            self.rest(process, slot, Some(wait));
            return false;
        }
        match (decision.effect, decision.requeue) {
            (Some(Effect::WriteIntent { .. }), _) | (None, Requeue::Now) => true,
            (Some(effect), _) => {
                let (decided, life) = (self.clock(process), self.processes[process].life);
                let pass = self.processes[process].passes.get_mut(&slot).expect("a pass");
                (pass.effect, pass.decided) = (Some(effect), decided);
                let takes = self.dice.between(20, self.weather.slow);
                self.plan(self.now + takes, Event::Done { process, life, slot });
                false
            }
            (None, Requeue::After(time)) => {
                self.settle(process, slot);
                self.rest(process, slot, Some(millis(time)));
                false
            }
            (None, Requeue::OnChange) => {
                let settled = self.settle(process, slot);
                if settled {
                    self.processes[process].seats.remove(&uid);
                }
                self.rest(process, slot, None);
                false
            }
        }
    }

    /// Writes the status if it differs, only over the version that was decided upon.
    pub fn write(&mut self, process: usize, slot: usize, decision: &Decision) -> Stands {
        if decision.status == self.pass(process, slot).status {
            return Stands::Yes;
        }
        let uid = self.uid(process, slot);
        let Some(present) = self.get(slot, &uid) else { return Stands::Gone };
        let fails = self.dice.permille(self.weather.api);
        let lands = !fails || self.dice.permille(500);
        if present.metadata.resource_version != self.pass(process, slot).object.metadata.resource_version && !fails {
            self.moved_to(process, slot, present);
            return Stands::Moved;
        }
        let stands = present.metadata.resource_version == self.pass(process, slot).object.metadata.resource_version;
        if lands && stands {
            let mut object = present.as_ref().clone();
            object.status = Some(decision.status.clone());
            self.wrote(&present, decision);
            self.store(slot, Some(object));
        }
        if fails {
            self.processes[process].seat(&uid).freshest.lose_sight();
            return Stands::Failed;
        }
        let newest = self.slots[slot].clone().expect("it was just written");
        let before = self.pass(process, slot).status.clone();
        self.moved_to(process, slot, newest);
        let it = &mut self.processes[process];
        let now = it.instant(self.now);
        let seat = it.seats.entry(uid).or_default();
        seat.damping.said(&before, &decision.status, now);
        seat.owes_wake |= decision.wakes;
        Stands::Yes
    }

    fn wrote(&mut self, object: &RdsBackup, decision: &Decision) {
        let before = status_of(object);
        self.totals.wrote(&before, &decision.status);
        let nonce = before.submission.as_ref().map_or("", |submission| submission.nonce.as_str());
        let refused = self.cloud.refused.get(nonce).copied();
        let named = |id: Option<&str>| id.and_then(|id| self.cloud.named(id.trim_start_matches('s')));
        let job = named(decision.status.backup_job_id.as_deref()).or(named(decision.status.backup_id.as_deref()));
        let job = job.map(|job| (job.started / MINUTE * MINUTE, job.ends));
        self.judge.wrote(object, (&before, &decision.status), refused, job, self.now);
        if let Some(Effect::WriteIntent { .. }) = &decision.effect {
            let behind = self.furthest_behind();
            self.judge.intent_stands(uid_of(object), self.now, behind);
        }
    }

    /// At rest. Says whether the cache is as new as what this process wrote; only then are those that wait woken.
    fn settle(&mut self, process: usize, slot: usize) -> bool {
        let uid = self.uid(process, slot);
        let instance = self.pass(process, slot).object.spec.db_instance_id.clone();
        let it = &mut self.processes[process];
        let seat = it.seat(&uid);
        let caught_up = seat.freshest.is_cached();
        if caught_up && std::mem::take(&mut seat.owes_wake) {
            let waiting = |(_, other): &(&usize, &Arc<RdsBackup>)| {
                other.spec.db_instance_id == instance && uid_of(other) != uid && !status_of(other).phase.is_terminal()
            };
            let woken: Vec<usize> = it.cache.iter().filter(waiting).map(|(slot, _)| *slot).collect();
            for other in woken {
                self.schedule(process, other, self.now);
            }
        }
        caught_up
    }

    /// The pass is over.
    fn rest(&mut self, process: usize, slot: usize, after: Option<Ms>) {
        let uid = self.uid(process, slot);
        if let Some(seat) = self.processes[process].seats.get_mut(&uid) {
            seat.failures = 0;
        }
        self.end(process, slot, after);
    }

    /// It could not be finished: 1 s, 2 s, 4 s ... up to a minute.
    pub fn fail(&mut self, process: usize, slot: usize) {
        let uid = self.uid(process, slot);
        let seat = self.processes[process].seat(&uid);
        seat.failures += 1;
        let pause = (SECOND << (seat.failures - 1).min(6)).min(60 * SECOND);
        self.end(process, slot, Some(pause));
    }

    pub fn gone(&mut self, process: usize, slot: usize) -> bool {
        let uid = self.uid(process, slot);
        self.processes[process].seats.remove(&uid);
        self.end(process, slot, None);
        false
    }

    fn end(&mut self, process: usize, slot: usize, after: Option<Ms>) {
        let it = &mut self.processes[process];
        let pass = it.passes.remove(&slot).expect("a pass");
        if pass.locked {
            it.locks.remove(&pass.object.spec.db_instance_id);
        }
        if it.again.remove(&slot) {
            self.schedule(process, slot, self.now);
        } else if let Some(after) = after {
            self.schedule(process, slot, self.now + after);
        }
    }

    /// What this process holds is written into the newest copy, for as long as it lives.
    pub fn record(&mut self, process: usize, slot: usize) {
        loop {
            match self.refresh(process, slot) {
                Stands::Gone => {
                    self.gone(process, slot);
                    return;
                }
                Stands::Failed => return self.record_later(process, slot),
                _ => {}
            }
            let decision = self.seeing(process, slot, |seen, now| decide::record(&seen.object.spec, seen, now));
            let Some(decision) = decision else { break };
            match self.write(process, slot, &decision) {
                Stands::Yes => break,
                Stands::Moved => {}
                Stands::Gone => {
                    self.gone(process, slot);
                    return;
                }
                Stands::Failed => return self.record_later(process, slot),
            }
        }
        self.proceed(process, slot);
    }

    fn record_later(&mut self, process: usize, slot: usize) {
        let (pause, life) = (self.dice.between(250, 15_000), self.processes[process].life);
        self.plan(self.now + pause, Event::Record { process, life, slot });
    }
}

fn millis(time: SignedDuration) -> Ms {
    Ms::try_from(time.as_millis()).unwrap_or(Ms::MAX)
}
