//! One operator process: which objects it looks at and when, and how it drives the shipped pass over each. It has no order of requests of
//! its own; what a request comes to is in `requests`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rds_backup_operator::{
    api::RdsBackup,
    backup::{
        InstanceLocks, Noted,
        pass::{Pass, Purpose},
        request::{Answer, Error, Next, Present, Request, Rest},
        state::ObjectState,
    },
    controller::{ObjectTracker, PassGuard},
};
use tokio::{sync::OwnedMutexGuard, time::Instant};

use crate::walks::{
    decisions::Judged,
    time::{Ms, SECOND, at},
    world::{Event, World, uid_of},
};

pub struct Process {
    pub up: bool,
    /// Counts how often it was started: what an earlier life had planned is nothing to this one.
    pub life: u32,
    /// Whether it holds the lease, as far as it knows. Two processes may both believe so: the lease is no lock.
    pub leads: bool,
    pub watch_is_at: Ms,
    /// How wrong it takes the service's time to be.
    pub clock_error: Ms,
    pub cache: BTreeMap<usize, Arc<RdsBackup>>,
    pub tracker: ObjectTracker<ObjectState>,
    pub locks: InstanceLocks,
    pub ended: Noted,
    pub passes: HashMap<usize, UnderWay>,
    due: HashMap<usize, Ms>,
    /// Objects that became due while a pass was under way.
    again: HashSet<usize>,
    born: Instant,
}

/// A pass under way, and what it holds.
pub struct UnderWay {
    pub pass: Pass,
    state: PassGuard<ObjectState>,
    pub lock: Option<OwnedMutexGuard<()>>,
    /// What it asked for, where that takes its time.
    pub pending: Option<Request>,
}

impl Process {
    pub fn new(life: u32, born: Instant) -> Self {
        Self {
            up: false,
            life,
            leads: true,
            watch_is_at: 0,
            clock_error: 0,
            cache: BTreeMap::new(),
            tracker: ObjectTracker::default(),
            locks: InstanceLocks::default(),
            ended: Noted::default(),
            passes: HashMap::new(),
            due: HashMap::new(),
            again: HashSet::new(),
            born,
        }
    }

    fn present(&self, now: Ms) -> Present {
        Present { steady: self.born + Duration::from_millis(now.unsigned_abs()), leads: self.leads, is_burst: false }
    }
}

impl World {
    pub fn crash(&mut self, process: usize) {
        let it = &mut self.processes[process];
        *it = Process::new(it.life + 1, it.born);
        let after = if self.finale { SECOND } else { self.random.between(SECOND, 10 * 60 * SECOND) };
        self.plan(self.now + after, Event::Start { process });
    }

    pub fn start(&mut self, process: usize) {
        let it = &mut self.processes[process];
        it.up = true;
        it.watch_is_at = self.now;
        it.clock_error = self.random.between(-700, 700);
        it.cache = self.slots.iter().enumerate().filter_map(|(slot, object)| Some((slot, object.clone()?))).collect();
        for slot in 0..self.slots.len() {
            let after = self.random.between(0, SECOND);
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
                    it.tracker.forget(uid_of(&gone));
                    it.ended.remove(uid_of(&gone));
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
        let state = it.tracker.try_lock(&uid).expect("one pass at a time works on a slot");
        it.passes.insert(slot, UnderWay { pass: Pass::start(cached), state, lock: None, pending: None });
        self.judge.pass_begins(process, &uid);
        self.advance(process, slot, Answer::Begin);
    }

    /// A request that took its time is done.
    pub fn done(&mut self, process: usize, slot: usize) {
        let Some(request) = self.processes[process].passes.get_mut(&slot).and_then(|pass| pass.pending.take()) else { return };
        let answer = self.answer(process, slot, request);
        self.advance(process, slot, answer);
    }

    /// Drives the pass until it asks for something that takes its time, or rests.
    pub fn advance(&mut self, process: usize, slot: usize, mut answer: Answer) {
        loop {
            let (now, it) = (self.now, &mut self.processes[process]);
            let present = it.present(now);
            let UnderWay { pass, state, .. } = it.passes.get_mut(&slot).expect("a pass");
            let before = pass.decisions();
            let next = pass.next(state, answer, present);
            if pass.decisions() > before {
                self.note_decision(process, slot);
            }
            match next {
                Next::Do(request) => match self.ask(process, slot, request) {
                    Some(at_once) => answer = at_once,
                    None => return,
                },
                Next::Rest(rest) => return self.rest(process, slot, rest),
            }
            if !self.judge.is_content() {
                return;
            }
        }
    }

    fn note_decision(&mut self, process: usize, slot: usize) {
        let it = &self.processes[process];
        let pass = &it.passes[&slot].pass;
        let decided = pass.decided().expect("it has just decided").clone();
        debug_assert_eq!(decided.purpose, Purpose::Decide);
        let judged = Judged::of(pass.object(), &decided);
        let life = it.life;
        self.judge.worst.steps = self.judge.worst.steps.max(pass.decisions());
        self.totals.decided(&decided.decision);
        self.judge.decided(process, life, &judged, self.now);
    }

    /// The time as a process has it.
    pub fn clock(&self, process: usize) -> Timestamp {
        at(self.now + self.processes[process].clock_error)
    }

    /// The pass is over.
    fn rest(&mut self, process: usize, slot: usize, rest: Rest) {
        let it = &mut self.processes[process];
        let UnderWay { pass, state, lock, .. } = it.passes.remove(&slot).expect("a pass");
        drop((state, lock));
        let uid = uid_of(pass.object());
        let after = match rest {
            Rest::Requeue(after) => Some(after),
            Rest::AwaitChange => None,
            Rest::Failed(error) => {
                // Two operators that both lead, and whose lists take longer than the 10 s that each leaves the other to clear an intent, withdraw
                // each other's until a pass is stopped.
                let both_lead =
                    self.conditions.slow > 10 * SECOND && self.processes.iter().filter(|other| other.up && other.leads).count() > 1;
                let is_stopped = both_lead && matches!(*error, Error::NoRest(_));
                let it = &mut self.processes[process];
                if !is_stopped && !matches!(*error, Error::Cluster(_)) {
                    self.judge.wrong(format!("1 a pass over {uid} ended: {error}"));
                }
                let after = it.tracker.failed(uid);
                self.reschedule(process, slot, Some(after));
                return;
            }
        };
        it.tracker.succeeded(uid);
        self.reschedule(process, slot, after);
    }

    fn reschedule(&mut self, process: usize, slot: usize, after: Option<Duration>) {
        if self.processes[process].again.remove(&slot) {
            self.schedule(process, slot, self.now);
        } else if let Some(after) = after {
            let after = Ms::try_from(after.as_millis()).unwrap_or(Ms::MAX / 2);
            self.schedule(process, slot, self.now + after);
        }
    }
}
