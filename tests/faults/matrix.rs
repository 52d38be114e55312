//! The rows of the fault matrix that need a world of their own; README.md names the tests of each row.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    check, damage,
    faults::{Fault, Point},
    life::{self, Ended},
    people::Action,
    single::{calm, end, ended, events},
    step::Step,
    world::{AnyRequest, LogEvent},
};

const MINUTE: u64 = 60;

/// The steps of a backup that goes well.
const GOOD: [Step; 14] = [
    Step::List,
    Step::Watch,
    Step::Secret,
    Step::Instance,
    Step::TasksBefore,
    Step::SetsBefore,
    Step::Reread,
    Step::IntentWrite,
    Step::ClearList,
    Step::ClearWrite,
    Step::Create,
    Step::RecordWrite,
    Step::TaskById,
    Step::EndWrite,
];

/// The first backup of the world, at its end.
pub fn first(ended: &Ended) -> Value {
    end(ended).1[0].clone()
}

pub fn ready(status: &Value) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|one| one["type"] == "Ready").cloned().unwrap_or_default();
    ready["reason"].as_str().unwrap_or_default().to_owned()
}

/// Calls of the cloud that were sent.
fn calls(ended: &Ended, of: impl Fn(Step) -> bool) -> usize {
    ended.world.with(|state, _| {
        state.log.iter().filter(|line| matches!(&line.what, LogEvent::Sent(AnyRequest::Cloud(step, _)) if of(*step))).count()
    })
}

fn lists(ended: &Ended) -> usize {
    ended
        .world
        .with(|state, _| state.log.iter().filter(|line| matches!(&line.what, LogEvent::Sent(AnyRequest::Api(Step::List, _)))).count())
}

#[test]
fn row_10_an_answer_that_takes_29_seconds_is_the_answer_and_one_that_takes_31_is_looked_for() {
    for (stall, origin) in [(29, "Created"), (31, "Adopted")] {
        let ended = ended(&calm(40).fault(Step::Create, 1, Fault::Late(Duration::from_secs(stall))));
        let (jobs, statuses) = end(&ended);
        assert_eq!((jobs, &statuses[0]["origin"]), (1, &origin.into()), "{stall} s");
    }
}

#[test]
fn row_12_a_request_that_arrives_twice_makes_one_backup() {
    for (second_answers, gap) in [(true, 0), (true, 20), (false, 1), (false, 400)] {
        let fault = Fault::Twice { second_answers, gap: Duration::from_secs(gap) };
        let (jobs, statuses) = end(&ended(&calm(5).fault(Step::Create, 1, fault)));
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{fault:?}");
    }
}

#[test]
fn row_12_if_nonces_are_not_remembered_the_judge_reports_the_second_backup() {
    // The protocol assumes that nonces are remembered (docs/explain/exactly-once.md). Otherwise the second backup cannot be prevented, and
    // the judge must report it.
    let mut script = calm(5).fault(Step::Create, 1, Fault::Twice { second_answers: false, gap: Duration::from_secs(400) });
    script.habits.knows_nonces = false;
    let ended = life::run(&script);
    assert_eq!(end(&ended).0, 2);
    let wrong = check::violations(&script, &ended);
    assert!(wrong.iter().any(|wrong| wrong.starts_with("I1")), "{wrong:?}");
}

#[test]
fn row_13_after_a_body_that_is_no_answer_the_operator_looks_and_sends_nothing_again() {
    for which in 0..=6 {
        for (executed, attempt) in [(true, 1), (false, 2)] {
            let (jobs, statuses) = end(&ended(&calm(40).fault(Step::Create, 1, Fault::Garbage { which, executed })));
            let found = (jobs, &statuses[0]["phase"], &statuses[0]["submission"]["attempt"]);
            assert_eq!(found, (1, &"Succeeded".into(), &attempt.into()), "garbage {which}, executed: {executed}");
        }
    }
}

#[test]
fn row_15_what_the_service_refuses_is_shown_asked_for_ever_less_often_and_heals() {
    for (code, status, reason, most) in [
        ("Throttling.User", 400, "Throttled", 20),
        ("Exceeded.BackupTimes", 403, "QuotaExceeded", 4),
        ("InvalidDB.NotFound", 404, "DatabaseNotReady", 20),
        ("IncorrectDBInstanceState", 403, "InstanceNotRunning", 20),
        // Every minute for ten minutes, in which a person is likely to grant it, then every 5.
        ("Forbidden.RAM", 403, "AccessDenied", 21),
        // After three tries within seconds.
        ("InvalidAccessKeyId.NotFound", 404, "InvalidCredentials", 24),
    ] {
        let mut script = calm(5);
        for nth in 1..=50 {
            script = script.fault(Step::Create, nth, Fault::Refused { code, status });
        }
        script.lasts = Some(Duration::from_secs(60 * MINUTE));
        let refused = ended(&script);
        let sent = calls(&refused, |step| step == Step::Create);
        assert_eq!((end(&refused).0, ready(&first(&refused)).as_str()), (0, reason), "{code}");
        assert!((1..=most).contains(&sent), "{code}: {sent} requests within an hour");
        // The cloud changes its mind.
        script.faults_until = Duration::from_secs(20 * MINUTE);
        script.lasts = None;
        script.bound = Duration::from_secs(100 * MINUTE);
        let healed = ended(&script);
        assert_eq!((end(&healed).0, &first(&healed)["phase"]), (1, &"Succeeded".into()), "{code}");
    }
}

#[test]
fn a_call_that_is_denied_is_named_as_the_action_to_grant() {
    for (step, action) in [
        (Step::Instance, "DescribeDBInstanceAttribute"),
        (Step::TasksBefore, "DescribeBackupTasks"),
        (Step::SetsBefore, "DescribeBackups"),
        (Step::Create, "CreateBackup"),
        (Step::TaskById, "DescribeBackupTasks"),
    ] {
        let mut script = calm(20);
        for nth in 1..=50 {
            script = script.fault(step, nth, Fault::Refused { code: "Forbidden.RAM", status: 403 });
        }
        script.lasts = Some(Duration::from_secs(15 * MINUTE));
        let status = first(&ended(&script));
        assert_eq!(ready(&status), "AccessDenied", "{}", step.name());
        let said = status["conditions"].to_string();
        let expected = format!("the RAM user or role may not call rds:{action} on acs:rds:*:*:dbinstance/rm-1");
        assert!(said.contains(&expected), "{}: {said}", step.name());
    }
}

#[test]
fn row_16_rows_that_are_odd_never_end_a_backup() {
    for step in [Step::Instance, Step::TasksBefore, Step::SetsBefore, Step::TaskById, Step::SetById] {
        for which in 0..=2 {
            let script = calm(5).backup(2, "c").fault(step, 1, Fault::Odd { which }).fault(step, 2, Fault::Odd { which });
            let (jobs, statuses) = end(&ended(&script));
            assert_eq!(jobs, 2, "{} {which}", step.name());
            assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "{} {which}: {statuses:?}", step.name());
        }
    }
}

#[test]
fn row_17_a_job_that_is_deleted_in_the_cloud_ends_as_lost_and_a_set_deleted_later_changes_nothing() {
    let vanish = Action::Vanish { instance: "rm-1".into() };
    // While it runs, and after its end.
    for (at, phase, reason) in [(120, "Failed", "ResultLost"), (20 * MINUTE, "Succeeded", "Succeeded")] {
        let mut script = calm(5).at(at, vanish.clone());
        script.bound = Duration::from_secs(60 * MINUTE);
        let ended = life::run(&script);
        let wrong = check::violations(&script, &ended);
        // The judge reads the cloud's own list of jobs, which keeps deleted ones.
        assert!(wrong.is_empty(), "{wrong:?}");
        let status = first(&ended);
        assert_eq!((status["phase"].as_str(), ready(&status).as_str()), (Some(phase), reason), "deleted after {at} s");
        assert_eq!(calls(&ended, |step| step == Step::Create), 1);
    }
}

#[test]
fn row_18_a_start_from_an_old_list_makes_no_second_backup() {
    for (step, point) in [(Step::ClearWrite, Point::Answered), (Step::Create, Point::Executed), (Step::RecordWrite, Point::Answered)] {
        let mut script = calm(20).fault(step, 1, Fault::Crash(point));
        script.pace.list_lag = Duration::from_secs(120);
        script.pace.watch_lag = Duration::from_secs(60);
        let (jobs, statuses) = end(&ended(&script));
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{}", step.name());
    }
}

#[test]
fn row_19_events_that_the_watch_leaves_out_delay_no_backup() {
    for nth in 1..=12 {
        // Two objects of one instance: the second waits for the end of the first.
        let script = calm(5).backup(2, "c").fault(Step::Shown, nth, Fault::Dropped);
        let (jobs, statuses) = end(&ended(&script));
        assert_eq!(jobs, 2, "event {nth}");
        assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "event {nth}: {statuses:?}");
    }
}

#[test]
fn row_20_a_conflict_at_every_write_costs_a_read_each() {
    let mut script = calm(30);
    for step in [Step::IntentWrite, Step::ClearWrite, Step::RecordWrite, Step::ProgressWrite, Step::EndWrite] {
        for nth in [1, 3] {
            script = script.fault(step, nth, Fault::Conflict);
        }
    }
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()));
}

#[test]
fn row_21_a_forgotten_history_costs_one_list_for_each_watch() {
    let calm = |compactions: u64| (1..=compactions).fold(calm(60), |script, nth| script.at(nth * 5 * MINUTE, Action::Compact));
    let undisturbed = lists(&ended(&calm(0)));
    for compactions in [1, 6] {
        let found = lists(&ended(&calm(compactions)));
        assert!(found <= undisturbed + 2 * compactions as usize, "{compactions} compactions: {found} lists instead of {undisturbed}");
    }
}

#[test]
fn row_24_a_watch_that_breaks_every_five_seconds_is_enough() {
    let mut script = calm(30);
    script.pace.watch_cut = Some(Duration::from_secs(5));
    script = script.at(90, Action::Leap(SignedDuration::from_mins(-20))).at(300, Action::Leap(SignedDuration::from_mins(40)));
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()));
}

#[test]
fn row_25_a_process_that_was_frozen_between_intent_and_send_makes_no_second_backup() {
    for step in [Step::IntentWrite, Step::ClearList, Step::ClearWrite, Step::Create, Step::RecordWrite] {
        for still in [20, 60, 20 * MINUTE] {
            let mut script = calm(5).fault(step, 1, Fault::Freeze(Duration::from_secs(still)));
            // The other operator takes over meanwhile.
            script.processes = 2;
            script.bound = Duration::from_secs(90 * MINUTE);
            let (jobs, statuses) = end(&ended(&script));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{} for {still} s", step.name());
        }
    }
}

#[test]
fn row_28_a_wrong_clock_and_one_that_is_set_under_way_change_nothing_but_the_first_refusal() {
    for minutes in [-20, -10, -2, 2, 10, 20] {
        let by = SignedDuration::from_mins(minutes);
        let mut wrong = calm(5);
        wrong.skew = by;
        let (jobs, statuses) = end(&ended(&wrong));
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{minutes} min off");
        // While it waits, right after the request, while the job runs, and with the answer lost.
        for at in [0, 2, 100] {
            let (jobs, statuses) = end(&ended(&calm(5).at(at, Action::Leap(by))));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "set by {minutes} min after {at} s");
            let mut lost = calm(5).at(at, Action::Leap(by)).fault(Step::Create, 1, Fault::Lost { executed: false });
            lost.bound = Duration::from_secs(120 * MINUTE);
            let (jobs, statuses) = end(&ended(&lost));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "lost, and set by {minutes} min after {at} s");
        }
    }
}

#[test]
fn row_30_an_object_that_is_deleted_at_any_step_and_made_again_or_not_leaves_no_second_backup() {
    for step in GOOD.into_iter().filter(|step| !matches!(step, Step::List | Step::Watch)) {
        for again in [false, true] {
            let ended = ended(&calm(5).fault(step, 1, Fault::Deleted { again }));
            let (jobs, statuses) = end(&ended);
            let uids = if again { 2 } else { 1 };
            assert!(jobs <= uids, "{} {again}: {jobs} jobs", step.name());
            assert_eq!(statuses.len(), usize::from(again), "{}", step.name());
            assert!(statuses.iter().all(|status| status["phase"] == "Succeeded"), "{}: {statuses:?}", step.name());
            if step == Step::Create {
                assert!(events(&ended).iter().any(|reason| reason == "Abandoned"), "{:?}", events(&ended));
            }
        }
    }
}

#[test]
fn row_30_a_deleted_namespace_takes_only_its_own_backups_with_it() {
    for at in [1, 2, 20, 200] {
        let other = crate::script::create("team-b", "other", json!({ "dbInstanceId": "rm-1" }));
        let (_, statuses) = end(&ended(&calm(5).at(1, other).at(at, Action::Namespace)));
        assert_eq!(statuses.len(), 1, "after {at} s");
        assert_eq!(statuses[0]["phase"], "Succeeded", "after {at} s");
    }
}

#[test]
fn row_31_a_spec_that_is_edited_under_way_starts_nothing_anew() {
    for at in [0, 2, 100] {
        for spec in [
            json!({ "timeout": "10h", "queueTimeout": "3h" }),
            json!({ "retry": { "limit": 2 } }),
            // The rules of the CRD would refuse this.
            json!({ "method": "Logical" }),
            json!({ "retentionDays": 30 }),
        ] {
            let edit = Action::Edit { plural: crate::api::BACKUPS, name: "b".into(), spec: spec.clone() };
            let (jobs, statuses) = end(&ended(&calm(5).at(at + 1, edit)));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{spec} after {at} s");
            assert_eq!(statuses[0]["observedGeneration"], 2, "{spec} after {at} s");
        }
    }
}

#[test]
fn row_31_a_status_that_a_user_edits_starts_no_second_backup() {
    for status in [
        json!({ "phase": "Queued" }),
        json!({ "conditions": [] }),
        json!({ "conditions": null, "progressPercent": 75, "startedAt": null }),
        json!({ "submission": { "waitingSince": "2020-01-01T00:00:00Z" } }),
        json!({ "backupJobId": null }),
        json!({ "backupJobId": null, "phase": "Queued", "origin": null }),
        json!({ "attempts": [], "lastError": { "code": "X", "message": "y", "at": "2026-03-01T00:00:00Z" } }),
        // It cannot be read any more, until a user repairs it.
        json!({ "phase": "Nonsense" }),
    ] {
        let tamper = |status: &Value| Action::Tamper { plural: crate::api::BACKUPS, name: "b".into(), status: status.clone() };
        // Before the first poll, and after one.
        for at in [3, 100] {
            let mut script = calm(5).at(at, tamper(&status)).at(400, tamper(&json!({ "touched": true })));
            if status["phase"] == "Nonsense" {
                script = script.at(400, tamper(&json!({ "phase": "Running" })));
            }
            let (jobs, statuses) = end(&ended(&script));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{status} after {at} s");
        }
    }
}

#[test]
fn row_31_a_status_that_lost_a_field_or_has_another_time_comes_to_its_end() {
    let schema = damage::schema_of_the_status("RdsBackup");
    let lost = |executed| calm(5).fault(Step::Create, 1, Fault::Lost { executed });
    let foreign = Action::Foreign { instance: "rm-1".into(), automated: false, lasts: Duration::from_secs(4 * MINUTE) };
    for (when, script, at, phase) in [
        ("before the first poll", calm(5), 3, "Running"),
        ("after it", calm(5), 100, "Running"),
        ("adopted", lost(true), 200, "Running"),
        ("the request was lost", lost(false), 300, "Resolving"),
        ("another goes first", calm(5).at(0, foreign), 100, "Queued"),
    ] {
        let mut until_then = script.clone();
        until_then.lasts = Some(Duration::from_secs(at));
        let status = first(&life::run(&until_then));
        assert_eq!(status["phase"], phase, "{when}");
        for damage in damage::all(&status, &schema) {
            // A request that was signed for 2099 can be accepted until then, and one that waits since 2001 is past every queueTimeout.
            let signed_ahead = !script.planned.is_empty() && damage["submission"]["timestamp"] == damage::FAR_AHEAD;
            let waits_too_long = damage["queue"]["since"] == damage::LONG_AGO
                || when == "the request was lost" && damage["submission"]["waitingSince"] == damage::LONG_AGO;
            if signed_ahead || waits_too_long {
                continue;
            }
            let tamper = Action::Tamper { plural: crate::api::BACKUPS, name: "b".into(), status: damage.clone() };
            let (jobs, statuses) = end(&ended(&script.clone().at(at, tamper)));
            assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{when}: {damage}");
        }
    }
}

#[test]
fn row_34_an_object_that_cannot_be_read_delays_no_other_object() {
    // The first list has it, and the watch brings it.
    for at in [0, 30] {
        let poison = crate::script::create("team-a", "a-poison", json!({ "dbInstanceId": 5, "method": ["?"] }));
        let mut script = calm(5).backup(60, "c").at(at, poison);
        script.lasts = Some(Duration::from_secs(30 * MINUTE));
        let (jobs, statuses) = end(&ended(&script));
        let phases: Vec<&str> = statuses.iter().filter_map(|status| status["phase"].as_str()).collect();
        assert_eq!((jobs, phases), (2, vec!["Succeeded", "Succeeded"]));
    }
}

#[test]
fn row_36_a_signal_to_end_at_any_step_records_what_is_under_way_and_the_next_start_goes_on() {
    for step in GOOD {
        let script = calm(5).fault(step, 1, Fault::Crash(Point::Stopped));
        let ended = ended(&script);
        let status = first(&ended);
        assert_eq!((end(&ended).0, &status["phase"]), (1, &"Succeeded".into()), "{}", step.name());
        // No answer that arrived is forgotten: the operator has to look for none.
        assert_eq!((&status["origin"], &status["submission"]["attempt"]), (&"Created".into(), &1.into()), "{}", step.name());
    }
}

#[test]
fn row_36_a_second_signal_and_an_answer_that_never_comes_do_not_hold_up_the_end() {
    let script = calm(40)
        .fault(Step::ClearWrite, 1, Fault::Crash(Point::Stopped))
        .fault(Step::Create, 1, Fault::Hang { executed: true })
        .fault(Step::TaskById, 1, Fault::Crash(Point::Stopped));
    let ended = ended(&script);
    let status = first(&ended);
    assert_eq!((end(&ended).0, &status["phase"], &status["origin"]), (1, &"Succeeded".into(), &"Adopted".into()));
}
