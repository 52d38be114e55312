//! Step 8: what a look proves where the service does not say all, and how far back it reaches.

use super::*;

#[test]
fn a_job_that_does_not_say_what_began_it_is_not_adopted_and_proves_nothing_while_it_runs() {
    let nameless = |mode: Mode| BackupTask { mode, action: TaskAction::Unknown, ..task("9", JobState::Active) };
    for (mode, doubt) in [(Mode::Unknown, true), (Mode::Manual, true), (Mode::Automated, false)] {
        let mut case = Case::new().intent(0, true, false);
        for second in [1100, 1800] {
            case.look(second, LookFacts { running: vec![nameless(mode)], ..LookFacts::default() });
        }
        case.step(1800);
        assert_eq!(case.status.backup_job_id, None, "{mode:?}");
        assert_eq!(case.status.phase == Phase::Resolving, doubt, "{mode:?}: {:?}", case.status.phase);
    }
    // It has ended: from then on it is proven as always.
    let mut case = Case::new().intent(0, true, false);
    case.look(1100, LookFacts { running: vec![nameless(Mode::Unknown)], ..LookFacts::default() });
    case.look(1800, LookFacts::default());
    case.step(1800);
    assert_eq!(case.status.phase, Phase::Resolving);
    case.look(2401, LookFacts::default());
    case.step(2401);
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
}

#[test]
fn a_claimed_job_in_a_state_that_is_not_documented_may_have_the_set_that_is_listed() {
    for (state, without_set) in
        [(JobState::Active, true), (JobState::Failed, true), (JobState::Unknown, false), (JobState::Finished, false)]
    {
        let mut claim = claim("uid-9", Some("8"), None);
        claim.learn(&[task("8", state)]);
        assert_eq!(claim.without_set, without_set, "{state:?}");
    }
}

#[test]
fn without_a_method_the_services_default_is_what_was_asked_for() {
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1"}"#).intent(0, true, false);
    assert_eq!(case.status.effective.as_ref().unwrap().method.as_deref(), Some("Physical"));
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    case.poll(130, Some(finished("5", "s5")), Some(BackupSet { method: Some("Logical".into()), ..set("s5", 20) }));
    case.step(130);
    assert_eq!(case.status.backup_id, None, "a dump that somebody else made");
    assert!(case.status.is_true(ConditionType::AdoptionMismatch));
}

/// Where the service's clocks may differ by more than a minute, a set may seem to have started that long before its request.
#[test]
fn a_look_reaches_back_as_far_as_the_clocks_may_differ() {
    for (skew, back) in [(30, 60), (60, 60), (300, 300)] {
        let mut case = Case::new();
        case.account_mut().protocol.clock_skew = secs(skew);
        let mut case = case.intent(0, true, false);
        let decision = case.decide(1);
        assert_eq!(decision.effect, Some(Effect::Look { instance: InstanceId::new(INSTANCE), from: at(-back) }), "{skew}");
        case.look(40, LookFacts { sets: vec![set("s5", -back)], ..LookFacts::default() });
        case.step(40);
        assert_eq!(case.status.backup_id.as_deref(), Some("s5"), "{skew}");
        // What began so long before a newer request of another object may be that object's.
        let mut case = Case::new();
        case.account_mut().protocol.clock_skew = secs(skew);
        let mut case = case.intent(0, true, false);
        case.look(2000, LookFacts { sets: vec![set("s6", 1200 - back)], intents: vec![at(1200)], ..LookFacts::default() });
        case.step(2000);
        assert_eq!(case.status.backup_id, None, "{skew}");
    }
}
