//! Before a backup is created, and what becomes of it.

use super::*;
use crate::controller::Unreadable;

#[test]
fn a_slots_backup_is_created_before_the_status_is_written_and_before_anything_is_deleted() {
    let mut bench = Bench::due(r#","failedHistoryLimit":0"#);
    bench.cache.push(ended("hourly-m0000000000", today("08:30:00")));
    let (mut running, name) = bench.creating();
    assert_eq!(name, "hourly-202701150900");
    bench.answer(&mut running, Answer::Created(Ok(Creation::Created)));
    assert!(matches!(running.next, Next::Do(Request::CountCreation)), "{:?}", running.next);
    bench.note(&mut running);
    bench.observe(&mut running);
    bench.write(&mut running);
    bench.observe(&mut running);
    assert_eq!(running.deletes(), Some("hourly-m0000000000"));
    assert_eq!(bench.live.status.as_ref().unwrap().last_backup.as_ref().unwrap().name, name);
}

#[test]
fn an_edit_that_the_cache_does_not_know_is_decided_with_before_a_creation() {
    let mut bench = Bench::due("");
    let cached = bench.live.clone();
    bench.live.spec.suspend = true;
    bench.live.metadata.generation = Some(2);
    bench.next_version();
    let mut running = bench.observed(cached.clone());
    bench.reread(&mut running);
    bench.observe(&mut running);
    // Suspended: the status says so, and no backup is created. It does not tell since when, and the slot had been promised: it is missed.
    let Next::Do(Request::WriteStatus(status)) = &running.next else { panic!("{:?}", running.next) };
    assert_eq!((status.observed_generation, status.missed_runs.as_ref().map(|missed| missed.count)), (2, Some(1)));
    assert_eq!(running.pass.decisions(), 2);
    // A later pass does not fall back to the cache's old copy.
    let running = bench.begin(cached);
    assert_eq!(running.pass.object().metadata.generation, Some(2));
}

#[test]
fn a_schedule_that_is_gone_creates_nothing() {
    let mut bench = Bench::due("");
    let mut running = bench.observed(bench.live.clone());
    assert!(matches!(running.next, Next::Do(Request::ReadObject)));
    bench.answer(&mut running, Answer::Object(Ok(None)));
    assert!(matches!(running.next, Next::Rest(Rest::AwaitChange)), "{:?}", running.next);
}

#[test]
fn an_object_of_the_name_is_ours_by_its_label_its_instance_and_its_account() {
    let named = |labels: &[(&str, &str)], instance: &str, account: &str| {
        let mut backup = ended("hourly-202701150900", today("09:00:00"));
        backup.metadata.labels = Some(labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        (backup.spec.db_instance_id, backup.spec.account) = (instance.to_owned(), account.to_owned());
        backup
    };
    let unreadable = |backup: RdsBackup| {
        Box::new(Unreadable {
            metadata: backup.metadata,
            error: "a field is wrong".to_owned(),
            instance: Some(backup.spec.db_instance_id),
            phase: None,
            backup_job_id: None,
            backup_id: None,
        })
    };
    let (name, uid) = (SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL);
    for (found, outcome) in [
        (Ok(named(&[(name, "hourly")], "rm-1", "default")), Outcome::Ours),
        (Ok(named(&[(name, "hourly")], "rm-2", "default")), Outcome::Foreign),
        (Ok(named(&[(name, "hourly"), (uid, "uid-1")], "rm-1", "second")), Outcome::Foreign),
        (Ok(named(&[(name, "another")], "rm-1", "default")), Outcome::Foreign),
        (Ok(named(&[], "rm-1", "default")), Outcome::Foreign),
        // Whatever it holds, it is this schedule's: in doubt no second backup is made.
        (Err(unreadable(named(&[(name, "hourly"), (uid, "uid-1")], "", ""))), Outcome::Ours),
        (Err(unreadable(named(&[(name, "hourly"), (uid, "uid-2")], "", ""))), Outcome::Foreign),
    ] {
        let mut bench = Bench::due("");
        let (mut running, name) = bench.creating();
        bench.answer(&mut running, Answer::Created(Ok(Creation::AlreadyExists)));
        assert!(matches!(&running.next, Next::Do(Request::ReadNamesake(read)) if *read == name), "{:?}", running.next);
        bench.answer(&mut running, Answer::Namesake(Ok(Some(Box::new(Guarded(found.map(Arc::new)))))));
        assert_eq!(*bench.outcome(&name), outcome);
        bench.note(&mut running);
        bench.observe(&mut running);
        let second = format!("{name}-e0628aed94");
        if outcome == Outcome::Foreign {
            // There is a second name, and something else may have that too.
            bench.reread(&mut running);
            assert!(matches!(&running.next, Next::Do(Request::Create(backup)) if name_of(backup) == second), "{:?}", running.next);
            bench.answer(&mut running, Answer::Created(Ok(Creation::AlreadyExists)));
            bench.answer(&mut running, Answer::Namesake(Ok(Some(Box::new(Guarded(Ok(Arc::new(named(&[], "rm-1", "default")))))))));
            bench.note(&mut running);
            bench.observe(&mut running);
        }
        bench.write(&mut running);
        assert!(bench.state.memory.created.is_empty(), "the status tells it now");
        let status = bench.live.status.clone().unwrap();
        assert_eq!(status.last_schedule_time.map(|time| time.0), Some(today("09:00:00")), "the slot is settled either way");
        let reasons = match &running.next {
            Next::Do(Request::Announce(events)) => events.iter().map(Event::reason).collect(),
            _ => Vec::new(),
        };
        match outcome {
            Outcome::Ours => assert_eq!((status.last_backup.map(|last| last.name), reasons), (Some(name), vec![])),
            _ => assert_eq!((status.last_backup, reasons), (None, vec![Reason::NameCollision, Reason::MissedRuns])),
        }
    }
}

#[test]
fn an_object_of_the_name_that_was_deleted_a_moment_later_leaves_the_slot_due() {
    let mut bench = Bench::due("");
    for tries in 1..=3 {
        let (mut running, name) = bench.creating();
        bench.answer(&mut running, Answer::Created(Ok(Creation::AlreadyExists)));
        bench.answer(&mut running, Answer::Namesake(Ok(None)));
        let Outcome::Unanswered { message, tries: counted, since } = bench.outcome(&name).clone() else {
            panic!("{:?}", bench.state.memory)
        };
        assert!(message.contains("deleted a moment later"), "{message}");
        assert_eq!((counted, since), (tries, today("09:00:00")));
        bench.rest(&mut running);
        assert_eq!(running.rests_for(), Duration::from_secs(1 << tries));
        bench.now = bench.now.plus(SignedDuration::from_secs(1 << tries));
    }
}

#[test]
fn a_creation_that_fails_leaves_the_slot_due_and_is_not_counted_as_one() {
    let mut bench = Bench::due("");
    let (mut running, name) = bench.creating();
    bench.answer(&mut running, Answer::Created(Err(error(500))));
    assert!(matches!(bench.outcome(&name), Outcome::Unanswered { tries: 1, .. }));
    assert!(matches!(running.next, Next::Do(Request::LogCreation { .. })), "{:?}", running.next);
    bench.answer(&mut running, Answer::Done);
    bench.rest(&mut running);
    assert_eq!(running.rests_for(), Duration::from_secs(2));
}

#[test]
fn the_newest_backup_is_asked_for_where_no_cache_shows_it() {
    let running_one = |mut backup: RdsBackup| {
        backup.status = None;
        backup
    };
    let last = || ended("hourly-202701150800", today("08:30:00"));
    let mut foreign = running_one(last());
    foreign.metadata.labels = None;
    // What the API server has under the name, and whether the slot's backup is created beside it.
    for (found, creates) in [(None, true), (Some(last()), true), (Some(foreign), true), (Some(running_one(last())), false)] {
        let mut bench = Bench::due("");
        bench.live.status.as_mut().unwrap().last_backup = Some(BackupReference { name: "hourly-202701150800".into(), slot: None });
        let mut running = bench.observed(bench.live.clone());
        bench.reread(&mut running);
        assert!(matches!(&running.next, Next::Do(Request::ReadBackup(name)) if name == "hourly-202701150800"), "{:?}", running.next);
        bench.answer(&mut running, Answer::Backup(Ok(found.map(Box::new))));
        if creates {
            assert!(matches!(running.next, Next::Do(Request::Create(_))), "{:?}", running.next);
            continue;
        }
        bench.observe(&mut running);
        bench.write(&mut running);
        assert_eq!(bench.live.status.unwrap().skipped_overlap.map(|skipped| skipped.count), Some(1));
    }
}

/// A watch may leave out the last event of a backup: without a read its schedule would make none until the next start of the operator.
#[test]
fn a_backup_that_holds_up_a_slot_by_the_cache_is_asked_for_first() {
    let over = || ended("hourly-202701150800", today("08:30:00"));
    let waiting = || RdsBackup { status: None, ..over() };
    for (found, creates) in [(Some(over()), true), (None, true), (Some(waiting()), false)] {
        let mut bench = Bench::due("");
        bench.cache = vec![waiting()];
        let mut running = bench.observed(bench.live.clone());
        assert!(matches!(&running.next, Next::Do(Request::ReadBackup(name)) if name == "hourly-202701150800"), "{:?}", running.next);
        bench.answer(&mut running, Answer::Backup(Ok(found.map(Box::new))));
        bench.observe(&mut running);
        if creates {
            bench.reread(&mut running);
            assert!(matches!(&running.next, Next::Do(Request::Create(_))), "{:?}", running.next);
            continue;
        }
        bench.write(&mut running);
        assert_eq!(bench.live.status.unwrap().skipped_overlap.map(|skipped| skipped.count), Some(1));
    }
    let mut bench = Bench::due("");
    bench.cache = vec![waiting()];
    let mut running = bench.observed(bench.live.clone());
    bench.answer(&mut running, Answer::Backup(Err(error(500))));
    assert!(matches!(running.next, Next::Rest(Rest::Failed { .. })), "a slot is not skipped unasked: {:?}", running.next);
}
