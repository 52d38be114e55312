//! The instance's own backup window: what it defers, what happens while it is not known, and when it changes between a promise and its start.

use super::*;
use crate::api::{NativeWindow, Weekday};

const ASKED: &str = r#""notDuring":"NativeBackupWindow""#;

const WEEK: [Weekday; 7] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn world(spec: &str) -> World {
    World::new(&format!("{spec},{ASKED}"))
}

/// Every day, in UTC.
fn daily(from: &str, to: &str) -> Reading {
    Reading::Window(NativeWindow { days: WEEK.to_vec(), from: from.to_owned(), to: to.to_owned() })
}

fn skipped(world: &World) -> Option<(i64, Timestamp)> {
    world.status().skipped_blackout.map(|skipped| (skipped.count, skipped.last.0))
}

fn next(world: &World) -> Option<Timestamp> {
    world.status().next_schedule_time.map(|time| time.0)
}

#[test]
fn a_slot_in_the_instances_own_window_starts_at_its_end_whatever_the_time_zone_of_the_schedule() {
    // 17:30 in Shanghai is 09:30 UTC.
    let mut world = world(r#""schedule":"30 17 * * *","timeZone":"Asia/Shanghai""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("09:59:59"));
    assert_eq!((world.created.len(), next(&world)), (0, Some(today("10:00:00"))));
    assert!(world.is(ScheduleCondition::NativeWindowKnown, "True", "PolicyRead"));
    assert_eq!(world.status().native_window.unwrap().to_string(), "Mon, Tue, Wed, Thu, Fri, Sat, Sun 09:00 to 10:00 UTC");
    world.run_well(today("09:59:59.1"), today("10:05:00"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701150930"], None, None));
    // Only on its days, and over midnight: Friday 23:00 to Saturday 01:00, and not a day later.
    let mut world = self::world(r#""schedule":"30 0 * * *""#);
    world.native = Reading::Window(NativeWindow { days: vec![Weekday::Fri], from: "23:00".to_owned(), to: "01:00".to_owned() });
    world.run_well(today("08:00:00.2"), at("2027-01-16T02:00:00Z"));
    assert_eq!(world.status().last_backup.unwrap().slot.unwrap().0, at("2027-01-16T00:30:00Z"));
    assert!(world.children[0].created_at >= at("2027-01-16T01:00:00Z"));
    assert_eq!(next(&world), Some(at("2027-01-17T00:30:00Z")));
}

#[test]
fn it_is_one_more_blackout() {
    let mut world = World::new(&format!(r#""schedule":"30 9 * * *",{ASKED},"blackouts":[{{"from":"10:00","to":"11:00"}}]"#));
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("10:59:00"));
    assert_eq!((world.created.len(), next(&world)), (0, Some(today("11:00:00"))), "windows that touch are one");
    // A backup that waits to be requested does not wait into it.
    let mut world = self::world(r#""schedule":"30 8 * * *""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("08:31:00"));
    assert!(world.created[0].spec.not_after.as_ref().unwrap().0 <= today("09:00:00"));
    // A trigger runs in it.
    world.run_well(today("08:31:01"), today("09:10:00"));
    world.edit_at(today("09:10:01"), r#""trigger":"now""#);
    world.run_well(today("09:10:02"), today("09:12:00"));
    assert_eq!(world.created.len(), 2);
}

#[test]
fn without_not_during_no_window_counts_and_nothing_is_said_of_it() {
    let mut world = World::new(r#""schedule":"30 9 * * *""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("09:31:00"));
    assert_eq!((world.created.len(), world.status().native_window), (1, None));
    assert_eq!(world.condition(ScheduleCondition::NativeWindowKnown), None);
    // Taken out of the spec, the window and its condition go too, and a slot that waited starts.
    let mut world = self::world(r#""schedule":"30 9 * * *""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("09:40:00"));
    world.edit_at(today("09:40:01"), r#""notDuring":null"#);
    world.run_well(today("09:40:02"), today("09:40:10"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701150930"], None, None));
    assert_eq!((world.status().native_window, world.condition(ScheduleCondition::NativeWindowKnown)), (None, None));
}

#[test]
fn before_the_first_reading_a_backup_waits_but_is_never_missed_for_it() {
    for (deadline, starts) in [("", "09:40:00"), (r#","startingDeadline":"4m""#, "09:32:00")] {
        let mut world = world(&format!(r#""schedule":"30 9 * * *"{deadline}"#));
        world.run_well(today("08:00:00.2"), today(starts) - SignedDuration::from_secs(1));
        assert_eq!((world.created.len(), next(&world)), (0, Some(today("09:30:00"))), "{deadline}: it stays the next one");
        world.run_well(today(starts), today(starts) + mins(1));
        assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150930"], None), "{deadline}");
    }
    // Every minute: half a minute late, and none is missed.
    let mut world = world(r#""schedule":"* * * * *""#);
    world.run(today("08:00:00.2"), today("08:01:29"));
    assert_eq!(world.created.len(), 0);
    world.run(today("08:01:30"), today("08:01:40"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150801"], None));
    // runOnCreate as well: known in time, the window holds it; never known, it is made.
    for (native, made) in [(daily("07:00", "09:00"), "09:00:00"), (Reading::Unread, "08:10:00")] {
        let mut world = self::world(r#""schedule":"30 19 * * *","runOnCreate":true"#);
        world.run_well(today("08:00:00.2"), today("08:00:02"));
        world.native = native;
        world.run_well(today("08:00:03"), today(made) - SignedDuration::from_secs(1));
        assert_eq!(world.created.len(), 0, "{made}");
        world.run_well(today(made), today(made) + mins(1));
        assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150800"], None), "{made}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_stops_nothing_and_the_condition_says_why() {
    let mut world = world(r#""schedule":"30 9 * * *""#);
    world.native = Reading::Unreadable("no right".to_owned());
    world.run_well(today("08:00:00.2"), today("09:31:00"));
    assert_eq!(world.names(), ["nightly-202701150930"]);
    assert!(world.is(ScheduleCondition::NativeWindowKnown, "False", "PolicyUnreadable"));
    let message = |world: &World| world.status().condition(ScheduleCondition::NativeWindowKnown).unwrap().message.clone();
    assert!(message(&world).contains("as if there were no window") && message(&world).ends_with("no right"), "{}", message(&world));
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"));
    // What was read before stays in use, also in a process that has not read it yet.
    let mut world = self::world(r#""schedule":"30 9 * * *""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("08:30:00"));
    world.restart();
    world.native = Reading::Unread;
    world.run_well(today("08:30:01"), today("09:35:00"));
    assert!(world.is(ScheduleCondition::NativeWindowKnown, "True", "PolicyRead"));
    world.native = Reading::Unreadable("no answer".to_owned());
    world.run_well(today("09:35:01"), today("09:59:00"));
    assert!(message(&world).contains("stays in use (Mon,"), "{}", message(&world));
    assert_eq!((world.created.len(), next(&world)), (0, Some(today("10:00:00"))));
}

#[test]
fn a_window_that_moves_between_the_promise_and_the_start_moves_the_start_and_no_slot_runs_twice() {
    // Known after the promise, before the start, and a moment after it.
    for known in ["09:00:00", "09:30:05"] {
        let mut world = world(r#""schedule":"30 9 * * *""#);
        world.run_well(today("08:00:00.2"), today(known));
        world.native = daily("09:15", "10:00");
        world.run_well(today(known) + SignedDuration::from_secs(1), today("09:59:50"));
        assert_eq!((world.created.len(), next(&world)), (0, Some(today("10:00:00"))), "{known}");
        world.run_well(today("09:59:51"), at("2027-01-16T09:00:00Z"));
        assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701150930"], None, None), "{known}");
    }
    // Known a moment after the start, and elsewhere: the slot that waited for the reading runs at once.
    let mut world = world(r#""schedule":"30 9 * * *""#);
    world.run_well(today("08:00:00.2"), today("09:30:05"));
    world.native = daily("15:00", "16:00");
    world.run_well(today("09:30:06"), today("09:30:10"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701150930"], None, None));
    // Away while a slot waits for its end: it starts at once.
    let mut world = self::world(r#""schedule":"30 9 * * *""#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("09:45:00"));
    world.native = daily("12:00", "13:00");
    world.run_well(today("09:45:01"), today("11:59:00"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701150930"], None, None));
    assert!(world.children[0].created_at <= today("09:45:05"));
    // Over a slot that has run: no second one.
    world.native = daily("09:00", "12:00");
    world.run_well(today("11:59:01"), today("13:00:00"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (1, None, None));
    // Longer while a slot waits, so that it can start no more: it is counted.
    let mut world = self::world(r#""schedule":"30 9 * * *","startingDeadline":"1h","blackouts":[{"days":["Sat"]}]"#);
    world.native = daily("09:00", "10:00");
    world.run_well(today("08:00:00.2"), today("09:45:00"));
    world.native = Reading::Window(NativeWindow { days: vec![Weekday::Fri], from: "09:00".to_owned(), to: "11:00".to_owned() });
    world.run_well(today("09:45:01"), today("11:10:00"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, None, Some((1, today("09:30:00")))));
}

#[test]
fn a_window_that_becomes_known_never_fires_for_a_slot_of_before() {
    // Created at 08:00, after the slot of 07:30. At 20:00 a window is read in which that slot would have waited until 09:00.
    let mut world = world(r#""schedule":"30 7 * * *""#);
    world.native = Reading::Unreadable("no right".to_owned());
    world.run_well(today("08:00:00.2"), today("20:00:00"));
    world.native = daily("07:00", "09:00");
    world.run_well(today("20:00:01"), at("2027-01-16T08:59:00Z"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, None, None));
    world.run_well(at("2027-01-16T08:59:01Z"), at("2027-01-16T09:01:00Z"));
    assert_eq!(world.names(), ["nightly-202701160730"]);
    // Down over several slots, with another window at the return: the newest runs, the others are missed, as ever.
    let mut world = self::world(r#""schedule":"30 * * * *""#);
    world.native = daily("03:00", "04:00");
    world.run_well(today("08:00:00.2"), today("08:31:00"));
    world.restart();
    world.native = daily("05:00", "06:00");
    world.run_well(today("11:40:00"), today("11:41:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150830", "nightly-202701151130"], Some((2, today("10:30:00")))));
}

#[test]
fn a_window_that_leaves_no_run_stalls_the_schedule_and_one_that_leaves_some_arms_it_from_then_on() {
    let mut world = world(r#""schedule":"30 9 * * *","startingDeadline":"10m""#);
    // The API server knows when the timing was written, and that is not when the window changed.
    world.edit_at(today("08:00:00"), ASKED);
    world.native = daily("09:00", "10:00");
    world.pass(today("08:00:01"));
    assert!(world.is(ScheduleCondition::Stalled, "True", "InvalidSchedule"));
    let message = world.status().condition(ScheduleCondition::Stalled).unwrap().message.clone();
    assert!(message.starts_with("notDuring: with the instance's own backup window (Mon, Tue,"), "{message}");
    assert!(world.is(ScheduleCondition::NativeWindowKnown, "True", "PolicyRead"));
    // Slots of that time are neither run nor missed.
    world.native = daily("15:00", "16:00");
    world.run_well(at("2027-01-17T09:35:00Z"), at("2027-01-17T09:40:00Z"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, None, None));
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"));
    world.run_well(at("2027-01-17T09:40:01Z"), at("2027-01-18T09:31:00Z"));
    assert_eq!(world.names(), ["nightly-202701180930"]);
}

#[test]
fn the_window_costs_one_write_when_it_changes_and_none_otherwise() {
    let mut world = world(r#""schedule":"30 9 * * *""#);
    world.native = daily("15:00", "16:00");
    world.run_well(today("08:00:00.2"), today("09:00:00"));
    assert_eq!(world.writes, 1);
    world.native = daily("16:00", "17:00");
    world.run_well(today("09:00:01"), today("09:20:00"));
    assert_eq!(world.writes, 2);
}
