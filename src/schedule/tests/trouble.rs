//! What the API server, other people's objects and wrong specs do to a schedule.

use super::*;

#[test]
fn a_foreign_object_under_the_name_costs_no_slot_and_under_both_names_one() {
    const SECOND: &str = "nightly-202701150900-e0628aed94";
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.foreign.insert("nightly-202701150900".to_owned());
    world.run_well(today("08:00:00"), today("10:30:00"));
    assert_eq!((world.names(), world.missed()), (vec![SECOND, "nightly-202701151000"], None));
    assert_eq!(world.reasons(), ["NameCollision"]);
    assert!(
        world.events[0].1.contains("an RdsBackup nightly-202701150900 exists") && world.events[0].1.contains(SECOND),
        "{:?}",
        world.events
    );
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"));

    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.foreign.extend(["nightly-202701150900".to_owned(), SECOND.to_owned()]);
    world.run_well(today("08:00:00"), today("10:30:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151000"], Some((1, today("09:00:00")))));
    assert_eq!(world.reasons(), ["NameCollision", "MissedRuns"]);
    assert!(world.events[0].1.contains("Delete or rename one of them"), "{:?}", world.events[0]);
}

/// The schedule was deleted and created again for another instance, or its account was changed: what the first one made has the names.
#[test]
fn a_backup_of_another_instance_or_account_under_the_name_is_not_ours() {
    for cached in [true, false] {
        for same_instance in [true, false] {
            let mut world = World::new(r#""schedule":"0 * * * *""#);
            world.run(today("08:00:00"), today("08:30:00"));
            for name in ["nightly-202701150900", "nightly-m3e23e81600"] {
                let child = world.child(name, today("07:00:00"));
                let child =
                    Child { phase: Phase::Succeeded, completed_at: Some(today("07:10:00")), same_instance, same_target: false, ..child };
                if cached { world.children.push(child) } else { world.unseen.push(child) }
            }
            world.edit(r#""trigger":"b""#);
            world.run_well(today("08:31:00"), today("08:40:00"));
            world.run_well(today("08:59:00"), today("09:30:00"));
            assert_eq!(world.names(), ["nightly-m3e23e81600-e0628aed94", "nightly-202701150900-e0628aed94"], "{cached} {same_instance}");
            assert_eq!(world.reasons(), ["NameCollision", "NameCollision"], "{cached} {same_instance}");
        }
    }
}

/// Killed after the second name was used and before the status: the next process finds the backup under it.
#[test]
fn a_crash_after_the_second_name_was_used_makes_no_third_backup() {
    for cached in [true, false] {
        let mut world = World::new(r#""schedule":"0 * * * *""#);
        world.foreign.insert("nightly-202701150900".to_owned());
        world.run(today("08:00:00"), today("08:50:00"));
        let before = world.object.status.clone();
        world.run(today("08:58:00"), today("09:00:01"));
        assert_eq!(world.names(), ["nightly-202701150900-e0628aed94"]);
        world.object.status = before;
        world.state = ObjectState::default();
        if !cached {
            world.unseen = std::mem::take(&mut world.children);
        }
        world.pass(today("09:00:05"));
        let status = world.status();
        assert_eq!((world.created.len(), status.last_backup.unwrap().name), (1, "nightly-202701150900-e0628aed94".to_owned()));
        assert_eq!(world.missed(), None);
    }
}

/// Children of an earlier schedule of the same name still count.
#[test]
fn a_child_of_an_earlier_schedule_of_the_name_settles_the_slot() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    let child = world.child("nightly-202701150900", today("07:00:00"));
    world.children.push(Child { phase: Phase::Succeeded, completed_at: Some(today("07:10:00")), ..child });
    world.run(today("08:31:00"), today("09:30:00"));
    assert_eq!((world.creations, world.reasons().len()), (0, 0));
    let status = world.status();
    assert_eq!(
        (status.last_backup.unwrap().name.as_str(), status.last_success.unwrap().completed_at.0),
        ("nightly-202701150900", today("07:10:00"))
    );
}

#[test]
fn a_refused_backup_is_stalled_tried_once_a_minute_and_heals() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.refusal = Some("exceeded quota: objects".to_owned());
    world.run(today("08:00:00"), today("09:05:30"));
    // At once, and after each minute.
    assert_eq!((world.created.len(), world.creations), (0, 6));
    assert!(world.is(ScheduleCondition::Ready, "False", "ChildRefused") && world.is(ScheduleCondition::Stalled, "True", "ChildRefused"));
    assert!(world.status().condition(ScheduleCondition::Stalled).unwrap().message.contains("exceeded quota: objects"));
    // As it is seen first, and as it is refused: the same words again are no news.
    assert_eq!((world.writes, world.missed()), (2, None));
    world.refusal = None;
    world.run_well(today("09:06:00"), today("09:10:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150900"], None));
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Stalled).is_none());
}

#[test]
fn a_slot_that_is_refused_until_its_deadline_is_missed() {
    let mut world = World::new(r#""schedule":"0 * * * *","startingDeadline":"10m""#);
    world.refusal = Some("no".to_owned());
    world.run(today("08:00:00"), today("09:30:00"));
    assert_eq!((world.missed(), world.reasons()), (Some((1, today("09:00:00"))), vec!["MissedRuns"]));
    assert!(world.creations <= 11, "{}", world.creations);
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"), "{:?}", world.condition(ScheduleCondition::Ready));
}

/// Also across a restart: nothing but the status remembers it.
#[test]
fn a_refused_run_on_create_is_not_forgotten_by_a_restart() {
    let mut world = World::new(r#""schedule":"0 2 * * *","runOnCreate":true"#);
    world.refusal = Some("no".to_owned());
    world.run(today("08:00:00"), today("08:01:30"));
    world.restart();
    world.refusal = None;
    world.run_well(today("08:02:10"), today("08:10:00"));
    assert_eq!(world.names(), ["nightly-202701150800"]);
    world.children.clear();
    world.restart();
    world.run(today("08:20:00"), today("08:30:00"));
    assert_eq!(world.created.len(), 1, "and it is made once, whatever becomes of its object");
}

/// Without a deadline a refused slot gives way to the next, which is as new as can be.
#[test]
fn a_refused_run_on_create_is_tried_again() {
    let mut world = World::new(r#""schedule":"0 2 * * *","runOnCreate":true"#);
    world.refusal = Some("no".to_owned());
    world.run(today("08:00:00"), today("08:01:30"));
    world.refusal = None;
    world.run_well(today("08:02:10"), today("08:10:00"));
    assert_eq!(world.names(), ["nightly-202701150800"]);
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
        let mut world = World::new(r#""schedule":"0 9 * * *""#);
        world.edit(spec);
        for second in 0..60 {
            world.pass(today("08:00:00") + SignedDuration::from_secs(second));
        }
        assert!(world.is(ScheduleCondition::Stalled, "True", reason), "{spec}: {:?}", world.condition(ScheduleCondition::Stalled));
        assert!(world.is(ScheduleCondition::Ready, "False", reason), "{spec}");
        let message = world.status().condition(ScheduleCondition::Ready).unwrap().message.clone();
        assert!(message.contains(words), "{spec}: {message}");
        assert_eq!((world.writes, world.creations), (1, 0), "{spec}");
        world.edit(r#""schedule":"0 9 * * *","timeZone":"Etc/UTC","jitter":null,"startingDeadline":null,"freshness":null,"template":{"spec":{"dbInstanceId":"rm-1"}}"#);
        world.run_well(today("08:30:00"), today("09:10:00"));
        assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Stalled).is_none(), "{spec}");
        assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150900"], None), "{spec}");
    }
}

#[test]
fn all_that_is_wrong_with_a_schedule_is_said_at_once() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.edit(
        r#""schedule":"0 2 * *","timeZone":"Asia/Nowhere","startingDeadline":"soon","retention":{"keepLast":0},"template":{"metadata":{"labels":{"a b":"c"}},"spec":{"dbInstanceId":"rm-1","databases":["a"],"ttl":"1h"}}"#,
    );
    world.pass(today("08:00:00"));
    assert!(world.is(ScheduleCondition::Stalled, "True", "InvalidSchedule"), "the reason is that of the first");
    let message = world.status().condition(ScheduleCondition::Stalled).unwrap().message.clone();
    let fields = [
        "schedule: ",
        "timeZone: ",
        "startingDeadline: ",
        "retention: keepLast",
        "template.spec: databases",
        "template.spec: remove ttl",
        "template.metadata: ",
    ];
    let places: Vec<Option<usize>> = fields.iter().map(|field| message.find(field)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{message}");
}

/// The API server fails or does not answer: it heals by itself, and meanwhile everything else goes on.
#[test]
fn an_outage_of_the_api_server_is_told_after_a_minute_and_freezes_nothing() {
    let mut world = World::new(r#""schedule":"0 * * * *","freshness":{"maxAge":"70m"}"#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:05:00"));
    world.run(today("09:05:01"), today("09:50:00"));
    world.outage = Some("a webhook does not answer".to_owned());
    let before = world.creations;
    world.run(today("09:59:00"), today("10:00:50"));
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"), "a restart of the API server is not worth a word");
    let writes = world.writes;
    world.run(today("10:00:50"), today("10:14:00"));
    assert!(world.is(ScheduleCondition::Ready, "False", "ChildNotCreated"), "{:?}", world.condition(ScheduleCondition::Ready));
    assert!(world.is(ScheduleCondition::Reconciling, "True", "ChildNotCreated") && world.condition(ScheduleCondition::Stalled).is_none());
    assert!(world.status().condition(ScheduleCondition::Ready).unwrap().message.contains("a webhook does not answer"));
    assert_eq!(world.writes, writes + 1, "said once");
    assert!((10..=25).contains(&(world.creations - before)), "with growing pauses: {}", world.creations - before);
    world.run(today("10:14:00"), today("10:16:00"));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"), "health does not wait for the API server");
    world.outage = None;
    world.run_well(today("10:17:10"), today("10:25:00"));
    assert_eq!((world.names().len(), world.missed()), (2, None));
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Reconciling).is_none());
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
}

/// A corrected timing is a change, also where it is corrected to what it was before.
#[test]
fn a_timing_that_was_wrong_for_days_is_not_made_up_for() {
    for wrong in [r#""timeZone":"Asia/Shanghia""#, r#""schedule":"0 0 30 2 *""#, r#""jitter":"40m""#] {
        let mut world = World::new(r#""schedule":"0 * * * *""#);
        world.run(today("08:00:00"), today("08:30:00"));
        world.edit(wrong);
        world.pass(today("08:31:00"));
        world.edit(r#""timeZone":"Etc/UTC","schedule":"0 * * * *","jitter":null"#);
        world.run(today("20:30:00"), today("20:40:00"));
        assert_eq!((world.names().len(), world.missed()), (0, None), "{wrong}");
        world.run(today("20:40:00"), today("21:00:01"));
        assert_eq!(world.names(), ["nightly-202701152100"], "{wrong}");
    }
}

#[test]
fn a_schedule_that_pauses_while_it_is_wrong_says_so_and_resumes_from_then() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.edit(r#""suspend":true,"template":{"metadata":{"labels":{"a b":"c"}},"spec":{"dbInstanceId":"rm-1"}}"#);
    world.pass(today("08:31:00"));
    assert!(world.is(ScheduleCondition::Suspended, "True", "Suspended") && world.is(ScheduleCondition::Ready, "False", "InvalidTemplate"));
    world.edit(r#""suspend":false,"template":{"spec":{"dbInstanceId":"rm-1"}}"#);
    world.run(today("12:30:00"), today("12:40:00"));
    assert_eq!((world.created.len(), world.missed(), world.condition(ScheduleCondition::Suspended)), (0, None, None));
}

/// Made invalid for a day, corrected, and its timing is as it was: the newest slot is made up for.
#[test]
fn a_template_that_was_wrong_for_a_day_costs_no_more_than_that_day() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.edit(r#""template":{"metadata":{"labels":{"a":"b c"}},"spec":{"dbInstanceId":"rm-1"}}"#);
    world.pass(today("08:31:00"));
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1"}}"#);
    world.run(today("12:30:00"), today("12:31:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151200"], Some((3, today("11:00:00")))));
}

#[test]
fn a_schedule_that_is_being_deleted_is_left_alone() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.pass(today("08:00:00"));
    world.object.metadata.deletion_timestamp = Some(Time(today("08:00:30")));
    assert_eq!(world.pass(today("08:05:00")), None);
    assert_eq!((world.creations, world.writes), (0, 1));
}
