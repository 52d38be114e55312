//! Blackouts: what waits for their end, what is skipped for them, and what an edit, a pause and downtime make of both.

use super::*;

/// From nine to six, every day, in UTC.
const OFFICE_HOURS: &str = r#""blackouts":[{"from":"09:00","to":"18:00"}]"#;

fn world(spec: &str) -> World {
    World::new(&format!("{spec},{OFFICE_HOURS}"))
}

fn skipped(world: &World) -> Option<(i64, Timestamp)> {
    world.status().skipped_blackout.map(|skipped| (skipped.count, skipped.last.0))
}

fn next_runs(world: &World) -> Vec<(Option<String>, String)> {
    let text = |at: Timestamp| at.strftime("%dT%H:%M").to_string();
    world.status().next_runs.into_iter().map(|run| (run.slot.map(|slot| text(slot.0)), text(run.start.0))).collect()
}

fn annotation(backup: &RdsBackup, name: &str) -> Option<String> {
    backup.metadata.annotations.as_ref()?.get(name).cloned()
}

#[test]
fn a_slot_in_a_blackout_starts_at_its_end_under_its_own_name() {
    let mut world = world(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("17:59:59"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, None, None));
    assert_eq!(world.status().next_schedule_time.unwrap().0, today("18:00:00"));
    let shown = next_runs(&world);
    assert_eq!(shown[0], (Some("15T10:00".to_owned()), "15T18:00".to_owned()));
    assert_eq!(shown[1..], [(Some("16T10:00".to_owned()), "16T18:00".to_owned()), (Some("17T10:00".to_owned()), "17T18:00".to_owned())]);
    world.run_well(today("17:59:59.1"), today("18:05:00"));
    assert_eq!(world.names(), ["nightly-202701151000"], "named after its slot");
    assert_eq!((world.missed(), skipped(&world), world.events.len()), (None, None, 0));
    // The deferred start of the next one is what the backup is told, and the blackout in between.
    let backup = &world.created[0];
    assert_eq!(annotation(backup, "rdsbackup.io/next-start").as_deref(), Some("2027-01-16T18:00:00Z"));
    assert_eq!(annotation(backup, "rdsbackup.io/blackout-begins").as_deref(), Some("2027-01-16T09:00:00Z"));
    assert_eq!(annotation(backup, "rdsbackup.io/slot").as_deref(), Some("2027-01-15T10:00:00Z"));
    // It waits until shortly before the blackout; notAfter counts from its real start.
    let queue_timeout = backup.spec.queue_timeout.as_ref().unwrap().get().unwrap();
    assert!(queue_timeout <= mins(15 * 60) && queue_timeout > mins(15 * 60 - 1), "{queue_timeout:?}");
    let not_after = backup.spec.not_after.as_ref().unwrap().0;
    assert!(not_after > at("2027-01-16T08:58:00Z") && not_after <= at("2027-01-16T09:00:00Z"), "{not_after}");
}

#[test]
fn a_backup_that_waits_is_not_requested_in_a_blackout() {
    for (given, most) in
        [("", mins(29) + SignedDuration::from_secs(30)), (r#","queueTimeout":"10m""#, mins(10)), (r#","queueTimeout":"3h""#, mins(30))]
    {
        let spec = format!(r#""schedule":"30 8 * * *",{OFFICE_HOURS},"template":{{"spec":{{"dbInstanceId":"rm-1"{given}}}}}"#);
        let mut world = World::new(r#""schedule":"30 8 * * *""#);
        world.edit(&spec);
        world.run_well(today("08:00:00.2"), today("08:31:00"));
        let spec = &world.created[0].spec;
        assert!(spec.queue_timeout.as_ref().unwrap().get().unwrap() <= most, "{given}: {:?}", spec.queue_timeout);
        assert!(spec.not_after.as_ref().unwrap().0 <= today("09:00:00"), "{given}: {:?}", spec.not_after);
    }
}

#[test]
fn of_the_slots_in_a_blackout_the_last_one_starts_at_its_end_and_the_others_are_skipped_once() {
    let mut world = world(r#""schedule":"30 * * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    assert_eq!(world.names(), ["nightly-202701150830"]);
    assert_eq!(skipped(&world), Some((3, today("11:30:00"))), "each is counted when it comes");
    assert_eq!(world.status().last_schedule_time.unwrap().0, today("11:30:00"));
    world.run_well(today("12:00:00.1"), today("18:31:00"));
    assert_eq!(world.names(), ["nightly-202701150830", "nightly-202701151730", "nightly-202701151830"]);
    assert_eq!((skipped(&world), world.missed()), (Some((8, today("16:30:00"))), None));
    assert_eq!(world.reasons(), ["SkippedBlackout"; 8]);
    // A slot at the very end takes the place of all in the window.
    let mut world = self::world(r#""schedule":"0 * * * *""#);
    world.run_well(today("08:00:00.2"), today("18:00:10"));
    assert_eq!((world.names(), skipped(&world)), (vec!["nightly-202701151800"], Some((9, today("17:00:00")))));
}

#[test]
fn the_end_of_a_blackout_must_be_within_the_deadline() {
    for (deadline, runs) in [("8h1s", 1), ("8h", 0)] {
        let mut world = world(&format!(r#""schedule":"0 10 * * *","startingDeadline":"{deadline}","freshness":{{"maxAge":"26h"}}"#));
        let refused = runs == 0;
        world.run_well(today("08:00:00.2"), today("18:10:00"));
        assert_eq!(world.created.len(), runs, "{deadline}");
        // No slot of this schedule can ever run: that is said at once.
        assert_eq!(world.is(ScheduleCondition::Stalled, "True", "InvalidSchedule"), refused, "{deadline}");
    }
    // On working days only: the other days have runs, and these are skipped.
    let mut world = World::new(
        r#""schedule":"0 10 * * *","startingDeadline":"1h","blackouts":[{"days":["Mon","Tue","Wed","Thu","Fri"],"from":"09:00","to":"18:00"}]"#,
    );
    world.run_well(today("08:00:00.2"), at("2027-01-16T10:01:00Z"));
    assert_eq!((world.names(), skipped(&world)), (vec!["nightly-202701161000"], Some((1, today("10:00:00")))));
}

#[test]
fn blackouts_that_leave_no_run_are_refused_before_anything_is_created() {
    for blackouts in [
        r#"[{"days":["Mon","Tue","Wed","Thu","Fri","Sat","Sun"]}]"#,
        r#"[{"from":"00:00","to":"24:00"}]"#,
        r#"[{"from":"00:00","to":"12:00"},{"from":"12:00","to":"24:00"}]"#,
        r#"[{"dates":{"from":"2026-01-01","to":"2036-12-31"}}]"#,
    ] {
        let mut world = World::new(&format!(r#""schedule":"0 10 * * *","runOnCreate":true,"blackouts":{blackouts}"#));
        world.pass(today("08:00:01"));
        assert!(world.is(ScheduleCondition::Stalled, "True", "InvalidSchedule"), "{blackouts}: {:?}", world.status().conditions);
        let message = world.status().condition(ScheduleCondition::Stalled).unwrap().message.clone();
        assert!(message.starts_with("blackouts: they leave no run within a year"), "{message}");
        assert_eq!((world.created.len(), world.status().next_schedule_time, world.status().next_runs.len()), (0, None, 0));
    }
}

#[test]
fn a_wrong_window_is_named_with_its_cure() {
    for (blackout, words) in [
        ("{}", "window 1: write days, dates, or from and to"),
        (r#"{"from":"09:00"}"#, "from and to belong together"),
        (r#"{"from":"09:00","to":"09:00"}"#, "the same time"),
        (r#"{"from":"9:00","to":"18:00"}"#, "from: \"9:00\" is not a time of day"),
        (r#"{"from":"24:00","to":"18:00"}"#, "from: \"24:00\" is not a time of day"),
        (r#"{"from":"09:00","to":"24:01"}"#, "to: \"24:01\" is not a time of day"),
        (r#"{"from":"09:00","to":"+8:00"}"#, "to: \"+8:00\" is not a time of day"),
        (r#"{"dates":{"from":"2027-02-30","to":"2027-03-01"}}"#, "dates.from: \"2027-02-30\" is not a day of the calendar"),
        (r#"{"dates":{"from":"2027-03-02","to":"2027-03-01"}}"#, "dates.to is before dates.from"),
    ] {
        let mut world = World::new(&format!(r#""schedule":"0 10 * * *","blackouts":[{blackout}]"#));
        world.pass(today("08:00:01"));
        let message = world.status().condition(ScheduleCondition::Stalled).unwrap().message.clone();
        assert!(message.starts_with("blackouts: window 1: ") && message.contains(words), "{blackout}: {message}");
    }
}

/// Down at 08:30, back at 10:00: the slot may not start in the blackout, and starts at its end where that is in time.
#[test]
fn a_slot_that_the_operator_is_late_for_does_not_start_in_a_blackout() {
    for (deadline, names, missed) in
        [("", vec!["nightly-202701150830"], None), (r#","startingDeadline":"1h""#, vec![], Some((1, today("08:30:00"))))]
    {
        let mut world = world(&format!(r#""schedule":"30 8 * * *"{deadline}"#));
        world.run_well(today("08:00:00.2"), today("08:20:00"));
        world.restart();
        world.run_well(today("10:00:00"), today("17:59:00"));
        assert_eq!((world.created.len(), world.missed()), (0, missed), "{deadline}");
        if missed.is_none() {
            assert_eq!(next_runs(&world)[0], (Some("15T08:30".to_owned()), "15T18:00".to_owned()));
        }
        world.run_well(today("17:59:01"), today("18:01:00"));
        assert_eq!((world.names(), world.missed(), skipped(&world)), (names, missed, None), "{deadline}");
    }
}

#[test]
fn downtime_tells_missed_slots_from_skipped_ones() {
    let mut world = world(r#""schedule":"30 * * * *""#);
    world.run_well(today("08:00:00.2"), today("08:20:00"));
    world.restart();
    world.run_well(today("20:35:00"), today("20:36:00"));
    // 08:30, 17:30 (at 18:00), 18:30 and 19:30 could have run; 09:30 to 16:30 could not.
    assert_eq!(world.names(), ["nightly-202701152030"]);
    assert_eq!((world.missed(), skipped(&world)), (Some((4, today("19:30:00"))), Some((8, today("16:30:00")))));
    assert_eq!(world.reasons(), ["MissedRuns", "SkippedBlackout"]);
}

#[test]
fn a_trigger_runs_in_a_blackout_and_run_on_create_waits_for_its_end() {
    let mut world = World::new(r#""schedule":"0 20 * * *","runOnCreate":true,"blackouts":[{"from":"07:00","to":"18:00"}]"#);
    world.run_well(today("08:00:00.2"), today("10:00:00"));
    assert_eq!(world.created.len(), 0);
    assert_eq!(next_runs(&world)[0], (None, "15T18:00".to_owned()));
    assert_eq!(world.status().next_schedule_time.unwrap().0, today("18:00:00"));
    world.edit_at(today("10:00:01"), r#""trigger":"now""#);
    world.run_well(today("10:00:02"), today("10:02:00"));
    assert_eq!(world.created.len(), 1);
    assert_eq!(annotation(&world.created[0], "rdsbackup.io/blackout-begins"), None);
    // An edit of the timing takes it back no more than another start.
    world.edit_at(today("11:00:00"), r#""schedule":"0 21 * * *""#);
    world.restart();
    world.run_well(today("11:00:01"), today("21:01:00"));
    assert_eq!(world.names()[1..], ["nightly-202701150800", "nightly-202701152100"]);
    assert_eq!((world.missed(), skipped(&world)), (None, None));
    // A slot that starts then is as good.
    let mut world = World::new(r#""schedule":"0 18 * * *","runOnCreate":true,"blackouts":[{"from":"07:00","to":"18:00"}]"#);
    world.run_well(today("08:00:00.2"), today("18:05:00"));
    assert_eq!((world.names(), world.status().skipped_overlap), (vec!["nightly-202701151800"], None));
}

#[test]
fn an_edit_of_the_blackouts_keeps_or_counts_what_was_promised() {
    // Written over the promised start: it is skipped when it comes, or starts later.
    let mut world = World::new(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("08:30:00"));
    world.edit_at(today("08:30:01"), OFFICE_HOURS);
    world.run_well(today("08:30:02"), today("18:00:10"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701151000"], None, None));
    // Taken away while a slot waits: it was promised, and starts at once.
    let mut world = self::world(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    world.edit_at(today("12:00:01"), r#""blackouts":[]"#);
    world.run_well(today("12:00:02"), today("12:00:10"));
    assert_eq!((world.names(), world.missed(), skipped(&world)), (vec!["nightly-202701151000"], None, None));
    // Made longer while a slot waits, so that it can start no more: it is counted.
    let mut world = self::world(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    world.edit_at(today("12:00:01"), r#""blackouts":[{"dates":{"from":"2027-01-15","to":"2027-01-17"}}]"#);
    world.run_well(today("12:00:02"), at("2027-01-16T09:00:00Z"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, None, Some((1, today("10:00:00")))));
    // Behind its end, while the operator was down: it is missed.
    let mut world = self::world(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    world.restart();
    world.edit_at(today("18:30:00"), r#""blackouts":[]"#);
    world.run_well(today("19:00:00"), today("19:10:00"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (0, Some((1, today("10:00:00"))), None));
}

#[test]
fn an_edit_of_the_blackouts_never_fires_for_a_start_before_it() {
    // 10:00 has run; a blackout that would have moved it makes no second one.
    let mut world = World::new(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    assert_eq!(world.names(), ["nightly-202701151000"]);
    world.edit_at(today("12:00:01"), OFFICE_HOURS);
    world.run_well(today("12:00:02"), at("2027-01-16T09:00:00Z"));
    assert_eq!((world.created.len(), world.missed(), skipped(&world)), (1, None, None));
}

#[test]
fn a_slot_that_waits_for_the_end_is_not_due_when_the_schedule_pauses() {
    let mut world = world(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), today("12:00:00"));
    world.edit_at(today("12:00:01"), r#""suspend":true"#);
    world.run_well(today("12:00:02"), today("12:30:00"));
    assert_eq!((world.missed(), skipped(&world), world.status().next_runs.len()), (None, None, 0));
    // Resumed in the blackout: it starts after that, and runs. Resumed behind its end, it does not.
    for (resumed, names) in [("13:00:00", vec!["nightly-202701151000"]), ("19:00:00", vec![])] {
        let mut world = self::world(r#""schedule":"0 10 * * *""#);
        world.run_well(today("08:00:00.2"), today("12:00:00"));
        world.edit_at(today("12:00:01"), r#""suspend":true"#);
        world.run_well(today("12:00:02"), today("12:30:00"));
        world.edit_at(today(resumed), r#""suspend":false"#);
        world.run_well(today(resumed) + mins(1), today("19:30:00"));
        assert_eq!((world.names(), world.missed(), skipped(&world)), (names, None, None), "{resumed}");
    }
}

#[test]
fn without_max_age_freshness_counts_with_the_deferral() {
    let valid = |spec: &str| ValidatedSpec::new("team-a", "nightly", &World::new(spec).object.spec, at(CREATED)).unwrap();
    let hours = |spec: &str| valid(spec).longest_gap.unwrap().as_hours();
    assert_eq!(hours(r#""schedule":"0 10 * * *""#), 24);
    // Monday to Friday at 18:00; from Sunday 10:00 to Monday 18:00 it is longest.
    let weekdays = r#""schedule":"0 10 * * *","blackouts":[{"days":["Mon","Tue","Wed","Thu","Fri"],"from":"09:00","to":"18:00"}]"#;
    assert_eq!((hours(weekdays), valid(weekdays).max_age.as_hours()), (32, 48));
    // Three whole days without a run.
    let freeze = r#""schedule":"0 10 * * *","startingDeadline":"1h","blackouts":[{"dates":{"from":"2027-06-10","to":"2027-06-12"}}]"#;
    assert_eq!(hours(freeze), 96);
    assert!(valid(r#""schedule":"0 * * * *""#).has_too_many_slots);
    assert!(!valid(&format!(r#""schedule":"0 * * * *",{OFFICE_HOURS}"#)).has_too_many_slots, "15 of a day's slots run");
}

#[test]
fn next_runs_cost_no_write_of_their_own() {
    let mut world = World::new(r#""schedule":"0 10 * * *""#);
    world.run_well(today("08:00:00.2"), at("2027-01-16T09:00:00Z"));
    // Seen; created; running, with its slot settled; ended.
    let writes = world.writes;
    assert!(writes <= 4, "{writes}");
    let mut with = self::world(r#""schedule":"0 10 * * *""#);
    with.run_well(today("08:00:00.2"), at("2027-01-16T09:00:00Z"));
    assert_eq!(with.writes, writes, "a slot that waits for the end of a blackout costs none either");
}

#[test]
fn an_update_of_the_operator_is_no_edit_of_a_schedule_without_blackouts() {
    let spec = World::new(r#""schedule":"0 2 * * *","jitter":"30m""#).object.spec;
    // As the release before blackouts hashed it.
    let hash = crate::schedule::spec::digest("0 2 * * *\nEtc/UTC\n30m", 6);
    assert_eq!(ValidatedSpec::new("team-a", "nightly", &spec, at(CREATED)).unwrap().timing_hash, hash);
}
