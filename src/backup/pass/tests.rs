//! The order of requests, one answer at a time.

mod cached_copy;
mod connections;
mod deletion;
mod held_up;
mod taking_in;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use tokio::time::Instant;

use super::*;
use crate::{
    accounts::{AllowedRegions, Poll, Protocol},
    api::{FINALIZER, Phase},
    backup::{
        observation::{AccountView, Randomness},
        request::{CloudFinding, CloudRead, InstanceObjects},
    },
    controller::{Surroundings, WriteResult},
    rds::{self, ApiError, BackupPolicy, CallError, CreateOutcome, Engine, Instance, InstanceId, JobId, SetDeletion},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A pass over one object, in a world that a test decides.
struct Scene {
    pass: Pass,
    state: ObjectState,
    /// Seconds since the beginning, by every clock.
    second: u64,
    leads: bool,
    is_burst: bool,
    /// As the API server has it.
    stored: RdsBackup,
    began: Instant,
    /// The connection of the account.
    connection: u64,
}

impl Scene {
    fn new() -> Self {
        let spec = serde_json::from_str(r#"{"dbInstanceId":"rm-1","method":"Physical"}"#).unwrap();
        let mut object = RdsBackup::new("b", spec);
        object.metadata.uid = Some("uid-5".into());
        object.metadata.namespace = Some("team-a".into());
        object.metadata.resource_version = Some("1".into());
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(at(0)));
        object.status = Some(RdsBackupStatus::fresh());
        let pass = Pass::start(Arc::new(object.clone()));
        let began = Instant::from_std(std::time::Instant::now());
        Self { pass, state: ObjectState::default(), second: 1, leads: true, is_burst: false, stored: object, began, connection: 0 }
    }

    /// The next pass begins at the copy that the cache has.
    fn begin(&mut self, cached: &RdsBackup) -> Next {
        self.pass = Pass::start(Arc::new(cached.clone()));
        self.give(Answer::Begin)
    }

    fn give(&mut self, answer: Answer) -> Next {
        let present = Present { steady: self.began + Duration::from_secs(self.second), leads: self.leads, is_burst: self.is_burst };
        self.pass.next(&mut self.state, answer, present)
    }

    /// Answers as a world in which all is well does: writes land where the version is right, the instance is idle.
    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Observe { .. } => Answer::Observed(Box::new(self.observed())),
            Request::ReadObject => Answer::Object(Ok(Some(Box::new(self.stored.clone())))),
            Request::ListInstance => Answer::Instance(Ok(InstanceObjects::default())),
            Request::LockInstance => Answer::Locked(true),
            Request::Admit => Answer::Admitted(Ok(())),
            Request::Read { what, .. } => Answer::Read { at: at(self.now()), result: Ok(finding_of(what)) },
            Request::RenewCredentials => Answer::Renewed(false),
            Request::WriteStatus { status, .. } => {
                let status = status.clone();
                self.write(|stored| stored.status = Some(*status))
            }
            Request::WriteFinalizers(finalizers) => {
                let finalizers = finalizers.clone();
                self.write(|stored| stored.metadata.finalizers = Some(finalizers))
            }
            Request::Send { .. } => Answer::Sent(CreateOutcome::Accepted { job_id: JobId::new("77"), request_id: None }),
            Request::ReadSurroundings => Answer::Surroundings(Ok(Surroundings::default())),
            Request::RemoveObject => Answer::Removed(Ok(true)),
            Request::DeleteSet { .. } => Answer::Deleted(Ok(SetDeletion::Deleted)),
            Request::PauseRecording { .. }
            | Request::Announce(_)
            | Request::NoteEnd
            | Request::NoteTooLarge(_)
            | Request::WakeSiblings
            | Request::Forget => Answer::Done,
        }
    }

    fn write(&mut self, change: impl FnOnce(&mut RdsBackup)) -> Answer {
        if self.pass.object().metadata.resource_version != self.stored.metadata.resource_version {
            return Answer::Written(Ok(WriteResult::Conflict));
        }
        change(&mut self.stored);
        self.moves_on();
        Answer::Written(Ok(WriteResult::Yes(Box::new(self.stored.clone()))))
    }

    /// Somebody writes an annotation.
    fn moves_on(&mut self) {
        let version: u32 = self.stored.metadata.resource_version.as_ref().unwrap().parse().unwrap();
        self.stored.metadata.resource_version = Some((version + 1).to_string());
    }

    fn now(&self) -> i64 {
        i64::try_from(self.second).unwrap()
    }

    fn observed(&self) -> Observed {
        let account = AccountView {
            connection: self.connection,
            key_source: "the Secret key-of-the-test in the operator's namespace".to_owned(),
            region_id: "cn-hangzhou".into(),
            regions: AllowedRegions::new(["*".into()]),
            protocol: Protocol::default(),
            poll: Poll::default(),
            paused: false,
            credentials: Ok(()),
        };
        let randomness = Randomness { nonce: format!("nonce-{}", self.second), pause: SignedDuration::from_secs(2) };
        Observed {
            now: at(self.now()),
            time_is_known: true,
            server_now: None,
            audited: None,
            account: Ok(account),
            cached: Vec::new(),
            claims: Ok(()),
            namespace: Ok(crate::accounts::Submissions::Enabled),
            randomness,
        }
    }

    /// All goes well until a request for which `stop` says so; it is not answered.
    fn until(&mut self, mut next: Next, stop: impl Fn(&Request) -> bool) -> Request {
        for _ in 0..100 {
            match next {
                Next::Do(request) if stop(&request) => return request,
                Next::Do(request) => {
                    let answer = self.answer(&request);
                    next = self.give(answer);
                }
                Next::Rest(rest) => panic!("it rests: {rest:?} {:#?}", self.stored.status),
            }
        }
        panic!("it goes on for ever");
    }

    /// All goes well until it rests. Answers what was asked for on the way.
    fn run_to_rest(&mut self, mut next: Next) -> (Vec<Request>, Rest) {
        let mut asked = Vec::new();
        for _ in 0..200 {
            match next {
                Next::Do(request) => {
                    let answer = self.answer(&request);
                    asked.push(request);
                    next = self.give(answer);
                }
                Next::Rest(rest) => return (asked, rest),
            }
        }
        panic!("it goes on for ever: {asked:#?}");
    }

    fn status(&self) -> &RdsBackupStatus {
        self.stored.status.as_ref().unwrap()
    }
}

fn finding_of(what: &CloudRead) -> CloudFinding {
    match what {
        CloudRead::Attributes => CloudFinding::Attributes(Box::new(Instance {
            id: InstanceId::new("rm-1"),
            engine: Engine::MySql,
            engine_version: Some("8.0".into()),
            status: "Running".into(),
            storage_type: Some("local_ssd".into()),
            instance_type: Some("Primary".into()),
            primary_id: None,
            lock_mode: Some("Unlock".into()),
            category: Some("HighAvailability".into()),
            region_id: Some("cn-hangzhou".into()),
        })),
        CloudRead::Tasks(_) => CloudFinding::Tasks(rds::Answer { value: Vec::new(), request_id: None, service_time: None }),
        CloudRead::Policy => {
            let policy = BackupPolicy { retention_days: Some(30), log_backup: Some(false), log_retention_days: None, window: None };
            CloudFinding::Policy(policy)
        }
        CloudRead::ManualSets(_) | CloudRead::Set(_) => {
            CloudFinding::Sets(rds::Answer { value: Vec::new(), request_id: None, service_time: None })
        }
    }
}

fn is_write(request: &Request) -> bool {
    matches!(request, Request::WriteStatus { .. })
}

fn is_send(request: &Request) -> bool {
    matches!(request, Request::Send { .. })
}

/// A connection that broke.
fn broken(verb: &'static str) -> controller::Error {
    controller::Error::Timeout { verb, kind: "RdsBackup".into() }
}

#[test]
fn a_good_backup_is_read_announced_cleared_sent_and_recorded_in_this_order() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let (asked, rest) = scene.run_to_rest(begun);
    let names: Vec<&str> = asked
        .iter()
        .filter_map(|request| match request {
            Request::Read { what: CloudRead::Attributes, .. } => Some("attributes"),
            Request::Read { what: CloudRead::Tasks(None), .. } => Some("tasks"),
            Request::Read { what: CloudRead::ManualSets(_), .. } => Some("sets"),
            Request::LockInstance => Some("lock"),
            Request::ReadObject => Some("read object"),
            Request::ListInstance => Some("list"),
            Request::WriteStatus { unfenced: false, .. } => Some("write"),
            Request::WriteStatus { unfenced: true, .. } => Some("write unfenced"),
            Request::Send { .. } => Some("send"),
            _ => None,
        })
        .collect();
    let wanted = ["lock", "attributes", "tasks", "sets", "read object", "write", "list", "write", "send", "write unfenced"];
    assert_eq!(names, wanted);
    assert!(matches!(rest, Rest::Requeue(wait) if wait <= Duration::from_secs(15)), "{rest:?}");
    assert_eq!(scene.status().backup_job_id.as_deref(), Some("77"));
}

#[test]
fn a_conflict_decides_again_from_what_stands_and_sends_nothing_on_a_write_that_did_not_land() {
    for nth in [1, 2] {
        let mut scene = Scene::new();
        let mut next = scene.give(Answer::Begin);
        for _ in 1..nth {
            let request = scene.until(next, is_write);
            let answer = scene.answer(&request);
            next = scene.give(answer);
        }
        let request = scene.until(next, is_write);
        scene.moves_on();
        let answer = scene.answer(&request);
        assert!(matches!(answer, Answer::Written(Ok(WriteResult::Conflict))));
        let next = scene.give(answer);
        assert!(matches!(next, Next::Do(Request::ReadObject)), "{next:?}");
        let stands = scene.answer(&Request::ReadObject);
        let next = scene.give(stands);
        assert!(matches!(next, Next::Do(Request::Observe { .. })), "what was decided from the older copy is not written: {next:?}");
        scene.until(next, is_send);
        assert!(scene.status().submission.as_ref().is_some_and(|intent| intent.cleared), "its cleared intent stands");
    }
}

#[test]
fn an_intent_whose_answer_was_lost_is_recognised_by_its_nonce_and_sent_once() {
    for landed in [true, false] {
        let mut scene = Scene::new();
        let begun = scene.give(Answer::Begin);
        let request = scene.until(begun, is_write);
        let cached = scene.stored.clone();
        if landed {
            scene.answer(&request);
        }
        let next = scene.give(Answer::Written(Err(broken("write the status of"))));
        assert!(matches!(next, Next::Rest(Rest::Failed(_))), "{next:?}");
        let nonce = scene.state.memory.own.as_ref().unwrap().nonce.clone();
        scene.second += 5;
        let next = scene.begin(&cached);
        assert!(matches!(next, Next::Do(Request::ReadObject)), "only the API server knows what stands there: {next:?}");
        let Request::Send { stamp, .. } = scene.until(next, is_send) else { unreachable!() };
        assert_eq!(stamp.nonce == nonce, landed);
    }
}

#[test]
fn a_lost_answer_to_the_write_that_clears_is_no_reason_to_send_before_it_stands() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let intent = scene.until(begun, is_write);
    let answer = scene.answer(&intent);
    let next = scene.give(answer);
    scene.until(next, is_write);
    let cached = scene.stored.clone();
    let next = scene.give(Answer::Written(Err(broken("write the status of"))));
    assert!(matches!(next, Next::Rest(Rest::Failed(_))));
    let next = scene.begin(&cached);
    scene.until(next, is_send);
    assert!(scene.status().submission.as_ref().is_some_and(|intent| intent.cleared));
}

#[test]
fn a_process_that_does_not_lead_sends_nothing_and_records_that() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let mut next = begun;
    for _ in 0..2 {
        let write = scene.until(next, is_write);
        let answer = scene.answer(&write);
        // The lease ends while the write that clears the intent is under way.
        scene.leads = scene.pass.decided().is_none_or(|decided| !matches!(decided.decision.effect, Some(Effect::Send { .. })));
        next = scene.give(answer);
    }
    assert!(!scene.leads);
    let (asked, _) = scene.run_to_rest(next);
    assert!(!asked.iter().any(is_send), "{asked:#?}");
    assert!(asked.iter().any(|request| matches!(request, Request::WriteStatus { unfenced: true, .. })));
    assert_eq!((scene.status().phase, scene.status().backup_job_id.as_deref()), (Phase::Queued, None));
}

#[test]
fn a_request_that_was_announced_more_than_a_minute_ago_is_not_sent() {
    let mut scene = Scene::new();
    let mut next = scene.give(Answer::Begin);
    for _ in 0..2 {
        let write = scene.until(next, is_write);
        let answer = scene.answer(&write);
        scene.second += 31;
        next = scene.give(answer);
    }
    let (asked, _) = scene.run_to_rest(next);
    assert!(!asked.iter().any(is_send), "{asked:#?}");
}

#[test]
fn the_record_of_an_answer_is_tried_until_it_stands_with_growing_pauses() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let send = scene.until(begun, is_send);
    let answer = scene.answer(&send);
    let mut next = scene.give(answer);
    let mut pauses = Vec::new();
    for failure in 0..8 {
        let request = scene.until(next, |request| is_write(request) || matches!(request, Request::ReadObject));
        // Neither the write nor the reading of what became of it comes to an answer.
        let failed =
            if is_write(&request) { Answer::Written(Err(broken("write the status of"))) } else { Answer::Object(Err(broken("get"))) };
        next = scene.give(failed);
        let Next::Do(Request::PauseRecording { pause, .. }) = &next else { panic!("{failure}: {next:?}") };
        pauses.push(pause.as_millis());
        next = scene.give(Answer::Done);
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
    scene.run_to_rest(next);
    assert_eq!(scene.status().backup_job_id.as_deref(), Some("77"));
}

#[test]
fn a_read_that_is_refused_for_its_credentials_is_made_once_more_with_others() {
    let refused = || {
        let error = ApiError {
            code: "InvalidAccessKeyId.NotFound".into(),
            message: String::new(),
            request_id: None,
            http_status: 404,
            retry_after: None,
            action: None,
        };
        Answer::Read { at: at(1), result: Err(CallError::Api(error)) }
    };
    let is_read = |request: &Request| matches!(request, Request::Read { .. });
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    scene.until(begun, is_read);
    let next = scene.give(refused());
    assert!(matches!(next, Next::Do(Request::RenewCredentials)), "{next:?}");
    let next = scene.give(Answer::Renewed(true));
    assert!(matches!(next, Next::Do(Request::Read { what: CloudRead::Attributes, .. })), "everything is read again: {next:?}");
    let next = scene.give(refused());
    let (asked, _) = scene.run_to_rest(next);
    assert!(!asked.iter().any(|request| matches!(request, Request::RenewCredentials)), "once for each effect: {asked:#?}");
    assert_eq!(scene.status().ready_reason(), Some("InvalidCredentials"));
}

#[test]
fn the_objects_that_wait_are_woken_once_the_cache_shows_that_the_instance_is_free() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let ends = |status: &RdsBackupStatus| status.phase.is_terminal();
    scene.run_to_rest(begun);
    // The job is forgotten and its time is over: the object ends.
    scene.second = 100_000;
    let before = scene.stored.clone();
    let mut noted = false;
    let is_wake = |request: &Request| matches!(request, Request::WakeSiblings);
    for _ in 0..30 {
        let next = scene.begin(&before);
        let (asked, _) = scene.run_to_rest(next);
        noted |= asked.iter().any(|request| matches!(request, Request::NoteEnd));
        assert!(!asked.iter().any(is_wake), "the cache is older than the end: {asked:#?}");
        if ends(scene.status()) {
            break;
        }
        scene.second += 200;
    }
    assert!(noted && ends(scene.status()), "{:#?}", scene.status());
    let cached = scene.stored.clone();
    let next = scene.begin(&cached);
    let (asked, _) = scene.run_to_rest(next);
    assert_eq!(asked.iter().filter(|request| is_wake(request)).count(), 1);
    assert!(matches!(asked.last(), Some(Request::Forget)), "nothing is left to remember: {asked:#?}");
    let next = scene.begin(&cached);
    let (asked, _) = scene.run_to_rest(next);
    assert!(!asked.iter().any(is_wake), "once");
}

#[test]
fn a_job_of_an_object_that_was_deleted_meanwhile_is_reported() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let send = scene.until(begun, is_send);
    let answer = scene.answer(&send);
    let next = scene.give(answer);
    scene.until(next, is_write);
    let next = scene.give(Answer::Written(Ok(WriteResult::Gone)));
    let Next::Do(Request::Announce(announcement)) = next else { panic!("{next:?}") };
    assert_eq!(announcement.events.iter().map(Event::reason).collect::<Vec<_>>(), [Reason::Abandoned]);
    let next = scene.give(Answer::Done);
    assert!(matches!(next, Next::Do(Request::Forget)));
    let next = scene.give(Answer::Done);
    assert!(matches!(next, Next::Rest(Rest::AwaitChange)));
}

#[test]
fn a_job_whose_id_was_recorded_is_not_reported_when_its_object_is_deleted() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let send = scene.until(begun, is_send);
    let answer = scene.answer(&send);
    let next = scene.give(answer);
    let record = scene.until(next, is_write);
    let answer = scene.answer(&record);
    let next = scene.give(answer);
    assert!(scene.status().backup_job_id.is_some(), "{:#?}", scene.status());
    // The next write of the status finds the object gone.
    let mut next = next;
    loop {
        match &next {
            Next::Do(Request::WriteStatus { .. }) => break,
            Next::Do(request) => {
                let answer = scene.answer(&request.clone());
                next = scene.give(answer);
            }
            Next::Rest(_) => {
                scene.second += 200;
                let cached = scene.stored.clone();
                next = scene.begin(&cached);
            }
        }
    }
    let mut next = scene.give(Answer::Written(Ok(WriteResult::Gone)));
    while let Next::Do(request) = next {
        assert!(!matches!(request, Request::Announce(_)), "{request:?}");
        next = scene.give(Answer::Done);
    }
}

#[test]
fn a_finalizer_is_taken_off_over_what_stands() {
    let mut scene = Scene::new();
    scene.stored.metadata.deletion_timestamp = Some(Time(at(1)));
    scene.stored.metadata.finalizers = Some(vec![FINALIZER.to_owned(), "example.org/keep".to_owned()]);
    let cached = scene.stored.clone();
    let next = scene.begin(&cached);
    let is_finalizers = |request: &Request| matches!(request, Request::WriteFinalizers(_));
    let request = scene.until(next, is_finalizers);
    // Another controller takes its own off at the same time.
    scene.stored.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    scene.moves_on();
    let answer = scene.answer(&request);
    let next = scene.give(answer);
    assert!(matches!(next, Next::Do(Request::ReadObject)), "{next:?}");
    scene.run_to_rest(next);
    assert_eq!(scene.stored.metadata.finalizers, Some(Vec::new()));
}

#[test]
fn an_answer_that_belongs_to_no_request_ends_the_pass_with_an_error() {
    let mut scene = Scene::new();
    scene.give(Answer::Begin);
    assert!(matches!(scene.give(Answer::Locked(true)), Next::Rest(Rest::Failed(error)) if matches!(*error, Error::Mismatch)));
}
