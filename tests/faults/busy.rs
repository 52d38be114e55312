//! Row 22: an API server that is busy, broken, silent or slow.

use std::time::Duration;

use crate::{
    faults::Fault,
    matrix::first,
    secrets::took,
    single::{calm, end, ended, sent_count},
    step::Step,
};

const MINUTE: u64 = 60;

#[test]
fn row_22_a_read_that_the_api_server_did_not_serve_is_repeated_within_the_pass() {
    let undisturbed = took(&ended(&calm(5)));
    let status = |code| Fault::Status { code, executed: false };
    for (step, fault) in [
        (Step::Reread, status(429)),
        (Step::Reread, status(500)),
        (Step::Reread, Fault::Lost { executed: false }),
        (Step::IntentWrite, status(429)),
        (Step::ClearList, status(429)),
        (Step::ClearList, status(503)),
        (Step::ClearList, Fault::Lost { executed: true }),
        (Step::ClearWrite, status(429)),
    ] {
        for times in [1, 2] {
            let script = (1..=times).fold(calm(5), |script, nth| script.fault(step, nth, fault));
            let ended = ended(&script);
            let (jobs, statuses) = end(&ended);
            let what = format!("{} {fault:?}, {times} times", step.name());
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{what}");
            assert_eq!(first(&ended)["submission"]["attempt"], 1, "{what}");
            let late = took(&ended) - undisturbed;
            assert!(late < 3.0, "{what}: {late} s later than without");
        }
    }
}

#[test]
fn row_22_an_api_server_that_is_busy_broken_or_silent_is_asked_ever_less_often() {
    for (step, fault) in [
        (Step::Reread, Fault::Status { code: 429, executed: false }),
        (Step::IntentWrite, Fault::Status { code: 429, executed: false }),
        (Step::ClearList, Fault::Status { code: 503, executed: false }),
        (Step::ClearWrite, Fault::Status { code: 500, executed: false }),
        (Step::EndWrite, Fault::Status { code: 429, executed: false }),
        (Step::RecordWrite, Fault::Status { code: 429, executed: false }),
        (Step::RecordWrite, Fault::Hang { executed: false }),
        (Step::EndWrite, Fault::Hang { executed: true }),
        (Step::List, Fault::Status { code: 429, executed: false }),
        (Step::Watch, Fault::Status { code: 503, executed: false }),
        (Step::Watch, Fault::Hang { executed: false }),
    ] {
        let mut script = (1..=400).fold(calm(5), |script, nth| script.fault(step, nth, fault));
        // The fault lasts ten minutes.
        script.faults_until = Duration::from_secs(10 * MINUTE);
        script.bound = Duration::from_secs(100 * MINUTE);
        let ended = ended(&script);
        let (jobs, statuses) = end(&ended);
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{} {fault:?}", step.name());
        let requests = sent_count(&ended, step);
        assert!(requests <= 75, "{} {fault:?}: {requests} requests in ten minutes", step.name());
    }
}

#[test]
fn row_22_a_watch_that_tears_or_shows_only_bookmarks_delays_no_backup() {
    for fault in [Fault::Torn, Fault::Mute] {
        for nth in 1..=6 {
            let (jobs, statuses) = end(&ended(&calm(5).backup(2, "c").fault(Step::Shown, nth, fault)));
            assert_eq!(jobs, 2, "event {nth}, {fault:?}");
            assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "event {nth}, {fault:?}");
        }
    }
}

#[test]
fn row_22_a_slow_api_server_and_a_slow_cloud_only_take_longer() {
    let mut script = calm(5);
    script.pace.api = (2000, 2000);
    script.pace.cloud = (8000, 8000);
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Created".into()));
}
