//! What a pass does with a copy of the cache, which keeps only what is read; and with an object that is too large to be written.

use serde_json::json;

use super::*;

/// A backup that succeeded, as the API server has it; the pass begins at what the cache keeps of it.
fn finished() -> Scene {
    let mut scene = Scene::new();
    scene.stored.metadata.annotations = Some([("note".to_owned(), "x".to_owned())].into());
    scene.stored.status = Some(RdsBackupStatus {
        observed_generation: 1,
        phase: Phase::Succeeded,
        backup_id: Some("9".into()),
        request_id: Some("r-1".into()),
        ..RdsBackupStatus::fresh()
    });
    scene
}

/// Begins a pass at what the cache keeps of the object.
fn begin(scene: &mut Scene) -> (Vec<Request>, Rest) {
    let mut cached = scene.stored.clone();
    controller::Kind::project(&mut cached);
    scene.pass = Pass::start(Arc::new(cached));
    let begun = scene.give(Answer::Begin);
    scene.run_to_rest(begun)
}

#[test]
fn a_status_is_never_written_from_what_the_cache_keeps_of_a_finished_object() {
    let mut scene = finished();
    scene.stored.metadata.generation = Some(2);
    let (asked, _) = begin(&mut scene);
    let read = asked.iter().position(|request| matches!(request, Request::ReadObject));
    let written = asked.iter().position(|request| matches!(request, Request::WriteStatus { .. }));
    assert!(read.is_some() && read < written, "{asked:?}");
    let status = scene.status();
    assert_eq!((status.observed_generation, status.request_id.as_deref(), status.backup_id.as_deref()), (2, Some("r-1"), Some("9")));
}

#[test]
fn a_finished_object_that_needs_no_write_is_not_read() {
    let (asked, rest) = begin(&mut finished());
    assert!(!asked.iter().any(|request| matches!(request, Request::ReadObject)), "{asked:?}");
    assert!(matches!(rest, Rest::AwaitChange));
}

#[test]
fn the_finalizers_of_other_controllers_that_the_cache_does_not_keep_stay() {
    let mut scene = finished();
    scene.stored.metadata.finalizers = Some(vec!["example.com/keep".into(), FINALIZER.into()]);
    scene.stored.metadata.deletion_timestamp = Some(Time(at(1)));
    begin(&mut scene);
    assert_eq!(scene.stored.metadata.finalizers, Some(vec!["example.com/keep".to_owned()]));
}

/// As after a rollback: a newer release wrote members of which this one knows nothing.
fn written_by_a_newer_release(status: &RdsBackupStatus) -> RdsBackupStatus {
    let mut newer = serde_json::to_value(status).unwrap();
    newer["restorable"] = json!({ "until": "2027-01-01T00:00:00Z" });
    if newer["submission"].is_object() {
        newer["submission"]["channel"] = json!("b");
    }
    serde_json::from_value(newer).unwrap()
}

#[test]
fn what_a_newer_release_wrote_into_the_status_stays_through_all_writes() {
    let mut scene = Scene::new();
    scene.stored.status = Some(written_by_a_newer_release(scene.status()));
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    scene.until(begun, is_send);
    scene.stored.status = Some(written_by_a_newer_release(scene.status()));
    scene.moves_on();
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    let (asked, _) = scene.run_to_rest(begun);
    assert!(asked.iter().any(is_write), "{asked:?}");

    // Also over the end, of which the cache keeps the end only.
    let mut ended = finished();
    ended.stored.status = Some(written_by_a_newer_release(ended.status()));
    ended.stored.metadata.generation = Some(2);
    begin(&mut ended);
    assert_eq!(ended.status().observed_generation, 2);

    let (written, ended) = (serde_json::to_value(scene.status()).unwrap(), serde_json::to_value(ended.status()).unwrap());
    assert_ne!(written["submission"]["nonce"], json!(null));
    for status in [&written, &ended] {
        assert_eq!(status["restorable"]["until"], "2027-01-01T00:00:00Z", "{status}");
    }
    assert_eq!(written["submission"]["channel"], "b", "{written}");
}

#[test]
fn an_object_whose_status_is_refused_for_its_size_says_so_once_and_lets_the_others_go() {
    let mut scene = Scene::new();
    let too_large = || {
        let status = kube::core::Status::failure("etcdserver: request is too large", "").with_code(500).boxed();
        Err(controller::Error::Api { verb: "write the status of", kind: "RdsBackup".into(), source: Box::new(kube::Error::Api(status)) })
    };
    for said in [1, 0] {
        scene.pass = Pass::start(Arc::new(scene.stored.clone()));
        let mut next = scene.give(Answer::Begin);
        let mut asked = Vec::new();
        let rest = loop {
            match next {
                Next::Rest(rest) => break rest,
                Next::Do(request) => {
                    let answer = match &request {
                        Request::WriteStatus { .. } => Answer::Written(too_large()),
                        request => scene.answer(request),
                    };
                    asked.push(request);
                    next = scene.give(answer);
                }
            }
        };
        assert!(matches!(rest, Rest::Failed(_)));
        assert_eq!(asked.iter().filter(|request| matches!(request, Request::NoteTooLarge(true))).count(), said);
        assert_eq!(asked.iter().filter(|request| matches!(request, Request::WakeSiblings)).count(), said);
        let events = asked.iter().filter_map(|request| match request {
            Request::Announce(announcement) => {
                Some(announcement.events.iter().filter(|event| event.reason() == Reason::ObjectTooLarge).count())
            }
            _ => None,
        });
        assert_eq!(events.sum::<usize>(), said);
    }
    scene.pass = Pass::start(Arc::new(scene.stored.clone()));
    let begun = scene.give(Answer::Begin);
    let (asked, _) = scene.run_to_rest(begun);
    assert_eq!(asked.iter().filter(|request| matches!(request, Request::NoteTooLarge(false))).count(), 1, "it fits again");
}
