//! Faults of the Secret with the access key, and of its reads.

use std::time::Duration;

use serde_json::json;

use crate::{
    faults::Fault,
    life::Ended,
    matrix::{first, ready},
    people::{Action, Key},
    script::{Script, create},
    single::{calm, end, ended, events, of_events},
    step::Step,
    world::{AnyRequest, LogEvent, Reply},
};

const MINUTE: u64 = 60;

/// Seconds from the first request to the write of the end.
pub fn took(ended: &Ended) -> f64 {
    ended.world.with(|state, _| {
        let first = state.log.first().expect("a request").at;
        let end = state.log.iter().find(|line| matches!(&line.what, LogEvent::Sent(AnyRequest::Api(Step::EndWrite, _)))).expect("an end");
        end.at.duration_since(first).as_secs_f64()
    })
}

/// Whether the object was ever Stalled.
fn is_stalled(ended: &Ended) -> bool {
    ended.world.with(|state, _| state.log.iter().any(|line| format!("{:?}", line.what).contains("Stalled")))
}

#[test]
fn row_29_whatever_happens_to_the_secret_is_reported_and_heals_and_is_never_shown() {
    for (key, reason) in [
        (Key::Gone, "CredentialsNotFound"),
        (Key::Emptied, "InvalidCredentials"),
        (Key::Wrong, "InvalidCredentials"),
        (Key::Junk, "InvalidCredentials"),
        (Key::WrongKind, "InvalidCredentials"),
        (Key::Forbidden, "AccessDenied"),
    ] {
        // Before the request, and while the job runs; the judge searches everything that is written for secrets.
        for at in [0, 90] {
            let broken = || calm(30).at(at, Action::Secret(key));
            let mut unhealed = broken();
            unhealed.lasts = Some(Duration::from_secs(12 * MINUTE));
            let status = first(&ended(&unhealed));
            assert_eq!(ready(&status), reason, "{key:?} after {at} s");
            for cure in [Key::Right, Key::Rotated] {
                let mut healed = broken().at(12 * MINUTE, Action::Secret(cure));
                healed.bound = Duration::from_secs(60 * MINUTE);
                let (jobs, statuses) = end(&ended(&healed));
                assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{key:?} after {at} s, then {cure:?}");
            }
        }
    }
}

#[test]
fn row_29_a_rotated_key_is_used_within_a_minute() {
    let ended = ended(&calm(30).at(5 * MINUTE, Action::Secret(Key::Rotated)));
    assert_eq!(first(&ended)["phase"], "Succeeded");
    let refused = ended.world.with(|state, _| {
        let refused = |line: &&crate::world::LogEntry| matches!(&line.what, LogEvent::Done(_, Reply::Cloud(reply)) if reply.status == 404);
        state.log.iter().filter(refused).count()
    });
    assert!(refused <= 1, "{refused} calls with the old key");
}

/// The cloud is slow, so that the key is changed before, between and after the reads and the request of an attempt, and while the job runs.
#[test]
fn row_29_a_key_may_be_rotated_at_any_second_and_no_object_is_stalled() {
    let slow = |mut script: Script| {
        script.pace.cloud = (7000, 7000);
        script
    };
    let undisturbed = took(&ended(&slow(calm(2))));
    for at in 1..=75 {
        let ended = ended(&slow(calm(2)).at(at, Action::Secret(Key::Rotated)));
        let (jobs, statuses) = end(&ended);
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "after {at} s");
        let late = took(&ended) - undisturbed;
        assert!(late < 60.0, "after {at} s: {late} s later than without");
        assert!(!is_stalled(&ended), "after {at} s");
    }
}

/// This covers row 22 too. Before the fix each refused read cost a minute, and the object was Stalled meanwhile: a pipeline's gate would
/// have failed.
#[test]
fn row_29_a_secret_that_the_api_server_cannot_return_costs_seconds_and_stalls_no_object() {
    let undisturbed = took(&ended(&calm(5)));
    for fault in [429, 500, 503].map(|code| Fault::Status { code, executed: false }).into_iter().chain([Fault::Lost { executed: false }]) {
        // The read of the first pass, and one while the job runs. Four reads follow each other within 1.75 s.
        for from in [1, 3] {
            for refused in [1, 3, 4, 12] {
                let script = (from..from + refused).fold(calm(5), |script, nth| script.fault(Step::Secret, nth, fault));
                let ended = ended(&script);
                let (jobs, statuses) = end(&ended);
                let what = format!("{refused} reads from the {from}th on, {fault:?}");
                assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{what}");
                let late = took(&ended) - undisturbed;
                assert!(late < 30.0, "{what}: {late} s later than without");
                let published = events(&ended).iter().filter(|reason| *reason == "CredentialsNotFound").count();
                assert_eq!(published, usize::from(refused > 3), "{what}: {:?}", events(&ended));
                let notes = of_events(&ended, "note").join("\n");
                assert!(published == 0 || notes.contains("the API server"), "{what}: {notes}");
                assert!(!notes.contains('{'), "what only the program understands is shown: {notes}");
                assert!(!is_stalled(&ended), "{what}");
            }
        }
    }
}

/// Otherwise each caller would wait its own 10 s, one after the other.
#[test]
fn row_22_a_read_of_the_secret_that_hangs_is_made_once_for_all_waiting_callers() {
    let mut script = (1..=10).fold(calm(5), |script, nth| script.fault(Step::Secret, nth, Fault::Hang { executed: false }));
    for number in 2..=12 {
        let instance = format!("rm-{number}");
        script.instances.insert(instance.clone(), "local_ssd");
        script = script.at(0, create("team-a", &format!("b-{number}"), json!({ "dbInstanceId": instance })));
    }
    script.lasts = Some(Duration::from_secs(13));
    let statuses = end(&ended(&script)).1;
    assert_eq!(statuses.len(), 12);
    for status in statuses {
        assert_eq!(ready(&status), "CredentialsNotFound");
    }
}
