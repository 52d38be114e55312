//! Step 11: what is an end and what is not: polls that failed, jobs that name no set, sets that are not usable or not finished.

use super::{
    follow::{PLAIN, running},
    *,
};

#[test]
fn a_poll_that_fails_after_the_deadline_has_asked_nothing() {
    let mut case = running(r#"{"dbInstanceId":"rm-1","timeout":"1h"}"#);
    case.poll(3590, Some(task("77", JobState::Active)), None);
    case.step(3590);
    case.memory.follow.absorb("77", at(3607), Err(CallError::Lost { why: "reset".into() }));
    let decision = case.step(3608);
    assert!(!case.status.phase.is_terminal(), "{:#?}", case.status);
    assert!(wait_of(&decision) <= secs(15), "it asks again at the pace of a poll that failed: {decision:?}");
    case.poll(3620, Some(finished("77", "s7")), Some(set("s7", 6)));
    case.step(3620);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

/// The set was listed with the state Running when the job had ended, and the poll a listing lag later fails.
#[test]
fn a_poll_that_fails_after_the_listing_lag_has_asked_nothing() {
    let unusable = || BackupSet { available: Some(false), ..set("s7", 6) };
    let mut case = running(PLAIN);
    case.poll(100, Some(finished("77", "s7")), Some(unusable()));
    case.memory.follow.absorb("77", at(100 + 601), Err(CallError::Lost { why: "reset".into() }));
    case.step(100 + 601);
    assert!(!case.status.phase.is_terminal(), "{:#?}", case.status);
}

#[test]
fn a_finished_job_that_names_no_set_gets_it_from_the_listing() {
    let unnamed = || Some(BackupTask { progress: Some(100), ..task("77", JobState::Finished) });
    let mut case = running(PLAIN);
    case.poll(100, unnamed(), None);
    assert!(matches!(case.decide(100).effect, Some(Effect::Look { .. })), "{:?}", case.decide(100));
    case.look(101, LookFacts { claims: vec![claim("uid-5", Some("77"), None)], ..LookFacts::default() });
    assert!(wait_of(&case.step(101)) <= secs(10), "its listing is near");
    case.poll(110, unnamed(), None);
    // A set of another method is another client's.
    let other = BackupSet { method: Some("Logical".into()), ..set("s6", 2) };
    case.look(111, LookFacts { sets: vec![other, set("s7", 10)], claims: vec![claim("uid-5", Some("77"), None)], ..LookFacts::default() });
    case.step(111);
    assert_eq!(case.status.backup_id.as_deref(), Some("s7"));
    case.poll(112, unnamed(), Some(set("s7", 10)));
    case.step(112);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);

    let mut case = running(PLAIN);
    for second in [100, 700, 701] {
        case.poll(second, unnamed(), None);
        case.look(second, LookFacts::default());
        case.step(second);
        assert_eq!(case.status.phase.is_terminal(), second == 701, "{second}");
    }
    case.assert_place(Phase::Failed, Reason::ResultLost);
}

#[test]
fn an_adopted_job_that_ends_without_naming_its_set_gets_it_from_a_look() {
    let unnamed = || Some(task("5", JobState::Finished));
    let mut case = Case::new().intent(1, true, false);
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(100, unnamed(), None);
    case.look(101, LookFacts { sets: vec![set("s5", 30)], claims: vec![claim("uid-5", Some("5"), None)], ..LookFacts::default() });
    case.step(101);
    assert_eq!(case.status.backup_id.as_deref(), Some("s5"), "{:#?}", case.status);
    assert!(case.status.attempts.is_empty(), "{:#?}", case.status.attempts);
}

#[test]
fn a_set_that_is_listed_as_running_is_waited_for_until_timeout() {
    let unended = || BackupSet { status: SetStatus::Unknown, available: None, ..set("s7", 6) };
    let mut case = running(r#"{"dbInstanceId":"rm-1","timeout":"1h"}"#);
    for second in [100, 701, 2000, 3606] {
        assert!(!case.status.phase.is_terminal(), "{second}: {:#?}", case.status);
        case.poll(second, Some(finished("77", "s7")), Some(unended()));
        let decision = case.step(second);
        assert!(decision.effect.is_some() || decision.requeue != Requeue::OnChange, "it is polled: {decision:?}");
    }
    case.assert_place(Phase::Failed, Reason::Timeout);

    let mut case = running(PLAIN);
    case.poll(701, Some(finished("77", "s7")), Some(unended()));
    case.step(701);
    case.poll(1500, Some(finished("77", "s7")), Some(unended()));
    case.step(1500);
    case.assert_place(Phase::Finalizing, Reason::Finalizing);
    case.poll(1600, Some(finished("77", "s7")), Some(set("s7", 6)));
    case.step(1600);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

#[test]
fn an_adopted_set_that_is_not_usable_yet_is_asked_for_again() {
    let unusable = || BackupSet { available: Some(false), ..set("s5", 30) };
    let mut case = Case::new().intent(1, true, false);
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    for second in [60, 700] {
        case.poll(second, Some(finished("5", "s5")), Some(unusable()));
    }
    let mine = || LookFacts { sets: vec![unusable()], claims: vec![claim("uid-5", Some("5"), Some("s5"))], ..LookFacts::default() };
    case.look(700, mine());
    case.step(700);
    let mut second = 700;
    let asked = loop {
        let decision = case.step(second);
        match decision.effect {
            Some(Effect::Follow { .. }) => break true,
            Some(Effect::Look { .. }) => case.look(second, mine()),
            _ if second > 1000 => break false,
            _ => second += wait_of(&decision).as_secs().max(1),
        }
    };
    assert!(asked, "it was given up, and may be usable by now");
}

#[test]
fn a_job_is_lost_a_listing_lag_after_it_was_missed_first_however_long_it_ran() {
    let mut case = running(PLAIN);
    case.poll(5000, Some(task("77", JobState::Active)), None);
    case.step(5000);
    for miss in 0..60 {
        let second = 5015 + 15 * miss;
        case.poll(second, None, None);
        case.look(second, LookFacts::default());
        case.step(second);
        assert_eq!(case.status.phase.is_terminal(), second > 5615, "{second}");
        if case.status.phase.is_terminal() {
            break;
        }
    }
    case.assert_place(Phase::Failed, Reason::ResultLost);
}

#[test]
fn a_set_that_is_empty_or_of_which_nothing_is_said_is_not_usable() {
    let sets = [
        (BackupSet { meta: MetaStatus::Empty, ..set("s7", 6) }, "empty"),
        (BackupSet { available: None, ..set("s7", 6) }, "does not say"),
        (BackupSet { available: Some(false), ..set("s7", 6) }, "not available"),
        (BackupSet { size_bytes: Some(0), ..set("s7", 6) }, "size is 0"),
    ];
    for (unusable, why) in sets {
        let mut case = running(PLAIN);
        for second in [100, 100 + 601] {
            assert!(!case.status.phase.is_terminal(), "a listing may settle: {why}");
            case.poll(second, Some(finished("77", "s7")), Some(unusable.clone()));
            case.step(second);
        }
        case.assert_place(Phase::Failed, Reason::BackupNotUsable);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains(why), "{message}");
    }
    for usable in [BackupSet { size_bytes: None, ..set("s7", 6) }, BackupSet { meta: MetaStatus::Large, ..set("s7", 6) }] {
        let mut case = running(PLAIN);
        case.poll(100, Some(finished("77", "s7")), Some(usable.clone()));
        case.step(100);
        case.assert_place(Phase::Succeeded, Reason::Succeeded);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert_eq!(message.contains("single ones"), usable.meta == MetaStatus::Large, "{message}");
    }
}
