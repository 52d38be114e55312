//! Writes of the status, events, and how a pass ends.

use super::*;

#[test]
fn a_status_whose_answer_was_lost_is_read_before_the_next_write() {
    for landed in [true, false] {
        let mut bench = Bench::new("");
        let cached = bench.live.clone();
        let mut running = bench.observed(cached.clone());
        if landed {
            bench.land(&running);
        }
        bench.answer(&mut running, Answer::Written(Err(error(500))));
        assert!(matches!(running.failed(), (Error::Cluster(_), Some(_))), "{:?}", running.next);

        // The read fails too: nothing is written, and the next pass reads again.
        let mut running = bench.begin(cached.clone());
        assert!(matches!(running.next, Next::Do(Request::ReadObject)), "{:?}", running.next);
        bench.answer(&mut running, Answer::Object(Err(error(503))));
        assert!(matches!(running.failed(), (Error::Cluster(_), _)));

        let mut running = bench.begin(cached.clone());
        bench.reread(&mut running);
        bench.observe(&mut running);
        if landed {
            assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "it stands already: {:?}", running.next);
        } else {
            bench.write(&mut running);
            bench.observe(&mut running);
        }
        // It is read once.
        let running = bench.begin(cached);
        assert!(matches!(running.next, Next::Do(Request::Observe)), "{:?}", running.next);
    }
}

#[test]
fn a_conflict_is_read_and_decided_again_and_a_lost_read_of_it_is_made_up_for() {
    let mut bench = Bench::new("");
    let cached = bench.live.clone();
    let mut running = bench.observed(cached.clone());
    bench.live.spec.suspend = true;
    bench.next_version();
    bench.answer(&mut running, Answer::Written(Ok(WriteResult::Conflict)));
    assert!(matches!(running.next, Next::Do(Request::ReadObject)));
    bench.answer(&mut running, Answer::Object(Err(error(500))));
    assert!(matches!(running.failed(), (Error::Cluster(_), _)));

    let mut running = bench.begin(cached);
    bench.reread(&mut running);
    bench.observe(&mut running);
    bench.write(&mut running);
    assert!(bench.live.status.unwrap().conditions.iter().any(|condition| condition.type_ == "Suspended"));
}

#[test]
fn events_are_published_once_and_only_when_the_status_was_written() {
    let mut bench = Bench::due(r#","startingDeadline":"10s""#);
    bench.now = today("09:00:30");
    let mut running = bench.observed(bench.live.clone());
    bench.land(&running);
    bench.answer(&mut running, Answer::Written(Ok(WriteResult::Gone)));
    assert!(matches!(running.next, Next::Rest(Rest::AwaitChange)), "{:?}", running.next);

    let mut bench = Bench::due(r#","startingDeadline":"10s""#);
    bench.now = today("09:00:30");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    assert!(matches!(&running.next, Next::Do(Request::Announce(events)) if events.len() == 1), "{:?}", running.next);
    bench.answer(&mut running, Answer::Done);
    bench.observe(&mut running);
    assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "{:?}", running.next);
}

#[test]
fn a_burst_defers_statuses_for_a_minute_at_most_and_never_creations() {
    let mut bench = Bench::due("");
    bench.is_burst = true;
    let (mut running, _) = bench.creating();
    bench.answer(&mut running, Answer::Created(Ok(Creation::Created)));
    bench.note(&mut running);
    bench.observe(&mut running);
    assert_eq!(running.rests_for(), Duration::from_secs(4));
    // The burst lasts: neither the end of that wait nor a pass that something else begins writes.
    for clock in ["09:00:01", "09:00:04", "09:00:59.9"] {
        bench.now = today(clock);
        assert_eq!(bench.observed(bench.live.clone()).rests_for(), Duration::from_secs(4), "{clock}");
    }
    // But the status does not wait for ever.
    bench.now = today("09:01:00");
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    bench.observe(&mut running);
    assert!(matches!(running.next, Next::Rest(Rest::Requeue(_))), "{:?}", running.next);
    assert!(bench.state.deferred_since.is_none(), "the next status waits for itself");
}

#[test]
fn a_deferred_status_is_written_when_the_burst_is_over_or_the_clock_is_set_back() {
    for (is_burst, clock) in [(false, "09:00:01"), (true, "08:59:59")] {
        let mut bench = Bench::due("");
        bench.is_burst = true;
        let (mut running, _) = bench.creating();
        bench.answer(&mut running, Answer::Created(Ok(Creation::Created)));
        bench.note(&mut running);
        bench.observe(&mut running);
        assert_eq!(running.rests_for(), Duration::from_secs(4));
        (bench.is_burst, bench.now) = (is_burst, today(clock));
        let mut running = bench.observed(bench.live.clone());
        bench.write(&mut running);
    }
}

#[test]
fn a_status_that_is_deferred_delays_no_slot() {
    let mut bench = Bench::new("");
    (bench.is_burst, bench.now) = (true, today("08:59:59"));
    let running = bench.observed(bench.live.clone());
    assert_eq!(running.rests_for(), Duration::from_secs(1));
}

#[test]
fn a_pass_that_failed_is_made_again_by_the_next_slot() {
    for (clock, again_within) in [("08:59:20", Some(40)), ("08:59:59.9", Some(1)), ("09:00:00", None)] {
        let mut bench = Bench::seen("");
        bench.now = today("08:58:00");
        let running = bench.observed(bench.live.clone());
        assert_eq!(running.rests_for(), Duration::from_secs(120));
        bench.now = today(clock);
        bench.state.freshest.lose_sight();
        let mut running = bench.begin(bench.live.clone());
        bench.answer(&mut running, Answer::Object(Err(error(500))));
        assert_eq!(running.failed().1, again_within.map(Duration::from_secs), "{clock}");
    }
}

#[test]
fn a_pass_that_goes_round_in_a_circle_ends_with_an_error() {
    let mut bench = Bench::new("");
    let mut running = bench.observed(bench.live.clone());
    let mut writes = 0;
    while let Next::Do(request) = &running.next {
        match request {
            Request::WriteStatus(_) => {
                writes += 1;
                assert!(writes < 100, "it goes on for ever");
                // Another operator takes back what this one writes.
                bench.next_version();
                bench.answer(&mut running, Answer::Written(Ok(WriteResult::Yes(Box::new(bench.live.clone())))));
            }
            _ => bench.observe(&mut running),
        }
    }
    assert!(matches!(running.failed(), (Error::NoRest(20), Some(_))), "{:?}", running.next);
    assert_eq!(writes, 20);
}

#[test]
fn the_answer_to_another_request_ends_the_pass_with_an_error() {
    let mut bench = Bench::new("");
    let mut running = bench.begin(bench.live.clone());
    bench.answer(&mut running, Answer::Deleted(Ok(true)));
    assert!(matches!(running.failed(), (Error::Mismatch, None)), "{:?}", running.next);
}

#[test]
fn what_a_newer_release_wrote_into_the_status_stays() {
    let mut bench = Bench::seen("");
    let mut newer = serde_json::to_value(bench.live.status.as_ref().unwrap()).unwrap();
    newer["coverage"] = serde_json::json!({ "percent": 99 });
    bench.live.status = Some(serde_json::from_value(newer).unwrap());
    bench.live.spec.suspend = true;
    bench.live.metadata.generation = Some(2);
    bench.next_version();
    let mut running = bench.observed(bench.live.clone());
    bench.write(&mut running);
    let status = serde_json::to_value(bench.live.status.as_ref().unwrap()).unwrap();
    assert_eq!((&status["observedGeneration"], &status["coverage"]["percent"]), (&2.into(), &99.into()), "{status}");
}
