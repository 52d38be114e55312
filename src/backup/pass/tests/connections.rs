//! What a pass does when the account has another connection than before: another host, key or pace.

use super::*;

/// The endpoint was changed after the preflight: its sets and jobs are no baseline for a request to the other one.
#[test]
fn what_was_read_through_another_connection_counts_no_more() {
    let mut scene = Scene::new();
    let begun = scene.give(Answer::Begin);
    let last_read = |request: &Request| matches!(request, Request::Read { what: CloudRead::ManualSets(_), .. });
    let read = scene.until(begun, last_read);
    let answer = scene.answer(&read);
    scene.connection = 1;
    let next = scene.give(answer);
    let request = scene.until(next, |request| is_write(request) || last_read(request));
    assert!(last_read(&request), "it is read anew before the intent is written: {request:?}");
    let answer = scene.answer(&request);
    let next = scene.give(answer);
    let request = scene.until(next, |request| is_write(request) || last_read(request));
    assert!(is_write(&request), "once: {request:?}");
}
