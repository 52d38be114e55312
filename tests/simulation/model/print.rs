//! By what one state is told from another: everything that can make a difference, and nothing else.
//!
//! Left out: texts that only people read, and times that nothing waits for. Of the other times only their ages count, and ages beyond what
//! is waited for are alike. So a state that comes back a day later is the same state, and time needs no end.

use std::hash::{DefaultHasher, Hash, Hasher};

use rds_backup_operator::{
    api::{Attempt, ConditionType, Phase, RdsBackup, RdsBackupStatus, Reason, Submission},
    backup::{
        decide::{Decision, Effect, Requeue},
        memory::{Backups, Follow, Look, LookFacts, Looks, Memory, OwnIntent, Preflight, PreflightFacts},
        pass::{Pass, Stage},
        reads::SoFar,
        request::Request,
        state::ObjectState,
    },
    rds::{BackupSet, BackupTask, CreateOutcome},
};

use crate::model::{
    cloud::{Cloud, Owner, State},
    setup::{EXPIRY, LAG, LONG, SKEW},
    world::{Arrived, DAWN, Process, TICK, UnderWay, Version, World, decided, second_of},
};

/// The limit of an open intent's age depends on who else waits.
const OPEN: i64 = i64::MAX;
/// What is older than this makes no difference, unless an open intent may let go because it is blocked.
const LET_GO: i64 = i64::MAX - 1;
/// A look that fails is one of the time at which it was decided; not every configuration has such looks.
const DECIDED: i64 = i64::MAX - 2;

/// The print of a part: what it says, and how old its times are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Print {
    pub shape: u64,
    /// What only people read. It counts where words are written too (`Setup::slow_writes`): a write that changes nothing else leads on as
    /// well.
    pub words: u64,
    /// Times, each with the age from which on it makes no difference how old it is.
    pub ages: Vec<(i64, i64)>,
    /// Before these nothing began that may be the outcome of the newest intent, or of the run.
    pub since: Vec<i64>,
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

    pub fn of_status(status: &RdsBackupStatus) -> Self {
        let RdsBackupStatus {
            observed_generation: _,
            phase,
            conditions,
            submission,
            backup_job_id,
            backup_id,
            origin,
            attempts,
            // Texts and times for people, and what the one spec makes the same everywhere.
            last_error,
            request_id: _,
            started_at: _,
            completed_at: _,
            duration: _,
            size: _,
            size_bytes: _,
            consistent_time: _,
            expires_at: _,
            expiry_source: _,
            reused_from: _,
            checksum: _,
            effective: _,
            progress_percent: _,
            queue: _,
            unknown: _,
        } = status;
        let hasher = &mut DefaultHasher::new();
        let (mut ages, mut since) = (Vec::new(), Vec::new());
        let class = match phase {
            Phase::Queued => Phase::Pending,
            Phase::Finalizing => Phase::Running,
            phase => *phase,
        };
        (class, status.is_true(ConditionType::Stalled), backup_job_id, backup_id).hash(hasher);
        // Of the words of others only those count that decide whether it queues, and whether it is blocked.
        let reason = status.ready_reason();
        match class {
            Phase::Pending => [Reason::RetryBackoff, Reason::Throttled, Reason::ServiceUnavailable]
                .map(|aside| Some(aside.as_str()) == reason)
                .hash(hasher),
            Phase::Resolving => (Some(Reason::OutcomeUnknown.as_str()) == reason).hash(hasher),
            Phase::Failed => reason.hash(hasher),
            _ => {}
        }
        origin.map(|origin| origin as u8).hash(hasher);
        if let Some(intent) = submission {
            let Submission { run, attempt, nonce, timestamp, cleared, baseline, outcome, unresolved_since, waiting_since: _, unknown: _ } =
                intent;
            (run, attempt, cleared, &baseline.backup_ids, outcome.map(|outcome| outcome as u8)).hash(hasher);
            (unresolved_since.0 < timestamp.0).hash(hasher);
            since.push(unresolved_since.0.as_second());
            if outcome.is_none() {
                nonce.hash(hasher);
                since.push(timestamp.0.as_second());
                ages.push((timestamp.0.as_second(), OPEN));
            }
        }
        for Attempt { run, attempt, outcome, at, backup_job_id, backup_id, code } in attempts {
            let current = submission.as_ref().is_some_and(|newest| (newest.run, newest.attempt) == (*run, *attempt));
            if current || backup_job_id.is_some() || backup_id.is_some() {
                (run, attempt, *outcome as u8, backup_job_id, backup_id, code).hash(hasher);
            }
            // The pauses that are counted from it are seconds.
            if current {
                ages.push((at.0.as_second(), TICK));
            }
        }
        let said: Vec<_> = conditions.iter().map(|said| (&said.type_, &said.status, &said.reason, &said.message)).collect();
        let words = hash(&(*phase as u8, said, last_error.as_ref().map(|error| &error.code)));
        Self { shape: hasher.finish(), words, ages, since }
    }

    /// Its decision, and what it has read so far.
    pub fn of_pass(pass: &Pass) -> Self {
        let Some(decided) = decided(pass) else { return Self::default() };
        let mut print = Self::of_decision(&decided.decision);
        match pass.stage() {
            // An open intent that is blocked lets go at some time, and this is the time by which it is judged.
            Stage::Clear(_) => print.ages.push((decided.observed.now.as_second(), LET_GO)),
            Stage::Read(_, reads) => {
                let (refused, mut read, mut counts) = (reads.refused.is_some(), (0, 0), None);
                if let SoFar::Look { from: _, running, sets, commitments: _, mapped: _ } = &reads.so_far {
                    read =
                        (running.iter().map(|told| print_tasks(&told.value)).sum(), sets.iter().map(|told| print_sets(&told.value)).sum());
                    let read_at = sets.iter().filter_map(|told| Some(told.service_time?.as_second())).next();
                    print.ages.extend(read_at.map(|time| (time, LONG)));
                    // Whether the look counts: it does once the request has expired.
                    let signed = decided.decision.status.submission.as_ref().map(|intent| intent.timestamp.0.as_second());
                    counts = read_at.zip(signed).map(|(read_at, signed)| (read_at - signed).min(EXPIRY + SKEW));
                }
                print.ages.push((reads.decided_at.as_second(), DECIDED));
                print.shape = hash(&(print.shape, refused, read, counts));
            }
            _ => {}
        }
        print
    }

    fn of_decision(decision: &Decision) -> Self {
        let mut print = Self::of_status(&decision.status);
        let effect = match &decision.effect {
            None => (0, None),
            Some(Effect::Preflight { .. }) => (1, None),
            Some(Effect::WriteIntent { nonce }) => (2, Some(nonce)),
            Some(Effect::Clear { nonce }) => (3, Some(nonce)),
            Some(Effect::Send { stamp, .. }) => (4, Some(&stamp.nonce)),
            Some(Effect::Look { .. }) => (5, None),
            Some(Effect::Follow { .. }) => (6, None),
            // No object of this world wants its set deleted.
            Some(Effect::ReadSurroundings | Effect::Inspect { .. } | Effect::DeleteSet { .. }) => (7, None),
            // Nor has one a ttl, or takes in a set that is there.
            Some(Effect::LookForReusable | Effect::VerifySet { .. }) => (9, None),
            Some(Effect::LookForNewer | Effect::RemoveObject) => (8, None),
        };
        print.shape = hash(&(print.shape, effect, decision.requeue == Requeue::Now));
        print
    }

    pub fn of_memory(uid: &str, state: &ObjectState) -> Self {
        // Words that are deferred, and objects to wake, make no difference here: see `process`. No object is too large, and no account is
        // changed.
        let ObjectState { memory, freshest, damping: _, intent_written, place_at: _, too_large: _, owes_wake: _, connection: _ } = state;
        // No object of this world wants its set deleted, or takes in one that is there.
        let Memory { own, preflight, looks, follow, hold_until, newer: _, deletion: _, taking_in: _ } = memory;
        let hasher = &mut DefaultHasher::new();
        let mut ages = Vec::new();
        (uid, freshest.is_unsure()).hash(hasher);
        if let Some(OwnIntent { nonce, rival, sent, answer }) = own {
            (nonce, rival, sent).hash(hasher);
            answer.as_ref().map(print_answer).hash(hasher);
            if !sent {
                ages.extend(intent_written.map(|time| (second_of(time), 2 * TICK)));
            }
        }
        if let Some(Preflight { attempt, region: _, at, failures, not_started: _, result }) = preflight {
            (attempt, failures).hash(hasher);
            ages.push((at.as_second(), if result.is_ok() { 2 * TICK } else { LONG }));
            match result {
                Ok(PreflightFacts { instance: _, backups: Ok(Backups { running, sets }) }) => {
                    (print_tasks(running), print_sets(sets)).hash(hasher)
                }
                Ok(PreflightFacts { backups: Err(_), .. }) | Err(_) => 0.hash(hasher),
            }
        }
        let Looks { nonce, beside, first_clean, latest, latest_clean, failures, unmapped } = looks;
        (nonce, beside, latest_clean, (*failures).min(4), (*unmapped).min(6), first_clean.is_some()).hash(hasher);
        ages.extend(first_clean.map(|time| (time.as_second(), LAG + TICK)));
        if let Some(Look { at, result }) = latest {
            ages.push((at.as_second(), if result.is_ok() { TICK } else { LONG }));
            first_clean.map(|first| at.duration_since(first).as_secs().min(LAG + TICK)).hash(hasher);
            match result {
                // What stands beside a result counts when the result is given back; of claims and intents nothing is made any more.
                Ok(LookFacts { running, sets, .. }) if *latest_clean => (print_tasks(running), print_sets(sets)).hash(hasher),
                Ok(LookFacts { running, sets, claims, intents }) => {
                    (print_tasks(running), print_sets(sets)).hash(hasher);
                    ages.extend(intents.iter().map(|signed| (signed.as_second(), OPEN)));
                    for claim in claims {
                        (&claim.uid, &claim.backup, claim.without_set).hash(hasher);
                    }
                }
                Err(_) => 0.hash(hasher),
            }
        }
        let Follow { key, polled_at, answered_at, task, set, finished_since, misses, missed_since, failure, failures } = follow;
        (key, print_tasks(task.as_slice()), print_sets(set.as_slice()), misses, failure.is_some(), (*failures).min(9)).hash(hasher);
        (polled_at.is_some(), answered_at.is_some(), finished_since.is_some(), missed_since.is_some(), hold_until.is_some()).hash(hasher);
        ages.extend(polled_at.map(|time| (time.as_second(), if failure.is_some() { LONG } else { TICK })));
        ages.extend(answered_at.filter(|_| failure.is_some()).map(|time| (time.as_second(), LONG)));
        ages.extend(missed_since.map(|time| (time.as_second(), LAG + TICK)));
        ages.extend(finished_since.map(|time| (time.as_second(), LAG + TICK)));
        ages.extend(hold_until.map(|time| (time.as_second(), LONG)));
        Self { shape: hasher.finish(), words: 0, ages, since: Vec::new() }
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

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for slot in &self.slots {
            slot.history.len().hash(hasher);
            for version in &slot.history {
                self.print(&version.print, hasher);
            }
        }
        // It makes no difference which process is which.
        let mut processes: Vec<u64> = self.processes.iter().map(|process| self.print_process(process)).collect();
        processes.sort_unstable();
        processes.hash(hasher);
        self.cloud.hash_for(hasher, self.now);
        for late in &self.late {
            late.slot.hash(hasher);
            self.print(&late.print, hasher);
        }
        (self.cloud.foreign, self.cloud.automated, self.cloud.failures, self.deletions, self.broken).hash(hasher);
    }
}

impl Cloud {
    pub fn hash_for(&self, hasher: &mut impl Hasher, now: i64) {
        for job in &self.jobs {
            let owner = match &job.owner {
                Owner::Ours { uid, run, attempt: _ } => Some((uid.as_str(), *run)),
                Owner::Foreign(_) => Some(("", 0)),
                Owner::Automated => None,
            };
            (owner, job.state, job.listed).hash(hasher);
            if owner.is_some() {
                // Whether it may be the outcome of a request that is signed from now on.
                (now - job.started).min(2 * TICK).hash(hasher);
            }
            if job.state != State::Running && !job.listed {
                (now - job.ended).hash(hasher);
            }
        }
        for request in &self.wire {
            (&request.nonce, &request.uid, request.used, (now - request.signed).min(EXPIRY + SKEW)).hash(hasher);
        }
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        hash(self) == hash(other)
    }
}

impl World {
    pub fn print(&self, print: &Print, hasher: &mut impl Hasher) {
        print.shape.hash(hasher);
        if self.words {
            print.words.hash(hasher);
        }
        for (time, limit) in &print.ages {
            let limit = match *limit {
                OPEN => self.intent_limit,
                LET_GO if self.intent_limit == EXPIRY + SKEW => 0,
                DECIDED if !self.refused_reads => 0,
                LET_GO | DECIDED => LONG,
                limit => limit,
            };
            (self.now - time).min(limit).hash(hasher);
        }
        for since in &print.since {
            // All that the time is good for: what began after it.
            let from = since - TICK;
            for job in self.cloud.jobs.iter().filter(|job| job.owner != Owner::Automated) {
                (job.started >= from).hash(hasher);
            }
        }
    }

    fn print_process(&self, process: &Process) -> u64 {
        let hasher = &mut DefaultHasher::new();
        (&process.ended, process.leads).hash(hasher);
        for (slot, memory) in process.memories.iter().enumerate() {
            self.print(&memory.print, hasher);
            let history = &self.slots[slot].history[process.cache[slot]..];
            history.len().hash(hasher);
            if history.len() > 1 {
                // Where a pass would begin, now and when the cache has moved on.
                for version in history {
                    let begins = version.object.clone().map(|cached| memory.state.freshest.clone().newest(cached));
                    begins.map(|object| self.position(slot, &object)).hash(hasher);
                }
            }
        }
        for (tag, under_way) in [(0, &process.pass), (1, &process.sender)] {
            if let Some(under_way) = under_way {
                tag.hash(hasher);
                self.print_under_way(under_way, hasher);
            }
        }
        hasher.finish()
    }

    /// A pass as far as it differs from one that begins now. Its own copy of the object says what its decision says, or what is stored.
    fn print_under_way(&self, under_way: &UnderWay, hasher: &mut impl Hasher) {
        let UnderWay { work, pending, arrived, print } = under_way;
        let position = self.position(work.slot, work.pass.object());
        // The lock keeps only the other objects of the instance waiting.
        (work.slot, work.locked && self.slots.len() > 1, position).hash(hasher);
        match (pending, arrived) {
            (Request::Send { stamp, .. }, arrived) => {
                (&work.pass.object().metadata.uid, &stamp.nonce).hash(hasher);
                if let Some(Arrived::Sent(outcome)) = arrived {
                    print_answer(outcome).hash(hasher);
                }
            }
            (_, Some(Arrived::Written(landed))) => {
                self.position(work.slot, landed).hash(hasher);
                self.print(print, hasher);
            }
            _ if self.is_in_vain(under_way) => 0.hash(hasher),
            _ => self.print(print, hasher),
        }
    }

    /// A write that will meet a conflict, whatever it says.
    pub fn is_in_vain(&self, under_way: &UnderWay) -> bool {
        let UnderWay { work, pending, arrived, print: _ } = under_way;
        matches!(pending, Request::WriteStatus { .. }) && arrived.is_none() && self.position(work.slot, work.pass.object()) > 0
    }

    /// How many versions a copy is behind what stands; one that left the history is as old as can be.
    fn position(&self, slot: usize, object: &RdsBackup) -> usize {
        let same = |version: &&std::sync::Arc<Version>| {
            version.object.as_ref().is_some_and(|kept| kept.metadata.resource_version == object.metadata.resource_version)
        };
        let history = &self.slots[slot].history;
        history.iter().rev().enumerate().find(|(_, version)| same(version)).map_or(history.len(), |(index, _)| index)
    }
}

/// How long after the beginning it is, for people.
pub fn minutes_since_dawn(now: i64) -> i64 {
    (now - DAWN) / TICK
}
