//! The service: instances, their jobs and sets, and the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::catalogue::{Catalogue, InstanceSpec};
use super::clock::{Now, earlier};
use super::clones::{self, Cloned, Clones};
use super::error::ApiError;
use super::gateway::Call;
use super::jobs::Job;
use super::ledger::{DeletionRecord, JobKind, JobOutcome, LedgerEntry, Origin, SetRecord};
use super::rules::{self, BackupType, Method, Wanted};
use super::settings::Settings;

const DAY: Duration = Duration::from_secs(86_400);

/// How long the jobs ran that made the sets of the days before.
const PAST_JOB: Duration = Duration::from_secs(600);

/// What is to be known of a job before it starts.
pub(super) struct Start {
    pub(super) origin: Origin,
    pub(super) wanted: Wanted,
    pub(super) length: Duration,
    /// How it will end.
    pub(super) fate: JobOutcome,
}

/// An accepted request and the job it started.
struct Accepted {
    call: Call,
    time: Timestamp,
    job: u64,
}

/// Everything the service knows.
pub(super) struct Cloud {
    pub(super) catalogue: Catalogue,
    /// By instance, oldest first. An instance has an entry once it has been asked for.
    jobs: BTreeMap<String, Vec<Job>>,
    accepted: Vec<Accepted>,
    deletions: Vec<DeletionRecord>,
    pub(super) clones: Clones,
    next_job: u64,
    next_set: u64,
    chance: StdRng,
}

impl Cloud {
    pub(super) fn new(catalogue: Catalogue, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        // Ids of the real service's size. Sets are numbered far above jobs, so that one taken for the other finds nothing.
        let (next_job, next_set) = (chance.random_range(11_000_000..12_000_000), chance.random_range(700_000_000..760_000_000));
        let clones = Clones::default();
        Self { catalogue, jobs: BTreeMap::new(), accepted: Vec::new(), deletions: Vec::new(), clones, next_job, next_set, chance }
    }

    /// Makes the jobs of an instance, and their sets, so much older.
    pub(super) fn age(&mut self, instance: &str, by: Duration) {
        for job in self.jobs.get_mut(instance).into_iter().flatten() {
            (job.began, job.started_at) = (earlier(job.began, by), earlier(job.started_at, by));
        }
    }

    /// What the instance is. One that is asked for the first time gets its past, and the job that keeps it busy.
    /// `region` is the one that a request names, where the host compares it.
    pub(super) fn visit(&mut self, instance: &str, region: Option<&str>, now: Now) -> Result<InstanceSpec, ApiError> {
        let mut spec = self.catalogue.find(instance).ok_or_else(absent)?.clone();
        if let Some(status) = self.clones.status(instance, now) {
            spec.status = status.to_owned();
        }
        if region.is_some_and(|region| region != spec.region) {
            return Err(ApiError::new(400, "InvalidDBInstanceId.NotFound", "The DBInstanceId provided does not exist in records."));
        }
        if !self.jobs.contains_key(instance) {
            self.jobs.insert(instance.to_owned(), Vec::new());
            for days in (1..=spec.history).rev() {
                let ago = DAY * days;
                let then = Now { machine: earlier(now.machine, ago), service: earlier(now.service, ago) };
                self.begin(instance, &spec, Start::unasked(Origin::Automated, &spec, PAST_JOB), then);
            }
            if let Some(busy) = spec.busy_for {
                self.begin(instance, &spec, Start::unasked(Origin::Automated, &spec, busy), now);
            }
        }
        Ok(spec)
    }

    /// The instances that there are, by name: those that the catalogue names without a star, and those of its patterns that were asked for.
    pub(super) fn instances(&self) -> BTreeMap<&str, &InstanceSpec> {
        let named = self.catalogue.patterns().filter(|pattern| !pattern.contains('*'));
        let names = named.chain(self.jobs.keys().map(String::as_str));
        names.filter_map(|name| Some((name, self.catalogue.find(name)?))).collect()
    }

    /// The instance's jobs, oldest first.
    pub(super) fn jobs(&self, instance: &str) -> &[Job] {
        self.jobs.get(instance).map(Vec::as_slice).unwrap_or_default()
    }

    /// Starts the job that a request asks for, and writes it into the ledger. The instance has to be free.
    pub(super) fn accept(&mut self, call: &Call, spec: &InstanceSpec, start: Start, now: Now) -> u64 {
        let job = self.begin(&call.instance, spec, start, now);
        self.accepted.push(Accepted { call: call.clone(), time: now.service, job });
        job
    }

    /// Starts a job that no request asked for.
    pub(super) fn start(
        &mut self,
        instance: &str,
        kind: JobKind,
        length: Duration,
        settings: &Settings,
        now: Now,
    ) -> Result<u64, ApiError> {
        let spec = self.visit(instance, None, now)?;
        self.check_free(instance, settings, now)?;
        let origin = match kind {
            JobKind::Automated => Origin::Automated,
            JobKind::Manual => Origin::Foreign,
        };
        Ok(self.begin(instance, &spec, Start::unasked(origin, &spec, length), now))
    }

    /// One job per instance, and so many a day.
    pub(super) fn check_free(&self, instance: &str, settings: &Settings, now: Now) -> Result<(), ApiError> {
        if self.jobs(instance).iter().any(|job| !job.ended(now)) {
            return Err(ApiError::new(400, "BackupJobExists", "A backup job already exists in the specified DB instance."));
        }
        let day = |at: Timestamp| at.as_second().div_euclid(86_400);
        let today = self.jobs(instance).iter().filter(|job| day(job.started_at) == day(now.service)).count();
        if today >= settings.daily_limit as usize {
            return Err(ApiError::new(403, "Exceeded.BackupTimes", "The backup times exceeds."));
        }
        Ok(())
    }

    /// How long a job of the instance will run.
    pub(super) fn length(&mut self, spec: &InstanceSpec, settings: &Settings) -> Duration {
        let spread = spec.job_spread.unwrap_or(settings.job_spread);
        let more = self.chance.random_range(0..=u64::try_from(spread.as_millis()).unwrap_or(u64::MAX));
        spec.job_time.unwrap_or(settings.job_time).saturating_add(Duration::from_millis(more))
    }

    fn begin(&mut self, instance: &str, spec: &InstanceSpec, start: Start, now: Now) -> u64 {
        let wanted = start.wanted;
        let has_full = self.jobs(instance).iter().any(|job| !job.incremental);
        let job = Job {
            id: self.next_job,
            backup_id: self.next_set,
            origin: start.origin,
            method: rules::listed_method(spec.engine, wanted.method),
            // `Auto` lets the service choose: a full backup first, then what has changed since.
            incremental: wanted.backup_type == Some(BackupType::Auto) && has_full,
            databases: wanted.databases,
            retention: wanted.retention,
            size: spec.set_size.saturating_add(self.chance.random_range(0..=spec.set_size / 16)),
            began: now.machine,
            started_at: Timestamp::from_second(now.service.as_second()).unwrap_or(now.service),
            length: start.length,
            fate: start.fate,
            removed: false,
        };
        self.next_job += self.chance.random_range(1..=7);
        self.next_set += self.chance.random_range(1..=7);
        let id = job.id;
        self.jobs.entry(instance.to_owned()).or_default().push(job);
        id
    }

    /// Removes an ended set from the list.
    pub(super) fn remove_set(&mut self, instance: &str, backup_id: &str, now: Now) -> bool {
        let mut jobs = self.jobs.get_mut(instance).into_iter().flatten();
        match jobs.find(|job| job.backup_id.to_string() == backup_id && job.ended(now) && !job.removed) {
            Some(job) => {
                job.removed = true;
                true
            }
            None => false,
        }
    }

    /// Deletes a set that may be deleted, and keeps who asked for it.
    pub(super) fn delete_set(&mut self, call: &Call, backup_id: &str, now: Now) {
        if self.remove_set(&call.instance, backup_id, now) {
            self.deletions.push(DeletionRecord {
                time: now.service,
                instance: call.instance.clone(),
                backup_id: backup_id.to_owned(),
                access_key_id: call.key_id.clone(),
            });
        }
    }

    pub(super) fn deletions(&self) -> &[DeletionRecord] {
        &self.deletions
    }

    /// Makes an instance of another one's set, or the one that was made before for the same token.
    pub(super) fn clone_instance(&mut self, call: &Call, spec: &InstanceSpec, lag: Duration, now: Now) -> Result<Cloned, ApiError> {
        if let Some(made) = self.clones.replayed(call)? {
            return Ok(made);
        }
        clones::check(call, spec, self.jobs(&call.instance), lag, now)?;
        let (number, order) = (self.chance.random_range(0..u64::MAX), self.chance.random_range(200_000_000_000_000..300_000_000_000_000));
        let instance = format!("{}-clone{number:016x}", prefix(&call.instance));
        self.catalogue.define(&instance, clones::spec_of(call, spec));
        Ok(self.clones.make(call, instance, order, now))
    }

    pub(super) fn accepted(&self, instance: &str) -> usize {
        self.accepted.iter().filter(|accepted| accepted.call.instance == instance).count()
    }

    pub(super) fn ledger(&self, now: Now) -> Vec<LedgerEntry> {
        let entry = |Accepted { call, time, job: id }: &Accepted| {
            let job = self.jobs(&call.instance).iter().find(|job| job.id == *id);
            LedgerEntry {
                time: *time,
                instance: call.instance.clone(),
                parameters: call.parameters.clone(),
                job_id: id.to_string(),
                nonce: call.nonce.clone(),
                signed_at: call.signed_at,
                access_key_id: call.key_id.clone(),
                outcome: job.map_or(JobOutcome::Running, |job| job.outcome(now)),
                backup_id: job.filter(|job| job.ended(now)).map(|job| job.backup_id.to_string()),
            }
        };
        self.accepted.iter().map(entry).collect()
    }

    pub(super) fn sets(&self, instance: &str, lag: Duration, now: Now) -> Vec<SetRecord> {
        let ended = self.jobs(instance).iter().filter(|job| job.ended(now) && !job.removed);
        ended.map(|job| job.record(instance, lag, now)).collect()
    }
}

impl Start {
    /// What the service's own schedule, or a user in the console, asks for.
    fn unasked(origin: Origin, spec: &InstanceSpec, length: Duration) -> Self {
        let mut wanted = Wanted { method: Method::Physical, strategy: false, databases: Vec::new(), backup_type: None, retention: None };
        // Of a read-only instance neither is allowed to a request; what its sets are called does not matter.
        if rules::check_kind(spec, &wanted).is_err() {
            wanted.method = Method::Snapshot;
        }
        Self { origin, wanted, length, fate: JobOutcome::Success }
    }
}

/// `rm` of `rm-orders`: the engine shows in it.
fn prefix(instance: &str) -> &str {
    instance.split_once('-').map_or(instance, |(prefix, _)| prefix)
}

/// There is no such instance.
pub(super) fn absent() -> ApiError {
    ApiError::new(404, "InvalidDBInstanceName.NotFound", "The database instance does not exist.")
}
