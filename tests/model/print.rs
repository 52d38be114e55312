//! By what one state is told from another: everything that can make a difference, and nothing else.
//!
//! Left out: texts that only people read, and times that nothing waits for (see `ages` for those that are waited for only a while). Of the other
//! times only their distances count, and distances beyond the longest constant of the protocol are alike. So a state that comes back a day later
//! is the same state, and time needs no end.

use std::hash::{DefaultHasher, Hash, Hasher};

use rds_backup_operator::{
    api::{RdsBackup, RdsBackupStatus, Time},
    backup::{
        decide::{Decision, Effect, Requeue},
        seen::{Follow, Look, LookFacts, Looks, Memory, OwnIntent, Preflight, PreflightFacts},
    },
    rds::{BackupSet, BackupTask, CreateOutcome},
};

use crate::{
    cloud::{Owner, State},
    setup::LONG,
    world::{DAWN, Process, Seat, Step, TICK, Waiting, World, at},
};

/// The print of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Print {
    pub shape: u64,
    /// Times that are compared with each other.
    pub times: Vec<i64>,
    /// Times that are compared only with the present.
    pub ages: Vec<i64>,
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Print {
    pub fn of_object(object: Option<&RdsBackup>, listed_before: &[String]) -> Self {
        let Some(object) = object else { return Self::default() };
        let mut print = object.status.as_ref().map(Self::of_status).unwrap_or_default();
        print.shape = hash(&(print.shape, &object.metadata.uid, listed_before));
        print
    }

    fn of_status(status: &RdsBackupStatus) -> Self {
        let never = || Time(at(0));
        let (mut times, mut ages) = (Vec::new(), Vec::new());
        let mut status = status.clone();
        for condition in &mut status.conditions {
            condition.last_transition_time = never();
        }
        if let Some(submission) = &mut status.submission {
            times.extend([submission.timestamp.0.as_second(), submission.unresolved_since.0.as_second()]);
            (submission.timestamp, submission.unresolved_since, submission.waiting_since, submission.baseline.at) =
                (never(), never(), never(), never());
        }
        for attempt in &mut status.attempts {
            ages.push(attempt.at.0.as_second());
            attempt.at = never();
        }
        if let Some(error) = &mut status.last_error {
            times.push(error.at.0.as_second());
            error.at = never();
        }
        if let Some(queue) = &mut status.queue {
            queue.since = never();
        }
        status.started_at = status.started_at.map(|_| never());
        status.completed_at = status.completed_at.map(|_| never());
        status.duration = None;
        Self { shape: hash(&serde_json::to_vec(&status).expect("a status is JSON")), times, ages }
    }

    pub fn of_decision(decision: &Decision) -> Self {
        let mut print = Self::of_status(&decision.status);
        let effect = match &decision.effect {
            None => (0, None),
            Some(Effect::Preflight { .. }) => (1, None),
            Some(Effect::WriteIntent { nonce }) => (2, Some(nonce)),
            Some(Effect::Clear { nonce }) => (3, Some(nonce)),
            Some(Effect::Send { stamp, .. }) => (4, Some(&stamp.nonce)),
            Some(Effect::Look { .. }) => (5, None),
            Some(Effect::Follow { .. }) => (6, None),
        };
        print.shape = hash(&(print.shape, effect, decision.requeue == Requeue::Now));
        print
    }

    pub fn of_seat(seat: &Seat) -> Self {
        let Seat { uid, memory, copies, intent_at, print: _ } = seat;
        let Memory { own, preflight, looks, follow, hold_until } = memory;
        let mut hasher = DefaultHasher::new();
        let (mut times, mut ages) = (Vec::new(), Vec::new());
        (uid, copies.is_unsure()).hash(&mut hasher);
        if let Some(OwnIntent { nonce, rival, sent, answer }) = own {
            (nonce, rival, sent).hash(&mut hasher);
            answer.as_ref().map(print_answer).hash(&mut hasher);
            if !sent {
                ages.extend(*intent_at);
            }
        }
        if let Some(Preflight { attempt, at, failures, result }) = preflight {
            (attempt, failures).hash(&mut hasher);
            ages.push(at.as_second());
            match result {
                Ok(PreflightFacts { instance: _, running, sets }) => (print_tasks(running), print_sets(sets)).hash(&mut hasher),
                Err(_) => 0.hash(&mut hasher),
            }
        }
        let Looks { nonce, first_clean, latest, latest_clean, failures, unmapped } = looks;
        (nonce, latest_clean, (*failures).min(4), (*unmapped).min(6)).hash(&mut hasher);
        times.extend(first_clean.map(|time| time.as_second()));
        if let Some(Look { at, result }) = latest {
            if first_clean.is_some() { times.push(at.as_second()) } else { ages.push(at.as_second()) }
            match result {
                Ok(LookFacts { running, sets, claims }) => {
                    (print_tasks(running), print_sets(sets)).hash(&mut hasher);
                    for claim in claims {
                        (&claim.uid, &claim.job_id, &claim.backup_id, claim.without_set).hash(&mut hasher);
                    }
                }
                Err(_) => 0.hash(&mut hasher),
            }
        }
        let Follow { key, at, task, set, finished_since, misses, failure, failures } = follow;
        (key, print_tasks(task.as_slice()), print_sets(set.as_slice()), misses, failure.is_some(), (*failures).min(9)).hash(&mut hasher);
        (at.is_some(), finished_since.is_some(), hold_until.is_some(), first_clean.is_some()).hash(&mut hasher);
        ages.extend(at.iter().chain(finished_since).chain(hold_until).map(|time| time.as_second()));
        Self { shape: hasher.finish(), times, ages }
    }
}

fn print_answer(answer: &CreateOutcome) -> u64 {
    match answer {
        CreateOutcome::Accepted { job_id, .. } => hash(&(0, job_id)),
        CreateOutcome::Rejected(_) => hash(&1),
        CreateOutcome::Unknown(unknown) => hash(&(2, unknown.api.as_ref().map(|error| &error.code))),
    }
}

fn print_tasks(tasks: &[BackupTask]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for task in tasks {
        (&task.job_id, task.state as u8, &task.backup_id).hash(&mut hasher);
    }
    hasher.finish()
}

fn print_sets(sets: &[BackupSet]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for set in sets {
        (&set.backup_id, set.status as u8).hash(&mut hasher);
    }
    hasher.finish()
}

/// Times as distances from the present: a gap longer than every constant is as long as that.
struct Calendar {
    now: i64,
    /// What was, the newest first, and how long ago it is taken to be.
    past: Vec<(i64, i64)>,
}

impl Calendar {
    fn of(world: &World) -> Self {
        let now = world.now;
        let mut times: Vec<i64> = Vec::with_capacity(48);
        for version in world.slots.iter().flat_map(|slot| &slot.history) {
            times.extend(&version.print.times);
        }
        for process in &world.processes {
            for seat in &process.seats {
                times.extend(&seat.print.times);
            }
            match process.pass.as_ref().map(|pass| &pass.step) {
                Some(Step::Reread(decided) | Step::Write(decided) | Step::Act(decided)) => times.extend(&decided.print.times),
                Some(Step::ReadSets(decided, ..) | Step::ReadClaims(decided, ..)) => times.extend(&decided.print.times),
                None => {}
            }
        }
        times.extend(world.late.iter().flat_map(|late| &late.decided.print.times));
        times.extend(world.cloud.wire.iter().map(|request| request.signed));
        times.extend(world.cloud.jobs.iter().filter(|job| job.owner != Owner::Automated).map(|job| job.started));
        times.sort_unstable_by(|one, other| other.cmp(one));
        times.dedup();
        let (mut newer, mut ago) = (now, 0);
        let past = times
            .into_iter()
            .map(|time| {
                let gap = newer - time;
                ago += if gap > LONG { LONG + gap.rem_euclid(TICK) } else { gap };
                newer = time;
                (time, ago)
            })
            .collect();
        Self { now, past }
    }

    fn ago(&self, time: i64) -> i64 {
        self.past.iter().find(|(past, _)| *past == time).map_or(0, |(_, ago)| *ago)
    }

    fn print(&self, print: &Print, hasher: &mut impl Hasher) {
        print.shape.hash(hasher);
        for time in &print.times {
            self.ago(*time).hash(hasher);
        }
        for time in &print.ages {
            (self.now - time).min(LONG).hash(hasher);
        }
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let calendar = Calendar::of(self);
        for slot in &self.slots {
            slot.history.len().hash(hasher);
            for version in &slot.history {
                calendar.print(&version.print, hasher);
            }
        }
        // It makes no difference which process is which.
        let mut processes: Vec<u64> = self.processes.iter().map(|process| self.print_process(process, &calendar)).collect();
        processes.sort_unstable();
        processes.hash(hasher);
        for job in &self.cloud.jobs {
            (&job.owner, job.state, job.listed).hash(hasher);
            if job.owner != Owner::Automated {
                calendar.ago(job.started).hash(hasher);
            }
            if job.state != State::Running && !job.listed {
                (self.now - job.ended).min(LONG).hash(hasher);
            }
        }
        for request in &self.cloud.wire {
            (&request.nonce, &request.uid, request.used, calendar.ago(request.signed)).hash(hasher);
        }
        for late in &self.late {
            late.slot.hash(hasher);
            calendar.print(&late.decided.print, hasher);
        }
        (self.cloud.foreign, self.cloud.automated, self.cloud.failures, self.deletions, self.broken).hash(hasher);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        hash(self) == hash(other)
    }
}

impl World {
    fn print_process(&self, process: &Process, calendar: &Calendar) -> u64 {
        let hasher = &mut DefaultHasher::new();
        for (slot, seat) in process.seats.iter().enumerate() {
            calendar.print(&seat.print, hasher);
            let history = &self.slots[slot].history[process.cache[slot]..];
            history.len().hash(hasher);
            if history.len() > 1 {
                // Where a pass would begin, now and when the cache has moved on.
                for version in history {
                    let begins = version.object.clone().map(|cached| seat.copies.clone().newest(cached));
                    begins.map(|object| self.position(slot, &object)).hash(hasher);
                }
            }
        }
        if let Some(pass) = &process.pass {
            pass.turn.slot.hash(hasher);
            let stands = self.position(pass.turn.slot, &pass.turn.object) == 0;
            stands.hash(hasher);
            match &pass.step {
                // It will meet a conflict, whatever it says.
                Step::Write(_) if !stands => 0.hash(hasher),
                Step::Write(decided) => (1.hash(hasher), calendar.print(&decided.print, hasher)).0,
                Step::Reread(decided) => (2.hash(hasher), calendar.print(&decided.print, hasher)).0,
                Step::Act(decided) => (3.hash(hasher), calendar.print(&decided.print, hasher)).0,
                Step::ReadSets(decided, tasks, read) => {
                    (4, print_tasks(tasks), (self.now - read).min(LONG)).hash(hasher);
                    calendar.print(&decided.print, hasher);
                }
                Step::ReadClaims(decided, tasks, read, sets, listed) => {
                    (5, print_tasks(tasks), print_sets(sets), (self.now - read).min(LONG), (self.now - listed).min(LONG)).hash(hasher);
                    calendar.print(&decided.print, hasher);
                }
            }
        }
        if let Some(sender) = &process.sender {
            (sender.turn.slot, &sender.turn.object.metadata.uid, &sender.nonce).hash(hasher);
            (self.position(sender.turn.slot, &sender.turn.object) == 0).hash(hasher);
            match &sender.answer {
                Waiting::ForAnswer => 0.hash(hasher),
                Waiting::Arrived(answer) => (1, print_answer(answer)).hash(hasher),
                Waiting::ToRecord => 2.hash(hasher),
            }
        }
        hasher.finish()
    }

    /// How many versions a copy is behind what stands; one that left the history is as old as can be.
    fn position(&self, slot: usize, object: &RdsBackup) -> usize {
        let same = |version: &&std::sync::Arc<crate::world::Version>| {
            version.object.as_ref().is_some_and(|kept| kept.metadata.resource_version == object.metadata.resource_version)
        };
        let history = &self.slots[slot].history;
        history.iter().rev().enumerate().find(|(_, version)| same(version)).map_or(history.len(), |(index, _)| index)
    }
}

/// Keeps the dawn in use where only distances are.
pub fn minutes_since_dawn(now: i64) -> i64 {
    (now - DAWN) / TICK
}
