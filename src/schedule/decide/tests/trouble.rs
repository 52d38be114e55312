//! What the API server, other people's objects and wrong specs do to a schedule.

use super::*;

#[test]
fn a_foreign_object_under_the_name_costs_its_slot_and_no_more() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
    stage.foreign.insert("nightly-202701150900".to_owned());
    stage.run_well(today("08:00:00"), today("10:30:00"));
    assert_eq!((stage.names(), stage.missed()), (vec!["nightly-202701151000"], Some((1, today("09:00:00")))));
    assert_eq!(stage.reasons(), ["NameCollision", "MissedRuns"]);
    assert!(stage.events[0].1.contains("nightly-202701150900"), "{:?}", stage.events[0]);
    assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled"));
}

/// Children of an earlier schedule of the same name still count.
#[test]
fn a_child_of_an_earlier_schedule_of_the_name_settles_the_slot() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
    stage.run(today("08:00:00"), today("08:30:00"));
    let child = stage.child("nightly-202701150900", today("07:00:00"));
    stage.children.push(Child { phase: Phase::Succeeded, completed_at: Some(today("07:10:00")), ..child });
    stage.run(today("08:31:00"), today("09:30:00"));
    assert_eq!((stage.creations, stage.reasons().len()), (0, 0));
    let status = stage.status();
    assert_eq!(
        (status.last_backup.unwrap().name.as_str(), status.last_success.unwrap().completed_at.0),
        ("nightly-202701150900", today("07:10:00"))
    );
}

#[test]
fn a_refused_backup_is_stalled_tried_once_a_minute_and_heals() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
    stage.refusal = Some("exceeded quota: objects".to_owned());
    stage.run(today("08:00:00"), today("09:05:30"));
    // At once, and after each minute.
    assert_eq!((stage.created.len(), stage.creations), (0, 6));
    assert!(stage.is(ScheduleCondition::Ready, "False", "ChildRefused") && stage.is(ScheduleCondition::Stalled, "True", "ChildRefused"));
    assert!(stage.status().condition(ScheduleCondition::Stalled).unwrap().message.contains("exceeded quota: objects"));
    // As it is seen first, and as it is refused: the same words again are no news.
    assert_eq!((stage.writes, stage.missed()), (2, None));
    stage.refusal = None;
    stage.run_well(today("09:06:00"), today("09:10:00"));
    assert_eq!((stage.names(), stage.missed()), (vec!["nightly-202701150900"], None));
    assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled") && stage.condition(ScheduleCondition::Stalled).is_none());
}

#[test]
fn a_slot_that_is_refused_until_its_deadline_is_missed() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *","startingDeadline":"10m""#);
    stage.refusal = Some("no".to_owned());
    stage.run(today("08:00:00"), today("09:30:00"));
    assert_eq!((stage.missed(), stage.reasons()), (Some((1, today("09:00:00"))), vec!["MissedRuns"]));
    assert!(stage.creations <= 11, "{}", stage.creations);
    assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled"), "{:?}", stage.condition(ScheduleCondition::Ready));
}

/// Also across a restart: nothing but the status remembers it.
#[test]
fn a_refused_run_on_create_is_not_forgotten_by_a_restart() {
    let mut stage = Stage::new(r#""schedule":"0 2 * * *","runOnCreate":true"#);
    stage.refusal = Some("no".to_owned());
    stage.run(today("08:00:00"), today("08:01:30"));
    stage.restart();
    stage.refusal = None;
    stage.run_well(today("08:02:10"), today("08:10:00"));
    assert_eq!(stage.names(), ["nightly-202701150800"]);
    stage.children.clear();
    stage.restart();
    stage.run(today("08:20:00"), today("08:30:00"));
    assert_eq!(stage.created.len(), 1, "and it is made once, whatever becomes of its object");
}

/// Without a deadline a refused slot gives way to the next, which is as new as can be.
#[test]
fn a_refused_run_on_create_is_tried_again() {
    let mut stage = Stage::new(r#""schedule":"0 2 * * *","runOnCreate":true"#);
    stage.refusal = Some("no".to_owned());
    stage.run(today("08:00:00"), today("08:01:30"));
    stage.refusal = None;
    stage.run_well(today("08:02:10"), today("08:10:00"));
    assert_eq!(stage.names(), ["nightly-202701150800"]);
}

#[test]
fn a_wrong_spec_is_stalled_with_a_cure_and_correcting_it_heals() {
    let table = [
        (r#""schedule":"0 0 30 2 *""#, "InvalidSchedule", "no such day exists"),
        (r#""schedule":"0 2 * *""#, "InvalidSchedule", "five fields"),
        (r#""schedule":"0 0 L * *""#, "InvalidSchedule", "L"),
        (
            r#""schedule":"0 2 * * *","template":{"spec":{"dbInstanceId":"rm-1","databases":["a"]}}"#,
            "InvalidTemplate",
            "template.spec: databases and strategy: db belong together",
        ),
        (
            r#""schedule":"0 2 * * *","template":{"spec":{"dbInstanceId":"rm-1","queueTimeout":"0s"}}"#,
            "InvalidTemplate",
            "template.spec: queueTimeout",
        ),
        (
            r#""schedule":"0 2 * * *","template":{"metadata":{"annotations":{"rdsbackup.io/slot":"x"}},"spec":{"dbInstanceId":"rm-1"}}"#,
            "InvalidTemplate",
            "the operator's own",
        ),
        (
            r#""schedule":"0 2 * * *","template":{"metadata":{"annotations":{"a b":"x"}},"spec":{"dbInstanceId":"rm-1"}}"#,
            "InvalidTemplate",
            "annotation",
        ),
        (r#""schedule":"0 2 * * *","timeZone":"Asia/Shanghia""#, "InvalidTimeZone", "Asia/Shanghai"),
        (r#""schedule":"0 2 * * *","timeZone":"Local""#, "InvalidTimeZone", "Local"),
        (r#""schedule":"0 * * * *","jitter":"31m""#, "InvalidSchedule", "at most 30m"),
        (r#""schedule":"0 2 * * *","startingDeadline":"soon""#, "InvalidSchedule", "startingDeadline"),
        (r#""schedule":"0 2 * * *","freshness":{"maxAge":"old"}"#, "InvalidSchedule", "freshness.maxAge"),
        (
            r#""schedule":"0 2 * * *","template":{"metadata":{"labels":{"a b":"c"}},"spec":{"dbInstanceId":"rm-1"}}"#,
            "InvalidTemplate",
            "a b",
        ),
    ];
    for (spec, reason, words) in table {
        let mut stage = Stage::new(r#""schedule":"0 9 * * *""#);
        stage.edit(spec);
        for second in 0..60 {
            stage.pass(today("08:00:00") + SignedDuration::from_secs(second));
        }
        assert!(stage.is(ScheduleCondition::Stalled, "True", reason), "{spec}: {:?}", stage.condition(ScheduleCondition::Stalled));
        assert!(stage.is(ScheduleCondition::Ready, "False", reason), "{spec}");
        let message = stage.status().condition(ScheduleCondition::Ready).unwrap().message.clone();
        assert!(message.contains(words), "{spec}: {message}");
        assert_eq!((stage.writes, stage.creations), (1, 0), "{spec}");
        stage.edit(r#""schedule":"0 9 * * *","timeZone":"Etc/UTC","jitter":null,"startingDeadline":null,"freshness":null,"template":{"spec":{"dbInstanceId":"rm-1"}}"#);
        stage.run_well(today("08:30:00"), today("09:10:00"));
        assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled") && stage.condition(ScheduleCondition::Stalled).is_none(), "{spec}");
        assert_eq!((stage.names(), stage.missed()), (vec!["nightly-202701150900"], None), "{spec}");
    }
}

/// The API server fails or does not answer: it heals by itself, and meanwhile everything else goes on.
#[test]
fn an_outage_of_the_api_server_is_told_after_a_minute_and_freezes_nothing() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *","freshness":{"maxAge":"70m"}"#);
    stage.run(today("08:00:00"), today("09:00:01"));
    stage.end(Phase::Succeeded, today("09:05:00"));
    stage.run(today("09:05:01"), today("09:50:00"));
    stage.outage = Some("a webhook does not answer".to_owned());
    let before = stage.creations;
    stage.run(today("09:59:00"), today("10:00:50"));
    assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled"), "a restart of the API server is not worth a word");
    let writes = stage.writes;
    stage.run(today("10:00:50"), today("10:14:00"));
    assert!(stage.is(ScheduleCondition::Ready, "False", "ChildNotCreated"), "{:?}", stage.condition(ScheduleCondition::Ready));
    assert!(stage.is(ScheduleCondition::Reconciling, "True", "ChildNotCreated") && stage.condition(ScheduleCondition::Stalled).is_none());
    assert!(stage.status().condition(ScheduleCondition::Ready).unwrap().message.contains("a webhook does not answer"));
    assert_eq!(stage.writes, writes + 1, "said once");
    assert!((10..=25).contains(&(stage.creations - before)), "with growing pauses: {}", stage.creations - before);
    stage.run(today("10:14:00"), today("10:16:00"));
    assert!(stage.is(ScheduleCondition::Fresh, "False", "TooOld"), "health does not wait for the API server");
    stage.outage = None;
    stage.run_well(today("10:17:10"), today("10:25:00"));
    assert_eq!((stage.names().len(), stage.missed()), (2, None));
    assert!(stage.is(ScheduleCondition::Ready, "True", "Scheduled") && stage.condition(ScheduleCondition::Reconciling).is_none());
    assert!(stage.is(ScheduleCondition::Fresh, "True", "Fresh"));
}

/// A corrected timing is a change, also where it is corrected to what it was before.
#[test]
fn a_timing_that_was_wrong_for_days_is_not_made_up_for() {
    for wrong in [r#""timeZone":"Asia/Shanghia""#, r#""schedule":"0 0 30 2 *""#, r#""jitter":"40m""#] {
        let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
        stage.run(today("08:00:00"), today("08:30:00"));
        stage.edit(wrong);
        stage.pass(today("08:31:00"));
        stage.edit(r#""timeZone":"Etc/UTC","schedule":"0 * * * *","jitter":null"#);
        stage.run(today("20:30:00"), today("20:40:00"));
        assert_eq!((stage.names().len(), stage.missed()), (0, None), "{wrong}");
        stage.run(today("20:40:00"), today("21:00:01"));
        assert_eq!(stage.names(), ["nightly-202701152100"], "{wrong}");
    }
}

#[test]
fn a_schedule_that_pauses_while_it_is_wrong_says_so_and_resumes_from_then() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
    stage.run(today("08:00:00"), today("08:30:00"));
    stage.edit(r#""suspend":true,"template":{"metadata":{"labels":{"a b":"c"}},"spec":{"dbInstanceId":"rm-1"}}"#);
    stage.pass(today("08:31:00"));
    assert!(stage.is(ScheduleCondition::Suspended, "True", "Suspended") && stage.is(ScheduleCondition::Ready, "False", "InvalidTemplate"));
    stage.edit(r#""suspend":false,"template":{"spec":{"dbInstanceId":"rm-1"}}"#);
    stage.run(today("12:30:00"), today("12:40:00"));
    assert_eq!((stage.created.len(), stage.missed(), stage.condition(ScheduleCondition::Suspended)), (0, None, None));
}

/// Made invalid for a day, corrected, and its timing is as it was: the newest slot is made up for.
#[test]
fn a_template_that_was_wrong_for_a_day_costs_no_more_than_that_day() {
    let mut stage = Stage::new(r#""schedule":"0 * * * *""#);
    stage.run(today("08:00:00"), today("08:30:00"));
    stage.edit(r#""template":{"metadata":{"labels":{"a":"b c"}},"spec":{"dbInstanceId":"rm-1"}}"#);
    stage.pass(today("08:31:00"));
    stage.edit(r#""template":{"spec":{"dbInstanceId":"rm-1"}}"#);
    stage.run(today("12:30:00"), today("12:31:00"));
    assert_eq!((stage.names(), stage.missed()), (vec!["nightly-202701151200"], Some((3, today("11:00:00")))));
}

#[test]
fn a_schedule_that_is_being_deleted_is_left_alone() {
    let mut stage = Stage::new(r#""schedule":"* * * * *""#);
    stage.pass(today("08:00:00"));
    stage.object.metadata.deletion_timestamp = Some(Time(today("08:00:30")));
    assert_eq!(stage.pass(today("08:05:00")), None);
    assert_eq!((stage.creations, stage.writes), (0, 1));
}
