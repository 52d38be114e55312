//! Schedules on the scripted API server: every slot once, whatever goes wrong (I9).

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    check, damage,
    faults::{Fault, Point},
    life::{self, Ended},
    people::{Action, SCHEDULES},
    report::story,
    script::Script,
    single::{events, sent_count},
    step::Step,
    world::{AnyRequest, LogEvent, Reply},
};

const MINUTE: u64 = 60;

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * MINUTE)
}

/// A schedule `s` of rm-1 with jobs of a minute, in a world that lasts so many minutes and begins at midnight.
fn scheduled(schedule: &str, lasts: u64) -> Script {
    let mut script = Script::calm(minutes(1)).at(1, Action::Schedule { name: "s".into(), spec: spec(schedule) });
    script.lasts = Some(minutes(lasts));
    script
}

fn spec(schedule: &str) -> Value {
    json!({ "schedule": schedule, "template": { "spec": { "dbInstanceId": "rm-1", "method": "Physical" } } })
}

fn edit(spec: Value) -> Action {
    Action::Edit { plural: SCHEDULES, name: "s".into(), spec }
}

/// Runs a world and panics if it violates a rule.
fn ended(script: &Script) -> Ended {
    let ended = life::run(script);
    let mut wrong = check::violations(script, &ended);
    let mut names = BTreeSet::new();
    wrong.extend(created(&ended).into_iter().filter(|(_, name)| !names.insert(name.clone())).map(|(_, name)| format!("I9 {name} twice")));
    ended.world.with(|state, _| assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins)));
    ended
}

/// The backups that were created, in their order.
fn created(ended: &Ended) -> Vec<(Timestamp, String)> {
    ended.world.with(|state, _| {
        let created = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Done(AnyRequest::Api(Step::ChildCreate, _), Reply::Api(answer)) if answer.code == 201 => {
                Some((line.at, answer.body["metadata"]["name"].as_str().unwrap_or_default().to_owned()))
            }
            _ => None,
        });
        created.collect()
    })
}

fn names(ended: &Ended) -> Vec<String> {
    created(ended).into_iter().map(|(_, name)| name.trim_start_matches("s-20260301").to_owned()).collect()
}

/// The schedule's status at the end.
fn status(ended: &Ended) -> Value {
    ended.world.with(|state, _| state.api.all(SCHEDULES).next().map(|object| object["status"].clone()).unwrap_or_default())
}

fn ready(status: &Value) -> (String, String) {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|one| one["type"] == "Ready").cloned().unwrap_or_default();
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

fn count(status: &Value, field: &str) -> i64 {
    status[field]["count"].as_i64().unwrap_or_default()
}

/// Every slot of `*/minutes` from the world's first up to `lastScheduleTime` was exactly one of run, missed and skipped.
fn is_accounted_for(script: &Script, ended: &Ended, every: i64) {
    let status = status(ended);
    let last: Timestamp = status["lastScheduleTime"].as_str().and_then(|text| text.parse().ok()).expect("a slot was handled");
    let slots = last.duration_since(script.begins).as_mins() / every;
    let run = i64::try_from(created(ended).len()).expect("few");
    let (missed, skipped) = (count(&status, "missedRuns"), count(&status, "skippedOverlap"));
    assert_eq!(slots, run + missed + skipped, "{slots} slots up to {last}: {run} run, {missed} missed, {skipped} skipped");
}

#[test]
fn a_schedule_is_read_live_before_a_backup_is_created() {
    let changes: [(&str, Action); 3] = [
        ("suspended", edit(json!({ "suspend": true }))),
        ("deleted", Action::DeleteSchedule { name: "s".into() }),
        ("edited", edit(json!({ "schedule": "5 5 * * *" }))),
    ];
    for (what, change) in changes {
        // The watch shows the edit two minutes later: at the slot the cache does not have it.
        let mut script = scheduled("*/20 * * * *", 30).at(19 * MINUTE + 30, change);
        script.pace.watch_lag = minutes(2);
        let ended = ended(&script);
        assert!(created(&ended).is_empty(), "{what}: {:?}", created(&ended));
        assert!(sent_count(&ended, Step::ScheduleGet) >= 1, "{what}");
    }
}

#[test]
fn a_conflict_that_is_no_existing_object_does_not_cost_the_slot() {
    let mut script = scheduled("*/20 * * * *", 30);
    for nth in 1..=3 {
        script = script.fault(Step::ChildCreate, nth, Fault::Status { code: 409, executed: false });
    }
    let ended = ended(&script);
    assert_eq!(names(&ended), ["0020"]);
    let status = status(&ended);
    assert_eq!((status["lastBackup"]["name"].as_str(), count(&status, "missedRuns")), (Some("s-202603010020"), 0));
    assert!(!events(&ended).iter().any(|reason| reason == "NameCollision"));
}

#[test]
fn a_backup_that_the_api_server_cannot_create_is_reported_with_a_cure() {
    for fault in [Fault::Status { code: 500, executed: false }, Fault::Lost { executed: false }, Fault::Hang { executed: false }] {
        let script = (1..=40).fold(scheduled("*/20 * * * *", 30), |script, nth| script.fault(Step::ChildCreate, nth, fault));
        let (reason, message) = ready(&status(&ended(&script)));
        assert_eq!(reason, "ChildNotCreated", "{fault:?}");
        assert!(message.contains("the API server") && message.contains("it is tried again"), "{fault:?}: {message}");
        assert!(!message.contains(['{', '"']) && !message.contains("Error"), "what only the program understands is shown: {message}");
    }
}

#[test]
fn the_last_backup_is_asked_for_when_no_cache_shows_it() {
    // The job of the slot 00:20 lasts 25 minutes or 5; the process is killed at 00:30, and its lists and watches are 29 minutes old then.
    for (lasts, expected, skipped) in [(25, vec!["0020"], 1), (5, vec!["0020", "0040"], 0)] {
        let mut script = scheduled("*/20 * * * *", 42);
        script.habits.durations = vec![minutes(lasts)];
        let script = script.at(30 * MINUTE - 1, Action::Lag(minutes(29))).at(30 * MINUTE, Action::Kill);
        let ended = ended(&script);
        assert_eq!(names(&ended), expected, "a job of {lasts} minutes");
        assert_eq!(count(&status(&ended), "skippedOverlap"), skipped, "a job of {lasts} minutes");
    }
}

#[test]
fn row_31_a_status_that_lost_a_field_or_has_another_time_costs_no_slot_and_makes_none_twice() {
    let schema = damage::schema_of_the_status("RdsBackupSchedule");
    let at = 50 * MINUTE;
    let trigger = |token: &str| edit(json!({ "trigger": token }));
    let script = |lasts| scheduled("*/20 * * * *", lasts).at(45 * MINUTE, trigger("now"));
    let damages = damage::all(&status(&life::run(&script(50))), &schema);
    assert!(damages.len() > 15, "{damages:?}");
    let undisturbed = names(&ended(&script(130)));
    assert_eq!(undisturbed.len(), 7, "six slots and the trigger: {undisturbed:?}");
    for damage in damages {
        let tamper = Action::Tamper { plural: SCHEDULES, name: "s".into(), status: damage.clone() };
        assert_eq!(names(&ended(&script(130).at(at, tamper))), undisturbed, "{damage}");
    }
}

#[test]
fn deletions_that_are_refused_delay_no_slot() {
    for fault in [
        Fault::Status { code: 403, executed: false },
        Fault::Status { code: 500, executed: false },
        Fault::Status { code: 409, executed: false },
        Fault::Hang { executed: false },
    ] {
        let mut script = scheduled("*/10 * * * *", 125).at(2, edit(json!({ "successfulHistoryLimit": 1 })));
        for nth in 1..=1000 {
            script = script.fault(Step::ChildDelete, nth, fault);
        }
        let ended = ended(&script);
        let late = created(&ended).iter().map(|(at, _)| at.as_second() % 600).max().unwrap_or_default();
        assert_eq!((created(&ended).len(), late), (12, 0), "{fault:?}");
        let (deletions, status) = (sent_count(&ended, Step::ChildDelete), status(&ended));
        // At most ten in one pass, and a pass when a backup ends, at each slot, and every four minutes.
        assert!((10..=400).contains(&deletions), "{fault:?}: {deletions} deletions in two hours");
        assert_eq!((count(&status, "missedRuns"), count(&status, "skippedOverlap"), ready(&status).0.as_str()), (0, 0, "Scheduled"));
    }
}

#[test]
fn a_name_that_is_too_long_is_refused_where_the_api_server_let_it_pass() {
    let create = |length: usize| Action::Schedule { name: "s".repeat(length), spec: spec("*/20 * * * *") };
    for (length, created_by_then) in [(50, 1), (51, 0), (200, 0)] {
        let mut script = Script::calm(minutes(1)).at(1, create(length));
        script.lasts = Some(minutes(30));
        let ended = ended(&script);
        assert_eq!(sent_count(&ended, Step::ChildCreate), created_by_then, "{length} characters");
        let (reason, message) = ready(&status(&ended));
        assert_eq!(reason, if length > 50 { "InvalidSchedule" } else { "Scheduled" }, "{length} characters: {message}");
        assert!(length <= 50 || message.contains("at most 50 characters"), "{message}");
    }
}

#[test]
fn a_schedule_that_is_created_again_for_another_instance_makes_its_own_backups() {
    let of = |instance: &str| {
        let spec = json!({ "schedule": "5 * * * *", "runOnCreate": true, "template": { "spec": { "dbInstanceId": instance, "method": "Physical" } } });
        Action::Schedule { name: "s".into(), spec }
    };
    let trigger = || edit(json!({ "trigger": "release-42" }));
    // Within one minute, so that runOnCreate has the same name too.
    let mut script = Script::calm(Duration::from_secs(5)).at(1, of("rm-1")).at(10, trigger());
    script.lasts = Some(minutes(4));
    let script = script.at(30, Action::DeleteSchedule { name: "s".into() }).at(31, of("rm-2")).at(45, trigger());
    let ended = ended(&script);
    let made: Vec<(String, String)> = ended.world.with(|state, _| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        state.api.backups().map(|backup| (text(&backup["spec"]["dbInstanceId"]), text(&backup["metadata"]["name"]))).collect()
    });
    let count = |instance: &str| made.iter().filter(|(of, _)| of == instance).count();
    assert_eq!((count("rm-1"), count("rm-2")), (2, 2), "{made:?}");
    assert_eq!(events(&ended).iter().filter(|reason| *reason == "NameCollision").count(), 2, "{:?}", events(&ended));
}

#[test]
fn a_backup_that_is_being_deleted_holds_up_no_slot_and_no_other_backup() {
    // The backup of 00:10 waits for a job of another client, and is deleted while it waits; a finalizer keeps it.
    let busy = Action::Foreign { instance: "rm-1".into(), automated: true, lasts: minutes(7) };
    let terminate = Action::Terminate { namespace: "team-a".into(), name: "s-202603010010".into() };
    let ended = ended(&scheduled("*/10 * * * *", 75).at(9 * MINUTE, busy).at(12 * MINUTE, terminate));
    assert_eq!(names(&ended), ["0010", "0020", "0030", "0040", "0050", "0100", "0110"]);
    assert_eq!(count(&status(&ended), "skippedOverlap"), 0);
    let phase_of = |nth: usize| {
        ended
            .world
            .with(|state, _| state.api.backups().nth(nth).map(|backup| backup["status"]["phase"].as_str().unwrap_or_default().to_owned()))
    };
    assert_eq!((phase_of(0).as_deref(), phase_of(1).as_deref()), (Some("Queued"), Some("Succeeded")));
}

#[test]
fn an_edit_or_a_resumption_while_the_operator_is_down_counts_from_its_own_time() {
    for (what, before, change, expected, missed) in [
        ("untouched", json!({}), json!({}), vec!["0020", "0120"], 2),
        ("another schedule", json!({}), json!({ "schedule": "*/10 * * * *" }), vec!["0020", "0120"], 4),
        ("resumed", json!({ "suspend": true }), json!({ "suspend": false }), vec!["0120"], 1),
    ] {
        // Killed at 00:30, edited at 00:45, back at 01:25.
        let script = scheduled("*/20 * * * *", 88).at(2, edit(before)).at(30 * MINUTE, Action::Kill).at(45 * MINUTE, edit(change));
        let script = Script { pauses: vec![minutes(55)], ..script };
        let ended = ended(&script);
        assert_eq!(names(&ended), expected, "{what}");
        assert_eq!(count(&status(&ended), "missedRuns"), missed, "{what}");
    }
}

#[test]
fn every_trigger_makes_one_backup_or_an_event() {
    let trigger = |token: Value| edit(json!({ "trigger": token }));
    let with_trigger = |token: &str| {
        let mut spec = spec("0 5 * * *");
        spec["trigger"] = json!(token);
        Action::Schedule { name: "s".into(), spec }
    };
    let script = |actions: Vec<(u64, Action)>| {
        let mut script = Script::calm(Duration::from_secs(20));
        script.lasts = Some(minutes(30));
        // The operator is down from the second second of the world to the end of its first minute.
        script.pauses = vec![Duration::from_secs(58)];
        actions.into_iter().fold(script.at(2, Action::Kill), |script, (at, action)| script.at(at, action))
    };
    let schedule = || Action::Schedule { name: "s".into(), spec: spec("0 5 * * *") };
    for (what, actions, made, expected) in [
        ("patched before the operator saw it", vec![(10, schedule()), (20, trigger(json!("a")))], 1, vec![]),
        ("patched a moment after its creation", vec![(100, schedule()), (100, trigger(json!("a")))], 1, vec![]),
        ("created with it", vec![(10, with_trigger("a"))], 0, vec!["TriggerRecorded"]),
        (
            "set back by a GitOps tool",
            vec![(100, with_trigger("a")), (200, trigger(json!("b"))), (400, trigger(json!("a")))],
            1,
            vec!["TriggerRecorded", "TriggerUsed"],
        ),
        (
            "removed and written again",
            vec![(100, schedule()), (200, trigger(json!("a"))), (300, trigger(json!(null))), (400, trigger(json!("a")))],
            1,
            vec!["TriggerUsed"],
        ),
        (
            "reverted",
            vec![(100, schedule()), (200, trigger(json!("a"))), (300, trigger(json!("b"))), (400, trigger(json!("a")))],
            2,
            vec!["TriggerUsed"],
        ),
    ] {
        let ended = ended(&script(actions));
        let of_triggers: Vec<String> = events(&ended).into_iter().filter(|reason| reason.starts_with("Trigger")).collect();
        assert_eq!((created(&ended).len(), of_triggers), (made, expected.into_iter().map(str::to_owned).collect()), "{what}");
    }
}

#[test]
fn what_is_restored_without_a_status_makes_no_backup_again() {
    for young in [true, false] {
        // Four slots and a trigger, then everything is restored; with a clock of the node that is far behind, too.
        for leap in [0, -3 * 3600] {
            let script = scheduled("*/20 * * * *", 150).at(45 * MINUTE, edit(json!({ "trigger": "now" })));
            let script = script.at(91 * MINUTE, Action::Leap(SignedDuration::from_secs(leap)));
            // The time of the newest backup was over ten seconds ago; the next slot is in twenty.
            let script = script.at(99 * MINUTE + 40, Action::Restore { young });
            let ended = ended(&script);
            let reasons: Vec<String> = ended.world.with(|state, _| {
                let reason = |backup: &Value| ready(&backup["status"]).0;
                state.api.backups().map(reason).collect()
            });
            let expired = reasons.iter().filter(|reason| *reason == "Expired").count();
            assert_eq!(expired, 5, "{young} {leap}: {reasons:?}");
            assert_eq!(sent_count(&ended, Step::Create), created(&ended).len(), "{young} {leap}");
            let status = status(&ended);
            assert_eq!((count(&status, "skippedOverlap"), status["consecutiveFailures"].as_i64()), (0, Some(0)), "{young} {leap}");
            assert!(created(&ended).len() > 5 || leap < 0, "{young} {leap}: the schedule goes on");
        }
    }
}

#[test]
fn a_fault_at_any_step_of_a_schedule_costs_no_slot_and_doubles_none() {
    let seconds = Duration::from_secs;
    let mut faults: Vec<Fault> = Point::ALL.map(Fault::Crash).to_vec();
    for executed in [false, true] {
        faults.extend([Fault::Lost { executed }, Fault::Hang { executed }, Fault::Status { code: 500, executed }]);
    }
    faults.extend([
        Fault::Status { code: 429, executed: false },
        Fault::Late(seconds(5)),
        Fault::Late(seconds(20)),
        Fault::Freeze(seconds(20)),
    ]);
    for step in Step::OF_SCHEDULES {
        for fault in &faults {
            for nth in [1, 2] {
                let mut script =
                    scheduled("*/20 * * * *", 130).at(2, edit(json!({ "successfulHistoryLimit": 1 }))).fault(step, nth, *fault);
                if step == Step::Namesake {
                    // An existing object is read after a creation whose answer was lost.
                    for nth in [1, 2, 3] {
                        script = script.fault(Step::ChildCreate, nth * 2 - 1, Fault::Lost { executed: true });
                    }
                }
                let ended = ended(&script);
                assert_eq!(names(&ended), ["0020", "0040", "0100", "0120", "0140", "0200"], "{} {nth} {fault:?}", step.name());
                is_accounted_for(&script, &ended, 20);
            }
        }
    }
}

#[test]
fn two_operators_run_every_slot_once() {
    let mut script = scheduled("*/20 * * * *", 130);
    script.processes = 2;
    let ended = ended(&script);
    assert_eq!(names(&ended), ["0020", "0040", "0100", "0120", "0140", "0200"]);
    is_accounted_for(&script, &ended, 20);
}

#[test]
fn after_downtime_one_backup_is_made_and_every_other_slot_is_counted_once() {
    for down in [1, 50, 10_000] {
        let mut script = scheduled("* * * * *", down + 20).at(5 * MINUTE + 30, Action::Kill);
        script.habits.durations = vec![Duration::from_secs(15)];
        script.pauses = vec![minutes(down)];
        let ended = ended(&script);
        is_accounted_for(&script, &ended, 1);
        let back = script.begins + Duration::from_secs(5 * MINUTE + 30) + minutes(down);
        let made_up_for: Vec<_> = created(&ended).into_iter().filter(|(at, _)| (*at - back).get_seconds().abs() < 20).collect();
        assert_eq!(made_up_for.len(), 1, "{down} minutes: {made_up_for:?}");
        assert_eq!(count(&status(&ended), "missedRuns"), i64::try_from(down).expect("few") - 1, "{down} minutes");
        assert_eq!(events(&ended).iter().filter(|reason| *reason == "MissedRuns").count(), usize::from(down > 1), "{down} minutes");
    }
}

#[test]
fn an_edit_a_pause_and_a_wrong_zone_never_fire_for_the_past() {
    let second = |minute: u64, second: u64| minute * MINUTE + second;
    for (what, from, change, to, back, expected) in [
        (
            "suspended over a slot",
            second(30, 0),
            json!({ "suspend": true }),
            second(50, 0),
            json!({ "suspend": false }),
            vec!["0020", "0100"],
        ),
        (
            "edited just before firing",
            second(39, 59),
            json!({ "schedule": "10,30,50 * * * *" }),
            second(59, 59),
            json!({ "schedule": "*/20 * * * *" }),
            vec!["0020", "0050", "0100"],
        ),
        (
            "a zone that there is not",
            second(30, 0),
            json!({ "timeZone": "Mars/Olympus" }),
            second(50, 0),
            json!({ "timeZone": null }),
            vec!["0020", "0100"],
        ),
        (
            "another zone",
            second(30, 0),
            json!({ "timeZone": "Asia/Kathmandu" }),
            second(50, 0),
            json!({ "timeZone": "Asia/Kathmandu" }),
            // A quarter past and to: UTC+5:45.
            vec!["0020", "0035", "0055"],
        ),
    ] {
        let ended = ended(&scheduled("*/20 * * * *", 70).at(from, edit(change)).at(to, edit(back)));
        assert_eq!(names(&ended), expected, "{what}");
        assert_eq!(count(&status(&ended), "missedRuns"), 0, "{what}");
    }
}

#[test]
fn a_fixed_time_of_day_runs_once_on_every_day_in_every_zone() {
    // By hand: the instants in UTC of three days around a change of the clocks.
    for (zone, schedule, expected) in [
        ("Europe/Berlin", "30 2 * * *", ["202603280130", "202603290100", "202603300030"]),
        ("Europe/Berlin", "30 2 * * *", ["202610240030", "202610250030", "202610260130"]),
        ("America/New_York", "30 2 * * *", ["202603070730", "202603080700", "202603090630"]),
        ("America/New_York", "30 1 * * *", ["202610310530", "202611010530", "202611020630"]),
        ("Australia/Lord_Howe", "15 2 * * *", ["202610021545", "202610031530", "202610041515"]),
        ("Australia/Lord_Howe", "45 1 * * *", ["202604031445", "202604041445", "202604051515"]),
        ("Africa/Cairo", "0 0 * * *", ["202604222200", "202604232200", "202604242100"]),
        ("Pacific/Auckland", "30 2 * * *", ["202609251430", "202609261400", "202609271330"]),
        ("Asia/Shanghai", "0 2 * * *", ["202603271800", "202603281800", "202603291800"]),
        ("Etc/UTC", "0 2 28,29,1 2,3 *", ["202802280200", "202802290200", "202803010200"]),
    ] {
        let stamp = |name: &str| -> Timestamp {
            let parts = [&name[..4], "-", &name[4..6], "-", &name[6..8], "T", &name[8..10], ":", &name[10..], ":00Z"];
            parts.concat().parse().expect("a time")
        };
        let mut script = scheduled(schedule, 0);
        script.begins = stamp(expected[0]) - SignedDuration::from_mins(30);
        script.lasts = Some(stamp(expected[2]).duration_since(script.begins).unsigned_abs() + minutes(30));
        let script = script.at(2, edit(json!({ "timeZone": zone })));
        let found: Vec<String> = created(&ended(&script)).into_iter().map(|(_, name)| name.trim_start_matches("s-").to_owned()).collect();
        assert_eq!(found, expected, "{zone} {schedule}");
    }
}

#[test]
fn the_backups_of_a_deleted_schedule_stay_and_its_successor_repeats_none() {
    let again = Action::Schedule { name: "s".into(), spec: spec("*/20 * * * *") };
    let ended = ended(&scheduled("*/20 * * * *", 70).at(45 * MINUTE, Action::DeleteSchedule { name: "s".into() }).at(46 * MINUTE, again));
    assert_eq!(names(&ended), ["0020", "0040", "0100"]);
    ended.world.with(|state, _| assert_eq!(state.api.backups().count(), 3));
}
