//! `runOnCreate` and `trigger`.

use super::*;

#[test]
fn run_on_create_makes_one_backup_beside_the_slots() {
    let mut world = World::new(r#""schedule":"0 * * * *","runOnCreate":true"#);
    world.run_well(today("08:00:00.2"), today("09:30:00"));
    assert_eq!(world.names(), ["nightly-202701150800", "nightly-202701150900"]);
    assert_eq!(world.status().missed_runs, None);
}

/// Killed between its creation and the status.
#[test]
fn run_on_create_runs_once_across_a_crash() {
    let mut world = World::new(r#""schedule":"0 * * * *","runOnCreate":true"#);
    world.pass(today("08:00:00.2"));
    world.object.status = None;
    world.restart();
    world.pass(today("08:00:09"));
    assert_eq!(world.names(), ["nightly-202701150800"]);
    world.object.status = None;
    world.unseen = std::mem::take(&mut world.children);
    world.state = ObjectState::default();
    world.pass(today("08:00:19"));
    assert_eq!((world.names().len(), world.creations), (1, 2));
}

#[test]
fn run_on_create_set_later_does_nothing() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:05:00"));
    world.edit(r#""runOnCreate":true"#);
    world.run(today("08:05:00"), today("08:30:00"));
    assert!(world.created.is_empty());
}

/// A schedule that could not be used at first runs on creation when it is corrected.
#[test]
fn run_on_create_waits_for_a_valid_schedule() {
    let mut world = World::new(r#""schedule":"0 0 30 2 *","runOnCreate":true,"trigger":"old""#);
    assert_eq!(world.pass(today("08:00:00")), None);
    assert!(world.created.is_empty());
    world.edit(r#""schedule":"0 * * * *""#);
    world.run(today("10:30:00"), today("10:40:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150800"], None));
}

#[test]
fn a_trigger_that_stands_at_first_sight_is_recorded_and_not_run() {
    let mut world = World::new(r#""schedule":"0 2 * * *","trigger":"before-release-41""#);
    world.run(today("08:00:00"), today("08:30:00"));
    assert!(world.created.is_empty());
    assert_eq!(world.status().last_handled_trigger.as_deref(), Some("before-release-41"));
    assert_eq!(world.reasons(), ["TriggerRecorded"]);
    assert!(world.events[0].1.contains("before-release-41") && world.events[0].1.contains("write another text"), "{:?}", world.events);
}

#[test]
fn a_changed_trigger_makes_one_backup_also_while_suspended_and_across_a_crash() {
    for suspend in [true, false] {
        let mut world = World::new(&format!(r#""schedule":"0 2 * * *","trigger":"a","suspend":{suspend}"#));
        world.run(today("08:00:00"), today("08:30:00"));
        world.edit(r#""trigger":"b""#);
        let before = world.object.status.clone();
        world.pass(today("08:31:00"));
        world.pass(today("08:31:01"));
        // The first ten digits of SHA-256("b").
        assert_eq!(world.names(), ["nightly-m3e23e81600"], "suspend: {suspend}");
        assert!(!world.created[0].metadata.annotations.iter().flatten().any(|(key, _)| key == "rdsbackup.io/slot"));
        for cached in [true, false] {
            world.object.status = before.clone();
            world.restart();
            if !cached {
                world.unseen = std::mem::take(&mut world.children);
            }
            world.pass(today("08:31:20"));
        }
        assert_eq!((world.created.len(), world.reasons()), (1, vec!["TriggerRecorded"]), "suspend: {suspend}");
        let status = world.status();
        assert_eq!((status.last_handled_trigger.as_deref(), status.last_backup.unwrap().slot), (Some("b"), None));
    }
}

#[test]
fn a_trigger_that_was_used_before_says_so_and_makes_no_backup() {
    let mut world = World::new(r#""schedule":"0 2 * * *""#);
    world.run(today("08:00:00"), today("08:01:00"));
    for (token, clock) in [("a", "08:02:00"), ("b", "08:20:00"), ("a", "08:40:00")] {
        world.edit(&format!(r#""trigger":"{token}""#));
        world.run_well(today(clock), today(clock) + mins(5));
    }
    assert_eq!((world.created.len(), world.reasons()), (2, vec!["TriggerUsed"]));
    assert!(world.events[0].1.contains("\"a\"") && world.events[0].1.contains("Write another text"), "{:?}", world.events[0]);
}

#[test]
fn a_trigger_that_is_taken_away_does_nothing() {
    let mut world = World::new(r#""schedule":"0 2 * * *","trigger":"a""#);
    world.run(today("08:00:00"), today("08:01:00"));
    world.edit(r#""trigger":null"#);
    world.run(today("08:02:00"), today("08:05:00"));
    world.edit(r#""trigger":"a""#);
    world.run(today("08:06:00"), today("08:10:00"));
    assert!(world.created.is_empty());
    assert_eq!(world.reasons(), ["TriggerRecorded", "TriggerUsed"], "the user hears that it does nothing when it is back");
}

/// `kubectl apply` and `kubectl patch` before the operator sees the schedule, or while it is down.
#[test]
fn a_trigger_of_a_schedule_that_was_edited_before_its_first_sight_runs_once() {
    for valid_at_first in [true, false] {
        let mut world = World::new(r#""schedule":"0 2 * * *""#);
        world.edit(r#""trigger":"b""#);
        if !valid_at_first {
            world.edit(r#""timeZone":"Nowhere""#);
            world.pass(today("08:29:00"));
            world.edit(r#""timeZone":"Etc/UTC""#);
        }
        world.run_well(today("08:30:00"), today("08:40:00"));
        assert_eq!((world.names(), world.reasons().len()), (vec!["nightly-m3e23e81600"], 0), "{valid_at_first}");
    }
}

/// A GitOps tool sets the trigger back to the one with which the schedule was created; a revert does the same with one that was run, and
/// the history limit may have removed its backup.
#[test]
fn a_trigger_that_was_ever_seen_is_never_run_again() {
    let mut world = World::new(r#""schedule":"0 2 * * *","trigger":"release-1""#);
    world.run(today("08:00:00"), today("08:01:00"));
    world.edit(r#""trigger":"by-hand""#);
    world.run_well(today("08:02:00"), today("08:05:00"));
    world.children.clear();
    world.restart();
    for token in ["release-1", "by-hand", "release-1"] {
        world.edit(&format!(r#""trigger":"{token}""#));
        world.run_well(today("08:20:00"), today("08:21:00"));
    }
    assert_eq!(world.created.len(), 1, "{:?}", world.names());
    assert_eq!(world.reasons(), ["TriggerRecorded", "TriggerUsed", "TriggerUsed", "TriggerUsed"]);
    // Twenty newer ones push it out, and no more than twenty are kept.
    for number in 0..20 {
        assert!(world.status().handled_triggers.len() <= 20);
        world.edit(&format!(r#""trigger":"new-{number}""#));
        world.run_well(today("08:30:00"), today("08:31:00"));
    }
    assert_eq!((world.created.len(), world.status().handled_triggers.len()), (21, 20));
}

/// What an earlier release wrote has no list.
#[test]
fn a_trigger_that_an_earlier_release_handled_is_remembered() {
    let mut world = World::new(r#""schedule":"0 2 * * *","trigger":"a""#);
    world.run(today("08:00:00"), today("08:01:00"));
    let status = world.object.status.as_mut().unwrap();
    status.handled_triggers.clear();
    for token in ["b", "a"] {
        world.edit(&format!(r#""trigger":"{token}""#));
        world.run_well(today("08:20:00"), today("08:22:00"));
    }
    assert_eq!((world.created.len(), world.reasons()), (1, vec!["TriggerRecorded", "TriggerUsed"]));
}

/// Asked for by hand: it does not wait for a backup that runs, the queue of the instance puts it behind.
#[test]
fn a_trigger_makes_a_backup_while_another_runs_and_slots_wait_for_both() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("09:00:10"));
    world.edit(r#""trigger":"now""#);
    world.run(today("09:01:00"), today("10:00:10"));
    assert_eq!((world.created.len(), world.status().active.len(), world.status().skipped_overlap.unwrap().count), (2, 2, 1));
}
