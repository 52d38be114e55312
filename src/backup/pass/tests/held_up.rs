//! What a pass does that may not go on: the object says so once, and its turn among the callers of the account stays as it was told.

use super::*;
use crate::api::Reason;

const TURN: Duration = Duration::from_secs(20);

/// A pass over a new object up to `stop`, which is answered with `answer`, and from there to its rest.
fn held_up(scene: &mut Scene, stop: impl Fn(&Request) -> bool, answer: Answer) -> (Vec<Request>, Rest) {
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    scene.until(begun, stop);
    let next = scene.give(answer);
    scene.run_to_rest(next)
}

fn writes(asked: &[Request]) -> usize {
    asked.iter().filter(|request| is_write(request)).count()
}

fn no_place(scene: &mut Scene) -> (Vec<Request>, Rest) {
    held_up(scene, |request| matches!(request, Request::Admit), Answer::Admitted(Err(TURN)))
}

#[test]
fn an_object_without_a_place_says_so_once_and_starts_at_its_turn() {
    let mut scene = Scene::new();
    let (asked, rest) = no_place(&mut scene);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == TURN), "{rest:?}");
    assert_eq!(writes(&asked), 1, "{asked:?}");
    let status = scene.status();
    assert_eq!((status.phase, status.ready_reason()), (Phase::Queued, Some(Reason::WaitingForTurn.as_str())));

    // The event of that write, or any other, asks for no second turn.
    scene.second += 5;
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    let (asked, rest) = scene.run_to_rest(begun);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == TURN - Duration::from_secs(5)), "{rest:?}");
    assert!(!asked.iter().any(|request| matches!(request, Request::Admit)) && writes(&asked) == 0, "{asked:?}");

    scene.second += 15;
    let (asked, rest) = no_place(&mut scene);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == TURN), "{rest:?}");
    assert_eq!(writes(&asked), 0, "what it says is still true: {asked:?}");

    scene.second += 20;
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    scene.until(begun, is_send);
}

#[test]
fn while_many_schedules_create_their_backups_an_object_without_a_place_says_nothing_and_keeps_its_turn() {
    let mut scene = Scene::new();
    scene.is_burst = true;
    let (asked, rest) = no_place(&mut scene);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == BURST_PAUSE), "{rest:?}");
    assert_eq!(writes(&asked), 0, "{asked:?}");

    scene.second += 2;
    scene.is_burst = false;
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    let (asked, rest) = scene.run_to_rest(begun);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == TURN - Duration::from_secs(2)), "{rest:?}");
    assert!(!asked.iter().any(|request| matches!(request, Request::Admit)), "it keeps its turn: {asked:?}");
    assert_eq!((writes(&asked), scene.status().ready_reason()), (1, Some(Reason::WaitingForTurn.as_str())));
}

#[test]
fn an_object_whose_instance_is_taken_says_so_once() {
    let mut scene = Scene::new();
    let locked = |scene: &mut Scene| held_up(scene, |request| matches!(request, Request::LockInstance), Answer::Locked(false));
    let (asked, rest) = locked(&mut scene);
    assert!(matches!(rest, Rest::Requeue(wait) if wait == LOCKED_PAUSE), "{rest:?}");
    assert_eq!((writes(&asked), scene.status().ready_reason()), (1, Some(Reason::WaitingForTurn.as_str())));
    scene.second += 1;
    let (asked, _) = locked(&mut scene);
    assert_eq!(writes(&asked), 0, "{asked:?}");
}

#[test]
fn an_object_that_starts_at_once_is_not_written_before_its_intent() {
    let mut scene = Scene::new();
    let cached = scene.stored.clone();
    let begun = scene.begin(&cached);
    scene.until(begun, is_write);
    assert!(matches!(scene.pass.stage(), Stage::Write(decided) if matches!(decided.decision.effect, Some(Effect::WriteIntent { .. }))));
}
