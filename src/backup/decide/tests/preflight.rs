//! Step 2: what the instance is, and what stands in the way of a request: its region, its jobs, the sets of its day, and a time that is not
//! known.

use super::*;

#[test]
fn the_region_that_counts_is_the_instances_own() {
    let of =
        |region: Option<&str>| PreflightFacts { instance: Instance { region_id: region.map(str::to_owned), ..idle().instance }, ..idle() };
    for (own, message) in [(Some("cn-beijing"), "rm-1 is in region cn-beijing"), (None, "does not tell the region of rm-1")] {
        let mut case = Case::new();
        case.account_mut().regions = AllowedRegions::new(["cn-hangzhou".into(), "cn-shang*".into()]);
        case.preflight(1, Ok(of(own)));
        let decision = case.step(2);
        case.assert_place(Phase::Pending, Reason::RegionNotAllowed);
        assert!(case.status.condition(ConditionType::Ready).unwrap().message.contains(message));
        assert_eq!(wait_of(&decision), secs(59));
        assert!(matches!(case.decide(61).effect, Some(Effect::Preflight { .. })), "the allow-list or the instance may have changed");
    }
    let mut case = Case::new();
    case.account_mut().regions = AllowedRegions::new(["cn-*".into()]);
    case.preflight(1, Ok(of(Some("cn-beijing"))));
    let decision = case.step(2);
    assert_eq!((decision.effect, decision.requeue), (None, Requeue::Now));
    assert_eq!(case.status.effective.as_ref().unwrap().region_id.as_deref(), Some("cn-beijing"));
    // The next observation asks there.
    case.account_mut().region_id = "cn-beijing".into();
    assert!(matches!(case.decide(2).effect, Some(Effect::Preflight { .. })), "what another region's host lists is no baseline");
}

#[test]
fn the_region_is_fixed_by_the_first_write_after_the_admission() {
    let mut case = Case::new();
    case.siblings = vec![sibling("uid-1", -5, Phase::Running)];
    case.step(1);
    case.assert_place(Phase::Queued, Reason::WaitingForTurn);
    case.account_mut().region_id = "cn-shanghai".into();
    case.step(2);
    assert_eq!(case.status.effective.as_ref().unwrap().region_id.as_deref(), Some("cn-hangzhou"));
    let mut blocked = Case::new();
    blocked.account = Err(Blocker { reason: Reason::NotAllowed, message: "no rule".into(), again_in: None });
    blocked.step(1);
    assert_eq!(blocked.status.effective, None, "an object that is not admitted has none");
}

#[test]
fn nothing_ends_by_time_before_the_time_is_known() {
    let stalled = || Err(Blocker { reason: Reason::AccountNotFound, message: "no such account".into(), again_in: None });
    for blocked in [false, true] {
        let mut case = Case::new();
        case.siblings = vec![sibling("uid-1", -5, Phase::Running)];
        case.step(1);
        if blocked {
            case.account = stalled();
        }
        case.time_is_known = false;
        let decision = case.step(30_000);
        assert!(!case.status.phase.is_terminal(), "{blocked}");
        assert!(wait_of(&decision) >= secs(1), "{decision:?}");
        case.time_is_known = true;
        case.step(30_000);
        case.assert_place(Phase::Failed, Reason::QueueTimeout);
    }
}

#[test]
fn a_listed_job_that_never_begins_does_not_hold_the_instance_for_ever() {
    let zombie = || facts(vec![task("5", JobState::NotStarted)], Vec::new());
    let mut case = Case::new();
    case.preflight(1, Ok(zombie()));
    let decision = case.step(1);
    case.assert_place(Phase::Queued, Reason::InstanceBusy);
    let message = case.status.condition(ConditionType::Ready).unwrap().message.clone();
    assert!(message.contains("job 5, started by hand") && message.contains("has not begun") && message.contains("15m"), "{message}");
    assert_eq!(wait_of(&decision), secs(10));
    case.preflight(900, Ok(zombie()));
    case.step(900);
    case.assert_place(Phase::Queued, Reason::InstanceBusy);
    assert_eq!(case.status.condition(ConditionType::Ready).unwrap().message, message, "it is written once");
    // One that has begun is waited for, beside it too.
    case.preflight(902, Ok(facts(vec![task("5", JobState::NotStarted), task("6", JobState::Active)], Vec::new())));
    case.step(902);
    let message = &case.status.condition(ConditionType::Ready).unwrap().message;
    assert!(message.contains("job 6") && message.contains("runs on rm-1"), "{message}");
    case.preflight(910, Ok(zombie()));
    let decision = case.step(910);
    assert!(matches!(decision.effect, Some(Effect::WriteIntent { .. })), "the service is asked in spite of it");
    assert_eq!(case.submission().baseline.job_ids, ["5"]);
    // It is not taken for the outcome of the request, and proves nothing.
    case.submission().cleared = true;
    case.memory = Memory::default();
    for second in [910 + 1100, 910 + 1800] {
        case.look(second, LookFacts { running: vec![task("5", JobState::NotStarted)], ..LookFacts::default() });
        case.step(second);
        assert_eq!(case.status.backup_job_id, None, "{second}");
    }
    case.assert_place(Phase::Queued, Reason::NeverAccepted);
}

#[test]
fn the_words_say_whose_job_holds_the_instance() {
    for (action, mode, words) in [
        (TaskAction::OnDemand, Mode::Manual, "started by hand or through the API"),
        (TaskAction::Scheduled, Mode::Automated, "of the instance's own backup policy"),
        (TaskAction::Unknown, Mode::Automated, "of the instance's own backup policy"),
        (TaskAction::Unknown, Mode::Manual, "started by hand or through the API"),
        (TaskAction::Unknown, Mode::Unknown, "does not say what began it"),
    ] {
        let mut case = Case::new();
        case.preflight(1, Ok(facts(vec![BackupTask { action, mode, ..task("5", JobState::Active) }], Vec::new())));
        case.step(1);
        let message = &case.status.condition(ConditionType::Ready).unwrap().message;
        assert!(message.contains(words) && message.contains("job 5"), "{message}");
    }
}

/// Second 0 of these tests is 08:00 in UTC, and 16:00 in China, whose day turns first.
const CHINAS_MIDNIGHT: i64 = 8 * 3600;

fn full_day() -> PreflightFacts {
    facts(Vec::new(), (0..20).map(|number| set(&format!("s{number}"), -600 - number)).collect())
}

#[test]
fn the_sets_of_the_day_are_counted_before_a_request_is_spent() {
    assert_eq!(at(0), "2027-01-15T08:00:00Z".parse().unwrap());
    let mut case = Case::new();
    case.preflight(1, Ok(full_day()));
    let decision = case.step(1);
    case.assert_place(Phase::Queued, Reason::QuotaExceeded);
    assert_eq!(wait_of(&decision), secs(3600), "sets may be deleted");
    assert!(case.status.condition(ConditionType::Ready).unwrap().message.contains("2027-01-15T16:00:00Z"));
    assert!(matches!(case.decide(3602).effect, Some(Effect::Preflight { .. })));
    // The default of queueTimeout does not end it before the day turns.
    for second in [3602, 2 * 3600 + 2, CHINAS_MIDNIGHT - 1] {
        case.preflight(second, Ok(full_day()));
        case.step(second);
        case.assert_place(Phase::Queued, Reason::QuotaExceeded);
    }
    assert!(matches!(case.decide(CHINAS_MIDNIGHT).effect, Some(Effect::Preflight { .. })));
    // The wait for the day does not count: another backup may go first then.
    case.preflight(CHINAS_MIDNIGHT + 1, Ok(facts(vec![task("5", JobState::Active)], full_day().backups.unwrap().sets)));
    case.step(CHINAS_MIDNIGHT + 1);
    case.assert_place(Phase::Queued, Reason::InstanceBusy);
    assert_eq!(case.status.queue.as_ref().unwrap().since.0, at(CHINAS_MIDNIGHT + 1));
    case.preflight(CHINAS_MIDNIGHT + 60, Ok(full_day()));
    assert!(matches!(case.step(CHINAS_MIDNIGHT + 60).effect, Some(Effect::WriteIntent { .. })));
    assert_eq!(case.submission().waiting_since.0, at(CHINAS_MIDNIGHT + 1));
}

#[test]
fn a_queue_timeout_that_the_user_has_set_ends_the_wait_for_the_day() {
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1","queueTimeout":"30m"}"#);
    case.preflight(1, Ok(full_day()));
    assert_eq!(wait_of(&case.step(1)), secs(1801));
    case.step(1802);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
}

/// The day of the limit may be another than is thought, or automatic sets count: then the service says so, again and again.
#[test]
fn a_day_that_the_service_says_is_used_up_is_waited_out_for_26_hours_at_most() {
    let mut case = Case::of(r#"{"dbInstanceId":"rm-1"}"#);
    let mut second = 0;
    while !case.status.phase.is_terminal() {
        assert!(second < 40 * 3600, "it waits for ever");
        let decision = case.step(second);
        match decision.effect {
            Some(Effect::Preflight { .. }) => case.preflight(second, Ok(idle())),
            Some(Effect::WriteIntent { .. }) => {
                case.submission().cleared = true;
                case = case.answered(rejected("Exceeded.BackupTimes"));
                case.step(second);
                case.assert_place(Phase::Queued, Reason::QuotaExceeded);
            }
            Some(other) => panic!("{other:?}"),
            None if decision.requeue == Requeue::Now => {}
            None => second += wait_of(&decision).as_secs().max(1),
        }
    }
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    assert!((26 * 3600..27 * 3600).contains(&second), "{second}");
}
