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

fn stalled(reason: &str, message: &str) -> Option<Stalled> {
    Some(Stalled { reason: reason.to_owned(), message: message.to_owned() })
}

/// A backup of a monthly schedule may wait for a person for a month (row A11): no condition about ended backups shows that.
#[test]
fn a_backup_that_needs_a_person_shows_on_its_schedule_until_it_goes_on_or_ends() {
    let mut world = World::new(r#""schedule":"0 9 1 * *","runOnCreate":true"#);
    world.run(today("08:00:00"), today("08:01:00"));
    assert_eq!(world.condition(ScheduleCondition::BackupStalled), None, "it waits, and nobody must act");
    world.children[0].stalled = stalled("AccessDenied", "grant rds:CreateBackup");
    world.pass(today("08:02:00"));
    assert!(world.is(ScheduleCondition::BackupStalled, "True", "AccessDenied"), "{:?}", world.status().conditions);
    let shown = world.status().condition(ScheduleCondition::BackupStalled).unwrap().clone();
    assert_eq!(shown.message, "nightly-202701150800 needs a person: grant rds:CreateBackup");
    assert_eq!(shown.observed_generation, Some(1));
    // The schedule itself is well: a deployment that waits for it goes on.
    assert!(world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.condition(ScheduleCondition::Stalled).is_none());
    let writes = world.writes;
    world.run(today("08:02:01"), today("12:00:00"));
    assert_eq!(world.writes, writes, "said once");
    // Another reason is no other transition; also one that only a newer release knows.
    world.children[0].stalled = stalled("OfANewerRelease", "do this");
    world.pass(today("12:01:00"));
    let later = world.status().condition(ScheduleCondition::BackupStalled).unwrap().clone();
    assert_eq!((later.reason.as_str(), later.last_transition_time), ("OfANewerRelease", shown.last_transition_time));
    world.children[0].stalled = None;
    world.pass(today("12:02:00"));
    assert_eq!(world.condition(ScheduleCondition::BackupStalled), None, "it goes on by itself");
    world.children[0].stalled = stalled("AccessDenied", "grant rds:CreateBackup");
    world.pass(today("12:03:00"));
    assert!(world.is(ScheduleCondition::BackupStalled, "True", "AccessDenied"));
    world.end(Phase::Failed, today("12:04:00"));
    world.pass(today("12:05:00"));
    assert_eq!(world.condition(ScheduleCondition::BackupStalled), None, "now it is a failure");
    assert!(world.is(ScheduleCondition::LastBackupSucceeded, "False", "BackupFailed"));
}

#[test]
fn of_several_backups_that_need_a_person_the_oldest_is_named_and_one_that_is_over_or_of_another_instance_is_none() {
    let mut world = World::new(r#""schedule":"0 9 1 * *""#);
    let child = |world: &World, name: &str| Child { stalled: stalled("NotAllowed", "ask"), ..world.child(name, today("08:00:00")) };
    let [a, b] = ["nightly-202701150801", "nightly-202701150802"].map(|name| child(&world, name));
    let other = Child { same_instance: false, same_target: false, ..child(&world, "nightly-202701150700") };
    let gone = Child { is_being_deleted: true, ..child(&world, "nightly-202701150701") };
    world.children = vec![gone.clone(), other.clone(), b, a];
    world.pass(today("08:30:00"));
    let message = world.status().condition(ScheduleCondition::BackupStalled).unwrap().message.clone();
    assert_eq!(message, "nightly-202701150801, and 1 more of the schedule needs a person: ask");
    world.children = vec![gone, other];
    world.pass(today("08:31:00"));
    assert_eq!(world.condition(ScheduleCondition::BackupStalled), None);
}

#[test]
fn an_invalid_schedule_shows_it_too_and_has_room_for_every_condition() {
    let mut world = World::new(r#""schedule":"0 * * * *","runOnCreate":true"#);
    world.run(today("08:00:00"), today("08:01:00"));
    world.children[0].stalled = stalled("NotAllowed", "ask");
    world.edit(r#""timeZone":"Nowhere""#);
    world.pass(today("08:02:00"));
    assert!(
        world.is(ScheduleCondition::BackupStalled, "True", "NotAllowed") && world.is(ScheduleCondition::Stalled, "True", "InvalidTimeZone")
    );
    assert!(ScheduleCondition::ALL.len() <= 12, "the CRD takes no more");
}

fn fresh_until(world: &World) -> Option<Timestamp> {
    world.status().fresh_until.map(|until| until.0)
}

#[test]
fn fresh_until_moves_with_a_success_and_with_an_edit_and_says_when_fresh_ends() {
    let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"90m"}"#);
    world.run(today("08:00:00"), today("09:00:01"));
    assert_eq!(fresh_until(&world), None, "unknown is absent");
    world.end(Phase::Succeeded, today("09:10:00"));
    world.pass(today("09:11:00"));
    assert_eq!(fresh_until(&world), Some(today("10:40:00")));
    world.pass(today("10:40:00"));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    world.pass(today("10:40:01"));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"));
    assert_eq!(fresh_until(&world), Some(today("10:40:00")), "also when it is over");
    world.edit(r#""freshness":{"maxAge":"3h"}"#);
    world.pass(today("10:41:00"));
    assert_eq!(fresh_until(&world), Some(today("12:10:00")));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    // A failure moves nothing.
    let failed = world.child("nightly-m0000000000", today("10:42:00"));
    world.children.push(Child {
        phase: Phase::Failed,
        completed_at: Some(today("10:50:00")),
        reason: Some("BackupFailed".into()),
        ..failed
    });
    world.pass(today("10:51:00"));
    assert_eq!(fresh_until(&world), Some(today("12:10:00")));
    let second = world.child("nightly-m0000000001", today("11:00:00"));
    world.children.push(Child { phase: Phase::Succeeded, completed_at: Some(today("11:10:00")), ..second });
    world.pass(today("11:11:00"));
    assert_eq!(fresh_until(&world), Some(today("14:10:00")));
    // The success is another account's now.
    world.edit(r#""template":{"spec":{"dbInstanceId":"rm-1","account":"second"}}"#);
    world.children.iter_mut().for_each(|child| child.same_target = false);
    world.pass(today("11:12:00"));
    assert_eq!(fresh_until(&world), None);
}

/// It is derived from the longest gap of the coming year: 366 days from the first of January of 2028, which 2029 no longer sees.
#[test]
fn fresh_until_does_not_move_by_time_alone() {
    let mut world = World::new(r#""schedule":"0 0 1 1 *","runOnCreate":true"#);
    world.run(today("08:00:00"), today("08:00:01"));
    world.end(Phase::Succeeded, today("08:10:00"));
    world.pass(today("08:11:00"));
    let max_age = |now: Timestamp| ValidatedSpec::new("team-a", "nightly", &world.object.spec, now).unwrap().max_age;
    let (until, later) = (today("08:10:00") + max_age(today("08:11:00")), at("2029-01-15T08:00:00Z"));
    assert_ne!(max_age(later), max_age(today("08:11:00")));
    assert_eq!(fresh_until(&world), Some(until));
    // Nothing may run meanwhile; the process is another one, which has validated the spec later.
    world.object.spec.suspend = true;
    world.restart();
    world.pass(until);
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    world.pass(until + SignedDuration::from_secs(1));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"), "the condition and the time never disagree");
    world.restart();
    world.pass(later);
    assert_eq!(fresh_until(&world), Some(until));
    // With an edit it is computed anew.
    world.edit(r#""freshness":{"maxAge":"1h"}"#);
    world.pass(later + mins(1));
    assert_eq!(fresh_until(&world), Some(today("09:10:00")));
}

#[test]
fn an_invalid_schedule_has_the_fresh_until_that_its_max_age_gives() {
    let mut world = World::new(r#""schedule":"0 9 * * *","freshness":{"maxAge":"90m"}"#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.edit(r#""timeZone":"Nowhere""#);
    world.pass(today("09:20:00"));
    assert_eq!(fresh_until(&world), Some(today("10:40:00")));
    world.edit(r#""freshness":null"#);
    world.pass(today("09:21:00"));
    assert_eq!(fresh_until(&world), None);
    world.edit(r#""timeZone":"Etc/UTC""#);
    world.pass(today("09:22:00"));
    assert_eq!(fresh_until(&world), Some(today("09:10:00") + mins(36 * 60)));
}

/// An operator of an earlier release wrote no `freshUntil`.
#[test]
fn after_an_upgrade_it_is_there_at_the_first_pass() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("09:00:01"));
    world.end(Phase::Succeeded, today("09:10:00"));
    world.pass(today("09:11:00"));
    world.object.status.as_mut().unwrap().fresh_until = None;
    world.restart();
    world.pass(today("09:12:00"));
    assert_eq!(fresh_until(&world), Some(today("09:10:00") + mins(36 * 60)));
}
