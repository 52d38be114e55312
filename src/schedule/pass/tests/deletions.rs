//! Objects beyond the history limits.

use super::*;
use crate::api::ScheduleCondition;

/// A name as the schedule gives it to a backup of a trigger.
fn name(digit: &str) -> String {
    format!("hourly-m000000000{digit}")
}

/// Three objects go; each deletion lasts for as long as is given, and is answered so.
fn deleting(seconds: i64, answer: impl Fn() -> Answer, from: &str) -> (Bench, Vec<String>, Running) {
    let mut bench = Bench::seen(r#","failedHistoryLimit":0"#);
    bench.cache = ["a", "b", "c"].map(|digit| ended(&name(digit), today("08:05:00"))).to_vec();
    bench.now = today("08:11:00");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    bench.now = today(from);
    bench.observe(&mut running);
    let mut deleted = Vec::new();
    while let Some(name) = running.deletes() {
        deleted.push(name.trim_start_matches("hourly-m000000000").to_owned());
        bench.now = bench.now.plus(SignedDuration::from_secs(seconds));
        bench.answer(&mut running, answer());
    }
    (bench, deleted, running)
}

/// An admission policy forbids it: the others are deleted, and a condition says which one is left.
#[test]
fn a_deletion_that_is_refused_holds_up_no_other_and_is_told() {
    for code in [403, 500] {
        let (mut bench, deleted, mut running) = deleting(0, || Answer::Deleted(Err(error(code))), "08:30:00");
        assert_eq!(deleted, ["a", "b", "c"], "{code}");
        bench.observe(&mut running);
        bench.write(&mut running);
        let status = bench.live.status.clone().unwrap();
        let blocked = status.condition(ScheduleCondition::CleanupBlocked).unwrap();
        assert_eq!((blocked.status.as_str(), blocked.reason.as_str()), ("True", "DeletionRefused"), "{code}");
        assert!(
            blocked.message.starts_with("hourly-m000000000a, and 2 more") && blocked.message.contains("the disk is full"),
            "{}",
            blocked.message
        );
        assert!(matches!(&running.next, Next::Do(Request::Announce(events)) if events.len() == 1), "{:?}", running.next);
        bench.answer(&mut running, Answer::Done);
        bench.observe(&mut running);
        assert_eq!(running.rests_for(), Duration::from_secs(240), "{code}: they are not tried again at once");
        // Another object is beyond the limit meanwhile, and is deleted.
        bench.cache.push(ended(&name("d"), today("08:31:00")));
        bench.now = today("08:34:00");
        let mut running = bench.observed(bench.live.clone());
        bench.write(&mut running);
        bench.observe(&mut running);
        assert_eq!(running.deletes(), Some(name("d").as_str()), "{code}");
        // Ten minutes later they are tried again; when none is left, the condition goes.
        bench.now = today("08:41:00");
        bench.cache.retain(|backup| backup.metadata.name.as_deref() != Some(&name("d")));
        let running = bench.observed(bench.live.clone());
        assert_eq!(running.deletes(), Some(name("a").as_str()), "{code}");
        bench.cache.clear();
        let mut running = bench.observed(bench.live.clone());
        bench.write(&mut running);
        assert_eq!(bench.live.status.as_ref().unwrap().condition(ScheduleCondition::CleanupBlocked), None, "{code}");
    }
}

#[test]
fn a_deletion_without_an_answer_holds_up_nothing_and_is_tried_again() {
    let lost = || controller::Error::Timeout { verb: "delete", kind: "RdsBackup".to_owned() };
    let (mut bench, deleted, running) = deleting(7, || Answer::Deleted(Err(lost())), "08:59:00");
    assert_eq!((deleted.as_slice(), running.rests_for()), (&["a".to_owned()][..], Duration::from_secs(53)), "the slot is at 09:00");
    bench.now = today("08:59:30");
    let running = bench.observed(bench.live.clone());
    assert_eq!(running.deletes(), Some(name("a").as_str()));
}

#[test]
fn an_object_that_changed_or_is_gone_does_not_keep_the_others_from_being_deleted() {
    for was_deleted in [true, false] {
        let (_, deleted, running) = deleting(0, || Answer::Deleted(Ok(was_deleted)), "08:59:00");
        assert_eq!((deleted.len(), running.rests_for()), (3, Duration::from_secs(60)));
    }
}

#[test]
fn no_deletion_is_begun_that_could_delay_the_next_slot() {
    let ok = || Answer::Deleted(Ok(true));
    for (from, seconds, expected, rests_for) in [
        ("08:59:51", 0, 0, 9),
        ("08:59:50", 10, 1, 0),
        ("08:59:35", 10, 2, 5),
        // One that outlasts its time limit, which no call may, is made up for at once.
        ("08:59:50", 12, 1, 0),
    ] {
        let (_, deleted, running) = deleting(seconds, ok, from);
        assert_eq!((deleted.len(), running.rests_for().as_secs()), (expected, rests_for), "{from}, {seconds} s each");
    }
}

#[test]
fn a_clock_that_is_set_back_during_a_deletion_makes_no_rest_longer_than_four_minutes() {
    let (_, deleted, running) = deleting(-7200, || Answer::Deleted(Ok(true)), "08:59:00");
    assert_eq!((deleted.len(), running.rests_for()), (3, Duration::from_secs(240)));
}
