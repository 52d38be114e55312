//! Something that may hold the instance cannot be read: nothing new is sent and no look counts, and the object says so.

use super::*;
use crate::{api::SubmissionOutcome, rds::CreateOutcome};

fn unreadable(again_in: Option<SignedDuration>) -> Result<(), Blocker> {
    Err(Blocker { reason: Reason::ClaimsUnreadable, message: "namespace team-b cannot be read".into(), again_in })
}

#[test]
fn nothing_is_begun_and_the_object_says_what_cannot_be_read() {
    let mut case = Case::new();
    case.claims = unreadable(None);
    let decision = case.step(1);
    case.assert_place(Phase::Pending, Reason::ClaimsUnreadable);
    assert!(case.status.is_true(ConditionType::Stalled));
    assert_eq!((decision.effect, decision.requeue), (None, Requeue::After(secs(60))));
    // What passes by itself is only waited for.
    case.claims = unreadable(Some(secs(10)));
    assert_eq!(case.step(20).requeue, Requeue::After(secs(10)));
    case.assert_place(Phase::Queued, Reason::ClaimsUnreadable);
    assert!(!case.status.is_true(ConditionType::Stalled));
    case.claims = Ok(());
    assert!(matches!(case.step(30).effect, Some(Effect::Preflight { .. })));
    case.claims = unreadable(None);
    case.step(40);
    case.step(2 * 3600 + 30);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
}

#[test]
fn an_intent_that_is_not_cleared_is_withdrawn_once_and_not_written_again() {
    let mut case = Case::new().intent(1, false, true);
    case.memory.own.as_mut().unwrap().rival = Some(Some("namespace team-b".into()));
    case.claims = unreadable(None);
    case.step(2);
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Unsent));
    case.assert_place(Phase::Pending, Reason::ClaimsUnreadable);
    let before = case.status.clone();
    assert!(case.step(70).effect.is_none());
    assert_eq!(case.status, before, "no write at the next look");
}

#[test]
fn a_list_that_was_whole_counts_and_its_request_is_sent() {
    let mut case = Case::new().intent(1, false, true);
    case.memory.own.as_mut().unwrap().rival = Some(None);
    case.claims = unreadable(None);
    assert!(matches!(case.decide(2).effect, Some(Effect::Send { .. })));
}

#[test]
fn a_lost_answer_is_not_looked_for_and_keeps_its_place() {
    let mut case = Case::new().intent(1, true, false);
    case.claims = unreadable(None);
    let decision = case.step(30);
    assert!(decision.effect.is_none());
    case.assert_place(Phase::Resolving, Reason::ClaimsUnreadable);
    assert_eq!(case.submission().outcome, None);
    case.claims = Ok(());
    assert!(matches!(case.step(90).effect, Some(Effect::Look { .. })));
}

#[test]
fn a_job_that_was_accepted_is_followed() {
    let answer = CreateOutcome::Accepted { job_id: JobId::new("17"), request_id: None };
    let mut case = Case::new().intent(1, true, true).answered(answer);
    case.step(2);
    case.claims = unreadable(None);
    case.step(3);
    assert!(matches!(case.decide(60).effect, Some(Effect::Follow { .. })));
    case.assert_place(Phase::Running, Reason::Running);
}
