//! What this process has learnt about one object. Plain data: the pass fills it, `decide` reads it. Lost in a crash; everything that must
//! survive is in the status.

use jiff::{SignedDuration, Timestamp};

mod deletion;
mod taking_in;

pub use deletion::{Answered, Deletion, Findings, Inspection, Other, Surrounded};
pub use taking_in::{Candidate, TakingIn, Verified, VerifiedSet};

use super::{
    policy::FRESH,
    siblings::{Claim, Commitments},
};
use crate::rds::{Answer, BackupSet, BackupTask, CallError, CreateOutcome, Instance, JobId, JobState};

/// What this process has learnt about one object. Lost in a crash; everything that must survive is in the status.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The intent that this process wrote, or is about to write.
    pub own: Option<OwnIntent>,
    /// The newest preflight.
    pub preflight: Option<Preflight>,
    /// The looks for the open intent.
    pub looks: Looks,
    /// The polls of the job.
    pub follow: Follow,
    /// No new attempt before this.
    pub hold_until: Option<Timestamp>,
    /// Whether another object of the instance has a newer usable backup, and when that was looked up.
    pub newer: Option<(Timestamp, bool)>,
    /// What was learnt of sets that are there already.
    pub taking_in: TakingIn,
    /// What was learnt for the deletion of the set.
    pub deletion: Deletion,
}

/// An intent of this process.
#[derive(Clone, Debug)]
pub struct OwnIntent {
    /// Its nonce: by it the intent is recognised when the answer to its write was lost.
    pub nonce: String,
    /// The other object with an open intent that the quorum LIST found; `Some(None)` is the all-clear.
    pub rival: Option<Option<String>>,
    /// Whether the request left this process, or may have.
    pub sent: bool,
    /// What came of it.
    pub answer: Option<CreateOutcome>,
}

/// What was read before an intent.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// The run and attempt that it was made for.
    pub attempt: (i32, i32),
    /// The region that was asked.
    pub region: String,
    /// When.
    pub at: Timestamp,
    /// How many in a row could not be made.
    pub failures: u32,
    /// The listed jobs that have not begun, and since when this process knows them so.
    pub not_started: Vec<(JobId, Timestamp)>,
    /// What was read.
    pub result: Result<PreflightFacts, CallError>,
}

/// The instance before a request.
#[derive(Clone, Debug)]
pub struct PreflightFacts {
    /// Its attributes.
    pub instance: Instance,
    /// Its jobs and sets. The service does not tell them of every instance: it answers `ReadDBInstanceNotSupport` for a read-only one.
    pub backups: Result<Backups, CallError>,
}

/// The jobs and sets of an instance before a request.
#[derive(Clone, Debug)]
pub struct Backups {
    /// The jobs that run.
    pub running: Vec<BackupTask>,
    /// The manual sets of the last 24 hours.
    pub sets: Vec<BackupSet>,
}

/// The looks for one open intent.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// The intent's nonce: looks for another intent prove nothing.
    pub nonce: String,
    /// The result that the object had, by its job's id or its set's: what stands beside one is no candidate, so looks that were clean
    /// beside it prove nothing once it was given back.
    pub beside: Option<String>,
    /// The service's time of the first clean look after the request had expired.
    pub first_clean: Option<Timestamp>,
    /// The newest look.
    pub latest: Option<Look>,
    /// Whether the newest look found nothing that may be ours.
    pub latest_clean: bool,
    /// How many looks in a row failed.
    pub failures: u32,
    /// How many looks met a claimed job that no set could be mapped to.
    pub unmapped: u32,
}

/// One look.
#[derive(Clone, Debug)]
pub struct Look {
    /// When, by the service's `Date`.
    pub at: Timestamp,
    /// What was observed, if every call and page succeeded.
    pub result: Result<LookFacts, CallError>,
}

/// The instance after a request whose answer was lost.
#[derive(Clone, Debug, Default)]
pub struct LookFacts {
    /// The jobs that run on it. Read before the sets, so that a job that ends in between is seen twice rather than never.
    pub running: Vec<BackupTask>,
    /// The manual sets since the run's earliest unresolved attempt.
    pub sets: Vec<BackupSet>,
    /// What is the result of an object already, by a quorum LIST.
    pub claims: Vec<Claim>,
    /// The signed times of the open, cleared intents of the instance's objects, this object's own among them, by the same LIST.
    pub intents: Vec<Timestamp>,
}

/// The polls of one job.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// The job's or the set's id: polls of another job prove nothing.
    pub key: String,
    /// When it was polled last, with or without an answer: the pace counts from here.
    pub polled_at: Option<Timestamp>,
    /// When the service answered a poll last. Only an answer says that something has not happened by then.
    pub answered_at: Option<Timestamp>,
    /// The job as it was seen last.
    pub task: Option<BackupTask>,
    /// The set as it was seen last.
    pub set: Option<BackupSet>,
    /// Since when the job is known to be finished.
    pub finished_since: Option<Timestamp>,
    /// How many polls in a row did not find the job.
    pub misses: u32,
    /// The first of them.
    pub missed_since: Option<Timestamp>,
    /// The error of the last poll.
    pub failure: Option<CallError>,
    /// How many polls in a row failed.
    pub failures: u32,
}

impl OwnIntent {
    /// One that is about to be written.
    pub fn new(nonce: &str) -> Self {
        Self { nonce: nonce.to_owned(), rival: None, sent: false, answer: None }
    }

    /// The job as which the service accepted the request.
    pub fn accepted_job(&self) -> Option<&JobId> {
        match &self.answer {
            Some(CreateOutcome::Accepted { job_id, .. }) => Some(job_id),
            _ => None,
        }
    }
}

impl PreflightFacts {
    /// From the three reads; jobs that have ended do not stand in the way.
    pub fn of(instance: Instance, backups: Result<(Vec<BackupTask>, Vec<BackupSet>), CallError>) -> Self {
        let backups = backups.map(|(tasks, sets)| {
            let running = tasks.into_iter().filter(|task| !matches!(task.state, JobState::Finished | JobState::Failed)).collect();
            Backups { running, sets }
        });
        Self { instance, backups }
    }
}

impl Memory {
    /// The account has another endpoint or key: what was read before may be of another service.
    pub fn forget_reads(&mut self) {
        (self.preflight, self.looks, self.follow) = (None, Looks::default(), Follow::default());
        self.deletion = Deletion::default();
        self.taking_in.verified = None;
    }

    /// Takes in a preflight.
    pub fn absorb_preflight(&mut self, attempt: (i32, i32), region: &str, at: Timestamp, result: Result<PreflightFacts, CallError>) {
        self.preflight = Some(Preflight::absorb(self.preflight.as_ref(), attempt, region, at, result));
    }

    /// Step 4. Takes in what the quorum LIST found.
    pub fn absorb_rival(&mut self, nonce: &str, rival: Option<String>) {
        if let Some(own) = self.own.as_mut().filter(|own| own.nonce == nonce) {
            own.rival = Some(rival);
        }
    }

    /// Step 5. Whether the request of the intent `nonce` may leave, `since_intent` by a clock that cannot be set: a process that slept must
    /// not wake up and send a request that other processes have given up. If it may, it counts as sent from here on, whatever becomes of
    /// it.
    pub fn leave(&mut self, nonce: &str, since_intent: Option<SignedDuration>) -> Result<(), &'static str> {
        if since_intent.is_none_or(|time| time > FRESH) {
            return Err("more than 60 s had passed since it was announced");
        }
        match self.own.as_mut() {
            Some(own) if own.nonce == nonce && !own.sent => {
                own.sent = true;
                Ok(())
            }
            _ => Err("it was withdrawn"),
        }
    }

    /// Step 6. Takes in what came of the request.
    pub fn absorb_answer(&mut self, nonce: &str, answer: CreateOutcome) {
        if let Some(own) = self.own.as_mut().filter(|own| own.nonce == nonce) {
            own.answer = Some(answer);
        }
    }
}

impl Look {
    /// From the answers of the service, and what the API server knew after them.
    pub fn of(tasks: Answer<Vec<BackupTask>>, sets: Answer<Vec<BackupSet>>, commitments: Commitments, now: Timestamp) -> Self {
        let at = sets.service_time.unwrap_or(now);
        let Commitments { claims, intents } = commitments;
        Self { at, result: Ok(LookFacts { running: tasks.value, sets: sets.value, claims, intents }) }
    }
}

impl Preflight {
    /// What kept it from being whole.
    pub fn trouble(&self) -> Option<&CallError> {
        match &self.result {
            Ok(facts) => facts.backups.as_ref().err(),
            Err(error) => Some(error),
        }
    }

    /// Takes in what was read for an attempt in a region, after `before`.
    pub fn absorb(
        before: Option<&Self>,
        attempt: (i32, i32),
        region: &str,
        at: Timestamp,
        result: Result<PreflightFacts, CallError>,
    ) -> Self {
        let known = before.map(|before| before.not_started.clone()).unwrap_or_default();
        let not_started = match result.as_ref().map(|facts| facts.backups.as_ref()) {
            Ok(Ok(backups)) => {
                let since = |job: &JobId| known.iter().find(|(listed, _)| listed == job).map_or(at, |(_, since)| *since);
                let idle = backups.running.iter().filter(|task| task.state == JobState::NotStarted);
                idle.map(|task| (task.job_id.clone(), since(&task.job_id))).collect()
            }
            _ => known,
        };
        let mut preflight = Self { attempt, region: region.to_owned(), at, failures: 0, not_started, result };
        if preflight.trouble().is_some() {
            preflight.failures = 1 + before.filter(|before| before.attempt == attempt).map_or(0, |before| before.failures);
        }
        preflight
    }
}

impl Follow {
    /// The job, once it is finished and has named its set: there is nothing more to learn from it.
    pub fn ended(&self) -> Option<&BackupTask> {
        self.task.as_ref().filter(|task| task.state == JobState::Finished && task.backup_id.is_some())
    }

    /// Whether the job is finished and has not named its set: only a listing tells which it is.
    pub fn ended_unnamed(&self) -> bool {
        self.set.is_none() && self.task.as_ref().is_some_and(|task| task.state == JobState::Finished && task.backup_id.is_none())
    }

    /// How long before the newest answer something was seen first.
    pub fn answered_since(&self, first: Option<Timestamp>) -> SignedDuration {
        first.zip(self.answered_at).map_or(SignedDuration::ZERO, |(first, answered)| answered.duration_since(first))
    }

    /// Takes in one poll of the job `key`.
    pub fn absorb(&mut self, key: &str, now: Timestamp, result: Result<(Option<BackupTask>, Option<BackupSet>), CallError>) {
        if self.key != key {
            *self = Self { key: key.to_owned(), ..Self::default() };
        }
        self.polled_at = Some(now);
        match result {
            Ok((task, set)) => {
                self.answered_at = Some(now);
                // Of a job that has ended only the set is asked for, and what it said stays.
                let task = task.or_else(|| self.ended().cloned());
                if task.is_none() && set.is_none() {
                    self.misses = self.misses.saturating_add(1);
                    self.missed_since.get_or_insert(now);
                } else {
                    (self.misses, self.missed_since) = (0, None);
                }
                if task.as_ref().is_some_and(|task| task.state == JobState::Finished) || set.is_some() {
                    self.finished_since.get_or_insert(now);
                }
                self.task = task;
                self.set = set;
                self.failure = None;
                self.failures = 0;
            }
            Err(error) => {
                self.failure = Some(error);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }
}
