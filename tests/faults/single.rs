//! Single faults, each with the end that a user sees.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    check,
    faults::{Fault, Point},
    life::{self, Ended},
    people::Action,
    report::story,
    script::{Script, create},
    step::Step,
    world::{AnyRequest, LogEntry, LogEvent},
};

const MINUTE: u64 = 60;

pub fn calm(minutes: u64) -> Script {
    Script::calm(Duration::from_secs(minutes * MINUTE)).backup(1, "b")
}

/// Runs a world and panics if it violates a rule.
pub fn ended(script: &Script) -> Ended {
    let ended = life::run(script);
    let wrong = check::violations(script, &ended);
    ended.world.with(|state, _| assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins)));
    ended
}

/// The number of jobs that the operator began, and the statuses at the end.
pub fn end(ended: &Ended) -> (usize, Vec<Value>) {
    ended.world.with(|state, _| {
        let jobs = state.cloud.jobs.iter().filter(|job| job.nonce.is_some()).count();
        (jobs, state.api.backups().map(|object| object["status"].clone()).collect())
    })
}

/// How often a request of that step was sent.
pub fn sent_count(ended: &Ended, step: Step) -> usize {
    ended.world.with(|state, _| {
        let of_step = |what: &LogEvent| matches!(what, LogEvent::Sent(AnyRequest::Api(of, _) | AnyRequest::Cloud(of, _)) if *of == step);
        state.log.iter().filter(|line| of_step(&line.what)).count()
    })
}

/// The reasons of the events.
pub fn events(ended: &Ended) -> Vec<String> {
    of_events(ended, "reason")
}

/// A field of each event that was posted.
pub fn of_events(ended: &Ended, field: &str) -> Vec<String> {
    ended.world.with(|state, _| {
        let posted = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Sent(AnyRequest::Api(Step::Event, call)) => serde_json::from_str::<Value>(&call.body).ok(),
            _ => None,
        });
        posted.map(|event| event[field].as_str().unwrap_or_default().to_owned()).collect()
    })
}

#[test]
fn a_lost_answer_is_adopted_and_never_sent_again() {
    let ended = ended(&calm(40).fault(Step::Create, 1, Fault::Lost { executed: true }));
    let (jobs, statuses) = end(&ended);
    assert_eq!(jobs, 1);
    assert_eq!((&statuses[0]["phase"], &statuses[0]["origin"]), (&"Succeeded".into(), &"Adopted".into()));
}

#[test]
fn a_lost_request_is_proven_never_accepted_and_a_new_one_is_sent() {
    let ended = ended(&calm(5).fault(Step::Create, 1, Fault::Lost { executed: false }));
    let (jobs, statuses) = end(&ended);
    assert_eq!(jobs, 1);
    assert_eq!((&statuses[0]["phase"], &statuses[0]["submission"]["attempt"]), (&"Succeeded".into(), &2.into()));
}

#[test]
fn a_request_that_is_held_beyond_its_expiry_is_refused_and_one_held_for_less_is_adopted() {
    for (held, origin) in [(16 * MINUTE, "Created"), (14 * MINUTE, "Adopted"), (MINUTE, "Adopted")] {
        let ended = ended(&calm(40).fault(Step::Create, 1, Fault::Late(Duration::from_secs(held))));
        let (jobs, statuses) = end(&ended);
        assert_eq!(jobs, 1, "held for {held} s");
        assert_eq!((&statuses[0]["phase"], &statuses[0]["origin"]), (&"Succeeded".into(), &origin.into()), "held for {held} s");
    }
}

#[test]
fn a_job_that_ends_while_the_operator_is_down_is_found_by_its_set_however_late_that_is_listed() {
    for lag in [0, 9 * MINUTE + 30] {
        let mut script = calm(26).fault(Step::Create, 1, Fault::Crash(Point::Executed));
        script.pauses = vec![Duration::from_secs(27 * MINUTE)];
        script.habits.longest_lag = Duration::from_secs(lag);
        let ended = ended(&script);
        let (jobs, statuses) = end(&ended);
        assert_eq!(jobs, 1);
        assert_eq!((&statuses[0]["phase"], &statuses[0]["origin"]), (&"Succeeded".into(), &"Adopted".into()));
    }
}

#[test]
fn an_answer_is_recorded_however_often_the_api_server_fails() {
    let mut script = calm(5);
    for nth in 1..=6 {
        script = script.fault(Step::RecordWrite, nth, Fault::Status { code: 500, executed: false });
    }
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["origin"]), (1, &"Created".into()));
}

#[test]
fn a_job_whose_object_was_deleted_under_way_is_reported_in_an_event() {
    // The answer takes 20 s, and the object is gone after 5.
    let script = calm(5)
        .fault(Step::Create, 1, Fault::Late(Duration::from_secs(20)))
        .at(6, Action::Delete { namespace: "team-a".into(), name: "b".into() });
    let ended = ended(&script);
    assert_eq!(end(&ended).0, 1);
    assert!(events(&ended).iter().any(|reason| reason == "Abandoned"), "{:?}", events(&ended));
}

#[test]
fn an_object_that_is_created_again_under_its_name_gets_a_backup_of_its_own() {
    let delete = Action::Delete { namespace: "team-a".into(), name: "b".into() };
    let ended = ended(&calm(5).at(120, delete).backup(121, "b"));
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"]), (2, &"Succeeded".into()));
}

#[test]
fn a_first_list_or_a_watch_that_is_never_answered_does_not_stop_the_operator_for_ever() {
    for step in [Step::List, Step::Watch] {
        let ended = ended(&calm(5).fault(step, 1, Fault::Hang { executed: false }));
        assert_eq!(end(&ended).1[0]["phase"], "Succeeded", "{}", step.name());
    }
}

#[test]
fn two_operators_at_once_make_one_backup() {
    let mut script = calm(5);
    script.processes = 2;
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()));
}

#[test]
fn backups_of_one_instance_run_one_after_another_in_the_order_of_their_creation() {
    let script = calm(5).backup(2, "c").backup(3, "a");
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!(jobs, 3);
    let started: Vec<&str> = statuses.iter().filter_map(|status| status["startedAt"].as_str()).collect();
    // The list has them by name: a, b, c. They are created in the order b, c, a.
    assert!(started[1] < started[2] && started[2] < started[0], "{started:?}");
}

#[test]
fn a_server_fault_after_the_job_began_is_no_refusal() {
    for status in [500, 502, 503, 504] {
        let ended = ended(&calm(40).fault(Step::Create, 1, Fault::Broken { status, executed: true }));
        let (jobs, statuses) = end(&ended);
        assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Adopted".into()), "{status}");
    }
}

/// The service does not know the nonce again here, so that the copy meets the job of the first.
#[test]
fn a_copy_of_the_request_that_meets_its_own_job_is_no_refusal() {
    let mut script = calm(40).fault(Step::Create, 1, Fault::Twice { second_answers: true, gap: Duration::from_secs(2) });
    script.habits.knows_nonces = false;
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Adopted".into()));
}

#[test]
fn after_a_conflict_nothing_is_sent_on_a_write_that_did_not_land() {
    for step in [Step::IntentWrite, Step::ClearWrite, Step::RecordWrite, Step::EndWrite] {
        let (jobs, statuses) = end(&ended(&calm(5).fault(step, 1, Fault::Conflict)));
        assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()), "{}", step.name());
    }
}

/// The cache is 40 s behind. It shows `b` waiting for tomorrow's quota when `c` goes first, while in truth the answer to `b`'s request was
/// lost a second ago and the request itself is under way. Without the quorum list, `c` would send, lose its answer too, and adopt `b`'s
/// job.
#[test]
fn an_open_intent_that_no_cache_shows_yet_is_found_before_another_is_sent() {
    let minute = Duration::from_secs(MINUTE);
    let mut script = calm(5)
        .fault(Step::Create, 1, Fault::Refused { code: "Exceeded.BackupTimes", status: 403 })
        .fault(Step::Create, 2, Fault::Late(minute))
        .fault(Step::Create, 3, Fault::Lost { executed: false })
        .backup(3633, "c");
    script.pace.watch_lag = Duration::from_secs(40);
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!(jobs, 2);
    assert_eq!((&statuses[0]["origin"], &statuses[1]["origin"]), (&"Adopted".into(), &"Created".into()));
    let withdrawn = ended.world.with(|state, _| {
        let written = |line: &LogEntry| match &line.what {
            LogEvent::Done(AnyRequest::Api(Step::CloseWrite, call), _) => call.name.as_deref() == Some("c") && call.body.contains("Unsent"),
            _ => false,
        };
        state.log.iter().any(written)
    });
    assert!(withdrawn, "the world does not lead there any more: c did not meet b's intent");
}

/// With requests that never expire, `b` keeps looking for ever, but `c` does not wait for ever.
#[test]
fn a_job_that_is_the_result_of_another_object_is_never_adopted() {
    let mut script = calm(40).fault(Step::Create, 1, Fault::Lost { executed: false }).backup(2, "c");
    script.expiry = "Never";
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!(jobs, 1);
    assert_eq!((&statuses[0]["phase"], &statuses[0]["origin"]), (&"Resolving".into(), &Value::Null));
    assert_eq!((&statuses[1]["phase"], &statuses[1]["origin"]), (&"Succeeded".into(), &"Created".into()));
}

/// Another client's set of the same minute exists before the request, which is lost.
#[test]
fn a_set_that_was_there_before_the_request_is_never_its_result() {
    let foreign = Action::Foreign { instance: "rm-1".into(), automated: false, lasts: Duration::from_secs(5) };
    let script = Script::calm(Duration::from_secs(5 * MINUTE)).at(20, foreign).backup(30, "b");
    let (jobs, statuses) = end(&ended(&script.fault(Step::Create, 1, Fault::Lost { executed: false })));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()));
}

/// The request is lost, and a user starts a backup of another method by hand.
#[test]
fn an_adoption_of_a_backup_of_another_method_is_withdrawn() {
    let foreign = Action::Foreign { instance: "rm-1".into(), automated: false, lasts: Duration::from_secs(2 * MINUTE) };
    let script = Script::calm(Duration::from_secs(5 * MINUTE))
        .at(1, create("team-a", "b", json!({ "dbInstanceId": "rm-1", "method": "Logical" })))
        .at(5, foreign)
        .fault(Step::Create, 1, Fault::Lost { executed: false });
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()));
    assert!(events(&ended).iter().any(|reason| reason == "SetDiffers"), "{:?}", events(&ended));
}

/// The API server is slow and fails until the intent is 59 s old, and takes 9.5 s for the write that clears it.
#[test]
fn a_request_whose_intent_is_more_than_a_minute_old_is_not_sent() {
    let mut script = calm(5);
    for nth in 1..=4 {
        script = script.fault(Step::ClearList, nth, Fault::Hang { executed: false });
    }
    let script = script.fault(Step::ClearList, 5, Fault::Late(Duration::from_secs(4))).fault(
        Step::ClearWrite,
        1,
        Fault::Late(Duration::from_millis(9500)),
    );
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["submission"]["attempt"]), (1, &"Succeeded".into(), &2.into()));
    let attempts = statuses[0]["attempts"].as_array().cloned().unwrap_or_default();
    assert!(attempts.iter().any(|attempt| attempt["outcome"] == "Rejected"), "the world does not lead there any more: {attempts:?}");
}

#[test]
fn an_answer_never_lands_in_another_object_of_the_same_name() {
    // The answer takes 20 s; after 5 s the object is deleted, and another one has its name.
    let delete = Action::Delete { namespace: "team-a".into(), name: "b".into() };
    let ended = ended(&calm(5).fault(Step::Create, 1, Fault::Late(Duration::from_secs(20))).at(6, delete).backup(7, "b"));
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["attempts"]), (2, &"Succeeded".into(), &Value::Null));
    assert!(events(&ended).iter().any(|reason| reason == "Abandoned"), "{:?}", events(&ended));
}

/// The answer comes 3 s after the signal to stop.
fn stopped_under_way() -> Script {
    calm(5).fault(Step::Create, 1, Fault::Late(Duration::from_secs(5))).at(4, Action::Stop)
}

#[test]
fn a_request_that_is_under_way_at_a_stop_is_waited_for_and_recorded() {
    let (jobs, statuses) = end(&ended(&stopped_under_way()));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()));
}

#[test]
fn an_answer_that_cannot_be_recorded_at_once_is_recorded_before_the_operator_stops() {
    let mut script = stopped_under_way();
    for nth in 1..=3 {
        script = script.fault(Step::RecordWrite, nth, Fault::Status { code: 500, executed: false });
    }
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()));
}

#[test]
fn the_event_of_the_last_record_is_published_before_the_operator_stops() {
    let ended = ended(&stopped_under_way());
    let published = ended.world.with(|state, _| {
        let posted = |line: &LogEntry| match &line.what {
            LogEvent::Done(AnyRequest::Api(Step::Event, call), _) => line.life == 1 && call.body.contains("accepted the backup as job"),
            _ => false,
        };
        state.log.iter().any(posted)
    });
    assert!(published, "the event was lost with the process");
}

/// The watch breaks before it showed the object, and the list that follows comes in pages: the objects of its first page are not forgotten.
#[test]
fn an_object_created_while_the_watch_was_broken_is_worked_on_whatever_its_page() {
    let spec = json!({ "dbInstanceId": "rm-2", "method": "Physical" });
    let mut script = calm(30).at(30, create("team-a", "a", spec)).at(40, Action::Compact);
    script.pace.watch_lag = Duration::from_secs(180);
    script.pace.api = (10, 30);
    script.largest_page = 1;
    script.instances.insert("rm-2".to_owned(), "local_ssd");
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!(jobs, 2);
    assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "{statuses:#?}");
}
