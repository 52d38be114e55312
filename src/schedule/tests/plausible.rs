//! Sets that are far smaller than those before them.

use super::*;

fn with_sizes(sizes: &[i64]) -> World {
    let mut world = World::new(r#""schedule":"0 0 1 1 *""#);
    for (number, size) in sizes.iter().enumerate() {
        let ended = today("07:00:00") + mins(number as i64);
        let child = world.child(&format!("nightly-ma{number:09}"), ended - mins(1));
        let child =
            Child { phase: Phase::Succeeded, completed_at: Some(ended), size_bytes: Some(*size), kind: Some("FullBackup".into()), ..child };
        world.children.push(child);
    }
    world
}

#[test]
fn a_set_of_less_than_half_of_the_usual_size_is_a_warning_once_and_no_failure() {
    let mut world = with_sizes(&[100, 110, 90, 105, 100, 40]);
    world.pass(today("08:00:00"));
    assert!(world.is(ScheduleCondition::Plausible, "False", "FarSmaller"));
    assert!(
        world.is(ScheduleCondition::Ready, "True", "Scheduled") && world.is(ScheduleCondition::LastBackupSucceeded, "True", "Succeeded")
    );
    world.pass(today("08:00:01"));
    assert_eq!((world.reasons(), world.writes), (vec!["FarSmaller"], 1));
    // A usual one again.
    let child = Child {
        name: "nightly-ma000000009".into(),
        completed_at: Some(today("08:00:02")),
        size_bytes: Some(101),
        ..world.children[0].clone()
    };
    world.children.push(child);
    world.pass(today("08:00:03"));
    assert_eq!(world.condition(ScheduleCondition::Plausible), None);
}

#[test]
fn what_is_as_usual_of_another_kind_or_the_first_of_its_kind_is_not_compared() {
    for sizes in [&[100, 100, 50][..], &[100, 40], &[40], &[0, 0, 40], &[10, 100, 100]] {
        let mut world = with_sizes(sizes);
        world.pass(today("08:00:00"));
        assert_eq!(world.condition(ScheduleCondition::Plausible), None, "{sizes:?}");
    }
    let mut incremental = with_sizes(&[100, 100, 100, 3]);
    incremental.children[3].kind = Some("IncrementalBackup".into());
    let mut lost = with_sizes(&[100, 100, 3]);
    lost.children[0].set = Set::Gone;
    for mut world in [incremental, lost] {
        world.pass(today("08:00:00"));
        assert_eq!(world.condition(ScheduleCondition::Plausible), None);
    }
}
