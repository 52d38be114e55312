//! Every slot once, under its name.

use super::*;

#[test]
fn nothing_runs_for_the_time_before_the_schedule() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00.4"), today("08:59:59"));
    assert!(world.created.is_empty());
    let status = world.status();
    assert_eq!((status.next_schedule_time.unwrap().0, status.observed_generation), (today("09:00:00"), 1));
    assert_eq!((world.writes, world.missed()), (1, None));
}

#[test]
fn every_slot_makes_one_backup_not_a_moment_early() {
    let mut world = World::new(r#""schedule":"0 */2 * * *""#);
    world.run_well(today("08:00:00"), today("15:30:00"));
    assert_eq!(world.names(), ["nightly-202701151000", "nightly-202701151200", "nightly-202701151400"]);
    for (child, slot) in world.children.iter().zip([today("10:00:00"), today("12:00:00"), today("14:00:00")]) {
        let late = child.created_at.duration_since(slot);
        assert!(!late.is_negative() && late < SignedDuration::from_secs(1), "{late:?} after {slot}");
    }
    let status = world.status();
    assert_eq!(status.last_schedule_time.unwrap().0, today("14:00:00"));
    let last = status.last_backup.unwrap();
    assert_eq!((last.name.as_str(), last.slot.unwrap().0), ("nightly-202701151400", today("14:00:00")));
    // One write as the schedule is first seen, one for each run, one for each end.
    assert_eq!((world.writes, world.events.len(), world.missed()), (7, 0, None));
}

#[test]
fn the_template_reaches_the_backup_and_nothing_of_the_schedule_does() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.edit(
        r#""template":{"metadata":{"labels":{"team":"a"},"annotations":{"note":"b"}},"spec":{"dbInstanceId":"rm-1","method":"Physical"}}"#,
    );
    world.object.metadata.labels = Some([("argocd.argoproj.io/instance".to_owned(), "shop".to_owned())].into());
    world.object.metadata.annotations = Some([("secret".to_owned(), "no".to_owned())].into());
    world.run(today("08:00:00"), today("09:00:01"));
    let child = &world.created[0];
    let labels: Vec<(&str, &str)> = child.metadata.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("rdsbackup.io/schedule-name", "nightly"), ("rdsbackup.io/schedule-uid", "uid-1"), ("team", "a")]);
    let annotations: Vec<(&str, &str)> =
        child.metadata.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        annotations,
        [("note", "b"), ("rdsbackup.io/next-start", "2027-01-16T09:00:00Z"), ("rdsbackup.io/slot", "2027-01-15T09:00:00Z")]
    );
    assert_eq!((child.metadata.namespace.as_deref(), &child.metadata.owner_references), (Some("team-a"), &None));
    assert_eq!(child.spec.db_instance_id, "rm-1");
    assert_eq!(child.spec.method.map(|method| format!("{method:?}")), Some("Physical".to_owned()));
    // It waits until the next slot, and gives up before it.
    assert_eq!(child.spec.queue_timeout.as_ref().unwrap().to_string(), "23h59m29s");
}

#[test]
fn a_queue_timeout_of_the_template_is_kept() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1","queueTimeout":"2h"}}"#);
    world.run(today("08:00:00"), today("08:01:01"));
    assert_eq!(world.created[0].spec.queue_timeout.as_ref().unwrap().to_string(), "2h");
}

#[test]
fn jitter_moves_the_start_and_not_the_name() {
    let mut world = World::new(r#""schedule":"0 9-23 * * *","jitter":"30m""#);
    world.run_well(today("08:00:00"), today("10:45:00"));
    assert_eq!(world.names(), ["nightly-202701150900", "nightly-202701151000"]);
    let offsets: Vec<i64> = world
        .children
        .iter()
        .zip(["09:00:00", "10:00:00"])
        .map(|(child, slot)| child.created_at.duration_since(today(slot)).as_secs())
        .collect();
    assert!(offsets[0] > 0 && offsets[0] <= 1800 && offsets[0] == offsets[1], "{offsets:?}");
    let status = world.status();
    let next = status.next_schedule_time.unwrap().0;
    assert_eq!(next.duration_since(today("11:00:00")).as_secs(), offsets[0]);
    let shown: SignedDuration = status.effective_jitter.unwrap().parse().unwrap();
    assert_eq!(shown.as_secs(), offsets[0]);
}

#[test]
fn two_schedules_of_one_jitter_start_at_different_times() {
    let spec = World::new(r#""schedule":"0 0 * * *","jitter":"6h""#).object.spec;
    let jitters: BTreeSet<i64> = (0..100)
        .map(|number| ValidatedSpec::new("team-a", &format!("s{number}"), &spec, today("08:00:00")).unwrap().jitter.as_secs())
        .collect();
    assert!(jitters.len() > 95, "{} different offsets of 100", jitters.len());
    let low = jitters.iter().filter(|jitter| **jitter < 3 * 3600).count();
    assert!((30..70).contains(&low), "{low} of 100 in the first half");
    assert!(jitters.iter().all(|jitter| (0..=6 * 3600).contains(jitter)));
}

/// The process is killed after the creation and before the status: the next one finds the child under its name.
#[test]
fn a_crash_between_creation_and_status_makes_no_second_backup() {
    for cached in [true, false] {
        let mut world = World::new(r#""schedule":"0 * * * *""#);
        world.run(today("08:00:00"), today("08:50:00"));
        let before = world.object.status.clone();
        world.run(today("08:58:00"), today("09:00:01"));
        assert_eq!(world.names(), ["nightly-202701150900"]);
        world.object.status = before;
        world.state = ObjectState::default();
        if !cached {
            world.unseen = std::mem::take(&mut world.children);
        }
        world.pass(today("09:00:05"));
        assert_eq!((world.names().len(), world.creations), (1, if cached { 1 } else { 2 }));
        assert_eq!(world.status().last_schedule_time.unwrap().0, today("09:00:00"));
        assert!(world.events.is_empty(), "{:?}", world.events);
    }
}

/// Ended, and its status not written yet: the slot is not skipped for a run of its own, and not counted as missed.
#[test]
fn a_slot_whose_backup_ended_before_the_restart_is_settled() {
    let mut world = World::new(r#""schedule":"0 * * * *","startingDeadline":"5m""#);
    world.run(today("08:00:00"), today("08:50:00"));
    let before = world.object.status.clone();
    world.run(today("08:58:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:02:00"));
    world.object.status = before;
    world.restart();
    world.pass(today("09:30:00"));
    assert_eq!((world.names().len(), world.missed(), world.status().last_success.is_some()), (1, None, true));
}

#[test]
fn while_a_backup_runs_newer_slots_are_skipped_and_counted() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("12:30:00"));
    assert_eq!(world.names(), ["nightly-202701150900"]);
    let status = world.status();
    assert_eq!(status.active, ["nightly-202701150900"]);
    let skipped = status.skipped_overlap.unwrap();
    assert_eq!((skipped.count, skipped.last.0, world.missed()), (3, today("12:00:00"), None));
    assert_eq!(world.reasons(), ["SkippedOverlap"; 3]);
    assert!(
        world.events[0].1.contains("2027-01-15T10:00:00Z") && world.events[0].1.contains("nightly-202701150900"),
        "{:?}",
        world.events[0]
    );
    // Once it has ended the next slot runs, and none of the skipped ones does.
    world.end(Phase::Succeeded, today("12:40:00"));
    world.run(today("12:40:00"), today("13:00:01"));
    assert_eq!(world.names(), ["nightly-202701150900", "nightly-202701151300"]);
}

/// A child that was created just now counts as one that runs before any cache shows it.
#[test]
fn a_child_that_no_cache_shows_yet_counts_as_running() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.cache_lags = true;
    world.run(today("08:00:00"), today("08:02:01"));
    assert_eq!(world.names(), ["nightly-202701150801"]);
    assert_eq!(world.status().skipped_overlap.unwrap().count, 1);
}

/// Somebody's finalizer keeps it: it will never be submitted.
#[test]
fn a_child_that_is_being_deleted_holds_up_nothing() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.children[0].is_being_deleted = true;
    world.pass(today("09:00:10"));
    assert!(world.status().active.is_empty());
    world.run(today("09:00:10"), today("10:00:01"));
    assert_eq!((world.names().len(), world.status().skipped_overlap), (2, None));
}

/// Deleted in its first second: what this process has just created is asked for before a slot is skipped for it.
#[test]
fn a_child_that_is_gone_before_the_cache_showed_it_holds_up_nothing() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.cache_lags = true;
    world.run(today("08:00:00"), today("08:01:00.1"));
    world.unseen.clear();
    world.run(today("08:01:01"), today("08:02:01"));
    assert_eq!((world.names(), world.status().skipped_overlap), (vec!["nightly-202701150801", "nightly-202701150802"], None));
    assert_eq!(world.missed(), None, "the first slot was run");
}

#[test]
fn an_edit_never_fires_for_the_past() {
    let mut world = World::new(r#""schedule":"0 12 * * *""#);
    world.run(today("08:00:00"), today("11:00:00"));
    // 10:00 would have been a slot of the new schedule.
    world.edit(r#""schedule":"0 10,13 * * *""#);
    world.run_well(today("11:30:00"), today("12:30:00"));
    assert!(world.created.is_empty(), "{:?}", world.names());
    world.run_well(today("12:30:00"), today("13:30:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151300"], None));
    // The zone is part of the timing, and the number of objects kept is not.
    let armed = world.status().armed_since;
    world.edit(r#""successfulHistoryLimit":3"#);
    world.pass(today("13:31:00"));
    assert_eq!(world.status().armed_since, armed);
    world.edit(r#""timeZone":"Asia/Shanghai""#);
    world.pass(today("13:32:00"));
    assert_eq!(world.status().armed_since.unwrap().0, today("13:32:00"));
    world.edit(r#""jitter":"10m""#);
    world.pass(today("13:33:00"));
    assert_eq!(world.status().armed_since.unwrap().0, today("13:33:00"));
}

#[test]
fn nothing_is_written_while_nothing_is_due() {
    let mut world = World::new(r#""schedule":"0 2 * * *""#);
    world.run(today("08:00:00"), today("08:00:01"));
    assert_eq!(world.writes, 1);
    // Fresh is Unknown for 36 hours; up to the slot of the next night nothing changes.
    world.run(today("08:00:10"), at("2027-01-16T01:59:59Z"));
    assert_eq!((world.writes, world.creations), (1, 0));
}

/// A clock that was ahead has settled slots of the future; it is set back, and the schedule is not silent until then.
#[test]
fn a_clock_that_was_ahead_does_not_silence_the_schedule() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.pass(at("2029-01-01T00:00:10Z"));
    assert_eq!(world.names(), ["nightly-202901010000"]);
    world.end(Phase::Succeeded, at("2029-01-01T00:10:00Z"));
    let missed = world.missed();
    world.run_well(today("08:40:00"), today("10:30:00"));
    assert_eq!(world.names(), ["nightly-202901010000", "nightly-202701150900", "nightly-202701151000"]);
    assert_eq!((world.missed(), world.reasons()), (missed, vec!["MissedRuns", "ClockSetBack"]));
}

/// A step of seconds, as time synchronisation makes them: a slot is not run again.
#[test]
fn a_small_step_back_repeats_nothing() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.run(today("08:00:00"), today("08:01:00.1"));
    world.end(Phase::Succeeded, today("08:01:00.2"));
    world.run(today("08:00:30"), today("08:01:30"));
    assert_eq!((world.names().len(), world.reasons().len()), (1, 0));
}

#[test]
fn every_backup_says_until_when_it_may_be_submitted() {
    let not_after = |world: &World| world.created.last().unwrap().spec.not_after.as_ref().unwrap().0;
    // From the start to half a minute before the next one.
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    assert_eq!(not_after(&world), today("09:59:29"));
    // Made up for after downtime: from its creation.
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1","queueTimeout":"2h"}}"#);
    world.run(today("08:00:00"), today("08:00:01"));
    world.pass(today("10:00:00"));
    assert_eq!(not_after(&world), today("12:00:00"));
    // By hand, while the schedule is suspended.
    let mut world = World::new(r#""schedule":"0 9 * * *","suspend":true"#);
    world.run(today("08:00:00"), today("08:00:01"));
    world.edit(r#""trigger":"b""#);
    world.pass(today("08:30:00"));
    assert_eq!(not_after(&world), today("10:30:00"));
    // The node's clock is eight hours behind: the API server judges by its own.
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.server_now = Some(today("17:00:00"));
    world.run(today("08:00:00"), today("09:00:01"));
    assert_eq!(not_after(&world), today("17:59:29"));
}

#[test]
fn a_template_must_not_say_it() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1","notAfter":"2027-01-15T09:00:00Z"}}"#);
    world.pass(today("08:00:00"));
    assert!(world.is(ScheduleCondition::Stalled, "True", "InvalidTemplate"));
}
