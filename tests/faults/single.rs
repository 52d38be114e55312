//! Single faults, each with the end that a user would see.

use std::time::Duration;

use serde_json::Value;

use crate::{
    check,
    faults::{Fault, Point},
    life::{self, Ended},
    people::Action,
    report::story,
    script::Script,
    step::Step,
    world::{Asked, What},
};

const MINUTE: u64 = 60;

pub fn calm(minutes: u64) -> Script {
    Script::calm(Duration::from_secs(minutes * MINUTE)).backup(1, "b")
}

/// Runs a world in which everything that must hold does hold.
pub fn ended(script: &Script) -> Ended {
    let ended = life::run(script);
    let wrong = check::violations(script, &ended);
    ended.world.with(|state, _| assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins)));
    ended
}

/// Jobs that the operator began, and the statuses at the end.
pub fn end(ended: &Ended) -> (usize, Vec<Value>) {
    ended.world.with(|state, _| {
        let jobs = state.cloud.jobs.iter().filter(|job| job.nonce.is_some()).count();
        (jobs, state.api.backups().map(|object| object["status"].clone()).collect())
    })
}

/// How often a request of that step was sent.
pub fn told(ended: &Ended, step: Step) -> usize {
    ended.world.with(|state, _| {
        let of_step = |what: &What| matches!(what, What::Sent(Asked::Api(of, _) | Asked::Cloud(of, _)) if *of == step);
        state.log.iter().filter(|line| of_step(&line.what)).count()
    })
}

pub fn events(ended: &Ended) -> Vec<String> {
    ended.world.with(|state, _| {
        let posted = state.log.iter().filter_map(|line| match &line.what {
            What::Sent(Asked::Api(Step::Event, call)) => serde_json::from_str::<Value>(&call.body).ok(),
            _ => None,
        });
        posted.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
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
fn a_lost_request_is_proven_dead_and_sent_anew() {
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
fn a_job_whose_object_was_deleted_under_way_is_said_aloud() {
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
    // Listed by name: a, b, c; created as b, c, a.
    assert!(started[1] < started[2] && started[2] < started[0], "{started:?}");
}
