//! Edits and pauses: from when on they count, and what had been promised before them.

use super::*;

/// A schedule at 09:00 whose backups start 12 minutes later (`nightly` in `team-a`, by the hash of the name).
const JITTER: &str = r#""schedule":"0 9 * * *","jitter":"30m""#;

fn jitter_of(spec: &str) -> SignedDuration {
    ValidatedSpec::new("team-a", "nightly", &World::new(spec).object.spec, at(CREATED)).unwrap().jitter
}

#[test]
fn slots_after_an_edit_that_was_made_during_downtime_are_run_and_counted() {
    let mut world = World::new(r#""schedule":"0 12 * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit_at(today("10:30:00"), r#""schedule":"0 * * * *""#);
    world.run_well(today("13:30:00"), today("13:40:00"));
    // 11:00 and 12:00 are missed, 13:00 is made up for; 10:00 lay before the edit.
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151300"], Some((2, today("12:00:00")))));
}

#[test]
fn slots_after_a_resumption_that_was_made_during_downtime_are_run_and_counted() {
    let mut world = World::new(r#""schedule":"0 * * * *","suspend":true"#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit_at(today("10:30:00"), r#""suspend":false"#);
    world.run_well(today("13:30:00"), today("13:40:00"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151300"], Some((2, today("12:00:00")))));
}

#[test]
fn slots_that_were_due_before_a_pause_are_counted_and_not_run() {
    let mut world = World::new(r#""schedule":"0 * * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit_at(today("10:30:00"), r#""suspend":true"#);
    world.run(today("13:30:00"), today("13:40:00"));
    assert_eq!((world.created.len(), world.missed()), (0, Some((2, today("10:00:00")))));
    world.edit_at(today("13:45:00"), r#""suspend":false"#);
    world.run_well(today("13:45:00.1"), today("14:00:01"));
    assert_eq!((world.names(), world.missed()), (vec!["nightly-202701151400"], Some((2, today("10:00:00")))));
}

/// The old timing is not known any more: what is known is the start that it had promised.
#[test]
fn a_start_that_was_promised_before_an_edit_is_counted() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit_at(today("10:30:00"), r#""schedule":"0 4 * * *""#);
    world.run(today("11:00:00"), today("11:10:00"));
    assert_eq!((world.created.len(), world.missed(), world.reasons()), (0, Some((1, today("09:00:00"))), vec!["MissedRuns"]));
    // An edit to a wrong timing is an edit, too.
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit_at(today("10:30:00"), r#""schedule":"0 0 30 2 *""#);
    world.pass(today("11:00:00"));
    assert_eq!(world.missed(), Some((1, today("09:00:00"))));
}

#[test]
fn a_jitter_that_is_changed_between_the_slot_and_its_start_costs_no_backup() {
    let before = jitter_of(JITTER);
    assert!(before > mins(2), "{before:?}");
    for (change, starts) in [
        // The new start is still to come: it is kept.
        (r#""jitter":"25m""#, None),
        // The new start is over: the backup was promised, and starts at once.
        (r#""jitter":"1s""#, Some(SignedDuration::ZERO)),
        (r#""jitter":null"#, Some(SignedDuration::ZERO)),
    ] {
        let mut world = World::new(JITTER);
        world.run(today("08:00:00"), today("09:00:30"));
        assert_eq!(world.status().next_schedule_time.unwrap().0, today("09:00:00") + before);
        world.edit_at(today("09:01:00"), change);
        world.pass(today("09:01:00.1"));
        assert_eq!(world.created.len(), usize::from(starts.is_some()), "{change}");
        let promised = world.status().next_schedule_time.unwrap().0;
        world.run_well(today("09:01:00.2"), today("09:30:01"));
        assert_eq!((world.names(), world.missed()), (vec!["nightly-202701150900"], None), "{change}");
        if starts.is_none() {
            assert!(promised < today("09:30:01"), "{promised}");
        }
    }
}

/// It is edited to another time of day while the backup of today is still to start: that is what the edit is for.
#[test]
fn a_promised_start_that_is_no_slot_any_more_is_taken_back() {
    let mut world = World::new(JITTER);
    world.run(today("08:00:00"), today("09:00:30"));
    world.edit_at(today("09:01:00"), r#""schedule":"0 4 * * *""#);
    world.run(today("09:01:00.1"), today("12:00:00"));
    assert_eq!((world.created.len(), world.missed()), (0, None));
    assert!(world.status().next_schedule_time.unwrap().0 > at("2027-01-16T04:00:00Z"));
}

/// The start counts: what is created or resumed between a slot and its start runs.
#[test]
fn a_schedule_that_is_created_between_a_slot_and_its_start_runs() {
    let spec = r#""schedule":"0 8 * * *","jitter":"30m""#;
    let mut world = World::new(spec);
    world.run_well(today("08:00:00.5"), today("09:00:00"));
    assert_eq!(world.names(), ["nightly-202701150800"]);
    assert_eq!(world.created[0].metadata.creation_timestamp, None);
}

/// Refused until the edit: it was due, and stays promised until it is settled.
#[test]
fn a_start_that_was_due_and_could_not_be_made_is_counted_by_an_edit() {
    let mut world = World::new(r#""schedule":"0 9 * * *""#);
    world.refusal = Some("no".to_owned());
    world.run(today("08:00:00"), today("09:10:00"));
    assert_eq!(world.status().next_schedule_time.unwrap().0, today("09:00:00"));
    world.refusal = None;
    world.edit_at(today("09:10:30"), r#""schedule":"0 4 * * *""#);
    world.run(today("09:10:31"), today("09:20:00"));
    assert_eq!((world.created.len(), world.missed()), (0, Some((1, today("09:00:00")))));
}

/// A client may have the API server forget who wrote what.
#[test]
fn without_a_time_an_edit_counts_from_when_it_is_seen() {
    let mut world = World::new(r#""schedule":"0 12 * * *""#);
    world.run(today("08:00:00"), today("08:30:00"));
    world.restart();
    world.edit(r#""schedule":"0 * * * *""#);
    world.run(today("11:30:00"), today("11:40:00"));
    assert_eq!((world.created.len(), world.missed()), (0, None));
    // A time that lies ahead of our clock is none that anything can be counted from.
    world.edit_at(today("23:00:00"), r#""schedule":"30 * * * *""#);
    world.run_well(today("11:50:00"), today("12:30:01"));
    assert_eq!(world.names(), ["nightly-202701151230"]);
}
