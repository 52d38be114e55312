//! One object, what was seen of it, and the present: everything that a decision is made of, in a form that tests can change.

mod availability;
mod claims;
mod delete;
mod endings;
mod follow;
mod look;
mod preflight;
mod resolve;
mod submit;
mod take_in;
mod ttl;
mod waiting;
mod whole;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Decision, Effect, Requeue, absorb_look, decide};
use crate::{
    accounts::{AllowedRegions, Poll, Protocol, Submissions},
    api::{ConditionType, Phase, RdsBackup, RdsBackupSpec, RdsBackupStatus, Reason, Submission},
    audit::Audited,
    backup::{
        memory::{Backups, Look, LookFacts, Memory, OwnIntent, Preflight, PreflightFacts},
        observation::{AccountView, Blocker, Observation, Randomness},
        siblings::{Claim, Sibling},
    },
    rds::{
        ApiError, BackupId, BackupRef, BackupSet, BackupTask, CallError, CreateOutcome, Engine, Instance, InstanceId, JobId, JobState,
        MetaStatus, Mode, Rejection, SetStatus, TaskAction, Unknown,
    },
};

const INSTANCE: &str = "rm-1";

pub(super) fn at(second: i64) -> Timestamp {
    // A whole minute, so that floors are easy to see.
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// One object and what is known of it; created at second 0, of the account `default` with the default protocol.
pub(super) struct Case {
    pub object: RdsBackup,
    pub status: RdsBackupStatus,
    pub account: Result<AccountView, Blocker>,
    pub siblings: Vec<Sibling>,
    pub claims: Result<(), Blocker>,
    pub namespace: Result<Submissions, String>,
    /// The time of the API server.
    pub server_now: Option<Timestamp>,
    pub audited: Option<Audited>,
    pub memory: Memory,
    pub time_is_known: bool,
    pub randomness: Randomness,
}

impl Case {
    pub fn new() -> Self {
        Self::of(r#"{"dbInstanceId":"rm-1","method":"Physical"}"#)
    }

    pub fn of(spec: &str) -> Self {
        let spec: RdsBackupSpec = serde_json::from_str(spec).unwrap();
        let mut object = RdsBackup::new("b", spec);
        object.metadata.uid = Some("uid-5".into());
        object.metadata.namespace = Some("team-a".into());
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(at(0)));
        let account = AccountView {
            connection: 0,
            key_source: "the Secret key-of-the-test in the operator's namespace".to_owned(),
            region_id: "cn-hangzhou".into(),
            regions: AllowedRegions::new(["*".into()]),
            protocol: Protocol::default(),
            poll: Poll::default(),
            paused: false,
            credentials: Ok(()),
        };
        Self {
            object,
            status: RdsBackupStatus::fresh(),
            account: Ok(account),
            siblings: Vec::new(),
            claims: Ok(()),
            namespace: Ok(Submissions::Enabled),
            server_now: None,
            audited: None,
            memory: Memory::default(),
            time_is_known: true,
            randomness: Randomness { nonce: "nonce-a".into(), pause: secs(2) },
        }
    }

    pub fn decide(&self, second: i64) -> Decision {
        let observed = Observation {
            object: &self.object,
            status: &self.status,
            account: &self.account,
            siblings: &self.siblings,
            claims: &self.claims,
            namespace: &self.namespace,
            audited: self.audited.as_ref(),
            server_now: self.server_now,
            memory: &self.memory,
            time_is_known: self.time_is_known,
            randomness: &self.randomness,
        };
        decide(&self.object.spec, &observed, at(second))
    }

    /// Decides, and takes the status as written.
    pub fn step(&mut self, second: i64) -> Decision {
        let decision = self.decide(second);
        self.status = decision.status.clone();
        if let Some(until) = decision.hold_until {
            self.memory.hold_until = Some(until);
        }
        if let Some(Effect::WriteIntent { nonce }) = &decision.effect {
            self.memory.own = Some(OwnIntent { nonce: nonce.clone(), rival: None, sent: false, answer: None });
        }
        decision
    }

    pub fn account_mut(&mut self) -> &mut AccountView {
        self.account.as_mut().unwrap()
    }

    pub fn preflight(&mut self, second: i64, result: Result<PreflightFacts, CallError>) {
        let attempt = match &self.status.submission {
            Some(last) => (last.run, last.attempt + 1),
            None => (1, 1),
        };
        let before = self.memory.preflight.take();
        self.memory.preflight = Some(Preflight::absorb(before.as_ref(), attempt, "cn-hangzhou", at(second), result));
    }

    /// An intent was written at `second`, by this process or (`own` false) by one that is gone.
    pub fn intent(mut self, second: i64, cleared: bool, own: bool) -> Self {
        self.preflight(second, Ok(idle()));
        let decision = self.step(second);
        assert!(matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{decision:?}");
        self.submission().cleared = cleared;
        if !own {
            self.memory = Memory::default();
        }
        self
    }

    /// The request of [`Self::intent`] was sent, and this came of it.
    pub fn answered(mut self, answer: CreateOutcome) -> Self {
        let own = self.memory.own.as_mut().unwrap();
        own.rival = Some(None);
        own.sent = true;
        own.answer = Some(answer);
        self
    }

    pub fn submission(&mut self) -> &mut Submission {
        self.status.submission.as_mut().unwrap()
    }

    pub fn look(&mut self, second: i64, facts: LookFacts) {
        let protocol = self.account.as_ref().unwrap().protocol.clone();
        absorb_look(&mut self.memory.looks, &self.status, &protocol, Look { at: at(second), result: Ok(facts) });
    }

    pub fn blind_look(&mut self, second: i64) {
        let protocol = self.account.as_ref().unwrap().protocol.clone();
        absorb_look(
            &mut self.memory.looks,
            &self.status,
            &protocol,
            Look { at: at(second), result: Err(CallError::Lost { why: "reset".into() }) },
        );
    }

    /// A poll of the job of the status.
    pub fn poll(&mut self, second: i64, task: Option<BackupTask>, set: Option<BackupSet>) {
        let key = self.status.backup_job_id.clone().or(self.status.backup_id.clone()).unwrap();
        self.memory.follow.absorb(&key, at(second), Ok((task, set)));
    }

    pub fn ready(&self) -> &str {
        self.status.ready_reason().unwrap_or("")
    }

    /// Which of Ready, Reconciling and Stalled are there, and how.
    pub fn kstatus(&self) -> (Option<&str>, bool, bool) {
        let ready = self.status.condition(ConditionType::Ready).map(|ready| ready.status.as_str());
        (ready, self.status.is_true(ConditionType::Reconciling), self.status.is_true(ConditionType::Stalled))
    }

    pub fn assert_place(&self, phase: Phase, reason: Reason) {
        assert_eq!((self.status.phase, self.ready()), (phase, reason.as_str()), "{:#?}", self.status);
    }
}

pub(super) fn wait_of(decision: &Decision) -> SignedDuration {
    match decision.requeue {
        Requeue::After(time) if decision.effect.is_none() => time,
        other => panic!("it does not wait: {other:?} {:?}", decision.effect),
    }
}

pub(super) fn idle() -> PreflightFacts {
    facts(Vec::new(), Vec::new())
}

pub(super) fn facts(running: Vec<BackupTask>, sets: Vec<BackupSet>) -> PreflightFacts {
    PreflightFacts { instance: instance(Engine::MySql, "local_ssd"), backups: Ok(Backups { running, sets }) }
}

pub(super) fn instance(engine: Engine, disk: &str) -> Instance {
    Instance {
        id: InstanceId::new(INSTANCE),
        engine,
        engine_version: Some("8.0".into()),
        status: "Running".into(),
        storage_type: Some(disk.into()),
        instance_type: Some("Primary".into()),
        primary_id: None,
        lock_mode: Some("Unlock".into()),
        category: Some("HighAvailability".into()),
        region_id: Some("cn-hangzhou".into()),
    }
}

pub(super) fn task(job: &str, state: JobState) -> BackupTask {
    BackupTask { job_id: JobId::new(job), state, progress: Some(40), mode: Mode::Manual, action: TaskAction::OnDemand, backup_id: None }
}

pub(super) fn finished(job: &str, set: &str) -> BackupTask {
    BackupTask { backup_id: Some(BackupId::new(set)), progress: Some(100), ..task(job, JobState::Finished) }
}

pub(super) fn set(id: &str, started: i64) -> BackupSet {
    BackupSet {
        status: SetStatus::Success,
        mode: Mode::Manual,
        by_user: true,
        method: Some("Physical".into()),
        backup_type: Some("FullBackup".into()),
        started_at: Some(at(started)),
        ended_at: Some(at(started + 90)),
        size_bytes: Some(279_236_241_408),
        available: Some(true),
        consistent_time: Some(at(started + 80)),
        checksum: Some("123".into()),
        ..BackupSet::new(BackupId::new(id))
    }
}

pub(super) fn claim(uid: &str, job: Option<&str>, set: Option<&str>) -> Claim {
    Claim {
        uid: uid.into(),
        origin: crate::api::Origin::Created,
        backup: BackupRef { job: job.map(JobId::new), set: set.map(BackupId::new) },
        began: None,
        without_set: false,
    }
}

pub(super) fn sibling(uid: &str, created: i64, phase: Phase) -> Sibling {
    Sibling {
        uid: uid.into(),
        created_at: at(created),
        phase,
        blocked: false,
        queues: matches!(phase, Phase::Pending | Phase::Queued),
        open_since: None,
        release_after: SignedDuration::from_mins(27),
    }
}

pub(super) fn api_error(code: &str) -> ApiError {
    ApiError {
        code: code.into(),
        message: format!("words of {code}"),
        request_id: Some("REQ-1".into()),
        http_status: 400,
        retry_after: None,
        action: None,
    }
}

pub(super) fn accepted(job: &str) -> CreateOutcome {
    CreateOutcome::Accepted { job_id: JobId::new(job), request_id: Some("REQ-1".into()) }
}

pub(super) fn rejected(code: &str) -> CreateOutcome {
    CreateOutcome::Rejected(Rejection::Api(api_error(code)))
}

pub(super) fn lost() -> CreateOutcome {
    CreateOutcome::Unknown(Unknown { why: "no answer within 30 s".into(), api: None })
}
