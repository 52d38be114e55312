//! Which finished objects go.

use super::*;

/// A schedule at rest with finished children: `s` for one that succeeded, `f` for one that failed, oldest first, a minute apart.
fn with_ended(limits: &str, ended: &str) -> World {
    let mut world = World::new(&format!(r#""schedule":"0 2 * * *",{limits}"#));
    for (number, letter) in ended.chars().enumerate() {
        let created = today("01:00:00") + mins(number as i64);
        let phase = if letter == 's' { Phase::Succeeded } else { Phase::Failed };
        let child = Child { phase, completed_at: Some(created + mins(1)), ..world.child(&long(letter, number), created) };
        world.children.push(child);
    }
    world
}

/// A name that the schedule gives, for `s0` or `f12`.
fn long(letter: char, number: usize) -> String {
    format!("nightly-m{}{number:09}", if letter == 's' { 'a' } else { 'f' })
}

/// The other way round.
fn short(name: &str) -> String {
    let (letter, number) = name.trim_start_matches("nightly-m").split_at(1);
    format!("{}{}", if letter == "a" { 's' } else { 'f' }, number.parse::<usize>().unwrap())
}

fn deleted(world: &World) -> Vec<String> {
    world.deleted.iter().map(|name| short(name)).collect()
}

#[test]
fn the_oldest_go_beyond_each_limit() {
    let mut world = with_ended(r#""successfulHistoryLimit":2,"failedHistoryLimit":1"#, "sfsfsfs");
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["s0", "s2", "f1", "f3"]);
    world.pass(today("08:00:01"));
    assert_eq!(world.deleted.len(), 4);
}

#[test]
fn ten_successes_and_five_failures_are_kept_by_default() {
    let mut world = with_ended(r#""suspend":false"#, "ssssssssssssffffffff");
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["s0", "s1", "f12", "f13", "f14"]);
}

#[test]
fn the_newest_success_stays_whatever_the_limit() {
    let mut world = with_ended(r#""successfulHistoryLimit":0,"failedHistoryLimit":0"#, "ssfsf");
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["s0", "s1", "f2", "f4"]);
    assert_eq!(world.children.iter().map(|child| short(&child.name)).collect::<Vec<_>>(), ["s3"]);
}

#[test]
fn what_is_held_stays() {
    let mut world = with_ended(r#""successfulHistoryLimit":1,"failedHistoryLimit":0"#, "sssf");
    for held in [0, 3] {
        world.children[held].held = true;
    }
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["s1"]);
}

#[test]
fn what_waits_or_runs_stays() {
    let mut world = with_ended(r#""successfulHistoryLimit":0,"failedHistoryLimit":0"#, "sf");
    for phase in [Phase::Pending, Phase::Queued, Phase::Submitting, Phase::Resolving, Phase::Running, Phase::Finalizing] {
        let child = Child { phase, ..world.child(phase.as_str(), today("00:30:00")) };
        world.children.push(child);
    }
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["f1"]);
}

/// Deletions go on in the next pass, which each deletion's own event brings about.
#[test]
fn many_go_in_steps() {
    let mut world = with_ended(r#""successfulHistoryLimit":1"#, &"s".repeat(35));
    let steps: Vec<usize> = (0..5)
        .map(|second| {
            world.pass(today("08:00:00") + SignedDuration::from_secs(second));
            world.deleted.len()
        })
        .collect();
    assert_eq!(steps, [10, 20, 30, 34, 34]);
}

#[test]
fn objects_of_another_account_are_not_ours_to_delete() {
    let mut world = with_ended(r#""successfulHistoryLimit":1"#, "sss");
    world.children[0].same_target = false;
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["s1"]);
}

/// Deleting them does not change what the status says of the newest ones.
#[test]
fn the_status_keeps_what_the_deleted_objects_said() {
    let mut world = with_ended(r#""successfulHistoryLimit":1,"failedHistoryLimit":0"#, "sfff");
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), ["f1", "f2", "f3"]);
    world.restart();
    world.pass(today("08:00:10"));
    let status = world.status();
    assert_eq!((status.consecutive_failures, short(&status.last_failure.unwrap().name)), (3, "f3".to_owned()));
}

/// Copies that were restored without their statuses, and ended unsent: nothing of the schedule failed.
#[test]
fn expired_copies_count_neither_as_failures_nor_for_the_history() {
    let mut world = World::new(r#""schedule":"0 12 * * *","failedHistoryLimit":1"#);
    world.run(today("08:00:00"), today("08:01:00"));
    for day in 1..5 {
        let child = world.child(&format!("nightly-2027010{day}1200"), today("08:02:00"));
        let reason = Some("Expired".to_owned());
        world.children.push(Child { phase: Phase::Failed, reason, completed_at: Some(today("08:02:01")), ..child });
    }
    let child = world.child("nightly-202701101200", today("08:00:00"));
    world.children.push(Child { phase: Phase::Failed, completed_at: Some(today("08:00:30")), ..child });
    world.run(today("08:02:02"), today("08:20:00"));
    assert_eq!(world.deleted, [""; 0]);
    assert_eq!((world.status().consecutive_failures, world.status().last_failure.unwrap().name.as_str()), (1, "nightly-202701101200"));
}

/// Before a copy has ended, it holds up no slot.
#[test]
fn a_restored_copy_holds_up_no_slot() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("08:59:00"));
    let child = world.child("nightly-202701101200", today("08:59:30"));
    world.children.push(Child { came_too_late: true, ..child });
    world.run(today("08:59:31"), today("09:00:01"));
    assert_eq!((world.names(), world.status().skipped_overlap), (vec!["nightly-202701150900"], None));
}

/// A person labels backups of their own with the schedule's name, or copies a backup of the schedule under another name.
#[test]
fn only_what_a_schedule_made_is_deleted() {
    let mut world = World::new(r#""schedule":"0 12 * * *","failedHistoryLimit":0"#);
    world.run(today("08:00:00"), today("08:01:00"));
    for (name, has_schedule_uid) in [
        ("nightly-202701101200", false),
        ("before-release-42", true),
        ("nightly-before-release-42", true),
        ("nightly-2027011012000", true),
        ("nightly-m123", true),
        ("nightly-202701111200", true),
        ("nightly-202701121200-e0628aed94", true),
        ("nightly-m3e23e81600", true),
    ] {
        let child = world.child(name, today("08:00:00"));
        world.children.push(Child { has_schedule_uid, phase: Phase::Failed, completed_at: Some(today("08:00:30")), ..child });
    }
    world.run(today("08:02:02"), today("08:20:00"));
    world.deleted.sort();
    assert_eq!(world.deleted, ["nightly-202701111200", "nightly-202701121200-e0628aed94", "nightly-m3e23e81600"]);
}
