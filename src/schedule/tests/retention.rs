//! `retention`: which backups go, against a reference that looks at each backup by itself.

use proptest::{collection::vec, prelude::*};

use super::*;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A schedule that never runs in the time of a test, with these rules.
fn with_rules(rules: &str) -> World {
    World::new(&format!(r#""schedule":"0 0 1 1 *","retention":{rules}"#))
}

/// A name that the schedule gives.
fn name(number: usize) -> String {
    format!("nightly-ma{number:09}")
}

/// A success that ended at that time, and whose set was seen then.
fn success(world: &World, number: usize, ended: Timestamp) -> Child {
    let child = world.child(&name(number), ended - mins(1));
    Child { phase: Phase::Succeeded, completed_at: Some(ended), set: Set::Seen { at: ended }, ..child }
}

/// One success a day, the newest an hour ago; an audit has just seen all of them.
fn days(rules: &str, count: usize) -> World {
    let mut world = with_rules(rules);
    for number in 0..count {
        let ended = today("07:00:00") - hours(24 * (count - number - 1) as i64);
        let child = Child { set: Set::Seen { at: today("07:59:00") }, ..success(&world, number, ended) };
        world.children.push(child);
    }
    world
}

fn deleted(world: &World) -> Vec<usize> {
    world.deleted.iter().map(|name| name.trim_start_matches("nightly-ma").parse().unwrap()).collect()
}

fn retention(world: &World) -> (Option<i32>, String, String) {
    let status = world.status();
    let said = status.condition(ScheduleCondition::Retention).expect("the condition");
    (status.retained, format!("{} {}", said.status, said.reason), said.message.clone())
}

#[test]
fn the_newest_are_kept_by_number_by_age_and_never_fewer_than_the_floor() {
    for (rules, gone) in [
        (r#"{"keepLast":3}"#, vec![0, 1, 2, 3]),
        (r#"{"maxAge":"50h"}"#, vec![0, 1, 2, 3]),
        (r#"{"keepLast":5,"maxAge":"26h"}"#, vec![0, 1, 2, 3, 4]),
        (r#"{"maxAge":"1h","keepAtLeast":4}"#, vec![0, 1, 2]),
        (r#"{"maxAge":"1s"}"#, vec![0, 1, 2, 3, 4, 5]),
        (r#"{"keepLast":1000}"#, vec![]),
    ] {
        let mut world = days(rules, 7);
        world.pass(today("08:00:00"));
        assert_eq!(deleted(&world), gone, "{rules}");
        world.pass(today("08:00:01"));
        let kept = i32::try_from(7 - gone.len()).unwrap();
        let (retained, said, message) = retention(&world);
        assert_eq!((retained, said.as_str()), (Some(kept), "True ObjectsOnly"), "{rules}");
        assert!(
            message.starts_with(&format!("{kept} usable backups are kept")) && message.contains("nothing is freed in the cloud"),
            "{message}"
        );
        let writes = world.writes;
        world.pass(today("08:00:02"));
        assert_eq!((world.writes, deleted(&world)), (writes, gone), "at rest");
    }
}

#[test]
fn what_is_held_failed_lost_or_of_another_owner_counts_for_nothing() {
    let mut world = days(r#"{"keepLast":2}"#, 9);
    // A person gave it the schedule's label.
    world.children[8].has_schedule_uid = false;
    world.children[7].set = Set::Gone;
    world.children[6].set = Set::Unusable;
    world.children[5].held = true;
    world.children[4].phase = Phase::Failed;
    world.children[3].same_target = false;
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), [0], "two are left that can be restored");
}

#[test]
fn children_of_a_schedule_that_was_deleted_and_made_again_count() {
    let mut world = days(r#"{"keepLast":2}"#, 4);
    world.children.iter_mut().for_each(|child| child.of_this_schedule = false);
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), [0, 1]);
}

#[test]
fn a_set_that_nobody_has_seen_for_two_days_is_neither_counted_nor_removed_and_that_is_said() {
    let mut world = days(r#"{"keepLast":1}"#, 3);
    // The end of its backup was seen, three days ago; and an audit of two days ago.
    (world.children[2].set, world.children[2].completed_at) = (Set::Unseen, Some(today("07:00:00") - hours(72)));
    world.children[1].set = Set::Seen { at: today("07:00:00") - hours(48) };
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), [0usize; 0], "the one that was seen is the last one");
    assert_eq!(retention(&world).1, "True ObjectsOnly", "this process has just begun");
    world.audits_are_due = true;
    world.pass(today("08:00:01"));
    let (retained, said, message) = retention(&world);
    assert_eq!((retained, said.as_str()), (Some(1), "False RetentionBlocked"));
    assert!(message.contains("2 successful backups"), "{message}");
    assert_eq!(world.reasons(), ["RetentionBlocked"]);
}

#[test]
fn where_sets_go_too_an_audit_of_this_moment_is_asked_for_first() {
    let mut world = days(r#"{"keepLast":2}"#, 4);
    for child in &mut world.children {
        (child.deletes_set, child.set) = (true, Set::Seen { at: today("07:00:00") });
    }
    let wait = world.pass(today("08:00:00")).unwrap();
    assert_eq!((deleted(&world), world.hurried, wait), (vec![], 1, SignedDuration::from_secs(30)));
    world.children.iter_mut().for_each(|child| child.set = Set::Seen { at: today("08:00:20") });
    world.pass(today("08:00:30"));
    assert_eq!((deleted(&world), world.hurried), (vec![0, 1], 1));
}

#[test]
fn one_that_may_not_be_deleted_delays_no_other_and_that_is_said() {
    let mut world = days(r#"{"keepLast":2}"#, 5);
    world.undeletable.insert(name(1));
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), [0, 2]);
    let (_, said, message) = retention(&world);
    assert_eq!(said, "False RetentionBlocked");
    assert!(message.contains("nightly-ma000000001 may not be deleted"), "{message}");
}

#[test]
fn records_of_sets_that_are_gone_go_by_the_history_limit() {
    let mut world = days(r#"{"keepLast":9},"successfulHistoryLimit":2"#, 6);
    for lost in [0, 1, 2, 3] {
        world.children[lost].set = Set::Gone;
    }
    world.children[3].held = true;
    world.pass(today("08:00:00"));
    assert_eq!(deleted(&world), [0]);
}

#[test]
fn without_rules_nothing_is_said() {
    let mut world = World::new(r#""schedule":"0 0 1 1 *""#);
    world.pass(today("08:00:00"));
    assert_eq!((world.status().retained, world.condition(ScheduleCondition::Retention)), (None, None));
}

/// Found by this test first: with the newest set gone, `lastSuccess` went on naming it, and `Fresh` stayed True.
#[test]
fn a_success_whose_set_is_lost_keeps_no_schedule_fresh() {
    let mut world = World::new(r#""schedule":"0 0 1 1 *","freshness":{"maxAge":"30h"}"#);
    for (number, ended) in [(0, today("07:00:00") - hours(48)), (1, today("07:00:00"))] {
        let child = success(&world, number, ended);
        world.children.push(child);
    }
    world.pass(today("08:00:00"));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"));
    world.children[1].set = Set::Gone;
    world.pass(today("08:00:10"));
    assert_eq!(world.status().last_success.map(|success| success.name), Some(name(0)));
    assert!(world.is(ScheduleCondition::Fresh, "False", "TooOld"));
    world.children[1].set = Set::Seen { at: today("08:00:20") };
    world.pass(today("08:00:20"));
    assert!(world.is(ScheduleCondition::Fresh, "True", "Fresh"), "it is back");
}

/// What happens to the backups of a schedule.
#[derive(Clone, Debug)]
enum Happening {
    /// A backup ends, so long after the one before.
    Ends {
        after_hours: i64,
        phase: Phase,
        deletes_set: bool,
    },
    /// Somebody holds one, or lets go of it.
    Hold(usize),
    /// A set is lost, in one of two ways; or is back.
    Vanish(usize),
    Spoil(usize),
    /// An audit looks at all sets but those that are lost.
    Audit,
    /// The process ends: nobody has looked at anything.
    Restart,
    /// The clock is set, by so many minutes.
    Step(i64),
    /// A policy forbids to delete one, or allows it again.
    Forbid(usize),
    /// The schedule is deleted and made again.
    Recreate,
}

fn happening() -> impl Strategy<Value = Happening> {
    let phase = prop::sample::select(vec![Phase::Succeeded, Phase::Succeeded, Phase::Succeeded, Phase::Failed]);
    prop_oneof![
        6 => (1..40i64, phase, any::<bool>()).prop_map(|(after_hours, phase, deletes_set)| Happening::Ends { after_hours, phase, deletes_set }),
        1 => any::<usize>().prop_map(Happening::Hold),
        1 => any::<usize>().prop_map(Happening::Vanish),
        1 => any::<usize>().prop_map(Happening::Spoil),
        4 => Just(Happening::Audit),
        1 => Just(Happening::Restart),
        1 => (-2000..2000i64).prop_map(Happening::Step),
        1 => any::<usize>().prop_map(Happening::Forbid),
        1 => Just(Happening::Recreate),
    ]
}

/// When the set was seen last: by an audit, or at the end of its backup.
fn seen_at(child: &Child) -> Option<Timestamp> {
    match child.set {
        Set::Seen { at } => Some(at),
        Set::Unseen => child.completed_at,
        Set::Unusable | Set::Gone => None,
    }
}

/// Which backups should go: each judged by itself, by how many usable ones are newer.
fn reference(world: &World, rules: (Option<usize>, Option<i64>, usize), history: usize, now: Timestamp) -> BTreeSet<String> {
    let (keep_last, max_age, floor) = rules;
    let ended = |child: &Child| (child.completed_at.expect("it has ended"), child.name.clone());
    let counts = |child: &&Child| child.phase == Phase::Succeeded && !child.held && !child.is_being_deleted;
    let within = |child: &Child, age: SignedDuration| seen_at(child).is_some_and(|at| now.duration_since(at) <= age);
    let usable = |child: &&Child| counts(child) && within(child, hours(48));
    let newer = |child: &Child| world.children.iter().filter(usable).filter(|other| ended(other) > ended(child)).count();
    let floor_is_live = world.children.iter().filter(usable).filter(|child| newer(child) < floor).all(|child| within(child, mins(10)));
    let goes = |child: &&Child| {
        let number = newer(child);
        let old = max_age.is_some_and(|hours_old| now.duration_since(ended(child).0) > hours(hours_old));
        number >= floor && (keep_last.is_some_and(|most| number >= most) || old) && (!child.deletes_set || floor_is_live)
    };
    let gone = |child: &&Child| counts(child) && child.set == Set::Gone;
    let newer_gone = |child: &Child| world.children.iter().filter(gone).filter(|other| ended(other) > ended(child)).count();
    let usable_ones = world.children.iter().filter(usable).filter(goes);
    let records = world.children.iter().filter(gone).filter(|child| newer_gone(child) >= history);
    usable_ones.chain(records).map(|child| child.name.clone()).collect()
}

#[test]
fn over_any_history_what_goes_is_what_the_reference_says_and_the_newest_usable_success_never_does() {
    use std::cell::Cell;
    let (removals, histories) = (Cell::new(0usize), Cell::new(0usize));
    let rules = (prop::option::of(1..6usize), prop::option::of(1..200i64), 1..4usize);
    // 85 histories; a third of `PROPTEST_CASES`, where that is set.
    let cases = ProptestConfig::default().cases / 3;
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let checked = runner.run(&(rules, 0..4usize, vec(happening(), 1..60)), |((keep_last, max_age, floor), history, happenings)| {
        // What the CRD refuses.
        let (keep_last, max_age) = if keep_last.is_none() && max_age.is_none() { (Some(floor), None) } else { (keep_last, max_age) };
        let keep_last = keep_last.map(|most| most.max(floor));
        let mut lines = vec![format!(r#""keepAtLeast":{floor}"#)];
        lines.extend(keep_last.map(|most| format!(r#""keepLast":{most}"#)));
        lines.extend(max_age.map(|age| format!(r#""maxAge":"{age}h""#)));
        let rules = format!("{{{}}}", lines.join(","));
        let mut world = World::new(&format!(
            r#""schedule":"0 0 1 1 *","retention":{rules},"successfulHistoryLimit":{history},"failedHistoryLimit":1000"#
        ));
        let (mut now, mut number) = (today("08:00:00"), 0usize);
        for happening in happenings {
            let count = world.children.len().max(1);
            match happening {
                Happening::Ends { after_hours, phase, deletes_set } => {
                    now += hours(after_hours);
                    let child = Child { phase, deletes_set, set: Set::Unseen, ..success(&world, number, now) };
                    number += 1;
                    world.children.push(child);
                }
                Happening::Hold(which) => world.children.iter_mut().skip(which % count).take(1).for_each(|child| child.held = !child.held),
                Happening::Vanish(which) => {
                    world.children.iter_mut().skip(which % count).take(1).for_each(|child| {
                        child.set = if child.set == Set::Gone { Set::Unseen } else { Set::Gone };
                    });
                }
                Happening::Spoil(which) => {
                    world.children.iter_mut().skip(which % count).take(1).for_each(|child| child.set = Set::Unusable)
                }
                Happening::Audit => {
                    world.children.iter_mut().filter(|child| !child.set.is_lost()).for_each(|child| child.set = Set::Seen { at: now });
                }
                Happening::Restart => {
                    world.restart();
                    world.children.iter_mut().filter(|child| !child.set.is_lost()).for_each(|child| child.set = Set::Unseen);
                }
                Happening::Step(minutes) => now += mins(minutes),
                Happening::Forbid(which) => {
                    if let Some(child) = world.children.get(which % count)
                        && !world.undeletable.remove(&child.name.clone())
                    {
                        world.undeletable.insert(child.name.clone());
                    }
                }
                Happening::Recreate => world.children.iter_mut().for_each(|child| child.of_this_schedule = false),
            }
            let expected = reference(&world, (keep_last, max_age, floor), history, now);
            let usable = |child: &&Child| {
                child.phase == Phase::Succeeded && !child.held && seen_at(child).is_some_and(|at| now.duration_since(at) <= hours(48))
            };
            let newest = world
                .children
                .iter()
                .filter(usable)
                .max_by_key(|child| (child.completed_at, child.name.clone()))
                .map(|child| child.name.clone());
            let before = world.deleted.len();
            // A pass deletes ten at most; what may not be deleted is tried again ten minutes later.
            for _ in 0..12 {
                world.pass(now);
            }
            let gone: BTreeSet<String> = world.deleted[before..].iter().cloned().collect();
            // A refusal of a moment ago is not tried again yet.
            let refused: BTreeSet<String> = world.state.memory.refused_deletions.keys().cloned().collect();
            let left: BTreeSet<String> = expected.difference(&gone).cloned().collect();
            prop_assert!(gone.is_subset(&expected), "{gone:?} went, and {expected:?} was to");
            prop_assert!(left.iter().all(|name| world.undeletable.contains(name) || refused.contains(name)), "{left:?} stayed");
            if let Some(newest) = newest {
                prop_assert!(!gone.contains(&newest), "the newest went");
            }
            removals.set(removals.get() + gone.len());
        }
        histories.set(histories.get() + 1);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    println!("retention: {} histories, {} removals, each as the reference has it", histories.get(), removals.get());
    assert!(removals.get() > 50, "{} removals", removals.get());
}
