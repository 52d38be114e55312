//! The order of requests, answer by answer.

use jiff::SignedDuration;
use kube::core::{DeserializeGuard, Status};

use super::*;
use crate::{
    api::{BackupReference, Phase, RdsBackupStatus, Reason, Time},
    controller::Event,
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
    [(SCHEDULE_NAME_LABEL.to_owned(), "hourly".to_owned())].into()
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
        let present = Present { now: self.now, is_burst: self.is_burst };
        running.next = running.pass.next(&mut self.state, answer, present);
    }

    fn observe(&mut self, running: &mut Running) {
        assert!(matches!(running.next, Next::Do(Request::Observe)), "{:?}", running.next);
        let backups = self.cache.iter().map(|backup| Arc::new(DeserializeGuard(Ok(backup.clone())))).collect();
        self.answer(running, Answer::Observed(backups));
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

#[test]
fn a_slots_backup_is_created_before_the_status_is_written_and_before_anything_is_deleted() {
    let mut bench = Bench::due(r#","failedHistoryLimit":0"#);
    bench.cache.push(ended("hourly-m0000000000", today("08:30:00")));
    let (mut running, name) = bench.creating();
    assert_eq!(name, "hourly-202701150900");
    bench.answer(&mut running, Answer::Created(Ok(Creation::Created)));
    assert!(matches!(running.next, Next::Do(Request::CountCreation)), "{:?}", running.next);
    bench.note(&mut running);
    bench.observe(&mut running);
    bench.write(&mut running);
    bench.observe(&mut running);
    assert_eq!(running.deletes(), Some("hourly-m0000000000"));
    assert_eq!(bench.live.status.as_ref().unwrap().last_backup.as_ref().unwrap().name, name);
}

#[test]
fn an_edit_that_the_cache_does_not_know_is_decided_with_before_a_creation() {
    let mut bench = Bench::due("");
    let cached = bench.live.clone();
    bench.live.spec.suspend = true;
    bench.live.metadata.generation = Some(2);
    bench.next_version();
    let mut running = bench.observed(cached.clone());
    bench.reread(&mut running);
    bench.observe(&mut running);
    // Suspended: the status says so, and no backup is created.
    let Next::Do(Request::WriteStatus(status)) = &running.next else { panic!("{:?}", running.next) };
    assert_eq!((status.observed_generation, status.last_schedule_time.as_ref()), (2, None));
    assert_eq!(running.pass.decisions(), 2);
    // A later pass does not fall back to the cache's old copy.
    let running = bench.begin(cached);
    assert_eq!(running.pass.object().metadata.generation, Some(2));
}

#[test]
fn a_schedule_that_is_gone_creates_nothing() {
    let mut bench = Bench::due("");
    let mut running = bench.observed(bench.live.clone());
    assert!(matches!(running.next, Next::Do(Request::ReadObject)));
    bench.answer(&mut running, Answer::Object(Ok(None)));
    assert!(matches!(running.next, Next::Rest(Rest::AwaitChange)), "{:?}", running.next);
}

#[test]
fn an_object_of_the_name_is_ours_by_its_label_and_foreign_without_it() {
    let another = BTreeMap::from([(SCHEDULE_NAME_LABEL.to_owned(), "another".to_owned())]);
    for (labels, outcome) in [(ours(), Outcome::Ours), (another, Outcome::Foreign), (BTreeMap::new(), Outcome::Foreign)] {
        let mut bench = Bench::due("");
        let (mut running, name) = bench.creating();
        bench.answer(&mut running, Answer::Created(Ok(Creation::AlreadyExists)));
        assert!(matches!(&running.next, Next::Do(Request::ReadLabels(read)) if *read == name), "{:?}", running.next);
        bench.answer(&mut running, Answer::Labels(Ok(Some(labels))));
        assert_eq!(*bench.outcome(&name), outcome);
        bench.note(&mut running);
        bench.observe(&mut running);
        bench.write(&mut running);
        assert!(bench.state.memory.created.is_empty(), "the status tells it now");
        let status = bench.live.status.clone().unwrap();
        assert_eq!(status.last_schedule_time.map(|time| time.0), Some(today("09:00:00")), "the slot is settled either way");
        let reasons = match &running.next {
            Next::Do(Request::Announce(events)) => events.iter().map(Event::reason).collect(),
            _ => Vec::new(),
        };
        match outcome {
            Outcome::Ours => assert_eq!((status.last_backup.map(|last| last.name), reasons), (Some(name), vec![])),
            _ => assert_eq!((status.last_backup, reasons), (None, vec![Reason::NameCollision, Reason::MissedRuns])),
        }
    }
}

#[test]
fn an_object_of_the_name_that_was_deleted_a_moment_later_leaves_the_slot_due() {
    let mut bench = Bench::due("");
    for tries in 1..=3 {
        let (mut running, name) = bench.creating();
        bench.answer(&mut running, Answer::Created(Ok(Creation::AlreadyExists)));
        bench.answer(&mut running, Answer::Labels(Ok(None)));
        let Outcome::Unanswered { message, tries: counted, since } = bench.outcome(&name).clone() else {
            panic!("{:?}", bench.state.memory)
        };
        assert!(message.contains("deleted a moment later"), "{message}");
        assert_eq!((counted, since), (tries, today("09:00:00")));
        bench.rest(&mut running);
        assert_eq!(running.rests_for(), Duration::from_secs(1 << tries));
        bench.now = bench.now.plus(SignedDuration::from_secs(1 << tries));
    }
}

#[test]
fn a_creation_that_fails_leaves_the_slot_due_and_is_not_counted_as_one() {
    let mut bench = Bench::due("");
    let (mut running, name) = bench.creating();
    bench.answer(&mut running, Answer::Created(Err(error(500))));
    assert!(matches!(bench.outcome(&name), Outcome::Unanswered { tries: 1, .. }));
    assert!(matches!(running.next, Next::Do(Request::LogCreation { .. })), "{:?}", running.next);
    bench.answer(&mut running, Answer::Done);
    bench.rest(&mut running);
    assert_eq!(running.rests_for(), Duration::from_secs(2));
}

#[test]
fn the_newest_backup_is_asked_for_where_no_cache_shows_it() {
    let running_one = |mut backup: RdsBackup| {
        backup.status = None;
        backup
    };
    let last = || ended("hourly-202701150800", today("08:30:00"));
    let mut foreign = running_one(last());
    foreign.metadata.labels = None;
    // What the API server has under the name, and whether the slot's backup is created beside it.
    for (found, creates) in [(None, true), (Some(last()), true), (Some(foreign), true), (Some(running_one(last())), false)] {
        let mut bench = Bench::due("");
        bench.live.status.as_mut().unwrap().last_backup = Some(BackupReference { name: "hourly-202701150800".into(), slot: None });
        let mut running = bench.observed(bench.live.clone());
        bench.reread(&mut running);
        assert!(matches!(&running.next, Next::Do(Request::ReadBackup(name)) if name == "hourly-202701150800"), "{:?}", running.next);
        bench.answer(&mut running, Answer::Backup(Ok(found.map(Box::new))));
        if creates {
            assert!(matches!(running.next, Next::Do(Request::Create(_))), "{:?}", running.next);
            continue;
        }
        bench.observe(&mut running);
        bench.write(&mut running);
        assert_eq!(bench.live.status.unwrap().skipped_overlap.map(|skipped| skipped.count), Some(1));
    }
}

#[test]
fn a_status_whose_answer_was_lost_is_read_before_the_next_write() {
    for landed in [true, false] {
        let mut bench = Bench::new("");
        let cached = bench.live.clone();
        let mut running = bench.observed(cached.clone());
        if landed {
            bench.land(&running);
        }
        bench.answer(&mut running, Answer::Written(Err(error(500))));
        assert!(matches!(running.failed(), (Error::Cluster(_), Some(_))), "{:?}", running.next);

        // The read fails too: nothing is written, and the next pass reads again.
        let mut running = bench.begin(cached.clone());
        assert!(matches!(running.next, Next::Do(Request::ReadObject)), "{:?}", running.next);
        bench.answer(&mut running, Answer::Object(Err(error(503))));
        assert!(matches!(running.failed(), (Error::Cluster(_), _)));

        let mut running = bench.begin(cached.clone());
        bench.reread(&mut running);
        bench.observe(&mut running);
        if landed {
            assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "it stands already: {:?}", running.next);
        } else {
            bench.write(&mut running);
            bench.observe(&mut running);
        }
        // It is read once.
        let running = bench.begin(cached);
        assert!(matches!(running.next, Next::Do(Request::Observe)), "{:?}", running.next);
    }
}

#[test]
fn a_conflict_is_read_and_decided_again_and_a_lost_read_of_it_is_made_up_for() {
    let mut bench = Bench::new("");
    let cached = bench.live.clone();
    let mut running = bench.observed(cached.clone());
    bench.live.spec.suspend = true;
    bench.next_version();
    bench.answer(&mut running, Answer::Written(Ok(WriteResult::Conflict)));
    assert!(matches!(running.next, Next::Do(Request::ReadObject)));
    bench.answer(&mut running, Answer::Object(Err(error(500))));
    assert!(matches!(running.failed(), (Error::Cluster(_), _)));

    let mut running = bench.begin(cached);
    bench.reread(&mut running);
    bench.observe(&mut running);
    bench.write(&mut running);
    assert!(bench.live.status.unwrap().conditions.iter().any(|condition| condition.type_ == "Suspended"));
}

#[test]
fn events_are_published_once_and_only_when_the_status_was_written() {
    let mut bench = Bench::due(r#","startingDeadline":"10s""#);
    bench.now = today("09:00:30");
    let mut running = bench.observed(bench.live.clone());
    bench.land(&running);
    bench.answer(&mut running, Answer::Written(Ok(WriteResult::Gone)));
    assert!(matches!(running.next, Next::Rest(Rest::AwaitChange)), "{:?}", running.next);

    let mut bench = Bench::due(r#","startingDeadline":"10s""#);
    bench.now = today("09:00:30");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    assert!(matches!(&running.next, Next::Do(Request::Announce(events)) if events.len() == 1), "{:?}", running.next);
    bench.answer(&mut running, Answer::Done);
    bench.observe(&mut running);
    assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "{:?}", running.next);
}

/// Three objects go; each deletion lasts for as long as is given, and is answered so.
fn deleting(seconds: i64, answer: impl Fn() -> Answer, from: &str) -> (Bench, Vec<String>, Running) {
    let mut bench = Bench::seen(r#","failedHistoryLimit":0"#);
    bench.cache = ["a", "b", "c"].map(|name| ended(name, today("08:05:00"))).to_vec();
    bench.now = today("08:11:00");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    bench.now = today(from);
    bench.observe(&mut running);
    let mut deleted = Vec::new();
    while let Some(name) = running.deletes() {
        deleted.push(name.to_owned());
        bench.now = bench.now.plus(SignedDuration::from_secs(seconds));
        bench.answer(&mut running, answer());
    }
    (bench, deleted, running)
}

#[test]
fn a_deletion_that_fails_holds_up_nothing_and_is_tried_again() {
    let (mut bench, deleted, running) = deleting(7, || Answer::Deleted(Err(error(500))), "08:59:00");
    assert_eq!((deleted.as_slice(), running.rests_for()), (&["a".to_owned()][..], Duration::from_secs(53)), "the slot is at 09:00");
    bench.now = today("08:59:30");
    let running = bench.observed(bench.live.clone());
    assert_eq!(running.deletes(), Some("a"));
}

#[test]
fn an_object_that_changed_or_is_gone_does_not_keep_the_others_from_being_deleted() {
    for was_deleted in [true, false] {
        let (_, deleted, running) = deleting(0, || Answer::Deleted(Ok(was_deleted)), "08:59:00");
        assert_eq!((deleted.len(), running.rests_for()), (3, Duration::from_secs(60)));
    }
}

#[test]
fn no_deletion_is_begun_that_could_delay_the_next_slot() {
    let ok = || Answer::Deleted(Ok(true));
    for (from, seconds, expected, rests_for) in [
        ("08:59:51", 0, 0, 9),
        ("08:59:50", 10, 1, 0),
        ("08:59:35", 10, 2, 5),
        // One that outlasts its time limit, which no call may, is made up for at once.
        ("08:59:50", 12, 1, 0),
    ] {
        let (_, deleted, running) = deleting(seconds, ok, from);
        assert_eq!((deleted.len(), running.rests_for().as_secs()), (expected, rests_for), "{from}, {seconds} s each");
    }
}

#[test]
fn a_burst_defers_statuses_once_and_never_creations() {
    let mut bench = Bench::due("");
    bench.is_burst = true;
    let (mut running, _) = bench.creating();
    bench.answer(&mut running, Answer::Created(Ok(Creation::Created)));
    bench.note(&mut running);
    bench.observe(&mut running);
    assert_eq!(running.rests_for(), Duration::from_secs(4));
    // The burst lasts, and the status does not wait for ever.
    bench.now = today("09:00:04");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    bench.observe(&mut running);
    assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "{:?}", running.next);
    assert!(!bench.state.deferred, "the next status waits again");
}

#[test]
fn a_status_that_is_deferred_delays_no_slot() {
    let mut bench = Bench::new("");
    (bench.is_burst, bench.now) = (true, today("08:59:59"));
    let running = bench.observed(bench.live.clone());
    assert_eq!(running.rests_for(), Duration::from_secs(1));
}

#[test]
fn a_pass_that_failed_is_made_again_by_the_next_slot() {
    for (clock, again_within) in [("08:59:20", Some(40)), ("08:59:59.9", Some(1)), ("09:00:00", None)] {
        let mut bench = Bench::seen("");
        bench.now = today("08:58:00");
        let running = bench.observed(bench.live.clone());
        assert_eq!(running.rests_for(), Duration::from_secs(120));
        bench.now = today(clock);
        bench.state.freshest.lose_sight();
        let mut running = bench.begin(bench.live.clone());
        bench.answer(&mut running, Answer::Object(Err(error(500))));
        assert_eq!(running.failed().1, again_within.map(Duration::from_secs), "{clock}");
    }
}

#[test]
fn a_pass_that_goes_round_in_a_circle_ends_with_an_error() {
    let mut bench = Bench::new("");
    let mut running = bench.observed(bench.live.clone());
    let mut writes = 0;
    while let Next::Do(request) = &running.next {
        match request {
            Request::WriteStatus(_) => {
                writes += 1;
                assert!(writes < 100, "it goes on for ever");
                // Another operator takes back what this one writes.
                bench.next_version();
                bench.answer(&mut running, Answer::Written(Ok(WriteResult::Yes(Box::new(bench.live.clone())))));
            }
            _ => bench.observe(&mut running),
        }
    }
    assert!(matches!(running.failed(), (Error::NoRest(20), Some(_))), "{:?}", running.next);
    assert_eq!(writes, 20);
}

#[test]
fn the_answer_to_another_request_ends_the_pass_with_an_error() {
    let mut bench = Bench::new("");
    let mut running = bench.begin(bench.live.clone());
    bench.answer(&mut running, Answer::Deleted(Ok(true)));
    assert!(matches!(running.failed(), (Error::Mismatch, None)), "{:?}", running.next);
}

#[test]
fn a_clock_that_is_set_back_during_a_deletion_makes_no_rest_longer_than_four_minutes() {
    let (_, deleted, running) = deleting(-7200, || Answer::Deleted(Ok(true)), "08:59:00");
    assert_eq!((deleted.len(), running.rests_for()), (3, Duration::from_secs(240)));
}
