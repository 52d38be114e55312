//! Objects beyond the history limits.

use super::*;

/// Three objects go; each deletion lasts for as long as is given, and is answered so.
fn deleting(seconds: i64, answer: impl Fn() -> Answer, from: &str) -> (Bench, Vec<String>, Running) {
    let mut bench = Bench::seen(r#","failedHistoryLimit":0"#);
    bench.cache = ["a", "b", "c"].map(|name| ended(name, today("08:05:00"))).to_vec();
    bench.now = today("08:11:00");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    bench.now = today(from);
    bench.observe(&mut running);
    let mut deleted = Vec::new();
    while let Some(name) = running.deletes() {
        deleted.push(name.to_owned());
        bench.now = bench.now.plus(SignedDuration::from_secs(seconds));
        bench.answer(&mut running, answer());
    }
    (bench, deleted, running)
}

#[test]
fn a_deletion_that_fails_holds_up_nothing_and_is_tried_again() {
    let (mut bench, deleted, running) = deleting(7, || Answer::Deleted(Err(error(500))), "08:59:00");
    assert_eq!((deleted.as_slice(), running.rests_for()), (&["a".to_owned()][..], Duration::from_secs(53)), "the slot is at 09:00");
    bench.now = today("08:59:30");
    let running = bench.observed(bench.live.clone());
    assert_eq!(running.deletes(), Some("a"));
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
