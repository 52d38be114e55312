//! The order of requests, answer by answer.

mod creations;
mod deletions;
mod statuses;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kube::core::Status;

use super::*;
use crate::{
    api::{BackupReference, Phase, RdsBackupStatus, Reason, SCHEDULE_UID_LABEL, Time},
    controller::{Event, Guarded},
};

/// 2027-01-15 is a Friday; the schedule of these tests was created on it at 08:00 UTC, and runs at every full hour.
const CREATED: &str = "2027-01-15T08:00:00Z";

/// A time on that day.
fn today(clock: &str) -> Timestamp {
    format!("2027-01-15T{clock}Z").parse().unwrap()
}

fn schedule(spec: &str) -> RdsBackupSchedule {
    let spec = format!(r#"{{"schedule":"0 * * * *","template":{{"spec":{{"dbInstanceId":"rm-1"}}}}{spec}}}"#);
    let mut object = RdsBackupSchedule::new("hourly", serde_json::from_str(&spec).unwrap());
    object.metadata.namespace = Some("team-a".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(1);
    object.metadata.resource_version = Some("1".into());
    object.metadata.creation_timestamp = Some(Time(CREATED.parse().unwrap()));
    object
}

/// A backup of the schedule that ended so at that time.
fn ended(name: &str, at: Timestamp) -> RdsBackup {
    let mut backup = RdsBackup::new(name, schedule("").spec.template.spec);
    backup.metadata.uid = Some(format!("uid-of-{name}"));
    backup.metadata.resource_version = Some("7".into());
    backup.metadata.creation_timestamp = Some(Time(at.minus(SignedDuration::from_mins(1))));
    backup.metadata.labels = Some(ours());
    backup.status = Some(RdsBackupStatus { phase: Phase::Failed, completed_at: Some(Time(at)), ..RdsBackupStatus::fresh() });
    backup
}

fn ours() -> BTreeMap<String, String> {
    [(SCHEDULE_NAME_LABEL, "hourly"), (SCHEDULE_UID_LABEL, "uid-1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn error(code: u16) -> controller::Error {
    let status = Status::failure("the disk is full", "InternalError").with_code(code).boxed();
    controller::Error::Api { verb: "get", kind: "RdsBackupSchedule".to_owned(), source: Box::new(kube::Error::Api(status)) }
}

/// One schedule, and the answers that a pass over it gets.
struct Bench {
    /// What the API server has.
    live: RdsBackupSchedule,
    state: ObjectState,
    now: Timestamp,
    is_burst: bool,
    cache: Vec<RdsBackup>,
}

/// A pass under way on a [`Bench`].
struct Running {
    pass: Pass,
    next: Next,
}

impl Bench {
    fn new(spec: &str) -> Self {
        Self { live: schedule(spec), state: ObjectState::default(), now: today("08:10:00"), is_burst: false, cache: Vec::new() }
    }

    /// The same, after a pass at 08:10 that wrote the first status and came to rest.
    fn seen(spec: &str) -> Self {
        let mut bench = Self::new(spec);
        let mut running = bench.observed(bench.live.clone());
        bench.write(&mut running);
        bench.observe(&mut running);
        assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "{:?}", running.next);
        bench
    }

    /// As [`Bench::seen`], at 09:00: a slot is due.
    fn due(spec: &str) -> Self {
        Self { now: today("09:00:00"), ..Self::seen(spec) }
    }

    /// A pass that begins at this copy of the object, up to its first observation.
    fn begin(&mut self, cached: RdsBackupSchedule) -> Running {
        let mut running = Running { pass: Pass::start(Arc::new(cached)), next: Next::Rest(Rest::AwaitChange) };
        self.answer(&mut running, Answer::Begin);
        assert!(matches!(running.next, Next::Do(Request::AwaitFirstList)), "{:?}", running.next);
        self.answer(&mut running, Answer::Done);
        running
    }

    /// As [`Bench::begin`], up to the first decision.
    fn observed(&mut self, cached: RdsBackupSchedule) -> Running {
        let mut running = self.begin(cached);
        self.observe(&mut running);
        running
    }

    /// A pass that is about to create its backup, whose name is answered.
    fn creating(&mut self) -> (Running, String) {
        let mut running = self.observed(self.live.clone());
        self.reread(&mut running);
        let Next::Do(Request::Create(backup)) = &running.next else { panic!("{:?}", running.next) };
        let name = name_of(backup).to_owned();
        (running, name)
    }

    fn answer(&mut self, running: &mut Running, answer: Answer) {
        let present = Present { now: self.now, server_now: None, is_burst: self.is_burst };
        running.next = running.pass.next(&mut self.state, answer, present);
    }

    fn observe(&mut self, running: &mut Running) {
        assert!(matches!(running.next, Next::Do(Request::Observe)), "{:?}", running.next);
        let backups = self.cache.iter().map(|backup| (Arc::new(Guarded(Ok(Arc::new(backup.clone())))), None)).collect();
        self.answer(running, Answer::Observed { backups, audits_are_due: false, native: crate::schedule::native::Reading::Unread });
    }

    fn reread(&mut self, running: &mut Running) {
        assert!(matches!(running.next, Next::Do(Request::ReadObject)), "{:?}", running.next);
        self.answer(running, Answer::Object(Ok(Some(Box::new(self.live.clone())))));
    }

    /// Takes the log line or the count that follows a creation.
    fn note(&mut self, running: &mut Running) {
        while matches!(running.next, Next::Do(Request::LogCreation { .. } | Request::CountCreation)) {
            self.answer(running, Answer::Done);
        }
    }

    /// The status that is to be written lands.
    fn land(&mut self, running: &Running) {
        let Next::Do(Request::WriteStatus(status)) = &running.next else { panic!("{:?}", running.next) };
        self.live.status = Some(*status.clone());
        self.next_version();
    }

    fn write(&mut self, running: &mut Running) {
        self.land(running);
        self.answer(running, Answer::Written(Ok(WriteResult::Yes(Box::new(self.live.clone())))));
    }

    /// Goes on to the end of a pass that has nothing to create.
    fn rest(&mut self, running: &mut Running) {
        self.note(running);
        loop {
            match running.next {
                Next::Do(Request::Observe) => self.observe(running),
                Next::Do(Request::WriteStatus(_)) => self.write(running),
                _ => return,
            }
        }
    }

    fn next_version(&mut self) {
        let version: u64 = self.live.metadata.resource_version.as_deref().unwrap().parse().unwrap();
        self.live.metadata.resource_version = Some((version + 1).to_string());
    }

    fn outcome(&self, name: &str) -> &Outcome {
        &self.state.memory.created[name].outcome
    }
}

impl Running {
    /// The name of the object that is to be deleted.
    fn deletes(&self) -> Option<&str> {
        match &self.next {
            Next::Do(Request::Delete(deletion)) => Some(&deletion.name),
            _ => None,
        }
    }

    fn rests_for(&self) -> Duration {
        match &self.next {
            Next::Rest(Rest::Requeue(wait)) => *wait,
            next => panic!("{next:?}"),
        }
    }

    fn failed(&self) -> (&Error, Option<Duration>) {
        match &self.next {
            Next::Rest(Rest::Failed { error, again_within }) => (error, *again_within),
            next => panic!("{next:?}"),
        }
    }
}
