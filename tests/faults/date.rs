//! A wrong `Date` costs nothing but itself: calls a minute, and the time to the end, counted from outside.

use std::time::Duration;

use crate::{
    faults::{Fault, SINCE_1970},
    life::Ended,
    script::Script,
    single::{calm, end, ended},
    step::Step,
    world::{AnyRequest, LogEvent},
};

/// The times of the calls, in seconds since the world began.
fn calls(script: &Script, ended: &Ended) -> Vec<f64> {
    ended.world.with(|state, _| {
        let calls = state.log.iter().filter(|line| matches!(line.what, LogEvent::Sent(AnyRequest::Cloud(..))));
        calls.map(|line| line.at.duration_since(script.begins).as_secs_f64()).collect()
    })
}

/// The most calls within a minute, and the time of the last.
fn cost(script: &Script) -> (usize, f64, Ended) {
    let ended = ended(script);
    let calls = calls(script, &ended);
    let within = |from: f64| calls.iter().filter(|at| (from..from + 60.0).contains(*at)).count();
    (calls.iter().map(|at| within(*at)).max().unwrap_or_default(), calls.last().copied().unwrap_or_default(), ended)
}

/// A backup whose request's answer is lost, made or not.
fn lost(executed: bool) -> Script {
    let mut script = calm(5).fault(Step::Create, 1, Fault::Lost { executed });
    script.bound = Duration::from_secs(60 * 60);
    script
}

#[test]
fn after_a_lost_answer_a_wrong_date_makes_no_more_calls_and_takes_no_longer() {
    for executed in [true, false] {
        let (per_minute, over, _) = cost(&lost(executed));
        for hours in [SINCE_1970, -30, 30] {
            let mut for_ever = lost(executed);
            for_ever.habits.date_hours = hours;
            let mut worlds = vec![("for ever".to_owned(), for_ever)];
            for (step, nth) in [(Step::Instance, 1), (Step::SetsBefore, 1), (Step::TasksLook, 1), (Step::SetsLook, 1), (Step::SetsLook, 3)]
            {
                worlds.push((format!("once, {} {nth}", step.name()), lost(executed).fault(step, nth, Fault::Dated { hours })));
            }
            for (which, script) in worlds {
                let (calls, end_at, ended) = cost(&script);
                println!("executed {executed}, {hours} h, {which}: {calls} calls a minute for {per_minute}, {end_at} s for {over} s");
                let (jobs, statuses) = end(&ended);
                assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{hours} h, {which}");
                assert!(calls <= per_minute + 2, "{hours} h, {which}: {calls} calls within a minute, and {per_minute} with a right Date");
                assert!(end_at <= over + 60.0, "{hours} h, {which}: {end_at} s, and {over} s with a right Date");
            }
        }
    }
}

#[test]
fn a_single_date_that_is_hours_off_ends_nothing_that_waits_and_moves_no_request() {
    for hours in [-5, 5, 23] {
        for step in [Step::Instance, Step::TasksBefore, Step::SetsBefore, Step::Create, Step::TaskById, Step::SetById] {
            // The first answer of a process is all it knows, so this is not the first.
            let mut script = calm(40).backup(2, "c").fault(step, 2, Fault::Dated { hours });
            script.bound = Duration::from_secs(2 * 60 * 60);
            let (jobs, statuses) = end(&ended(&script));
            assert_eq!(jobs, 2, "{hours} h, {}", step.name());
            assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "{hours} h, {}: {statuses:?}", step.name());
            let attempts = statuses.iter().map(|status| status["submission"]["attempt"].as_i64().unwrap_or_default());
            assert_eq!(attempts.max(), Some(1), "{hours} h, {}: a request was refused for its time", step.name());
        }
        for nth in 1..=6 {
            // The request arrives 14 min after it was signed, just before it expires, and is looked for all the while.
            let late = Fault::Late(Duration::from_secs(14 * 60));
            let mut script = calm(40).fault(Step::Create, 1, late).fault(Step::SetsLook, nth, Fault::Dated { hours });
            script.bound = Duration::from_secs(2 * 60 * 60);
            let (jobs, statuses) = end(&ended(&script));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{hours} h, look {nth}");
        }
    }
}
