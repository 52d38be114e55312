//! Step 11: a job is followed to its set, and to the end.

use super::*;
use crate::api::{AttemptOutcome, ExpirySource, SubmissionOutcome};

/// Accepted at second 5 as job 77.
pub(super) fn running(spec: &str) -> Case {
    let mut case = Case::of(spec).intent(1, true, true).answered(accepted("77"));
    case.step(5);
    case
}

pub(super) const PLAIN: &str = r#"{"dbInstanceId":"rm-1","method":"Physical"}"#;

#[test]
fn polls_start_at_15_s_and_follow_half_of_the_time_elapsed() {
    let mut case = running(PLAIN);
    let mut polls = Vec::new();
    let mut second = 5;
    while second < 5 + 1800 {
        let decision = case.step(second);
        match decision.effect {
            Some(Effect::Follow { backup: BackupRef { ref job, .. }, .. }) => {
                assert_eq!(job.as_ref().map(JobId::as_str), Some("77"));
                polls.push(second - 5);
                case.poll(second, Some(BackupTask { progress: Some(10), ..task("77", JobState::Active) }), None);
            }
            None => second += wait_of(&decision).as_secs().max(1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(polls[..4], [15, 25, 38, 57]);
    assert!((18..=24).contains(&polls.len()), "about 21 calls for 30 minutes: {}", polls.len());
    case.assert_place(Phase::Running, Reason::Running);
}

#[test]
fn success_is_a_listed_and_usable_set() {
    let mut case = running(PLAIN);
    case.poll(100, Some(finished("77", "s7")), Some(set("s7", 6)));
    let decision = case.step(100);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    assert_eq!(case.kstatus(), (Some("True"), false, false));
    let status = &case.status;
    assert_eq!(status.backup_id.as_deref(), Some("s7"));
    assert_eq!((status.started_at.as_ref().unwrap().0, status.completed_at.as_ref().unwrap().0), (at(6), at(96)));
    assert_eq!(
        (status.duration.as_deref(), status.size.as_deref(), status.size_bytes),
        (Some("1m30s"), Some("260Gi"), Some(279_236_241_408))
    );
    assert_eq!(status.consistent_time.as_ref().unwrap().0, at(86));
    assert!(decision.wakes);
    let after = case.decide(10_000);
    assert_eq!((after.status == case.status, after.effect, after.requeue), (true, None, Requeue::OnChange), "terminal phases absorb");
}

#[test]
fn when_a_set_is_removed_is_told_by_the_service_or_computed_and_said_so() {
    let day = SignedDuration::from_hours(24);
    for (days, told, expected) in [
        (Some(30), None, Some((at(96) + day * 30, ExpirySource::RetentionDays))),
        (Some(30), Some(at(5000)), Some((at(5000), ExpirySource::Service))),
        (Some(-1), None, None),
        (None, None, None),
        (None, Some(at(5000)), Some((at(5000), ExpirySource::Service))),
    ] {
        let mut case = running(PLAIN);
        case.object.spec.retention_days = days;
        case.poll(100, Some(finished("77", "s7")), Some(BackupSet { expires_at: told, ..set("s7", 6) }));
        case.step(100);
        let status = &case.status;
        assert_eq!(status.expires_at.as_ref().map(|time| time.0).zip(status.expiry_source), expected, "{days:?} {told:?}");
    }
}

#[test]
fn a_set_that_is_not_listed_yet_is_waited_for() {
    let mut case = running(PLAIN);
    case.poll(100, Some(finished("77", "s7")), None);
    let decision = case.step(100);
    case.assert_place(Phase::Running, Reason::Running);
    assert!(wait_of(&decision) <= secs(10), "its listing is near");
    let asked = case.decide(110);
    assert_eq!(asked.effect, Some(Effect::Follow { instance: InstanceId::new(INSTANCE), backup: BackupRef::of_set("s7".into()) }));
    case.poll(221, Some(finished("77", "s7")), None);
    case.step(221);
    case.assert_place(Phase::Finalizing, Reason::Finalizing);
    case.poll(100 + 601, Some(finished("77", "s7")), None);
    case.step(100 + 601);
    case.assert_place(Phase::Failed, Reason::ResultLost);
}

/// Found by `cargo sandbox faults`: a pass that waited for the API server for longer than the listing lag called a set lost, without asking
/// again.
#[test]
fn a_set_is_lost_only_for_who_has_asked_since() {
    let mut case = running(PLAIN);
    case.poll(100, Some(finished("77", "s7")), None);
    case.step(100);
    let decision = case.step(5000);
    assert_eq!(case.status.phase, Phase::Finalizing);
    assert!(matches!(decision.effect, Some(Effect::Follow { .. })), "{decision:?}");
    case.poll(5000, None, Some(set("s7", 20)));
    case.step(5000);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

#[test]
fn a_set_that_is_not_usable_is_not_a_success() {
    let unusable = || BackupSet { available: Some(false), ..set("s7", 6) };
    let mut case = running(PLAIN);
    case.poll(100, Some(finished("77", "s7")), Some(unusable()));
    case.step(100);
    assert!(!case.status.phase.is_terminal(), "a listing may settle");
    case.poll(100 + 601, Some(finished("77", "s7")), Some(unusable()));
    case.step(100 + 601);
    case.assert_place(Phase::Failed, Reason::BackupNotUsable);
    let mut failed = running(PLAIN);
    failed.poll(100, Some(finished("77", "s7")), Some(BackupSet { status: SetStatus::Failed, ..set("s7", 6) }));
    failed.step(100);
    failed.assert_place(Phase::Failed, Reason::BackupFailed);
}

/// The schedule of the object starts the next backup at second 3600.
#[test]
fn a_retry_never_waits_past_the_next_start_of_its_schedule() {
    let of_a_schedule = |spec: &str| {
        let mut case = running(spec);
        case.object.metadata.annotations = Some([("rdsbackup.io/next-start".to_owned(), at(3600).to_string())].into());
        case
    };
    let spec = r#"{"dbInstanceId":"rm-1","queueTimeout":"59m30s","retry":{"limit":2,"backoff":"5m"}}"#;
    // There is time: the retry waits, while another backup holds the instance, up to half a minute before the next start.
    let mut case = of_a_schedule(spec);
    case.poll(2400, Some(task("77", JobState::Failed)), None);
    case.step(2400);
    case.assert_place(Phase::Queued, Reason::RetryBackoff);
    case.account_mut().paused = true;
    case.step(3570);
    assert_eq!(case.status.phase, Phase::Queued);
    case.step(3571);
    case.assert_place(Phase::Failed, Reason::BackupFailed);
    // Neither while a person must act.
    let mut case = of_a_schedule(spec);
    case.poll(2400, Some(task("77", JobState::Failed)), None);
    case.step(2400);
    case.account = Err(Blocker { reason: Reason::NotAllowed, message: String::new(), again_in: None });
    case.step(3000);
    assert_eq!(case.status.phase, Phase::Pending);
    case.step(3571);
    case.assert_place(Phase::Failed, Reason::BackupFailed);
    // There is none for the backoff: the next backup is due before the retry could begin.
    for (failed_at, retries) in [(3270, true), (3271, false), (9000, false)] {
        let mut case = of_a_schedule(spec);
        case.poll(failed_at, Some(task("77", JobState::Failed)), None);
        case.step(failed_at);
        assert_eq!(case.status.phase, if retries { Phase::Queued } else { Phase::Failed }, "{failed_at}");
        assert_eq!(case.status.backup_job_id.is_some(), !retries, "{failed_at}: a failed object keeps its job");
    }
    // A blackout of the schedule begins before the next start: no retry waits into it.
    for (failed_at, retries) in [(1470, true), (1471, false)] {
        let mut case = of_a_schedule(spec);
        let begins = ("rdsbackup.io/blackout-begins".to_owned(), at(1800).to_string());
        case.object.metadata.annotations.get_or_insert_default().extend([begins]);
        case.poll(failed_at, Some(task("77", JobState::Failed)), None);
        case.step(failed_at);
        assert_eq!(case.status.phase, if retries { Phase::Queued } else { Phase::Failed }, "{failed_at}");
    }
    // The first run has its queueTimeout alone.
    let mut case = Case::of(spec);
    case.object.metadata.annotations = Some([("rdsbackup.io/next-start".to_owned(), at(10).to_string())].into());
    assert!(case.decide(20).effect.is_some());
}

#[test]
fn a_failed_job_is_the_end_without_retry_and_another_run_with_it() {
    let mut case = running(PLAIN);
    case.poll(100, Some(task("77", JobState::Failed)), None);
    case.step(100);
    case.assert_place(Phase::Failed, Reason::BackupFailed);
    assert_eq!(case.kstatus(), (Some("False"), false, true));
    assert_eq!(case.status.completed_at.as_ref().unwrap().0, at(100));

    let mut again = running(r#"{"dbInstanceId":"rm-1","retry":{"limit":1,"backoff":"1m"}}"#);
    again.poll(100, Some(task("77", JobState::Failed)), None);
    let decision = again.step(100);
    again.assert_place(Phase::Queued, Reason::RetryBackoff);
    assert!(decision.wakes, "others may go meanwhile");
    assert_eq!(again.status.backup_job_id, None);
    assert_eq!(again.status.attempts[0].outcome, AttemptOutcome::JobFailed);
    assert_eq!(again.status.attempts[0].backup_job_id.as_deref(), Some("77"));
    assert_eq!(wait_of(&again.decide(100)), secs(60));
    again.memory.preflight = Some(Preflight {
        attempt: (2, 1),
        region: "cn-hangzhou".into(),
        at: at(161),
        failures: 0,
        not_started: Vec::new(),
        result: Ok(idle()),
    });
    again.randomness.nonce = "nonce-b".into();
    again.step(161);
    assert_eq!((again.submission().run, again.submission().attempt), (2, 1), "runs and attempts are counted apart");
    again.submission().cleared = true;
    let mut again = again.answered(accepted("78"));
    again.step(162);
    again.poll(200, Some(task("78", JobState::Failed)), None);
    again.step(200);
    again.assert_place(Phase::Failed, Reason::BackupFailed);
}

#[test]
fn a_timeout_ends_the_wait_and_is_never_retried() {
    let mut case = running(r#"{"dbInstanceId":"rm-1","timeout":"1h","retry":{"limit":3}}"#);
    case.poll(3600, Some(task("77", JobState::Active)), None);
    case.step(3605);
    assert_eq!(case.status.phase, Phase::Running);
    case.poll(3606, Some(task("77", JobState::Active)), None);
    case.step(3606);
    case.assert_place(Phase::Failed, Reason::Timeout);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("77"), "it keeps its claim");
}

#[test]
fn what_ended_in_time_did_not_time_out_although_nobody_looked() {
    let spec = r#"{"dbInstanceId":"rm-1","timeout":"1h"}"#;
    let mut case = running(spec);
    assert!(matches!(case.decide(9000).effect, Some(Effect::Follow { .. })), "no operator ran for two hours: it asks first");
    case.poll(9000, Some(finished("77", "s7")), Some(set("s7", 2)));
    case.step(9000);
    assert_eq!(case.status.phase, Phase::Succeeded);

    let mut case = running(spec);
    case.poll(3590, Some(task("77", JobState::Active)), None);
    assert!(matches!(case.decide(3607).effect, Some(Effect::Follow { .. })), "the last poll was in time, so it tells nothing");
    case.poll(3607, Some(finished("77", "s7")), None);
    assert_eq!(case.decide(3607).status.phase, Phase::Running, "its set may be listed ten minutes later");
    case.poll(4207, Some(finished("77", "s7")), None);
    assert_eq!(case.decide(4207).status.phase, Phase::Finalizing);
    case.poll(4208, Some(finished("77", "s7")), None);
    case.step(4208);
    case.assert_place(Phase::Failed, Reason::ResultLost);
}

#[test]
fn progress_is_shown_for_long_jobs_in_steps_of_25() {
    let mut case = running(PLAIN);
    let mut shown = Vec::new();
    for (second, percent) in [(300, 30), (700, 30), (800, 49), (900, 51), (1000, 60), (1100, 99), (1200, 100)] {
        case.poll(second, Some(BackupTask { progress: Some(percent), ..task("77", JobState::Active) }), None);
        let before = case.status.clone();
        case.step(second);
        if case.status != before {
            shown.push(case.status.progress_percent);
        }
    }
    assert_eq!(shown, [Some(25), Some(50), Some(75)], "three writes at most");
}

#[test]
fn a_job_that_the_service_forgot_is_matched_with_its_set() {
    let mut case = running(PLAIN);
    for miss in 0..5 {
        assert_eq!(case.step(100 + miss).status.phase, Phase::Running);
        case.poll(100 + miss, None, None);
    }
    assert!(matches!(case.decide(104).effect, Some(Effect::Look { .. })));
    case.look(105, LookFacts { sets: vec![set("s7", 10)], claims: vec![claim("uid-5", Some("77"), None)], ..LookFacts::default() });
    for second in 106..112 {
        case.look(second, LookFacts { sets: vec![set("s7", 10)], claims: vec![claim("uid-5", Some("77"), None)], ..LookFacts::default() });
    }
    case.step(112);
    assert_eq!(case.status.backup_id.as_deref(), Some("s7"));
    case.poll(113, None, Some(set("s7", 10)));
    case.step(113);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

#[test]
fn a_job_that_nothing_can_be_matched_with_is_lost() {
    let mut case = running(PLAIN);
    for miss in 0..12 {
        case.poll(1300 + 60 * miss, None, None);
    }
    case.look(2000, LookFacts::default());
    case.step(2000);
    case.assert_place(Phase::Failed, Reason::ResultLost);
}

#[test]
fn trouble_with_polling_is_said_when_it_lasts_and_ends_with_the_next_poll() {
    let mut case = running(PLAIN);
    let lost = || Err(CallError::Lost { why: "reset".into() });
    for poll in 0..2 {
        case.memory.follow.absorb("77", at(20 + poll), lost());
        case.step(20 + poll);
        case.assert_place(Phase::Running, Reason::Running);
    }
    case.memory.follow.absorb("77", at(30), lost());
    case.step(30);
    case.assert_place(Phase::Running, Reason::ServiceUnavailable);
    case.poll(60, Some(task("77", JobState::Active)), None);
    case.step(60);
    case.assert_place(Phase::Running, Reason::Running);

    case.memory.follow.absorb("77", at(70), Err(CallError::Api(api_error("Forbidden.RAM"))));
    case.step(70);
    case.assert_place(Phase::Running, Reason::AccessDenied);
    assert_eq!(case.kstatus(), (Some("False"), false, true));
    let message = &case.status.condition(ConditionType::Stalled).unwrap().message;
    assert!(message.contains("rds:DescribeBackupTasks"), "{message}");
    assert_eq!(case.submission().outcome, Some(SubmissionOutcome::Accepted));
}

#[test]
fn without_credentials_a_running_job_is_kept() {
    let mut case = running(PLAIN);
    case.account_mut().credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "create it".into(), again_in: None });
    let decision = case.step(60);
    assert_eq!(wait_of(&decision), secs(60));
    assert_eq!(case.status.backup_job_id.as_deref(), Some("77"));
    case.account_mut().credentials = Ok(());
    case.poll(61, Some(task("77", JobState::Active)), None);
    case.step(61);
    case.assert_place(Phase::Running, Reason::Running);
}

#[test]
fn credentials_that_cannot_be_read_now_call_nobody_and_are_read_again_within_seconds() {
    let unreadable =
        || Err(Blocker { reason: Reason::CredentialsNotFound, message: "the API server is away".into(), again_in: Some(secs(7)) });
    for (mut case, phase) in
        [(Case::new(), Phase::Queued), (super::resolve::unresolved(), Phase::Resolving), (running(PLAIN), Phase::Running)]
    {
        case.account_mut().credentials = unreadable();
        assert_eq!(wait_of(&case.step(60)), secs(7), "{phase:?}");
        case.assert_place(phase, Reason::CredentialsNotFound);
        assert_eq!(case.kstatus(), (Some("False"), true, false), "{phase:?}");
    }
}

/// The operator was away when the adopted job ended, and the service tells of it no more.
#[test]
fn an_adopted_job_that_the_service_has_forgotten_gets_its_set_from_a_look() {
    let mut case = Case::new().intent(1, true, false);
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    assert_eq!(case.status.backup_job_id.as_deref(), Some("5"));
    // Its own set must not be taken for another backup while the job's end is not known.
    let after = |set: BackupSet| LookFacts { sets: vec![set], claims: vec![claim("uid-5", Some("5"), None)], ..LookFacts::default() };
    for miss in 0..8 {
        case.poll(2000 + 10 * miss, None, None);
        case.look(2001 + 10 * miss, after(set("s5", 30)));
        case.step(2001 + 10 * miss);
    }
    assert_eq!(case.status.backup_id.as_deref(), Some("s5"), "{:#?}", case.status);
    assert!(case.status.attempts.is_empty(), "{:#?}", case.status.attempts);
    let mine = || LookFacts { sets: vec![set("s5", 30)], claims: vec![claim("uid-5", Some("5"), Some("s5"))], ..LookFacts::default() };
    case.poll(3000, None, Some(set("s5", 30)));
    case.look(3000, mine());
    case.step(3000);
    case.look(3700, mine());
    case.step(3700);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
}

/// `Date` has whole seconds, the poll had a fraction.
#[test]
fn a_look_in_the_second_of_the_poll_is_not_made_again() {
    let mut case = Case::new().intent(1, true, false);
    case.look(40, LookFacts { running: vec![task("5", JobState::Active)], ..LookFacts::default() });
    case.step(40);
    for miss in 0..5 {
        case.memory.follow.absorb("5", at(2000 + miss) + SignedDuration::from_millis(900), Ok((None, None)));
    }
    assert!(matches!(case.decide(2005).effect, Some(Effect::Look { .. })));
    case.look(2004, LookFacts::default());
    let decision = case.decide(2005);
    assert!(!matches!(decision.effect, Some(Effect::Look { .. })), "{decision:?}");
}

#[test]
fn a_backup_that_runs_is_followed_also_if_its_spec_would_not_be_taken_any_more() {
    let mut case = running(PLAIN);
    case.object.spec.resource_group_id = Some("../rg-1".into());
    case.poll(60, Some(task("77", JobState::Active)), None);
    case.step(60);
    case.assert_place(Phase::Running, Reason::Running);
    // Nothing has left: nothing is sent.
    let mut fresh = Case::new();
    fresh.object.spec.resource_group_id = Some("../rg-1".into());
    fresh.step(1);
    fresh.assert_place(Phase::Pending, Reason::InvalidSpec);
}
