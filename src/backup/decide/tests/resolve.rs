//! Steps 8 to 10: a cleared intent without a job id is looked for, adopted, or closed as never accepted.

use super::*;
use crate::{
    accounts::Expiry,
    api::{AttemptOutcome, Origin, SubmissionOutcome},
};

/// 15 min of expiry and 2 min of skew after the signed second.
const COUNTS_FROM: i64 = 1 + 17 * 60;
/// More than the listing lag of 10 min: the service tells whole seconds.
const LAG: i64 = 10 * 60 + 1;

/// The answer to a request signed at second 1 was lost.
pub(super) fn unresolved() -> Case {
    let mut case = Case::new().intent(1, true, true).answered(lost());
    case.step(31);
    case
}

#[test]
fn two_clean_looks_a_lag_apart_after_expiry_and_skew_prove_that_nothing_was_accepted() {
    let mut case = unresolved();
    let mut looks = Vec::new();
    let mut second = 31;
    // Driven as in the operator: a look when one is decided, else the wait that was decided.
    while case.submission().outcome.is_none() {
        let decision = case.step(second);
        match decision.effect {
            Some(Effect::Look { .. }) => {
                looks.push(second);
                case.look(second, LookFacts::default());
            }
            None if case.submission().outcome.is_none() => second += wait_of(&decision).as_secs().max(1),
            None => {}
            other => panic!("{other:?}"),
        }
        assert!(second < 3 * 3600, "it never ends");
    }
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::NeverAccepted));
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
    let counted: Vec<_> = looks.iter().filter(|at| **at >= COUNTS_FROM).collect();
    assert_eq!(*counted[0], COUNTS_FROM, "a look is due when the first can count: {looks:?}");
    assert_eq!(second, COUNTS_FROM + LAG, "and one when the second can: {looks:?}");
    assert!(looks.len() < 25, "{looks:?}");
    assert_eq!(case.status.attempts[0].outcome, AttemptOutcome::NeverAccepted);
}

#[test]
fn looks_before_expiry_prove_nothing_and_one_look_after_it_is_not_enough() {
    let mut case = unresolved();
    case.look(COUNTS_FROM - 1, LookFacts::default());
    assert_eq!(case.memory.looks.first_clean, None);
    case.look(COUNTS_FROM, LookFacts::default());
    case.step(COUNTS_FROM);
    assert_eq!(case.submission().outcome, None, "one look");
    case.look(COUNTS_FROM + LAG - 1, LookFacts::default());
    case.step(COUNTS_FROM + LAG - 1);
    assert_eq!(case.submission().outcome, None, "two looks, less than a listing lag apart");
    case.look(COUNTS_FROM + LAG, LookFacts::default());
    case.step(COUNTS_FROM + LAG);
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::NeverAccepted));
}

#[test]
fn a_look_that_failed_is_not_clean() {
    let mut case = unresolved();
    case.look(COUNTS_FROM, LookFacts::default());
    case.blind_look(COUNTS_FROM + LAG);
    case.step(COUNTS_FROM + LAG);
    assert_eq!(case.submission().outcome, None);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    for second in 1..3 {
        case.blind_look(COUNTS_FROM + LAG + second);
    }
    case.step(COUNTS_FROM + LAG + 2);
    case.assert_place(Phase::Resolving, Reason::ServiceUnavailable);
}

#[test]
fn looks_for_another_intent_prove_nothing() {
    let mut case = unresolved();
    case.look(COUNTS_FROM, LookFacts::default());
    case.look(COUNTS_FROM + LAG, LookFacts::default());
    case.submission().nonce = "nonce-b".into();
    case.memory.own = None;
    assert!(matches!(case.decide(COUNTS_FROM + LAG).effect, Some(Effect::Look { .. })));
}

#[test]
fn what_is_ours_is_adopted_and_what_is_not_is_left() {
    let manual = set("s1", 60);
    let cases: Vec<(&str, LookFacts, bool)> = vec![
        ("a running manual job", LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() }, true),
        ("a manual set", LookFacts { sets: vec![manual.clone()], ..LookFacts::default() }, true),
        ("a set that started in the minute of the request", LookFacts { sets: vec![set("s1", 0)], ..LookFacts::default() }, true),
        (
            "a set that started two minutes (the skew of the clocks) before that",
            LookFacts { sets: vec![set("s1", -120)], ..LookFacts::default() },
            true,
        ),
        ("a set that started earlier", LookFacts { sets: vec![set("s1", -121)], ..LookFacts::default() }, false),
        (
            "an automated job",
            LookFacts {
                running: vec![BackupTask { action: TaskAction::Scheduled, mode: Mode::Automated, ..task("5", JobState::Active) }],
                ..LookFacts::default()
            },
            false,
        ),
        (
            "an automated set",
            LookFacts { sets: vec![BackupSet { mode: Mode::Automated, ..manual.clone() }], ..LookFacts::default() },
            false,
        ),
        (
            "a set of the service itself",
            LookFacts { sets: vec![BackupSet { by_user: false, ..manual.clone() }], ..LookFacts::default() },
            false,
        ),
        (
            "a failed set",
            LookFacts { sets: vec![BackupSet { status: SetStatus::Failed, ..manual.clone() }], ..LookFacts::default() },
            false,
        ),
        ("a set that was there before", LookFacts { sets: vec![set("old", 60)], ..LookFacts::default() }, false),
        (
            "a claimed set",
            LookFacts { sets: vec![manual.clone()], claims: vec![claim("uid-9", None, Some("s1"))], ..LookFacts::default() },
            false,
        ),
        (
            "a claimed job",
            LookFacts { running: vec![task("5", JobState::Active)], claims: vec![claim("uid-9", Some("5"), None)], ..LookFacts::default() },
            false,
        ),
        ("a finished job", LookFacts { running: vec![task("5", JobState::Finished)], ..LookFacts::default() }, false),
    ];
    for (what, facts, ours) in cases {
        let mut case = Case::new();
        case.preflight(1, Ok(super::facts(Vec::new(), vec![set("old", -3600)])));
        case.step(1);
        case.submission().cleared = true;
        case.memory = Memory::default();
        case.look(40, facts);
        let decision = case.step(40);
        assert_eq!(case.status.origin, ours.then_some(Origin::Adopted), "{what}");
        if ours {
            case.assert_place(Phase::Running, Reason::Running);
            assert_eq!(case.submission().outcome, None, "{what}: not final yet");
            assert!(decision.events.iter().any(|event| event.reason() == Reason::Adopted), "{what}");
        } else {
            assert_eq!(case.status.backup_job_id.as_ref().or(case.status.backup_id.as_ref()), None, "{what}");
        }
    }
}

#[test]
fn of_two_the_earlier_is_adopted_and_the_other_is_reported() {
    let mut case = unresolved();
    case.look(
        200,
        LookFacts { sets: vec![set("s2", 120), set("s1", 60)], running: vec![task("7", JobState::Active)], ..LookFacts::default() },
    );
    case.step(200);
    assert_eq!(case.status.backup_id.as_deref(), Some("s1"));
    let duplicates: Vec<_> =
        case.status.attempts.iter().map(|kept| (kept.outcome, kept.backup_id.as_deref(), kept.backup_job_id.as_deref())).collect();
    assert_eq!(duplicates, [(AttemptOutcome::PossibleDuplicate, Some("s2"), None), (AttemptOutcome::PossibleDuplicate, None, Some("7"))]);
    let warning = case.status.condition(ConditionType::DuplicateBackup).unwrap();
    assert!(warning.message.contains("backup set s2") && warning.message.contains("job 7"), "{}", warning.message);
}

#[test]
fn while_a_claimed_job_has_no_set_no_set_is_adopted() {
    let mut case = unresolved();
    let facts = LookFacts { sets: vec![set("s1", 60)], claims: vec![claim("uid-9", Some("9"), None)], ..LookFacts::default() };
    for look in 0..5 {
        case.look(200 + look, facts.clone());
        assert_eq!(case.step(200 + look).status.backup_id, None, "look {look}");
        assert!(!case.memory.looks.latest_clean, "and nothing is proven by it");
    }
    case.look(300, facts);
    case.step(300);
    assert_eq!(case.status.backup_id.as_deref(), Some("s1"), "but it does not wait for ever");
}

#[test]
fn an_adoption_is_final_only_when_the_request_can_no_longer_be_accepted() {
    let mut case = unresolved();
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(130, Some(finished("5", "s5")), Some(set("s5", 20)));
    let own = LookFacts { sets: vec![set("s5", 20)], claims: vec![claim("uid-5", Some("5"), Some("s5"))], ..LookFacts::default() };
    case.look(130, own.clone());
    case.step(130);
    case.assert_place(Phase::Finalizing, Reason::Finalizing);
    assert_eq!(case.submission().outcome, None);
    case.look(COUNTS_FROM, own.clone());
    case.step(COUNTS_FROM);
    assert!(!case.status.phase.is_terminal(), "one look");
    case.look(COUNTS_FROM + LAG, own);
    case.step(COUNTS_FROM + LAG);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Adopted));
    assert_eq!((case.status.origin, case.status.backup_id.as_deref()), (Some(Origin::Adopted), Some("s5")));
}

#[test]
fn an_adopted_set_of_another_method_is_given_back_and_looking_goes_on() {
    let mut case = unresolved();
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(130, Some(finished("5", "s5")), Some(BackupSet { method: Some("Logical".into()), ..set("s5", 20) }));
    case.step(130);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    assert_eq!((case.status.origin, case.status.backup_job_id.as_ref(), case.status.backup_id.as_ref()), (None, None, None));
    assert!(case.status.is_true(ConditionType::AdoptionMismatch));
    assert_eq!(case.status.attempts[0].outcome, AttemptOutcome::NotOurs);
    case.look(140, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(140);
    assert_eq!(case.status.backup_job_id, None, "what was given back is not taken again");
}

/// Found by tests/simulation/model: somebody's logical backup was adopted while it ran, our own set was listed meanwhile and reported
/// beside it, and after the adoption was given back nothing was left to adopt: a second backup was made.
#[test]
fn what_stood_beside_an_adoption_that_is_given_back_is_the_outcome_after_all() {
    let logical = || BackupSet { method: Some("Logical".into()), ..set("s5", 120) };
    let mut case = unresolved();
    case.look(130, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(130);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("5"));
    case.poll(150, Some(finished("5", "s5")), None);
    case.look(160, LookFacts { sets: vec![set("s1", 20)], ..LookFacts::default() });
    case.step(160);
    assert!(case.status.is_true(ConditionType::DuplicateBackup));
    case.poll(170, Some(finished("5", "s5")), Some(logical()));
    case.step(170);
    // Whatever was clean while it had a result: its own set is listed, and is no duplicate.
    let both = LookFacts { sets: vec![set("s1", 20), logical()], ..LookFacts::default() };
    case.look(COUNTS_FROM, both.clone());
    case.step(COUNTS_FROM);
    assert_eq!((case.status.backup_id.as_deref(), case.status.origin), (Some("s1"), Some(Origin::Adopted)));
    assert_eq!(case.status.condition(ConditionType::DuplicateBackup), None, "it is the result");
    let kept: Vec<_> = case.status.attempts.iter().map(|kept| (kept.outcome, kept.backup_id.as_deref())).collect();
    assert_eq!(kept, [(AttemptOutcome::NotOurs, Some("s5"))], "the other is known by its job and by its set");
    case.poll(COUNTS_FROM, None, Some(set("s1", 20)));
    case.look(COUNTS_FROM + 1, both.clone());
    case.step(COUNTS_FROM + 1);
    case.look(COUNTS_FROM + 1 + LAG, both);
    case.step(COUNTS_FROM + 1 + LAG);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

/// Found by tests/simulation/model: our own job ran beside an adopted one, which was known by then, so the look was clean; the adoption was
/// given back, our own job ended, and before its set was listed a second look was clean too.
#[test]
fn looks_that_were_clean_beside_an_adoption_prove_nothing_once_it_is_given_back() {
    let mut case = unresolved();
    case.look(130, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(130);
    case.poll(200, Some(finished("5", "s5")), None);
    let beside = LookFacts { running: vec![task("7", JobState::Active)], ..LookFacts::default() };
    case.look(200, beside.clone());
    case.step(200);
    case.look(COUNTS_FROM, beside);
    case.step(COUNTS_FROM);
    assert!(case.memory.looks.first_clean.is_some(), "beside its result it is known");
    case.poll(COUNTS_FROM + 1, Some(finished("5", "s5")), Some(BackupSet { method: Some("Logical".into()), ..set("s5", 120) }));
    case.step(COUNTS_FROM + 1);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    // Job 7 has ended, and its set is not listed yet.
    case.look(COUNTS_FROM + LAG, LookFacts::default());
    case.step(COUNTS_FROM + LAG);
    assert_eq!(case.submission().outcome, None, "one look without a result");
    case.look(COUNTS_FROM + LAG + 1, LookFacts { sets: vec![set("s7", 30)], ..LookFacts::default() });
    case.step(COUNTS_FROM + LAG + 1);
    assert_eq!(case.status.backup_id.as_deref(), Some("s7"));
}

/// The same, with both looks made while the adoption stood.
#[test]
fn two_looks_beside_an_adoption_prove_nothing_when_it_is_given_back_after_them() {
    let mut case = unresolved();
    case.look(130, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(130);
    let beside = LookFacts { running: vec![task("7", JobState::Active)], ..LookFacts::default() };
    for second in [200, COUNTS_FROM] {
        case.poll(second, Some(task("5", JobState::Active)), None);
        case.look(second, beside.clone());
        case.step(second);
    }
    // Job 7 has ended, and its set is not listed yet.
    case.look(COUNTS_FROM + LAG, LookFacts::default());
    let logical = BackupSet { method: Some("Logical".into()), ..set("s5", 120) };
    case.poll(COUNTS_FROM + LAG, Some(finished("5", "s5")), Some(logical));
    case.step(COUNTS_FROM + LAG);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    case.step(COUNTS_FROM + LAG);
    assert_eq!(case.submission().outcome, None, "nobody has looked since");
}

#[test]
fn mariadb_is_asked_for_a_physical_backup_and_makes_a_snapshot() {
    let mut case = Case::new();
    case.preflight(1, Ok(PreflightFacts { instance: instance(Engine::MariaDb, "cloud_essd"), ..idle() }));
    case.step(1);
    case.submission().cleared = true;
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(130, Some(finished("5", "s5")), Some(BackupSet { method: Some("Snapshot".into()), ..set("s5", 20) }));
    case.step(130);
    case.assert_place(Phase::Finalizing, Reason::Finalizing);
}

#[test]
fn a_direct_answer_beats_an_adoption() {
    let mut case = Case::new().intent(1, true, true);
    // Another process looked and adopted before this one could record its answer.
    case.status.origin = Some(Origin::Adopted);
    case.status.backup_job_id = Some("5".into());
    case.status.phase = Phase::Running;
    let mut case = case.answered(accepted("77"));
    case.step(31);
    assert_eq!((case.status.backup_job_id.as_deref(), case.status.origin), (Some("77"), Some(Origin::Created)));
    assert_eq!(case.status.attempts[0].outcome, AttemptOutcome::PossibleDuplicate);
    assert_eq!(case.status.attempts[0].backup_job_id.as_deref(), Some("5"));
}

#[test]
fn a_set_that_was_adopted_before_its_job_was_told_of_is_no_duplicate_of_itself() {
    let mut case = Case::new().intent(1, true, true);
    case.status.origin = Some(Origin::Adopted);
    case.status.backup_id = Some("s77".into());
    case.status.phase = Phase::Running;
    let mut case = case.answered(accepted("77"));
    case.step(31);
    assert!(case.status.is_true(ConditionType::DuplicateBackup), "whose set it is is not known yet");
    case.poll(60, Some(finished("77", "s77")), Some(set("s77", 20)));
    case.step(60);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    assert_eq!((case.status.condition(ConditionType::DuplicateBackup), case.status.attempts.len()), (None, 0));
}

#[test]
fn an_adopted_job_that_failed_ends_the_run_only_when_nothing_else_can_come() {
    let mut case = unresolved();
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(130, Some(task("5", JobState::Failed)), None);
    case.step(130);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    for second in [COUNTS_FROM, COUNTS_FROM + LAG] {
        case.look(second, LookFacts::default());
        case.step(second);
    }
    case.assert_place(Phase::Failed, Reason::BackupFailed);
}

#[test]
fn where_the_service_may_accept_old_requests_nothing_more_is_sent() {
    let mut case = unresolved();
    case.account_mut().protocol.request_expiry = Expiry::Never;
    for second in [COUNTS_FROM, COUNTS_FROM + LAG, COUNTS_FROM + 100 * LAG] {
        case.look(second, LookFacts::default());
        case.step(second);
    }
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    assert_eq!(case.kstatus(), (Some("False"), false, true));
    assert_eq!(case.submission().outcome, None);
    case.look(COUNTS_FROM + 200 * LAG, LookFacts { sets: vec![set("s1", 60)], ..LookFacts::default() });
    case.step(COUNTS_FROM + 200 * LAG);
    assert_eq!(case.status.backup_id.as_deref(), Some("s1"), "it recovers");
}

/// A copy of the request is answered so while the job that the first one began runs. Found by tests/simulation/model: and while an
/// automated one runs that began when ours had ended, so whose job runs is no proof.
#[test]
fn backup_job_exists_is_unknown_whoevers_job_runs() {
    let exists = || CreateOutcome::Unknown(Unknown { why: "BackupJobExists".into(), api: Some(api_error("BackupJobExists")) });
    let mut ours = Case::new().intent(1, true, true).answered(exists());
    ours.step(2);
    ours.look(2, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    ours.step(2);
    assert_eq!(ours.status.origin, Some(Origin::Adopted), "a duplicated delivery answers so");

    let automated = || BackupTask { mode: Mode::Automated, action: TaskAction::Scheduled, ..task("6", JobState::Active) };
    let mut case = Case::new().intent(1, true, true).answered(exists());
    case.step(2);
    case.look(2, LookFacts { running: vec![automated()], ..LookFacts::default() });
    case.step(2);
    case.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    case.look(700, LookFacts { running: vec![automated()], sets: vec![set("s1", 60)], ..LookFacts::default() });
    case.step(700);
    assert_eq!(case.status.backup_id.as_deref(), Some("s1"), "ours had ended, and was not listed yet");
}

/// Somebody makes one backup after the other by hand: the list of attempts stays bounded, and a look that finds nothing new writes nothing.
#[test]
fn many_backups_beside_the_result_are_written_once() {
    let mut case = unresolved();
    let sets: Vec<BackupSet> = (0..9).map(|number| set(&format!("s{number}"), 60 + number)).collect();
    case.look(200, LookFacts { sets: sets.clone(), ..LookFacts::default() });
    case.step(200);
    assert_eq!(case.status.backup_id.as_deref(), Some("s0"));
    assert_eq!(case.status.attempts.len(), 3);
    let again = LookFacts { sets, claims: vec![claim("uid-5", None, Some("s0"))], ..LookFacts::default() };
    case.look(201, again.clone());
    let before = case.status.clone();
    assert_eq!(case.step(201).status, before);
    case.poll(202, None, Some(set("s0", 60)));
    for second in [COUNTS_FROM, COUNTS_FROM + LAG] {
        case.look(second, again.clone());
        case.step(second);
    }
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

#[test]
fn without_credentials_an_open_intent_is_kept_and_said_aloud() {
    let mut case = unresolved();
    case.account_mut().credentials = Err(Blocker { reason: Reason::InvalidCredentials, message: "correct it".into(), again_in: None });
    assert_eq!(wait_of(&case.step(60)), secs(60));
    case.assert_place(Phase::Resolving, Reason::InvalidCredentials);
    assert_eq!(case.submission().outcome, None);
}

/// This intent was given up, another object of the instance sent its request, and its job is not recorded yet.
#[test]
fn what_began_since_the_request_of_another_object_is_not_ours() {
    let newer = 2000;
    for (what, facts, ours) in [
        ("a running job", LookFacts { running: vec![task("9", JobState::Active)], ..LookFacts::default() }, false),
        ("a set of then", LookFacts { sets: vec![set("s9", newer + 5)], ..LookFacts::default() }, false),
        ("a set of before", LookFacts { sets: vec![set("s1", 60)], ..LookFacts::default() }, true),
    ] {
        let mut case = Case::new().intent(1, true, false);
        let intents = vec![at(1), at(newer)];
        case.look(newer + 10, LookFacts { intents, ..facts.clone() });
        case.step(newer + 10);
        assert_eq!(case.status.origin == Some(Origin::Adopted), ours, "{what}");
        // An older one is no reason: what runs may be this object's.
        let mut case = Case::new().intent(1, true, false);
        case.look(40, LookFacts { intents: vec![at(1), at(-3000)], ..facts });
        case.step(40);
        assert_eq!(case.status.origin, Some(Origin::Adopted), "{what}");
    }
}

/// A set of the first request that is listed later than it should be is still this run's, however long ago that request was closed.
#[test]
fn a_look_reaches_back_to_the_earliest_request_of_the_run_that_was_not_refused() {
    let mut case = unresolved();
    for second in [COUNTS_FROM, COUNTS_FROM + LAG] {
        case.look(second, LookFacts::default());
        case.step(second);
    }
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
    let second_request = COUNTS_FROM + LAG + 1;
    case.randomness.nonce = "nonce-b".into();
    let mut case = case.intent(second_request, true, true).answered(rejected("Throttling.User"));
    case.step(second_request + 1);
    let third_request = second_request + 100;
    case.randomness.nonce = "nonce-c".into();
    let mut case = case.intent(third_request, true, true).answered(lost());
    case.step(third_request + 1);
    let Some(Effect::Look { from, .. }) = case.decide(third_request + 1).effect else { panic!("it must look") };
    assert_eq!(from, at(-120), "the skew of the clocks before the minute of the first");
    case.look(third_request + 2, LookFacts { sets: vec![set("s1", 60)], ..LookFacts::default() });
    case.step(third_request + 2);
    assert_eq!(case.status.backup_id.as_deref(), Some("s1"));
}

/// Found by `cargo sandbox faults`: somebody took the job's id out of the status, and it was taken for the run after a failed one.
#[test]
fn an_accepted_request_whose_job_was_taken_out_of_the_status_is_looked_for_and_never_sent_again() {
    let accepted = || {
        let mut case = Case::new().intent(1, true, true).answered(super::accepted("77"));
        case.step(5);
        (case.status.backup_job_id, case.status.phase) = (None, Phase::Queued);
        case
    };
    let mut remembers = accepted();
    remembers.step(6);
    assert_eq!(remembers.status.backup_job_id.as_deref(), Some("77"), "who sent it still knows");
    remembers.assert_place(Phase::Running, Reason::Running);

    let mut forgot = accepted();
    forgot.memory = Memory::default();
    forgot.step(6);
    assert_eq!(forgot.submission().outcome, None);
    forgot.assert_place(Phase::Resolving, Reason::OutcomeUnknown);
    assert!(matches!(forgot.step(6).effect, Some(Effect::Look { .. })));
    forgot.look(7, LookFacts { running: vec![task("77", JobState::Active)], ..LookFacts::default() });
    forgot.step(7);
    assert_eq!((forgot.status.backup_job_id.as_deref(), forgot.status.origin), (Some("77"), Some(Origin::Adopted)));
}
