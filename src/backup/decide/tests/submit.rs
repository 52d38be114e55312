//! Steps 1 to 7: admit, preflight, intent, clear, send, classify, record.

use std::time::Duration;

use super::*;
use crate::api::{AttemptOutcome, Origin, SubmissionOutcome};

#[test]
fn a_fresh_object_is_looked_into_without_a_write() {
    let case = Case::new();
    let decision = case.decide(1);
    assert_eq!(decision.effect, Some(Effect::Preflight { instance: InstanceId::new(INSTANCE), attempt: (1, 1) }));
    assert_eq!(decision.status, case.status, "nothing is worth a write yet");
    assert!(decision.events.is_empty());
}

#[test]
fn the_intent_is_written_before_anything_is_sent() {
    let mut case = Case::new();
    case.preflight(1, Ok(facts(Vec::new(), vec![set("old", -3600)])));
    let decision = case.step(2);
    assert_eq!(decision.effect, Some(Effect::WriteIntent { nonce: "nonce-a".into() }));
    let intent = case.submission().clone();
    assert_eq!((intent.run, intent.attempt, intent.nonce.as_str(), intent.cleared, intent.outcome), (1, 1, "nonce-a", false, None));
    assert_eq!((intent.timestamp.0, intent.unresolved_since.0, intent.waiting_since.0), (at(2), at(2), at(2)));
    assert_eq!(intent.baseline.backup_ids, ["old"]);
    case.assert_place(Phase::Submitting, Reason::Submitting);
    assert_eq!(case.status.observed_generation, 1);
    let effective = case.status.effective.as_ref().unwrap();
    assert_eq!((effective.engine.as_deref(), effective.region_id.as_deref()), (Some("MySQL"), Some("cn-hangzhou")));
}

#[test]
fn a_preflight_older_than_a_minute_is_made_again() {
    let mut case = Case::new();
    case.preflight(0, Ok(idle()));
    assert!(matches!(case.decide(60).effect, Some(Effect::WriteIntent { .. })));
    assert!(matches!(case.decide(61).effect, Some(Effect::Preflight { .. })));
}

#[test]
fn an_own_intent_is_cleared_and_only_then_sent() {
    let mut case = Case::new().intent(1, false, true);
    assert_eq!(case.decide(2).effect, Some(Effect::Clear { nonce: "nonce-a".into() }));
    assert!(!case.decide(2).status.submission.unwrap().cleared);
    case.memory.own.as_mut().unwrap().rival = Some(None);
    let decision = case.step(2);
    assert!(case.submission().cleared, "the clearing is written with the decision to send");
    let Some(Effect::Send { request, stamp }) = decision.effect else { panic!("{decision:?}") };
    assert_eq!((stamp.nonce.as_str(), stamp.timestamp), ("nonce-a", at(1)), "the request is the intent's");
    assert_eq!((request.instance.as_str(), request.method.as_deref()), (INSTANCE, Some("Physical")));
}

#[test]
fn two_intents_that_meet_are_withdrawn_and_tried_again() {
    let mut case = Case::new().intent(1, false, true);
    case.memory.own.as_mut().unwrap().rival = Some(Some("uid-9".into()));
    let decision = case.step(2);
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Unsent));
    case.assert_place(Phase::Queued, Reason::WaitingForTurn);
    assert_eq!(decision.hold_until, Some(at(4)));
    assert!(decision.effect.is_none());
    assert_eq!(wait_of(&case.decide(2)), secs(2));
    assert_eq!(case.decide(4).effect, Some(Effect::Preflight { instance: InstanceId::new(INSTANCE), attempt: (1, 2) }));

    // Met again and again, it is tried less and less often.
    let mut pauses = Vec::new();
    for (attempt, begins) in (2..9).zip((100..).step_by(100)) {
        case.randomness.nonce = format!("nonce-{attempt}");
        case = case.intent(begins, false, true);
        case.memory.own = Some(OwnIntent { rival: Some(Some("uid-9".into())), ..OwnIntent::new(&case.randomness.nonce) });
        pauses.push(case.step(begins).hold_until.unwrap().duration_since(at(begins)).as_secs());
    }
    assert_eq!(pauses, [4, 8, 16, 32, 32, 32, 32]);
}

#[test]
fn an_uncleared_intent_of_a_dead_process_was_never_sent() {
    let mut case = Case::new().intent(1, false, false);
    assert_eq!(wait_of(&case.step(3)), secs(8), "whoever wrote it may live, and be about to clear it");
    assert_eq!(case.submission().outcome, None);
    let decision = case.step(11);
    assert!(decision.effect.is_none());
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Unsent));
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
    assert!(matches!(case.decide(11).effect, Some(Effect::Preflight { attempt: (1, 2), .. })), "seconds, not the 27 min of a lost answer");
}

#[test]
fn an_own_intent_older_than_a_minute_is_not_sent() {
    let mut case = Case::new().intent(1, false, true);
    case.memory.own.as_mut().unwrap().rival = Some(None);
    case.step(62);
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Unsent));
}

#[test]
fn a_cleared_intent_is_never_sent_by_another_process() {
    let case = Case::new().intent(1, true, false);
    assert!(matches!(case.decide(2).effect, Some(Effect::Look { .. })));
}

#[test]
fn a_cleared_intent_whose_request_left_is_not_sent_again() {
    let mut case = Case::new().intent(1, true, true);
    let own = case.memory.own.as_mut().unwrap();
    own.rival = Some(None);
    assert!(
        matches!(case.decide(2).effect, Some(Effect::Send { .. })),
        "the answer to the clearing write was lost: it did land, and nothing was sent"
    );
    case.memory.own.as_mut().unwrap().sent = true;
    assert!(matches!(case.decide(2).effect, Some(Effect::Look { .. })));
}

#[test]
fn a_job_id_is_recorded() {
    let mut case = Case::new().intent(1, true, true).answered(accepted("77"));
    let decision = case.step(5);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("77"));
    assert_eq!(case.status.request_id.as_deref(), Some("REQ-1"));
    assert_eq!(case.status.origin, Some(Origin::Created));
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Accepted));
    case.assert_place(Phase::Running, Reason::Running);
    assert_eq!(decision.events.len(), 1);
    assert_eq!(decision.events[0].note(), "the service accepted the backup as job 77");
    assert_eq!(wait_of(&case.decide(5)), secs(15), "the answer is taken in once; the first poll is at 15 s");
}

#[test]
fn refusals_say_whose_turn_it_is() {
    for (code, phase, reason, words) in [
        ("InvalidDBInstanceId.NotFound", Phase::Pending, Reason::InstanceNotFound, "knows no instance rm-1 in region cn-hangzhou"),
        ("InvalidBackupMethod.ValueNotSupport", Phase::Failed, Reason::UnsupportedMethod, "MySQL on local disks"),
        ("Forbidden.RAM", Phase::Pending, Reason::AccessDenied, "rds:CreateBackup"),
        ("InvalidAccessKeyId.NotFound", Phase::Queued, Reason::InvalidCredentials, "access key"),
        ("SignatureDoesNotMatch", Phase::Queued, Reason::InvalidCredentials, "access key"),
        ("Throttling.User", Phase::Queued, Reason::Throttled, "more calls"),
    ] {
        let mut case = Case::new().intent(1, true, true).answered(rejected(code));
        let decision = case.step(5);
        case.assert_place(phase, reason);
        assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Rejected), "{code}");
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains(words) && message.contains(code) && message.contains("REQ-1"), "{code}: {message}");
        let last = case.status.last_error.as_ref().unwrap();
        assert_eq!((last.code.as_str(), last.request_id.as_deref()), (code, Some("REQ-1")));
        assert_eq!(case.status.attempts.len(), 1);
        assert_eq!(case.status.attempts[0].outcome, AttemptOutcome::Rejected);
        assert!(decision.effect.is_none());
        let stalled = case.status.is_true(ConditionType::Stalled);
        assert_eq!(stalled, phase != Phase::Queued, "{code}: Stalled is for what needs somebody");
        if phase != Phase::Failed {
            let again = wait_of(&case.decide(5));
            assert!(again >= secs(5) && again <= secs(300), "{code}: {again}");
        }
    }
}

#[test]
fn a_request_that_did_not_leave_is_sent_again_with_a_new_nonce() {
    let mut case =
        Case::new().intent(1, true, true).answered(CreateOutcome::Rejected(Rejection::NotSent { why: "connection refused".into() }));
    case.step(5);
    case.assert_place(Phase::Queued, Reason::ServiceUnavailable);
    assert_eq!(wait_of(&case.decide(5)), secs(5));
    case.preflight(10, Ok(idle()));
    case.randomness.nonce = "nonce-b".into();
    case.step(10);
    assert_eq!((case.submission().attempt, case.submission().nonce.as_str()), (2, "nonce-b"));
    assert_eq!(case.submission().waiting_since.0, at(1), "queueTimeout counts from the first attempt");
}

#[test]
fn a_request_that_a_new_configuration_kept_back_was_never_sent_and_is_decided_anew_at_once() {
    let mut case = Case::new().intent(1, true, true).answered(CreateOutcome::Rejected(Rejection::Withdrawn));
    let decision = case.step(5);
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
    assert_eq!((case.submission().outcome, case.status.attempts.len()), (Some(SubmissionOutcome::Unsent), 0), "it is no attempt");
    assert_eq!(decision.requeue, Requeue::Now);
    assert!(matches!(case.decide(5).effect, Some(Effect::Preflight { attempt: (1, 2), .. })), "nothing has to pass first");
    case.preflight(6, Err(CallError::Withdrawn));
    assert_eq!(wait_of(&case.step(6)), secs(1));
    case.assert_place(Phase::Queued, Reason::ServiceUnavailable);
}

#[test]
fn a_pause_of_the_account_is_the_pause_of_its_objects() {
    let pause = |seconds: u64| Duration::from_secs(seconds);
    // The request: what the pause is about is no attempt, and nothing grows.
    let mut case = Case::new().intent(1, true, true).answered(CreateOutcome::Rejected(Rejection::Paused { wait: pause(40) }));
    case.step(5);
    case.assert_place(Phase::Queued, Reason::Throttled);
    assert_eq!((wait_of(&case.decide(5)), case.status.attempts.len()), (secs(40), 0));
    // A read, again and again: by our own pace, by the service's word, and where it names no pause.
    let throttled = |retry_after| CallError::Api(ApiError { retry_after, ..api_error("Throttling.User") });
    for (error, waits) in [
        (CallError::Paused { wait: pause(17) }, 17),
        (throttled(Some(pause(3))), 3),
        (throttled(Some(pause(60))), 60),
        (throttled(Some(pause(0))), 1),
        (throttled(None), 5),
    ] {
        let mut case = Case::new();
        for tries in 1..=6 {
            case.memory.absorb_preflight((1, 1), "cn-hangzhou", at(100 * tries), Err(error.clone()));
            assert_eq!(wait_of(&case.step(100 * tries)), secs(waits), "{error:?}, the {tries}th time");
            case.assert_place(Phase::Queued, Reason::Throttled);
        }
    }
}

#[test]
fn an_instance_that_the_service_does_not_list_is_not_found() {
    let mut case = Case::new();
    case.preflight(1, Err(CallError::NoInstance));
    assert_eq!(wait_of(&case.step(1)), secs(60));
    case.assert_place(Phase::Pending, Reason::InstanceNotFound);
    let message = &case.status.condition(ConditionType::Ready).unwrap().message;
    assert!(message.contains("regionId") && !message.contains("endpoint"), "{message}");
}

#[test]
fn a_key_that_is_refused_is_named_by_its_source() {
    for code in ["InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch", "InvalidSecurityToken.Expired"] {
        let mut case = Case::new();
        case.preflight(1, Err(CallError::Api(api_error(code))));
        case.step(1);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains("the Secret key-of-the-test in the operator's namespace"), "{code}: {message}");
    }
    // One that no request can carry, of a read and of the request itself.
    let why = || "the value of authorization cannot be sent in a header".to_owned();
    let mut read = Case::new();
    read.preflight(1, Err(CallError::Unusable { why: why() }));
    let request = Case::new().intent(1, true, true).answered(CreateOutcome::Rejected(Rejection::Unusable { why: why() }));
    for mut case in [read, request] {
        case.step(5);
        case.assert_place(Phase::Queued, Reason::InvalidCredentials);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains("the Secret key-of-the-test in the operator's namespace") && !message.contains("network"), "{message}");
    }
}

#[test]
fn a_lost_answer_is_resolved_not_repeated() {
    let mut case = Case::new().intent(1, true, true).answered(lost());
    let decision = case.step(31);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    assert_eq!(case.submission().outcome, None, "it is open: it may still become a backup");
    assert!(decision.events[0].is_warning());
    assert!(matches!(case.decide(31).effect, Some(Effect::Look { .. })));
}

#[test]
fn an_answer_for_an_attempt_that_is_no_longer_current_is_remembered_as_a_possible_duplicate() {
    for terminal in [false, true] {
        let mut case = Case::new().intent(1, true, true).answered(accepted("77"));
        // Another process closed this attempt, and the object moved on.
        case.submission().nonce = "nonce-z".into();
        case.status.backup_job_id = Some("88".into());
        case.status.phase = if terminal { Phase::Succeeded } else { Phase::Running };
        case.step(40);
        assert_eq!(case.status.backup_job_id.as_deref(), Some("88"));
        assert_eq!(case.status.attempts[0].outcome, AttemptOutcome::PossibleDuplicate);
        assert_eq!(case.status.attempts[0].backup_job_id.as_deref(), Some("77"));
        assert!(case.status.is_true(ConditionType::DuplicateBackup));
        let again = case.decide(40);
        assert_eq!(again.status, case.status, "once");
    }
}

#[test]
fn the_older_of_two_goes_first_and_a_running_job_holds_the_instance() {
    for (other, waits) in [
        (sibling("uid-1", -1, Phase::Queued), true),
        (sibling("uid-1", 0, Phase::Pending), true),
        (sibling("uid-9", 0, Phase::Pending), false),
        (sibling("uid-9", 1, Phase::Queued), false),
        (Sibling { queues: false, ..sibling("uid-1", -1, Phase::Queued) }, false),
        (sibling("uid-9", 1, Phase::Running), true),
        (sibling("uid-9", 1, Phase::Finalizing), true),
        (Sibling { open_since: Some(at(0)), ..sibling("uid-9", 1, Phase::Resolving) }, true),
        (Sibling { open_since: Some(at(0)), blocked: true, ..sibling("uid-9", 1, Phase::Resolving) }, true),
        (Sibling { open_since: Some(at(-27 * 60)), blocked: true, ..sibling("uid-9", 1, Phase::Resolving) }, false),
        (Sibling { open_since: Some(at(-27 * 60)), ..sibling("uid-9", 1, Phase::Resolving) }, true),
    ] {
        let mut case = Case::new();
        case.siblings = vec![other.clone()];
        let decision = case.step(1);
        if waits {
            case.assert_place(Phase::Queued, Reason::WaitingForTurn);
            assert_eq!(case.kstatus(), (Some("False"), true, false));
        } else {
            assert!(matches!(decision.effect, Some(Effect::Preflight { .. })), "{other:?}");
        }
    }
}

#[test]
fn a_busy_instance_is_waited_for_and_asked_ever_less_often() {
    let mut case = Case::new();
    case.preflight(1, Ok(facts(vec![task("5", JobState::Active)], Vec::new())));
    let decision = case.step(1);
    case.assert_place(Phase::Queued, Reason::InstanceBusy);
    assert_eq!(case.status.queue.as_ref().unwrap().since.0, at(1));
    assert_eq!(wait_of(&decision), secs(10));
    case.preflight(201, Ok(facts(vec![task("5", JobState::Active)], Vec::new())));
    let decision = case.decide(201);
    assert_eq!(wait_of(&decision), secs(100), "half of the time waited");
    assert_eq!(decision.status, case.status, "waiting is written once");
    case.preflight(400, Ok(PreflightFacts { instance: Instance { status: "Restarting".into(), ..idle().instance }, ..idle() }));
    case.step(400);
    case.assert_place(Phase::Queued, Reason::InstanceNotRunning);
    assert_eq!(case.status.queue.as_ref().unwrap().since.0, at(1), "another reason does not start the time anew");
}

#[test]
fn the_queue_timeout_ends_the_wait_but_never_an_open_intent() {
    let busy = || Ok(facts(vec![task("5", JobState::Active)], Vec::new()));
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#);
    case.preflight(1, busy());
    case.step(1);
    let decision = case.step(602);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    let message = &case.status.condition(ConditionType::Ready).unwrap().message;
    assert!(message.contains("InstanceBusy") && message.contains("10m"), "{message}");
    assert!(decision.wakes);

    let mut open = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#).intent(1, true, false);
    open.step(602);
    assert_ne!(open.status.phase, Phase::Failed);
}

#[test]
fn what_the_instance_is_is_said_also_when_its_jobs_cannot_be_read() {
    let unlisted = |change: fn(&mut Instance)| {
        let mut instance = idle().instance;
        change(&mut instance);
        Ok(PreflightFacts { instance, backups: Err(CallError::Api(api_error("ReadDBInstanceNotSupport"))) })
    };
    let mut case = Case::new();
    case.preflight(1, unlisted(|instance| instance.instance_type = Some("Readonly".into())));
    case.step(1);
    case.assert_place(Phase::Failed, Reason::UnsupportedMethod);
    let mut case = Case::new();
    case.preflight(1, unlisted(|instance| instance.status = "Stopped".into()));
    case.step(1);
    case.assert_place(Phase::Queued, Reason::InstanceNotRunning);
    let mut case = Case::new();
    case.preflight(1, unlisted(|_| {}));
    assert!(case.step(1).effect.is_none(), "without its jobs and sets nothing is announced");
    case.assert_place(Phase::Pending, Reason::Rejected);
}
