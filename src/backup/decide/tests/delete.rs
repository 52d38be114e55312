//! The stage of deletion.

use super::*;
use crate::api::{FINALIZER, SubmissionOutcome};

fn deleting(mut case: Case, finalizers: &[&str]) -> Case {
    case.object.metadata.deletion_timestamp = Some(Time(at(5)));
    case.object.metadata.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
    case
}

fn succeeded() -> Case {
    let mut case = Case::new().intent(0, true, true).answered(accepted("77"));
    case.step(1);
    case.poll(200, Some(finished("77", "s7")), Some(set("s7", 2)));
    case.step(201);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    case
}

#[test]
fn a_finalizer_of_ours_is_taken_off_and_those_of_other_controllers_stay() {
    for case in [Case::new(), succeeded()] {
        let decision = deleting(case, &["example.org/keep", FINALIZER]).decide(300);
        assert_eq!(decision.finalizers.as_deref(), Some(&["example.org/keep".to_owned()][..]));
        assert_eq!(decision.effect, None);
    }
}

#[test]
fn a_finalizer_stays_on_an_object_that_is_not_being_deleted() {
    let mut case = succeeded();
    case.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    assert_eq!(case.decide(300).finalizers, None);
}

#[test]
fn an_ended_object_and_one_that_asked_for_nothing_yet_are_let_go_without_a_write() {
    for case in [Case::new(), succeeded()] {
        let case = deleting(case, &["example.org/keep"]);
        let decision = case.decide(300);
        assert_eq!((decision.effect, decision.requeue, decision.finalizers), (None, Requeue::OnChange, None));
        assert_eq!(decision.status, case.status);
    }
}

#[test]
fn an_intent_that_was_not_cleared_is_withdrawn_whoever_wrote_it_and_nothing_is_sent() {
    for own in [true, false] {
        let mut case = deleting(Case::new().intent(0, false, own), &["example.org/keep"]);
        let decision = case.step(1);
        assert_eq!(decision.effect, None);
        assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Unsent));
        assert_eq!(case.decide(2).requeue, Requeue::OnChange, "no other attempt begins");
    }
}

#[test]
fn a_job_that_runs_and_a_request_without_an_answer_are_followed_for_as_long_as_the_object_is_there() {
    let mut running = Case::new().intent(0, true, true).answered(accepted("77"));
    running.step(1);
    let decision = deleting(running, &["example.org/keep"]).decide(60);
    assert!(matches!(decision.effect, Some(Effect::Follow { .. })), "{decision:?}");
    let unanswered = deleting(Case::new().intent(0, true, false), &["example.org/keep"]);
    assert!(matches!(unanswered.decide(60).effect, Some(Effect::Look { .. })));
}

#[test]
fn an_answer_is_recorded_before_the_object_is_let_go() {
    let mut case = deleting(Case::new().intent(0, true, true).answered(accepted("77")), &[FINALIZER]);
    assert_eq!(case.step(1).finalizers, None);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("77"));
    assert_eq!(case.decide(2).finalizers, Some(Vec::new()));
}
