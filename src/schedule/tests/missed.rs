//! Downtime, deadlines and pauses.

use super::*;

/// Every minute, at rest at 08:00:30 with nothing run; then the operator is down until `back`.
fn down_until(spec: &str, back: Timestamp) -> World {
    let mut world = World::new(&format!(r#""schedule":"* * * * *"{spec}"#));
    world.run(today("08:00:00"), today("08:00:30"));
    world.restart();
    world.run(back, back + SignedDuration::from_secs(10));
    world
}

#[test]
fn after_downtime_the_newest_slot_runs_once_and_the_older_ones_are_counted_once() {
    for (slots, older) in [(1, None), (50, Some(49)), (10_000, Some(9_999))] {
        let newest = today("08:00:00") + mins(slots);
        let mut world = down_until("", newest + SignedDuration::from_secs(20));
        assert_eq!(world.created.len(), 1, "{slots}");
        assert_eq!(world.children[0].name, newest.strftime("nightly-%Y%m%d%H%M").to_string(), "{slots}");
        assert_eq!(world.missed().map(|(count, _)| count), older, "{slots}");
        assert_eq!(world.missed().map(|(_, last)| last), older.map(|_| newest - mins(1)), "{slots}");
        assert_eq!(world.reasons(), if slots == 1 { vec![] } else { vec!["MissedRuns"] }, "{slots}");
        // No later pass counts them again.
        world.end(Phase::Succeeded, newest + SignedDuration::from_secs(40));
        world.run_well(newest + SignedDuration::from_secs(45), newest + mins(1) + SignedDuration::from_secs(10));
        assert_eq!((world.created.len(), world.missed().map(|(count, _)| count)), (2, older), "{slots}");
    }
}

#[test]
fn a_slot_beyond_the_deadline_is_missed_and_the_next_one_runs() {
    for slots in [1, 50, 10_000] {
        let newest = today("08:00:00") + mins(slots);
        let mut world = down_until(r#","startingDeadline":"15s""#, newest + SignedDuration::from_secs(20));
        assert_eq!((world.created.len(), world.missed()), (0, Some((slots, newest))), "{slots}");
        assert_eq!(world.reasons(), ["MissedRuns"], "{slots}");
        world.run(newest + SignedDuration::from_secs(31), newest + SignedDuration::from_secs(61));
        assert_eq!((world.created.len(), world.missed()), (1, Some((slots, newest))), "{slots}");
    }
}

/// The last moment counts: the deadline itself is still in time.
#[test]
fn the_deadline_is_counted_from_the_slot_and_the_jitter() {
    let spec = r#""schedule":"0 9 * * *","jitter":"30m","startingDeadline":"10m""#;
    let jitter = ValidatedSpec::new("team-a", "nightly", &World::new(spec).object.spec, at(CREATED)).unwrap().jitter;
    assert!(jitter > mins(1), "{jitter:?}");
    for (late, runs) in [(mins(10), 1), (mins(10) + SignedDuration::from_nanos(1), 0)] {
        let mut world = World::new(spec);
        world.run(today("08:00:00"), today("08:00:30"));
        world.restart();
        world.pass(today("09:00:00") + jitter + late);
        assert_eq!(world.created.len(), runs, "{late:?}");
        assert_eq!(world.missed().is_some(), runs == 0, "{late:?}");
    }
}

#[test]
fn a_suspended_schedule_neither_runs_nor_counts_and_a_resumed_one_starts_from_now() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.edit(r#""suspend":true"#);
    world.run(today("08:30:00"), today("12:30:00"));
    assert_eq!((world.created.len(), world.missed(), world.status().next_schedule_time), (0, None, None));
    assert!(world.is(ScheduleCondition::Ready, "True", "Suspended") && world.is(ScheduleCondition::Suspended, "True", "Suspended"));
    // Down while it is suspended, too.
    world.restart();
    world.run(today("14:10:00"), today("14:20:00"));
    world.edit(r#""suspend":false"#);
    world.run(today("14:30:00"), today("14:59:00"));
    assert_eq!((world.created.len(), world.missed()), (0, None));
    assert_eq!(world.condition(ScheduleCondition::Suspended), None);
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"));
    world.run(today("14:59:00"), today("15:00:01"));
    assert_eq!((world.names(), world.reasons().len()), (vec!["nightly-202701151500"], 0));
}

/// Resumed while the operator was away: its last word was that the schedule is suspended.
#[test]
fn a_schedule_that_was_resumed_during_downtime_starts_from_now() {
    let mut world = World::new(r#""schedule":"0 * * * *","suspend":true"#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.edit(r#""suspend":false"#);
    world.restart();
    world.run(today("20:30:00"), today("20:40:00"));
    assert_eq!((world.created.len(), world.missed()), (0, None));
}

/// The child ran while the operator was down over many slots: none of them is both missed and skipped.
#[test]
fn downtime_while_a_backup_runs_skips_one_slot_and_misses_the_others() {
    let mut world = World::new(r#""schedule":"* * * * *""#);
    world.run(today("08:00:00"), today("08:01:10"));
    world.restart();
    world.run(today("08:11:05"), today("08:11:30"));
    assert_eq!((world.created.len(), world.missed().unwrap().0, world.status().skipped_overlap.unwrap().count), (1, 9, 1));
}

/// Killed after the backup was created, before the status could say so, and back after the next slot.
#[test]
fn a_slot_that_was_run_is_never_called_missed() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:59:00"));
    let before = world.object.status.clone();
    world.run(today("08:59:30"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.object.status = before;
    world.restart();
    world.run_well(today("11:00:05"), today("11:00:10"));
    assert_eq!((world.names().len(), world.missed()), (2, Some((1, today("10:00:00")))));
    assert_eq!(world.reasons(), ["MissedRuns"]);
}
