//! `logs`.

use serde_json::json;

use super::server::Server;

const OURS: &str = "/apis/rdsbackup.io/v1alpha1";

/// Two that wait, and one that runs. The newer of the two has an event.
fn server() -> Server {
    let queued = |second: u32| {
        json!({
            "metadata": { "creationTimestamp": format!("2026-11-29T02:00:{second:02}Z") },
            "status": { "observedGeneration": 1, "phase": "Queued", "queue": { "reason": "WaitingForTurn", "since": "2026-11-29T02:00:05Z" } },
        })
    };
    Server::new()
        .with_backup("first", &queued(1))
        .with_backup("second", &queued(2))
        .with_backup("runs", &json!({ "status": { "observedGeneration": 1, "phase": "Running" } }))
        .with_event(
            "second-x",
            &json!({ "eventTime": "2026-11-29T02:00:07.000000Z", "reason": "WaitingForTurn", "note": "another goes first", "type": "Normal" }),
        )
}

#[test]
fn the_story_has_its_events_and_its_place_in_the_queue() {
    let server = server();
    let done = server.run(&["logs", "second"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let wanted = [
        "2026-11-29T02:00:02Z  created  uid=uid-of-second instance=rm-orders account=default",
        "2026-11-29T02:00:05Z  waits    since then; now because of WaitingForTurn",
        "2026-11-29T02:00:07Z  event    WaitingForTurn: another goes first",
        "now                   phase    Queued",
        "now                   waits    2nd of 2 of rm-orders behind team-a/first; team-a/runs has the instance (Running)",
    ];
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), wanted);
    let asked: Vec<String> = server.requests().into_iter().map(|request| format!("{}?{}", request.path, request.query)).collect();
    assert!(asked[1].contains("/events?") && asked[1].contains("fieldSelector=regarding.uid%3Duid-of-second"), "{asked:?}");
    assert!(
        asked[2].starts_with(&format!("{OURS}/rdsbackups?")) && asked[2].contains("fieldSelector=spec.dbInstanceId%3Drm-orders"),
        "{asked:?}"
    );
    assert!(server.patches().is_empty());
}

#[test]
fn it_tells_what_it_may_see_and_says_what_it_may_not() {
    let server = server().forbidding("GET", "/apis/events.k8s.io/", "list", "events").forbidding(
        "GET",
        &format!("{OURS}/rdsbackups"),
        "list",
        "rdsbackups",
    );
    let done = server.run(&["logs", "second"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr.contains("note: without the Events: \"ann@example.org\" may not list events.events.k8s.io in namespace team-a"),
        "{done:?}"
    );
    assert!(done.stderr.contains("--clusterrole=view") && !done.stdout.contains("event "), "{done:?}");
    assert!(done.stdout.contains("2nd of 2 of rm-orders") && done.stdout.contains("counted in this namespace only"), "{done:?}");
    let done = server.run(&["logs", "none"]);
    assert!(done.code == 1 && done.stderr.contains("there is no RdsBackup \"none\""), "{done:?}");
}
