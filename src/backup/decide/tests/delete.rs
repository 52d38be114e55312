//! The stage of deletion.

use super::*;
use crate::{
    api::{DeletionPolicy, FINALIZER, HOLD_ANNOTATION, NAMESPACE_SUBMISSIONS_ANNOTATION, Origin, PAUSED_ANNOTATION, SubmissionOutcome},
    backup::memory::{Findings, Other},
    controller::Surroundings,
    rds::{BackupPolicy, SetDeletion},
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// When the object is deleted: the set is 30 days old by then.
const DELETED: i64 = 30 * DAY;

fn deleting(mut case: Case, at_second: i64, finalizers: &[&str]) -> Case {
    case.object.metadata.deletion_timestamp = Some(Time(at(at_second)));
    case.object.metadata.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
    case
}

fn ended(mut case: Case) -> Case {
    case = case.intent(0, true, true).answered(accepted("77"));
    case.step(1);
    case.poll(200, Some(finished("77", "s7")), Some(set("s7", 2)));
    case
}

fn succeeded() -> Case {
    let mut case = ended(Case::new());
    case.step(201);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    case
}

/// A success whose set is to be deleted with it; nothing was learnt yet.
fn wanted() -> Case {
    let mut case = succeeded();
    case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    case.memory = Memory::default();
    deleting(case, DELETED, &["example.org/keep", FINALIZER])
}

fn policy() -> BackupPolicy {
    BackupPolicy { retention_days: Some(30), log_backup: Some(true), log_retention_days: Some(7), window: None }
}

fn found() -> Findings {
    Findings {
        instance: Ok(instance(Engine::MySql, "local_ssd")),
        policy: Some(Ok(policy())),
        set: Some(Ok(Some(set("s7", 2)))),
        others: Some(Vec::new()),
    }
}

impl Case {
    /// Nothing around the object is being deleted.
    fn alone(mut self, second: i64) -> Self {
        self.memory.deletion.absorb_surroundings(at(second), Ok(Surroundings::default()));
        self
    }

    fn inspected(mut self, second: i64, findings: Findings) -> Self {
        self.memory.deletion.absorb_inspection(at(second), findings);
        self
    }
}

/// The event, if the decision takes our finalizer off and nothing else.
fn let_go(decision: &Decision) -> Option<(Option<Reason>, String)> {
    let keeps = ["example.org/keep".to_owned()];
    assert!(decision.finalizers.is_none() || decision.effect.is_none(), "{decision:?}");
    let event = decision.events.first();
    (decision.finalizers.as_deref() == Some(&keeps[..]))
        .then(|| (event.map(|event| event.reason()), event.map(|event| event.note().to_owned()).unwrap_or_default()))
}

fn deletes(decision: &Decision) -> bool {
    matches!(&decision.effect, Some(Effect::DeleteSet { set, .. }) if set.as_str() == "s7")
}

#[test]
fn a_finalizer_of_ours_is_taken_off_and_those_of_other_controllers_stay() {
    for case in [Case::new(), succeeded()] {
        let decision = deleting(case, 300, &["example.org/keep", FINALIZER]).decide(300);
        assert_eq!(let_go(&decision), Some((None, String::new())));
    }
}

#[test]
fn an_ended_object_and_one_that_asked_for_nothing_yet_are_let_go_without_a_write() {
    for case in [Case::new(), succeeded()] {
        let case = deleting(case, 300, &["example.org/keep"]);
        let decision = case.decide(300);
        assert_eq!((decision.effect, decision.requeue, decision.finalizers), (None, Requeue::OnChange, None));
        assert_eq!(decision.status, case.status);
    }
}

#[test]
fn an_intent_that_was_not_cleared_is_withdrawn_whoever_wrote_it_and_nothing_is_sent() {
    for own in [true, false] {
        let mut case = deleting(Case::new().intent(0, false, own), 5, &["example.org/keep"]);
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
    let decision = deleting(running, 5, &["example.org/keep"]).decide(60);
    assert!(matches!(decision.effect, Some(Effect::Follow { .. })), "{decision:?}");
    let unanswered = deleting(Case::new().intent(0, true, false), 5, &["example.org/keep"]);
    assert!(matches!(unanswered.decide(60).effect, Some(Effect::Look { .. })));
}

#[test]
fn an_answer_is_recorded_before_the_object_is_let_go() {
    let mut case = deleting(Case::new().intent(0, true, true).answered(accepted("77")), 1, &[FINALIZER]);
    assert_eq!(case.step(1).finalizers, None);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("77"));
    let decision = case.decide(2);
    assert_eq!((decision.finalizers, decision.events[0].reason()), (Some(Vec::new()), Reason::Abandoned));
    assert!(decision.events[0].note().contains("job 77"), "{:?}", decision.events);
}

#[test]
fn the_finalizer_is_there_before_the_intent_and_only_with_delete() {
    for (policy, method, expected) in [
        (None, "Physical", None),
        (Some(DeletionPolicy::Retain), "Physical", None),
        (Some(DeletionPolicy::Delete), "Physical", Some(vec!["example.org/keep".to_owned(), FINALIZER.to_owned()])),
    ] {
        let mut case = Case::of(&format!(r#"{{"dbInstanceId":"rm-1","method":"{method}"}}"#));
        case.object.spec.deletion_policy = policy;
        case.object.metadata.finalizers = Some(vec!["example.org/keep".to_owned()]);
        assert_eq!(case.decide(0).finalizers, None, "nothing is asked of the service yet");
        case.preflight(0, Ok(idle()));
        let decision = case.decide(0);
        assert_eq!(decision.finalizers, expected, "{policy:?}");
        if let Some(finalizers) = expected {
            assert_eq!(decision.effect, None);
            case.object.metadata.finalizers = Some(finalizers);
        }
        assert!(matches!(case.decide(0).effect, Some(Effect::WriteIntent { .. })), "{policy:?}");
    }
}

#[test]
fn the_finalizer_follows_an_edit_of_the_policy() {
    let mut case = succeeded();
    case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    assert_eq!(case.decide(300).finalizers, Some(vec![FINALIZER.to_owned()]));
    case.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    assert_eq!(case.decide(300).finalizers, None);
    case.object.spec.deletion_policy = None;
    assert_eq!(case.decide(300).finalizers, Some(Vec::new()));

    let mut running = Case::new().intent(0, true, true).answered(accepted("77"));
    running.step(1);
    running.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    assert_eq!(running.decide(2).finalizers, Some(vec![FINALIZER.to_owned()]));

    let mut failed = Case::new().intent(0, true, true).answered(accepted("77"));
    failed.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    failed.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    failed.step(1);
    failed.poll(200, Some(task("77", JobState::Failed)), None);
    failed.step(201);
    failed.assert_place(Phase::Failed, Reason::BackupFailed);
    assert_eq!(failed.decide(202).finalizers, Some(Vec::new()), "it has no set");
}

#[test]
fn the_condition_says_from_the_end_of_the_backup_on_what_would_become_of_the_set() {
    let judge = |findings: Option<Findings>, origin: Origin| {
        let mut case = Case::new();
        case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
        case.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        let mut case = ended(case);
        case.status.origin = Some(origin);
        let decision = case.decide(201);
        if origin == Origin::Created {
            assert!(matches!(&decision.effect, Some(Effect::Inspect { to_delete: None, .. })), "{decision:?}");
            assert_eq!(decision.status.phase, Phase::Running, "the end is written once");
        }
        if let Some(findings) = findings {
            case = case.inspected(201, findings);
        }
        case.step(201);
        case.assert_place(Phase::Succeeded, Reason::Succeeded);
        let said = case.status.condition(ConditionType::DeletionSupported).expect("the condition").clone();
        assert_eq!(case.decide(202).requeue, Requeue::OnChange, "and that is all");
        (said.status, said.reason, said.message)
    };
    let of = |change: fn(&mut Findings)| {
        let mut findings = Findings { set: None, others: None, ..found() };
        change(&mut findings);
        judge(Some(findings), Origin::Created)
    };
    for ((status, reason, message), expected) in [
        (of(|_| {}), ("True", "NotOldEnough", "from 2027-01-22T09:01:32Z on")),
        (
            of(|found| found.policy = Some(Ok(BackupPolicy { log_retention_days: Some(30), ..policy() }))),
            ("False", "NeverDeletable", "keeps logs for 30 days, as long as sets"),
        ),
        (
            of(|found| found.instance = Ok(instance(Engine::SqlServer, "cloud_essd"))),
            ("False", "NeverDeletable", "SQL Server on cloud disks"),
        ),
        (of(|found| found.instance.as_mut().unwrap().category = Some("Basic".into())), ("False", "NeverDeletable", "is of edition Basic")),
        (
            of(|found| found.policy = Some(Err(CallError::Lost { why: "reset".into() }))),
            ("Unknown", "DeletionUnknown", "policy cannot be read (sent, and the answer was lost: reset)"),
        ),
        (of(|found| found.instance = Err(CallError::NoInstance)), ("Unknown", "DeletionUnknown", "the service lists no such instance")),
        (of(|found| found.instance.as_mut().unwrap().category = None), ("Unknown", "DeletionUnknown", "does not tell the edition")),
    ] {
        assert_eq!((status.as_str(), reason.as_str()), (expected.0, expected.1), "{message}");
        assert!(message.contains(expected.2), "{message}");
    }
}

#[test]
fn an_object_that_has_ended_is_judged_when_its_policy_becomes_delete_and_no_more_when_it_is_retain() {
    let mut case = succeeded();
    case.memory = Memory::default();
    case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    case.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    assert!(matches!(case.decide(300).effect, Some(Effect::Inspect { to_delete: None, .. })));
    let mut case = case.inspected(300, Findings { set: None, others: None, ..found() });
    case.step(301);
    assert_eq!(case.status.condition(ConditionType::DeletionSupported).map(|said| said.reason.as_str()), Some("NotOldEnough"));
    (case.object.spec.deletion_policy, case.object.metadata.finalizers) = (None, None);
    case.step(302);
    assert_eq!(case.status.condition(ConditionType::DeletionSupported), None);
}

#[test]
fn a_set_is_deleted_after_everything_around_it_was_read_and_then_the_object_goes() {
    let case = wanted();
    assert_eq!(case.decide(DELETED).effect, Some(Effect::ReadSurroundings));
    let case = case.alone(DELETED);
    let decision = case.decide(DELETED + 1);
    assert!(matches!(&decision.effect, Some(Effect::Inspect { to_delete: Some(set), .. }) if set.as_str() == "s7"), "{decision:?}");
    assert_eq!(decision.status, case.status, "no other write is needed");
    let mut case = case.inspected(DELETED + 1, found());
    let decision = case.decide(DELETED + 2);
    assert!(deletes(&decision), "{decision:?}");
    assert_eq!(decision.status, case.status);
    for stale in [62, 3 * HOUR] {
        assert!(!deletes(&case.decide(DELETED + stale)), "what was read {stale} s ago counts no more");
    }
    for (answer, note) in [(SetDeletion::Deleted, "the service deleted backup set s7"), (SetDeletion::WasGone, "nothing to delete")] {
        case.memory.deletion.absorb_answer(at(DELETED + 2), Ok(answer));
        let (reason, said) = let_go(&case.decide(DELETED + 3)).expect("it goes");
        assert_eq!(reason, Some(Reason::BackupSetDeleted));
        assert!(said.contains(note), "{said}");
    }
}

#[test]
fn whatever_speaks_against_it_keeps_the_set_and_lets_the_object_go() {
    let ready = || wanted().alone(DELETED).inspected(DELETED, found());
    assert!(deletes(&ready().decide(DELETED)));
    let kept = |case: Case, expected: &str| {
        let (reason, note) = let_go(&case.decide(DELETED)).unwrap_or_else(|| panic!("{expected}: it does not go"));
        assert!(reason == Some(Reason::BackupSetKept) && note.contains(expected), "{reason:?} {note}");
    };
    let with = |findings: Findings| wanted().alone(DELETED).inspected(DELETED, findings);
    let around = |surroundings: Surroundings| {
        let mut case = ready();
        case.memory.deletion.absorb_surroundings(at(DELETED), Ok(surroundings));
        case
    };
    let mut held = ready();
    held.object.metadata.annotations = Some([(HOLD_ANNOTATION.to_owned(), "true".to_owned())].into());
    kept(held, "rdsbackup.io/hold");
    let mut adopted = ready();
    adopted.status.origin = Some(Origin::Adopted);
    kept(adopted, "it may be another's");
    kept(around(Surroundings { kind_is_going: true, ..Surroundings::default() }), "that deletes no backup set");
    kept(with(Findings { others: Some(vec![Other::Names("team-b/copy".into())]), ..found() }), "RdsBackup team-b/copy names the same set");
    kept(
        with(Findings { set: Some(Ok(Some(BackupSet { mode: Mode::Automated, ..set("s7", 2) }))), ..found() }),
        "the instance's own backups",
    );
    kept(with(Findings { set: Some(Ok(Some(BackupSet { by_user: false, ..set("s7", 2) }))), ..found() }), "the instance's own backups");
    kept(with(Findings { set: Some(Ok(Some(set("s7", 4000)))), ..found() }), "began at another time");
    kept(with(Findings { set: Some(Ok(Some(BackupSet { started_at: None, ..set("s7", 2) }))), ..found() }), "began at another time");
    kept(with(Findings { instance: Err(CallError::NoInstance), set: None, others: None, ..found() }), "knows no instance rm-1 any more");
    kept(with(Findings { instance: Ok(instance(Engine::MariaDb, "cloud_essd")), ..found() }), "MariaDB on cloud disks");
    let mut retained = ready();
    retained.object.spec.deletion_policy = Some(DeletionPolicy::Retain);
    assert_eq!(let_go(&retained.decide(DELETED)), Some((None, String::new())), "nobody asks for it any more");
    let (reason, _) = let_go(&with(Findings { set: Some(Ok(None)), ..found() }).decide(DELETED)).expect("it goes");
    assert_eq!(reason, Some(Reason::BackupSetDeleted), "it is not listed any more");
}

#[test]
fn in_doubt_nothing_is_deleted_and_the_object_waits_until_its_deadline() {
    let ready = || wanted().alone(DELETED).inspected(DELETED, found());
    let blocked = |mut case: Case, expected: &str, most: i64| {
        let decision = case.decide(DELETED);
        let said =
            decision.status.condition(ConditionType::DeletionSupported).cloned().unwrap_or_else(|| panic!("{expected}: {decision:?}"));
        assert_eq!((said.status.as_str(), said.reason.as_str()), ("False", "DeletionBlocked"));
        assert!(said.message.contains(expected), "{}", said.message);
        assert!(wait_of(&decision) <= secs(most), "{expected}: {:?}", decision.requeue);
        assert_eq!(decision.events.iter().map(|event| event.reason()).collect::<Vec<_>>(), [Reason::DeletionBlocked]);
        case.step(DELETED);
        let again = case.decide(DELETED);
        assert!(again.events.is_empty() && again.status == case.status, "it is said once");
        let ends = DELETED + 8 * DAY;
        case.memory.deletion = crate::backup::memory::Deletion::default();
        assert_eq!(let_go(&case.decide(ends - 1)), None);
        let (reason, note) = let_go(&case.decide(ends)).expect("it goes at its deadline");
        assert_eq!(reason, Some(Reason::BackupSetKept));
        assert!(note.contains("cleanupDeadline (192h)") && note.contains(expected), "{note}");
    };
    let with = |findings: Findings| wanted().alone(DELETED).inspected(DELETED, findings);
    let mut unread = ready();
    unread.memory.deletion.absorb_surroundings(at(DELETED), Err("the Namespace team-a cannot be read".into()));
    blocked(unread, "the Namespace team-a cannot be read", 300);
    let mut paused = ready();
    paused.account_mut().paused = true;
    blocked(paused, "an administrator paused", 60);
    let mut of_author = ready();
    of_author.object.metadata.annotations = Some([(PAUSED_ANNOTATION.to_owned(), "true".to_owned())].into());
    blocked(of_author, "pauses it", 60);
    let mut of_namespace = ready();
    of_namespace.memory.deletion.absorb_surroundings(at(DELETED), Ok(Surroundings { is_paused: true, ..Surroundings::default() }));
    blocked(of_namespace, "pauses it", 60);
    assert_eq!(NAMESPACE_SUBMISSIONS_ANNOTATION, "rdsbackup.io/submissions");
    let mut forbidden = ready();
    forbidden.account = Err(Blocker { reason: Reason::NotAllowed, message: "it may not use the account".into(), again_in: None });
    blocked(forbidden, "it may not use the account", 300);
    let mut keyless = ready();
    keyless.account_mut().credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "no Secret".into(), again_in: None });
    blocked(keyless, "no Secret", 60);
    blocked(
        with(Findings { others: Some(vec![Other::Unreadable("team-b/broken".into())]), ..found() }),
        "team-b/broken cannot be read",
        DAY,
    );
    blocked(
        with(Findings { set: Some(Err(CallError::Lost { why: "reset".into() })), others: None, ..found() }),
        "the answer was lost: reset",
        5,
    );
    for (code, expected, pause) in [
        ("Forbidden.RAM", "may not call rds:DeleteBackup", 300),
        ("OperationDenied.BackupSetDeleteNotSupport", "answered DeleteBackup with OperationDenied.BackupSetDeleteNotSupport", DAY),
        ("Throttling.User", "Throttling.User", 5),
        ("NobodyKnows", "NobodyKnows", DAY),
    ] {
        let mut refused = ready();
        let error = ApiError { action: Some("DeleteBackup"), ..api_error(code) };
        refused.memory.deletion.absorb_answer(at(DELETED), Err(CallError::Api(error)));
        assert!(wait_of(&refused.decide(DELETED)) == secs(pause), "{code}: {:?}", refused.decide(DELETED).requeue);
        let again = refused.decide(DELETED + pause);
        assert!(again.effect.is_some(), "{code}: it is tried again: {again:?}");
        blocked(refused, expected, pause);
    }
}

#[test]
fn a_set_that_is_not_old_enough_is_waited_for_within_the_deadline_and_not_at_all_beyond_it() {
    let young = |deadline: Option<&str>| {
        let mut case = wanted();
        case.object.metadata.deletion_timestamp = Some(Time(at(DAY)));
        case.object.spec.cleanup_deadline = deadline.map(crate::api::Span::new);
        case.alone(DAY).inspected(DAY, found())
    };
    let decision = young(None).decide(DAY);
    let said = decision.status.condition(ConditionType::DeletionSupported).expect("a condition");
    assert_eq!((said.status.as_str(), said.reason.as_str()), ("True", "NotOldEnough"), "{said:?}");
    assert_eq!(wait_of(&decision), secs(DAY), "the policy of the instance may change");
    // From its end (92 s) 7 days and an hour.
    let last = young(None).alone(7 * DAY).inspected(7 * DAY, found());
    assert_eq!(wait_of(&last.decide(7 * DAY)), secs(HOUR + 92));
    assert!(deletes(&young(None).alone(7 * DAY + HOUR + 92).inspected(7 * DAY + HOUR + 92, found()).decide(7 * DAY + HOUR + 92)));
    let (reason, note) = let_go(&young(Some("24h")).decide(DAY)).expect("it goes");
    assert_eq!(reason, Some(Reason::BackupSetKept));
    assert!(note.contains("cleanupDeadline ends"), "{note}");
}

#[test]
fn a_terminating_namespace_gets_one_try() {
    let going = Surroundings { namespace_is_going: true, ..Surroundings::default() };
    let case = |findings: Option<Findings>| {
        let mut case = wanted();
        case.memory.deletion.absorb_surroundings(at(DELETED), Ok(going));
        if let Some(findings) = findings { case.inspected(DELETED, findings) } else { case }
    };
    assert!(matches!(case(None).decide(DELETED).effect, Some(Effect::Inspect { .. })));
    assert!(deletes(&case(Some(found())).decide(DELETED)));
    let goes = |case: Case| {
        let (reason, note) = let_go(&case.decide(DELETED)).expect("it goes");
        assert_eq!(reason, Some(Reason::BackupSetKept));
        assert!(note.contains("its namespace is being deleted"), "{note}");
    };
    let mut refused = case(Some(found()));
    refused.memory.deletion.absorb_answer(at(DELETED), Err(CallError::Lost { why: "reset".into() }));
    goes(refused);
    let mut keyless = case(None);
    keyless.account_mut().credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "no Secret".into(), again_in: None });
    goes(keyless);
    goes(case(Some(Findings { set: Some(Err(CallError::Lost { why: "reset".into() })), others: None, ..found() })));
    let mut young = case(Some(found()));
    young.status.completed_at = Some(Time(at(DELETED - 8)));
    goes(young);
}

#[test]
fn a_job_that_runs_is_followed_to_its_set_within_the_deadline_and_not_while_all_around_it_goes() {
    let running = || {
        let mut case = Case::new().intent(0, true, true).answered(accepted("77"));
        case.step(1);
        case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
        case.object.spec.cleanup_deadline = Some(crate::api::Span::new("1h"));
        deleting(case, 10, &["example.org/keep", FINALIZER])
    };
    assert_eq!(running().decide(60).effect, Some(Effect::ReadSurroundings));
    let decision = running().alone(60).decide(60);
    assert!(matches!(decision.effect, Some(Effect::Follow { .. })), "{decision:?}");
    let mut unread = running();
    unread.memory.deletion.absorb_surroundings(at(60), Err("reset".into()));
    assert!(matches!(unread.decide(60).effect, Some(Effect::Follow { .. })), "that deletes nothing");
    let abandoned = |case: Case, second: i64, why: &str| {
        let (reason, note) = let_go(&case.decide(second)).expect("it goes");
        assert_eq!(reason, Some(Reason::Abandoned));
        assert!(note.contains("job 77") && note.contains(why), "{note}");
    };
    abandoned(running().alone(3610), 3610, "cleanupDeadline");
    for going in [
        Surroundings { namespace_is_going: true, ..Surroundings::default() },
        Surroundings { kind_is_going: true, ..Surroundings::default() },
    ] {
        let mut case = running();
        case.memory.deletion.absorb_surroundings(at(60), Ok(going));
        abandoned(case, 60, "is being deleted");
    }
    let mut blocked = running().alone(3500);
    blocked.account = Err(Blocker { reason: Reason::NotAllowed, message: "it may not use the account".into(), again_in: None });
    assert!(wait_of(&blocked.decide(3500)) <= secs(110), "it is let go of in time");
}
