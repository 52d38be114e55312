//! What keeps an object from its request, for how long, and what its user is told meanwhile.

use super::*;
use crate::api::SubmissionOutcome;

/// Credentials are read again within a minute: until then nobody is called.
#[test]
fn an_expired_token_is_tried_again_before_somebody_is_called() {
    let expired = || Err(CallError::Api(api_error("InvalidSecurityToken.Expired")));
    let mut case = Case::new();
    for (tries, phase) in [(1, Phase::Queued), (2, Phase::Queued), (3, Phase::Queued), (4, Phase::Pending)] {
        let second = 30 * tries;
        case.memory.absorb_preflight((1, 1), "cn-hangzhou", at(second), expired());
        let decision = case.step(second);
        case.assert_place(phase, Reason::InvalidCredentials);
        assert_eq!(wait_of(&decision), if phase == Phase::Queued { secs(30) } else { secs(60) }, "{tries}");
    }
}

/// The reads before the request were answered with the same key: it was changed a moment ago.
#[test]
fn a_key_that_is_refused_for_the_request_alone_is_tried_again_before_somebody_is_called() {
    for (attempt, phase, pause) in [(1, Phase::Queued, 5), (3, Phase::Queued, 5), (4, Phase::Pending, 60)] {
        let mut case = Case::new().intent(1, true, true).answered(rejected("InvalidAccessKeyId.NotFound"));
        case.submission().attempt = attempt;
        case.step(5);
        case.assert_place(phase, Reason::InvalidCredentials);
        assert!(case.decide(5 + pause - 1).effect.is_none(), "{attempt}");
        assert!(matches!(case.decide(5 + pause).effect, Some(Effect::Preflight { .. })), "{attempt}");
    }
    let mut case = Case::new();
    case.memory.absorb_preflight((1, 1), "cn-hangzhou", at(1), Err(CallError::Api(api_error("InvalidAccessKeyId.NotFound"))));
    case.step(1);
    case.assert_place(Phase::Pending, Reason::InvalidCredentials);
}

/// The next backup of a schedule stands behind it.
#[test]
fn what_needs_somebody_is_not_waited_for_beyond_the_queue_timeout() {
    let denied = || Err(CallError::Api(api_error("Forbidden.RAM")));
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#);
    case.preflight(1, denied());
    assert_eq!(wait_of(&case.step(1)), secs(60));
    case.preflight(561, denied());
    assert_eq!(wait_of(&case.step(561)), secs(41), "not beyond its end");
    case.assert_place(Phase::Pending, Reason::AccessDenied);
    case.preflight(602, denied());
    case.step(602);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    let message = &case.status.condition(ConditionType::Ready).unwrap().message;
    assert!(message.contains("The last reason was AccessDenied"), "{message}");

    // An account that is not there, and a spec that an older CRD let pass.
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#);
    case.account = Err(Blocker { reason: Reason::AccountNotFound, message: "name another".into(), again_in: None });
    case.step(1);
    case.step(602);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m","retentionDays":3}"#);
    case.step(1);
    case.assert_place(Phase::Pending, Reason::InvalidSpec);
    case.step(602);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
}

/// What it waits for may change as often as it likes: the time of waiting goes on.
/// What has begun is told by the records of requests: a phase that a person wrote says nothing.
#[test]
fn a_phase_that_somebody_wrote_keeps_nothing_from_its_queue_timeout() {
    for phase in [Phase::Submitting, Phase::Resolving, Phase::Running, Phase::Finalizing] {
        for spec in [r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#, r#"{"dbInstanceId":"rm-1","queueTimeout":"10m","retentionDays":3}"#]
        {
            let mut case = Case::of(spec);
            case.account = Err(Blocker { reason: Reason::AccountNotFound, message: "name another".into(), again_in: None });
            case.step(1);
            case.status.phase = phase;
            case.step(2);
            assert_eq!(case.status.phase, Phase::Pending, "{phase:?}");
            case.status.phase = phase;
            case.step(603);
            case.assert_place(Phase::Failed, Reason::QueueTimeout);
        }
    }
}

#[test]
fn the_queue_timeout_counts_on_through_what_needs_somebody_and_what_does_not() {
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"10m"}"#);
    case.preflight(1, Ok(facts(vec![task("5", JobState::Active)], Vec::new())));
    case.step(1);
    case.assert_place(Phase::Queued, Reason::InstanceBusy);
    case.preflight(300, Err(CallError::Api(api_error("Forbidden.RAM"))));
    assert_eq!(wait_of(&case.step(300)), secs(60));
    case.assert_place(Phase::Pending, Reason::AccessDenied);
    case.account_mut().paused = true;
    case.step(590);
    case.assert_place(Phase::Queued, Reason::SubmissionsPaused);
    case.account = Err(Blocker { reason: Reason::AccountNotFound, message: "name another".into(), again_in: None });
    assert_eq!(wait_of(&case.step(595)), secs(7));
    assert_eq!(case.status.queue.as_ref().unwrap().since.0, at(1));
    case.step(602);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    assert_eq!(case.status.queue, None);
}

#[test]
fn trouble_with_reading_is_told_once_and_in_the_same_words() {
    let denied = |request: &str| CallError::Api(ApiError { request_id: Some(request.into()), ..api_error("Forbidden.RAM") });
    let mut case = Case::new();
    case.preflight(1, Err(denied("REQ-1")));
    let decision = case.step(1);
    case.assert_place(Phase::Pending, Reason::AccessDenied);
    assert_eq!(case.kstatus(), (Some("False"), false, true));
    assert_eq!(wait_of(&decision), secs(60), "looked at again every minute");
    assert!(matches!(case.decide(61).effect, Some(Effect::Preflight { .. })));
    case.preflight(301, Err(denied("REQ-2")));
    assert_eq!(case.decide(301).status, case.status, "another request id is not worth a write");
    case.preflight(601, Err(denied("REQ-3")));
    let decision = case.decide(601);
    assert_eq!((wait_of(&decision), &decision.status), (secs(300), &case.status), "after ten minutes every 5");
    assert!(case.decide(661).effect.is_none() && matches!(case.decide(901).effect, Some(Effect::Preflight { .. })));
    case.preflight(901, Ok(idle()));
    assert!(matches!(case.step(901).effect, Some(Effect::WriteIntent { .. })), "it heals by itself");
    assert_eq!(case.kstatus(), (Some("False"), true, false));
}

#[test]
fn an_account_that_cannot_be_used_is_stalled_and_a_missing_secret_is_waited_for() {
    for reason in [Reason::AccountNotFound, Reason::NotAllowed, Reason::InvalidSpec] {
        let mut case = Case::new();
        case.account = Err(Blocker { reason, message: "ask".into(), again_in: None });
        assert_eq!(wait_of(&case.step(1)), secs(60));
        assert_eq!(wait_of(&case.step(600)), secs(60));
        assert_eq!(wait_of(&case.step(601)), secs(300));
        case.assert_place(Phase::Pending, reason);
        assert_eq!(case.kstatus(), (Some("False"), false, true));
    }
    let mut case = Case::new();
    case.account_mut().credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "create it".into(), again_in: None });
    assert!(wait_of(&case.step(1)) <= secs(60));
    case.assert_place(Phase::Queued, Reason::CredentialsNotFound);
    assert_eq!(case.kstatus(), (Some("False"), true, false));
    case.account_mut().credentials = Ok(());
    assert!(matches!(case.decide(2).effect, Some(Effect::Preflight { .. })));
}

#[test]
fn paused_submissions_open_no_attempt_and_follow_what_runs() {
    let mut case = Case::new();
    case.account_mut().paused = true;
    case.step(1);
    case.assert_place(Phase::Queued, Reason::SubmissionsPaused);

    let mut own = Case::new().intent(1, false, true);
    own.account_mut().paused = true;
    own.step(2);
    assert_eq!(own.submission().outcome, Some(SubmissionOutcome::Unsent));

    let mut running = Case::new().intent(1, true, true).answered(accepted("77"));
    running.step(5);
    running.account_mut().paused = true;
    assert!(matches!(running.decide(30).effect, Some(Effect::Follow { .. })));
}

/// By the administrator, by the owner of the namespace, and by the author of the object.
#[test]
fn each_pause_keeps_what_is_new_and_lets_go_on_what_has_begun() {
    let annotate = |case: &mut Case, value: &str| {
        case.object.metadata.annotations.get_or_insert_default().insert("rdsbackup.io/paused".to_owned(), value.to_owned());
    };
    type Pause<'a> = &'a dyn Fn(&mut Case);
    let pauses: [(&str, Pause<'_>); 4] = [
        ("operator's configuration", &|case| case.account_mut().paused = true),
        ("rdsbackup.io/submissions: Paused of namespace \"team-a\"", &|case| case.namespace = Ok(Submissions::Paused)),
        ("cannot be read (no answer)", &|case| case.namespace = Err("no answer".to_owned())),
        ("rdsbackup.io/paused: \"true\"", &|case| annotate(case, "true")),
    ];
    for (said, pause) in pauses {
        let mut case = Case::new();
        pause(&mut case);
        let decision = case.step(1);
        assert_eq!(decision.effect, None, "{said}");
        case.assert_place(Phase::Queued, Reason::SubmissionsPaused);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains(said), "{message}");

        let mut own = Case::new().intent(1, false, true);
        pause(&mut own);
        own.step(2);
        assert_eq!(own.submission().outcome, Some(SubmissionOutcome::Unsent), "{said}");

        let mut lost = Case::new().intent(1, true, false);
        pause(&mut lost);
        assert!(matches!(lost.decide(30).effect, Some(Effect::Look { .. })), "{said}: what may have been sent is looked for");

        let mut running = Case::new().intent(1, true, true).answered(accepted("77"));
        running.step(5);
        pause(&mut running);
        assert!(matches!(running.decide(30).effect, Some(Effect::Follow { .. })), "{said}");
    }
    let mut case = Case::new();
    annotate(&mut case, "false");
    assert!(matches!(case.decide(1).effect, Some(Effect::Preflight { .. })), "only true pauses");
}

#[test]
fn an_object_that_its_author_paused_takes_no_turn_of_another() {
    let mut other = Case::new().object;
    let queues = |object: &RdsBackup| Sibling::of(object, true, secs(0)).unwrap().queues;
    assert!(queues(&other));
    other.metadata.annotations = Some([("rdsbackup.io/paused".to_owned(), "true".to_owned())].into());
    assert!(!queues(&other));
}

#[test]
fn a_spec_that_the_crd_should_have_stopped_is_stalled() {
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","strategy":"db"}"#);
    assert_eq!(wait_of(&case.step(1)), secs(60));
    case.assert_place(Phase::Pending, Reason::InvalidSpec);
}

#[test]
fn an_edit_of_the_spec_is_shown_in_every_condition() {
    let mut case = Case::new();
    case.siblings = vec![sibling("uid-1", -1, Phase::Running)];
    case.step(1);
    case.object.metadata.generation = Some(2);
    case.step(2);
    assert_eq!(case.status.observed_generation, 2);
    assert!(case.status.conditions.iter().all(|condition| condition.observed_generation == Some(2)));
}
/// A copy without a status: it was restored, or applied to a new cluster.
#[test]
fn an_object_that_comes_after_its_time_ends_unsent() {
    let not_after = |second: i64| Some(Time(at(second)));
    // It was created at second 0.
    for (not_after, server_now, expired) in [
        (None, Some(at(100_000)), false),
        (not_after(-1), None, true),
        (not_after(0), None, false),
        (not_after(3600), None, false),
        (not_after(3600), Some(at(3600)), false),
        (not_after(3600), Some(at(3601)), true),
    ] {
        let mut case = Case::new();
        case.object.spec.not_after = not_after.clone();
        case.server_now = server_now;
        // However far ahead the clock of the node is.
        let decision = case.decide(90_000);
        let is_expired = decision.status.phase == Phase::Failed && decision.status.ready_reason() == Some("Expired");
        assert_eq!(is_expired, expired, "{not_after:?} {server_now:?}");
        assert!(!expired || decision.effect.is_none(), "no call is made for it");
    }
}

/// What was begun in time goes on: its own deadlines end it.
#[test]
fn an_object_that_was_in_time_never_expires() {
    let mut case = Case::new();
    case.object.spec.not_after = Some(Time(at(3600)));
    case.account_mut().paused = true;
    case.step(10);
    assert_eq!(case.status.phase, Phase::Queued);
    case.server_now = Some(at(4000));
    assert_eq!(case.decide(4000).status.phase, Phase::Queued);
    let decision = case.decide(7300);
    assert_eq!((decision.status.phase, decision.status.ready_reason()), (Phase::Failed, Some("QueueTimeout")));
}

/// Each try takes the condition away that says since when.
#[test]
fn a_request_that_is_refused_again_and_again_is_tried_every_minute_and_after_ten_minutes_every_five() {
    for (waited, pause) in [(1, 60), (599, 60), (600, 300)] {
        let mut case = Case::new().intent(1, true, true).answered(rejected("Forbidden.RAM"));
        case.step(1 + waited);
        case.assert_place(Phase::Pending, Reason::AccessDenied);
        assert!(case.decide(waited + pause).effect.is_none(), "{waited}");
        assert!(matches!(case.decide(1 + waited + pause).effect, Some(Effect::Preflight { .. })), "{waited}");
    }
}
