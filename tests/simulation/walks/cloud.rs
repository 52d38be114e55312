//! The service: one job at a time on an instance, sets that are listed late, and refusals of every kind that it publishes.

use std::collections::{HashMap, HashSet};

use rds_backup_operator::rds::{
    ApiError, BackupId, BackupSet, BackupTask, CallError, CreateOutcome, Engine, ErrorKind, Instance, InstanceId, JobId, JobState, Mode,
    PublishedError, Rejection, SetDeletion, SetStatus, TaskAction, Unknown, published_errors,
};

use crate::walks::{
    deletion,
    network_conditions::NetworkConditions,
    randomness::Randomness,
    time::{HOUR, MINUTE, Ms, SECOND, at, ms},
    world::World,
};

/// What the service promises, and what the default `protocol` counts on.
pub const EXPIRY: Ms = 15 * MINUTE;
pub const SKEW: Ms = 2 * MINUTE;
pub const LAG: Ms = 10 * MINUTE;

/// So long a set is kept: what is older than that is in no baseline that matters.
const KEPT: Ms = 8 * HOUR;

pub struct Cloud {
    pub sites: Vec<Site>,
    pub jobs: Vec<Job>,
    nonces: HashSet<String>,
    /// Why requests were refused, by nonce.
    pub refused: HashMap<String, ErrorKind>,
}

/// An instance.
pub struct Site {
    pub id: String,
    engine: Engine,
    disk: &'static str,
    role: &'static str,
    pub state: &'static str,
    pub lock: &'static str,
    category: Option<String>,
    /// The newest job: no other runs.
    newest: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The request with this nonce.
    Ours(String),
    /// Somebody at the console.
    Foreign,
    /// The instance's own policy.
    Automated,
}

pub struct Job {
    pub id: String,
    pub set: String,
    pub site: usize,
    pub owner: Owner,
    pub started: Ms,
    pub ends: Ms,
    pub fails: bool,
    /// When its set is listed; a failed job's may never be.
    pub listed: Ms,
    /// When the service tells of the job no more.
    forgotten: Ms,
    usable: bool,
    nameless: bool,
    /// Whether it names its set when it has ended.
    names_set: bool,
    /// Until then its set is listed as running.
    unsettled_until: Ms,
    method: String,
    deleted: bool,
}

/// A CreateBackup on its way.
#[derive(Clone, Debug)]
pub struct Request {
    pub nonce: String,
    pub site: usize,
    pub method: Option<String>,
    pub signed: Ms,
    /// Whether the service refuses it once it is old.
    pub expires: bool,
}

impl Site {
    fn new(number: usize) -> Self {
        let (engine, disk) = match number {
            5 => (Engine::PostgreSql, "cloud_essd"),
            6 => (Engine::MariaDb, "cloud_ssd"),
            7 => (Engine::SqlServer, "local_ssd"),
            _ => (Engine::MySql, "local_ssd"),
        };
        let category = World::edition(number - 1);
        Self { id: format!("rm-{number}"), engine, disk, role: "Primary", state: "Running", lock: "Unlock", category, newest: None }
    }

    /// Whether the service takes a request for it.
    pub fn is_open(&self) -> bool {
        self.state == "Running" && self.lock == "Unlock"
    }

    pub fn instance(&self) -> Instance {
        Instance {
            id: InstanceId::new(&self.id),
            engine: self.engine.clone(),
            engine_version: Some("8.0".into()),
            status: self.state.into(),
            storage_type: Some(self.disk.into()),
            instance_type: Some(self.role.into()),
            primary_id: None,
            lock_mode: Some(self.lock.into()),
            category: self.category.clone(),
            region_id: Some("cn-hangzhou".into()),
        }
    }
}

impl Cloud {
    pub fn new(sites: usize) -> Self {
        let sites = (1..=sites).map(Site::new).collect();
        Self { sites, jobs: Vec::new(), nonces: HashSet::new(), refused: HashMap::new() }
    }

    /// The job that runs on an instance.
    pub fn busy(&self, site: usize, now: Ms) -> Option<&Job> {
        self.newest(site).filter(|job| job.ends > now)
    }

    pub fn newest(&self, site: usize) -> Option<&Job> {
        self.sites[site].newest.map(|newest| &self.jobs[newest])
    }

    pub fn start(
        &mut self,
        site: usize,
        owner: Owner,
        method: String,
        now: Ms,
        conditions: &NetworkConditions,
        random: &mut Randomness,
    ) -> usize {
        let lasts = match random.index(20) {
            0..10 => random.between(20 * SECOND, 3 * MINUTE),
            10..17 => random.between(3 * MINUTE, 20 * MINUTE),
            17..19 => random.between(20 * MINUTE, 90 * MINUTE),
            _ => random.between(90 * MINUTE, 4 * HOUR),
        };
        let ends = now + lasts;
        let lag = match random.index(10) {
            0..6 => random.between(0, 10 * SECOND),
            6..9 => random.between(0, 2 * MINUTE),
            _ => random.between(0, LAG - MINUTE),
        };
        let kept = if random.permille(conditions.forgets) { random.between(0, 2 * MINUTE) } else { 24 * HOUR };
        let number = self.jobs.len() + 1;
        self.jobs.push(Job {
            id: number.to_string(),
            set: format!("s{number}"),
            site,
            owner,
            started: now,
            ends,
            fails: random.permille(conditions.failing_jobs),
            listed: ends + lag,
            forgotten: ends + kept,
            usable: !random.permille(conditions.failing_jobs / 4),
            nameless: random.permille(conditions.nameless),
            names_set: !random.permille(conditions.vague),
            unsettled_until: if random.permille(conditions.vague) { ends + lag + random.between(0, 30 * MINUTE) } else { 0 },
            method,
            deleted: false,
        });
        self.sites[site].newest = Some(number - 1);
        number - 1
    }

    /// A request arrives: what the service answers, and the job that it began.
    pub fn receive(
        &mut self,
        request: &Request,
        now: Ms,
        conditions: &NetworkConditions,
        random: &mut Randomness,
    ) -> (CreateOutcome, Option<usize>) {
        if request.expires && now - request.signed > EXPIRY + random.between(0, SKEW) {
            return (self.refuse(request, ErrorKind::ClockSkew, random), None);
        }
        let busy = self.busy(request.site, now).is_some();
        if !self.nonces.insert(request.nonce.clone()) {
            let kind = if busy { ErrorKind::BackupJobExists } else { ErrorKind::NonceUsed };
            return (refusal(kind, random).0, None);
        }
        if random.permille(conditions.refusals) {
            let kind = random.pick(&REFUSALS);
            return (self.refuse(request, kind, random), None);
        }
        if !self.sites[request.site].is_open() {
            return (self.refuse(request, ErrorKind::InstanceNotReady, random), None);
        }
        if busy {
            return (self.refuse(request, ErrorKind::BackupJobExists, random), None);
        }
        if random.permille(conditions.faults) {
            return (self.refuse(request, ErrorKind::ServiceFault, random), None);
        }
        let made = match (&self.sites[request.site].engine, &request.method) {
            (Engine::MariaDb, _) => "Snapshot".to_owned(),
            (_, method) => method.clone().unwrap_or_else(|| "Physical".into()),
        };
        let job = self.start(request.site, Owner::Ours(request.nonce.clone()), made, now, conditions, random);
        let accepted = CreateOutcome::Accepted { job_id: JobId::new(&self.jobs[job].id), request_id: Some(request_id(random)) };
        let answer = if random.permille(conditions.faults) { refusal(ErrorKind::ServiceFault, random).0 } else { accepted };
        (answer, Some(job))
    }

    fn refuse(&mut self, request: &Request, kind: ErrorKind, random: &mut Randomness) -> CreateOutcome {
        let (answer, kind) = refusal(kind, random);
        self.refused.insert(request.nonce.clone(), kind);
        answer
    }

    /// What DescribeBackupTasks tells without an id: what runs.
    pub fn running(&self, site: usize, now: Ms) -> Vec<BackupTask> {
        self.busy(site, now).map(|job| job.task(now)).into_iter().collect()
    }

    /// What it tells of one job.
    pub fn task(&self, id: &JobId, now: Ms) -> Option<BackupTask> {
        self.named(id.as_str()).filter(|job| now < job.forgotten).map(|job| job.task(now))
    }

    /// What DescribeBackups tells: the manual sets that are listed, and began in the minute of `from` or later.
    pub fn sets(&self, site: usize, from: jiff::Timestamp, now: Ms) -> Vec<BackupSet> {
        let from = ms(from);
        let listed =
            |job: &&Job| job.site == site && job.owner != Owner::Automated && job.is_listed(now) && minute(job.started) >= minute(from);
        self.jobs.iter().rev().take(400).filter(listed).map(|job| job.set(now)).collect()
    }

    pub fn set(&self, id: &BackupId, now: Ms) -> Option<BackupSet> {
        self.named(&id.as_str()[1..]).filter(|job| job.is_listed(now)).map(|job| job.set(now))
    }

    /// DeleteBackup. Of the first instance it lets some sets go, and none of the others.
    pub fn delete(&mut self, id: &BackupId, now: Ms, random: &mut Randomness) -> Result<SetDeletion, ApiError> {
        let found = id.as_str()[1..].parse::<usize>().ok().and_then(|number| self.jobs.get_mut(number - 1));
        let Some(job) = found.filter(|job| job.is_listed(now)) else { return Ok(SetDeletion::WasGone) };
        if job.site != 0 || random.permille(300) {
            return Err(deletion::refusal(random.pick(&["OperationDenied.BackupSetDeleteNotSupport", "Forbidden.RAM", "InternalError"])));
        }
        job.deleted = true;
        Ok(SetDeletion::Deleted)
    }

    /// The job of this id.
    pub fn named(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id.parse::<usize>().ok()?.checked_sub(1)?)
    }
}

fn minute(ms: Ms) -> Ms {
    ms.div_euclid(MINUTE)
}

impl Job {
    fn is_listed(&self, now: Ms) -> bool {
        self.listed <= now && now < self.ends + KEPT && !self.deleted
    }

    fn mode(&self) -> Mode {
        if self.owner == Owner::Automated { Mode::Automated } else { Mode::Manual }
    }

    fn task(&self, now: Ms) -> BackupTask {
        let (state, backup_id) = match () {
            () if now < self.ends => (JobState::Active, None),
            () if self.fails => (JobState::Failed, None),
            () => (JobState::Finished, self.names_set.then(|| BackupId::new(&self.set))),
        };
        let percent = (now - self.started) * 100 / (self.ends - self.started).max(1);
        BackupTask {
            job_id: JobId::new(&self.id),
            state,
            progress: u8::try_from(percent.min(100)).ok(),
            mode: if self.nameless { Mode::Unknown } else { self.mode() },
            action: match self.owner {
                _ if self.nameless => TaskAction::Unknown,
                Owner::Automated => TaskAction::Scheduled,
                Owner::Ours(_) | Owner::Foreign => TaskAction::OnDemand,
            },
            backup_id,
        }
    }

    fn set(&self, now: Ms) -> BackupSet {
        BackupSet {
            status: match () {
                () if now < self.unsettled_until => SetStatus::Unknown,
                () if self.fails => SetStatus::Failed,
                () => SetStatus::Success,
            },
            mode: self.mode(),
            method: Some(self.method.clone()),
            backup_type: Some("FullBackup".into()),
            // The service lists minutes.
            started_at: Some(at(minute(self.started) * MINUTE)),
            ended_at: Some(at(self.ends)),
            size_bytes: Some(279_236_241_408),
            available: Some(self.usable && !self.fails),
            checksum: Some("1234567890".into()),
            ..BackupSet::new(BackupId::new(&self.set))
        }
    }
}

/// What a request is refused with when the service is in the mood: what passes by itself more often than what does not.
const REFUSALS: [ErrorKind; 22] = [
    ErrorKind::Throttled,
    ErrorKind::Throttled,
    ErrorKind::Throttled,
    ErrorKind::Throttled,
    ErrorKind::DailyLimit,
    ErrorKind::InstanceNotReady,
    ErrorKind::InstanceNotReady,
    ErrorKind::ClockSkew,
    ErrorKind::TokenExpired,
    ErrorKind::ServiceFault,
    ErrorKind::Unrecognised,
    ErrorKind::AccessDenied,
    ErrorKind::InvalidCredentials,
    ErrorKind::AccountProblem,
    ErrorKind::RegionUnavailable,
    ErrorKind::WrongEndpoint,
    ErrorKind::DeniedByService,
    ErrorKind::EncryptionKey,
    ErrorKind::InstanceNotFound,
    ErrorKind::UnsupportedMethod,
    ErrorKind::UnsupportedInstance,
    ErrorKind::InvalidParameter,
];

/// What a read is refused with.
const UNREAD: [ErrorKind; 6] = [
    ErrorKind::Throttled,
    ErrorKind::ServiceFault,
    ErrorKind::AccessDenied,
    ErrorKind::TokenExpired,
    ErrorKind::AccountProblem,
    ErrorKind::InvalidCredentials,
];

/// A published error of that kind.
fn error(kind: ErrorKind, random: &mut Randomness) -> ApiError {
    let of_kind = |row: &&PublishedError| {
        let asked = ["CreateBackup", "gateway", "any write"].iter().any(|operation| row.operations.contains(operation));
        row.meaning.kind == kind && asked && !row.code.contains(' ')
    };
    let rows: Vec<&PublishedError> = published_errors().iter().filter(of_kind).collect();
    let (code, message, status) = match rows.is_empty() {
        false => {
            let row = random.pick(&rows);
            (row.code, row.message, row.http_status.get(..3).and_then(|status| status.parse().ok()).unwrap_or(400))
        }
        true => ("SomethingThatNobodyKnows", "words of the service", 400),
    };
    // A server fault makes a fault of any code.
    let http_status = if status >= 500 && kind != ErrorKind::ServiceFault { 400 } else { status };
    // The client keeps 256 bytes of a message; an id and a code it keeps as they are.
    let code = if random.permille(30) { format!("{code}.{}", "x".repeat(200)) } else { code.to_owned() };
    let message = if random.permille(100) { "of many words ".repeat(18) } else { message.to_owned() };
    ApiError { action: None, code, message, request_id: Some(request_id(random)), http_status, retry_after: None }
}

fn request_id(random: &mut Randomness) -> String {
    let id = format!("{:016X}-{:016X}", random.draw(), random.draw());
    if random.permille(50) { id.repeat(4) } else { id }
}

/// An answer of that kind to a CreateBackup, as the client understands it.
fn refusal(kind: ErrorKind, random: &mut Randomness) -> (CreateOutcome, ErrorKind) {
    let error = error(kind, random);
    let kind = error.kind();
    match error.proves_nothing_was_created() {
        true => (CreateOutcome::Rejected(Rejection::Api(error)), kind),
        false => (CreateOutcome::Unknown(Unknown { why: error.to_string(), api: Some(error) }), kind),
    }
}

/// Why something cannot be read, if it cannot.
pub fn unread(conditions: &NetworkConditions, random: &mut Randomness) -> Option<CallError> {
    if !random.permille(conditions.unread) {
        return None;
    }
    let why = || "connection reset".to_owned();
    Some(match random.index(4) {
        0 => CallError::NotSent { why: why() },
        1 => CallError::Lost { why: why() },
        _ => {
            let kind = random.pick(&UNREAD);
            CallError::Api(error(kind, random))
        }
    })
}
