//! Fresh, LastBackupSucceeded and the count of failures.

use super::*;

#[test]
fn a_failure_neither_disarms_the_schedule_nor_flips_ready() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    assert_eq!(world.condition(ScheduleCondition::LastBackupSucceeded), None);
    for (hour, failures) in [(9, 1), (10, 2), (11, 3)] {
        let clock = today(&format!("{hour:02}:00:01"));
        world.run(clock - mins(10), clock);
        world.end(Phase::Failed, clock + mins(5));
        world.pass(clock + mins(6));
        assert_eq!(world.status().consecutive_failures, failures);
        assert!(
            world.is(ScheduleCondition::LastBackupSucceeded, "False", "BackupFailed"),
            "{:?}",
            world.condition(ScheduleCondition::LastBackupSucceeded)
        );
        assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Stalled).is_none());
    }
    assert_eq!(world.created.len(), 3);
    world.run(today("11:50:00"), today("12:00:01"));
    world.end(Phase::Succeeded, today("12:05:00"));
    world.pass(today("12:06:00"));
    let status = world.status();
    assert_eq!((status.consecutive_failures, status.last_success.unwrap().backup_id.as_deref()), (0, Some("set-1")));
    assert_eq!(status.last_failure.unwrap().completed_at.0, today("11:05:01"));
    assert!(world.is(ScheduleCondition::LastBackupSucceeded, "True", "Succeeded"));
}

#[test]
fn fresh_turns_false_by_time_alone_and_at_the_right_moment() {
    let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"90m"}"#);
    world.run(today("08:00:00"), today("09:00:01"));
    assert!(world.is(ScheduleCondition::Fresh, "Unknown", "NoBackupYet"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.run(today("09:10:01"), today("10:40:00"));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    let writes = world.writes;
    world.run(today("10:40:00"), today("10:40:02"));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"), "{:?}", world.condition(ScheduleCondition::Fresh));
    assert_eq!(world.writes, writes + 1);
    world.run(today("10:40:02"), today("23:00:00"));
    assert_eq!(world.writes, writes + 1);
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled"));
}

#[test]
fn a_schedule_without_any_success_is_too_old_in_time_also_while_suspended() {
    let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"26h"},"suspend":true"#);
    world.run(today("08:00:00"), at("2027-01-16T09:59:00Z"));
    assert!(world.is(ScheduleCondition::Fresh, "Unknown", "NoBackupYet"));
    world.run(at("2027-01-16T10:00:00Z"), at("2027-01-16T10:00:02Z"));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"));
}

#[test]
fn without_max_age_it_is_half_as_much_again_as_the_longest_gap_and_the_jitter() {
    for (spec, hours) in [
        (r#""schedule":"0 2 * * *""#, 36),
        // From Friday to Monday.
        (r#""schedule":"0 2 * * 1-5""#, 108),
        (r#""schedule":"0 */6 * * *","jitter":"2h""#, 11),
        // 2028 has a day more.
        (r#""schedule":"0 0 1 1 *""#, 366 * 36),
    ] {
        let world = World::new(spec);
        let valid = ValidatedSpec::new("team-a", "nightly", &world.object.spec, at(CREATED)).unwrap();
        assert_eq!(valid.max_age, SignedDuration::from_hours(hours), "{spec}");
    }
    // The night in which the clocks go back is an hour longer.
    let world = World::new(r#""schedule":"0 2 * * *","timeZone":"Europe/Berlin""#);
    let valid = ValidatedSpec::new("team-a", "nightly", &world.object.spec, at(CREATED)).unwrap();
    assert_eq!(valid.max_age, mins(25 * 90));
}

/// It is not run, and nobody should take it for fresh.
#[test]
fn an_invalid_schedule_still_grows_old() {
    let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"90m"}"#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.edit(r#""timeZone":"Nowhere""#);
    let wait = world.pass(today("09:20:00")).expect("a wait");
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh") && wait <= mins(4));
    assert!(world.is(ScheduleCondition::LastBackupSucceeded, "True", "Succeeded"));
    world.pass(today("10:41:00"));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"));
    world.edit(r#""freshness":null"#);
    assert_eq!(world.pass(today("10:42:00")), None);
    assert!(world.is(ScheduleCondition::Fresh, "Unknown", "InvalidTimeZone"));
}

/// The template names another account now: backups of the old one say nothing about it.
#[test]
fn backups_of_another_account_do_not_count() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.pass(today("08:00:00"));
    let child = world.child("nightly-202701140900", today("07:00:00"));
    world.children.push(Child { phase: Phase::Succeeded, completed_at: Some(today("07:10:00")), same_target: false, ..child });
    world.pass(today("08:01:00"));
    assert_eq!(world.status().last_success, None);
}

/// Every condition names the generation that it was judged for.
#[test]
fn conditions_carry_the_generation() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.edit(r#""successfulHistoryLimit":3"#);
    world.pass(today("09:20:00"));
    let status = world.status();
    assert_eq!((status.observed_generation, status.conditions.len()), (2, 3));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(2)), "{:#?}", status.conditions);
}

/// The template names another account: what the old one's backups said is not said of the new one, and one that still runs holds the
/// instance.
#[test]
fn an_edit_of_the_account_starts_the_health_anew() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.pass(today("09:11:00"));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1","account":"second"}}"#);
    for child in &mut world.children {
        child.same_target = false;
    }
    world.pass(today("09:12:00"));
    let status = world.status();
    assert_eq!((status.last_success, status.account.as_deref()), (None, Some("second")));
    assert!(world.is(ScheduleCondition::Fresh, "Unknown", "NoBackupYet"));
    assert_eq!(world.condition(ScheduleCondition::LastBackupSucceeded), None);

    let running = world.child("nightly-m0000000000", today("09:12:00"));
    world.children.push(Child { same_target: false, ..running });
    world.run(at("2027-01-16T08:59:00Z"), at("2027-01-16T09:00:01Z"));
    assert_eq!((world.created.len(), world.status().skipped_overlap.unwrap().count), (1, 1));
}

/// A set is listed up to ten minutes after it ended: another backup may have failed by then.
#[test]
fn a_success_that_is_seen_after_a_later_failure_still_counts() {
    let mut world = World::new(r#""schedule":"0 9 * * *","trigger":"a""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.edit(r#""trigger":"b""#);
    world.run(today("08:59:00"), today("09:00:01"));
    world.end(Phase::Failed, today("09:00:30"));
    world.run(today("09:04:00"), today("09:05:00"));
    world.edit(r#""trigger":"c""#);
    world.pass(today("09:06:00"));
    world.end(Phase::Failed, today("09:12:00"));
    world.pass(today("09:12:01"));
    assert_eq!(world.status().consecutive_failures, 2);
    let child = world.child("nightly-202701150900", today("09:00:00"));
    world.children.push(Child { phase: Phase::Succeeded, completed_at: Some(today("09:10:00")), ..child });
    world.pass(today("09:20:00"));
    let status = world.status();
    assert_eq!((status.last_success.unwrap().completed_at.0, status.consecutive_failures), (today("09:10:00"), 1));
    assert!(
        world.is(ScheduleCondition::Fresh, "True", "Fresh") && world.is(ScheduleCondition::LastBackupSucceeded, "False", "BackupFailed")
    );
}

/// The clock was years ahead for a while, and a backup failed then.
#[test]
fn a_failure_of_the_future_does_not_silence_the_successes_of_today() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Failed, at("2029-01-15T09:00:00Z"));
    world.pass(today("09:10:00"));
    world.run(today("09:50:00"), today("10:00:01"));
    world.end(Phase::Succeeded, today("10:05:00"));
    world.pass(today("10:06:00"));
    assert!(world.is(ScheduleCondition::LastBackupSucceeded, "True", "Succeeded"));
    let status = world.status();
    assert_eq!((status.consecutive_failures, status.last_success.unwrap().completed_at.0), (0, today("10:05:00")));
    let writes = world.writes;
    world.run(today("10:06:00"), today("10:50:00"));
    assert_eq!(world.writes, writes);
}

/// A schedule of half a year: what is too old is counted from the change, not from the creation.
#[test]
fn after_a_change_of_the_account_fresh_is_unknown_until_a_backup_could_have_been_made() {
    for told in [true, false] {
        let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"26h"}"#);
        world.run(today("08:00:00"), today("09:00:01"));
        world.end(Phase::Succeeded, today("09:10:00"));
        world.pass(today("09:11:00"));
        let edit = r#""template":{"spec":{"dbInstanceId":"rm-1","account":"second"}}"#;
        let edited = at("2027-06-15T10:00:00Z");
        if told {
            world.edit_at(edited, edit)
        } else {
            world.edit(edit)
        }
        for child in &mut world.children {
            child.same_target = false;
        }
        // It is suspended, so that nothing runs meanwhile; the operator was down for an hour at the edit.
        world.edit(r#""suspend":true"#);
        let seen = edited + mins(60);
        world.pass(seen);
        assert!(world.is(ScheduleCondition::Fresh, "Unknown", "NoBackupYet"), "{told}: {:?}", world.condition(ScheduleCondition::Fresh));
        assert_eq!(world.condition(ScheduleCondition::LastBackupSucceeded), None);
        let begun = if told { edited } else { seen };
        assert_eq!(world.status().account_since.unwrap().0, begun, "{told}");
        world.pass(begun + mins(26 * 60));
        assert!(world.is(ScheduleCondition::Fresh, "Unknown", "NoBackupYet"), "{told}");
        world.pass(begun + mins(26 * 60) + SignedDuration::from_secs(1));
        assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"), "{told}");
        let message = world.status().condition(ScheduleCondition::Fresh).unwrap().message.clone();
        assert!(message.contains(&format!("its account was changed at {begun}")), "{message}");
    }
}

/// The service makes 20 backup sets of an instance a day: more slots are a warning, which holds up nothing.
#[test]
fn more_slots_in_a_day_than_the_service_makes_backup_sets_are_a_warning() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.pass(today("08:00:00"));
    assert!(world.is(ScheduleCondition::TooFrequent, "True", "TooManySlots"), "{:?}", world.status().conditions);
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Stalled).is_none());
    assert_eq!(world.writes, 1, "with the first status, in no write of its own");
    let message = world.status().condition(ScheduleCondition::TooFrequent).unwrap().message.clone();
    assert!(message.contains("more than 20 slots in a day"), "{message}");
    let since = world.status().condition(ScheduleCondition::TooFrequent).unwrap().last_transition_time.clone();
    world.pass(today("08:00:00") + mins(3 * 24 * 60));
    let later = world.status().condition(ScheduleCondition::TooFrequent).unwrap().clone();
    assert_eq!((later.message, later.last_transition_time), (message, since), "nothing is news");
    for (edit, warned) in [
        (r#""suspend":true"#, true),
        (r#""suspend":false,"schedule":"0 0-19 * * *""#, false),
        (r#""schedule":"*/10 * * * *""#, true),
        (r#""schedule":"none""#, false),
    ] {
        world.edit(edit);
        world.pass(today("08:00:00") + mins(3 * 24 * 60 + 1));
        assert_eq!(world.condition(ScheduleCondition::TooFrequent).is_some(), warned, "{edit}");
    }
}
