//! The service: one job at a time on the instance, sets that are listed late, requests that are lost, late and doubled.

use jiff::Timestamp;
use rds_backup_operator::rds::{
    ApiError, BackupId, BackupSet, BackupTask, CreateOutcome, Engine, Instance, InstanceId, JobId, JobState, Mode, Rejection, SetStatus,
    TaskAction, Unknown,
};

use crate::model::{
    setup::{EXPIRY, SKEW, Setup},
    world::{INSTANCE, at},
};

#[derive(Clone, Debug, Hash)]
pub struct Cloud {
    pub jobs: Vec<Job>,
    /// Requests on their way.
    pub wire: Vec<Request>,
    pub foreign: u8,
    pub automated: u8,
    pub failures: u8,
}

/// A job, and the set that it makes.
#[derive(Clone, Debug, Hash)]
pub struct Job {
    pub owner: Owner,
    pub state: State,
    pub started: i64,
    pub ended: i64,
    pub listed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Ours {
        uid: String,
        run: i32,
        attempt: i32,
    },
    /// Somebody's, by hand, of this method.
    Foreign(&'static str),
    Automated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Running,
    Succeeded,
    Failed,
}

/// A CreateBackup on its way.
#[derive(Clone, Debug, Hash)]
pub struct Request {
    pub nonce: String,
    pub uid: String,
    pub run: i32,
    pub attempt: i32,
    pub signed: i64,
    /// A copy was delivered before: its nonce is used.
    pub used: bool,
}

pub fn job_id(index: usize) -> String {
    format!("{}", index + 1)
}

pub fn set_id(index: usize) -> String {
    format!("s{}", index + 1)
}

/// The job of an object's result.
pub fn index_of(job: Option<&str>, set: Option<&str>) -> Option<usize> {
    let number = job.or(set.map(|set| &set[1..]))?;
    number.parse::<usize>().ok().map(|number| number - 1)
}

impl Cloud {
    pub fn new(setup: &Setup) -> Self {
        Self { jobs: Vec::new(), wire: Vec::new(), foreign: setup.foreign, automated: setup.automated, failures: setup.failures }
    }

    pub fn busy(&self) -> Option<usize> {
        self.jobs.iter().position(|job| job.state == State::Running)
    }

    pub fn start(&mut self, owner: Owner, now: i64) -> usize {
        self.jobs.push(Job { owner, state: State::Running, started: now, ended: now, listed: false });
        self.jobs.len() - 1
    }

    /// Whether the service still takes a request: judged by the slowest of its clocks.
    pub fn takes(request: &Request, now: i64, setup: &Setup) -> bool {
        !setup.expires || now - request.signed < EXPIRY + SKEW
    }

    /// A request arrives: what the service answers.
    pub fn receive(&mut self, index: usize, now: i64) -> CreateOutcome {
        let request = &mut self.wire[index];
        if std::mem::replace(&mut request.used, true) {
            // Which of its checks comes first is not documented.
            return if self.busy().is_some() { unknown("BackupJobExists") } else { unknown("SignatureNonceUsed") };
        }
        let Request { uid, run, attempt, .. } = request.clone();
        if self.busy().is_some() {
            return unknown("BackupJobExists");
        }
        let job = self.start(Owner::Ours { uid, run, attempt }, now);
        CreateOutcome::Accepted { job_id: JobId::new(job_id(job)), request_id: None }
    }

    /// What DescribeBackupTasks tells without an id: what runs.
    pub fn running(&self) -> Vec<BackupTask> {
        self.jobs.iter().enumerate().filter(|(_, job)| job.state == State::Running).map(|(index, job)| job.task(index)).collect()
    }

    /// What it tells of one job.
    pub fn task(&self, id: &str) -> Option<BackupTask> {
        let index = index_of(Some(id), None)?;
        self.jobs.get(index).map(|job| job.task(index))
    }

    /// What DescribeBackups tells: the manual sets that are listed.
    pub fn sets(&self, from: Timestamp) -> Vec<BackupSet> {
        let manual = |job: &&(usize, &Job)| job.1.listed && job.1.owner != Owner::Automated && at(job.1.started) >= from;
        self.jobs.iter().enumerate().collect::<Vec<_>>().iter().filter(manual).map(|(index, job)| job.set(*index)).collect()
    }

    pub fn set(&self, id: &str) -> Option<BackupSet> {
        let index = index_of(None, Some(id))?;
        self.jobs.get(index).filter(|job| job.listed).map(|job| job.set(index))
    }
}

impl Job {
    fn mode(&self) -> Mode {
        if self.owner == Owner::Automated { Mode::Automated } else { Mode::Manual }
    }

    fn task(&self, index: usize) -> BackupTask {
        let (state, backup_id) = match self.state {
            State::Running => (JobState::Active, None),
            State::Succeeded => (JobState::Finished, Some(BackupId::new(set_id(index)))),
            State::Failed => (JobState::Failed, None),
        };
        let action = if self.owner == Owner::Automated { TaskAction::Scheduled } else { TaskAction::OnDemand };
        BackupTask { job_id: JobId::new(job_id(index)), state, progress: None, mode: self.mode(), action, backup_id }
    }

    fn set(&self, index: usize) -> BackupSet {
        BackupSet {
            status: if self.state == State::Failed { SetStatus::Failed } else { SetStatus::Success },
            mode: self.mode(),
            method: Some(if let Owner::Foreign(method) = self.owner { method } else { "Physical" }.into()),
            backup_type: Some("FullBackup".into()),
            started_at: Some(at(self.started)),
            available: Some(self.state == State::Succeeded),
            ..BackupSet::new(BackupId::new(set_id(index)))
        }
    }
}

pub fn error(code: &str) -> ApiError {
    ApiError { action: None, code: code.into(), message: String::new(), request_id: None, http_status: 400, retry_after: None }
}

/// An error that proves nothing.
fn unknown(code: &str) -> CreateOutcome {
    assert!(!error(code).proves_nothing_was_created(), "{code}");
    CreateOutcome::Unknown(Unknown { why: code.into(), api: Some(error(code)) })
}

/// An error that proves that nothing was created.
pub fn refusal() -> CreateOutcome {
    assert!(error("Throttling").proves_nothing_was_created());
    CreateOutcome::Rejected(Rejection::Api(error("Throttling")))
}

pub fn instance() -> Instance {
    Instance {
        id: InstanceId::new(INSTANCE),
        engine: Engine::MySql,
        engine_version: Some("8.0".into()),
        status: "Running".into(),
        storage_type: Some("local_ssd".into()),
        instance_type: Some("Primary".into()),
        primary_id: None,
        lock_mode: Some("Unlock".into()),
        category: Some("HighAvailability".into()),
        region_id: Some("cn-hangzhou".into()),
    }
}
