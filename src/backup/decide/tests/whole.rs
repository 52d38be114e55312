//! Whole lives of an object, and what holds for every decision.

use proptest::prelude::*;

use super::*;

/// Drives one backup that goes well: every effect succeeds at once. Answers the statuses that were written, and all events.
fn good_backup(unlisted_polls: u32) -> (Vec<RdsBackupStatus>, Vec<String>) {
    let mut case = Case::new();
    let (mut writes, mut events) = (Vec::new(), Vec::new());
    let (mut second, mut unlisted) = (1, unlisted_polls);
    for _ in 0..200 {
        let before = case.status.clone();
        let decision = case.step(second);
        if case.status != before {
            writes.push(case.status.clone());
            events.extend(decision.events.iter().map(|event| event.reason().as_str().to_owned()));
        }
        match decision.effect {
            Some(Effect::Preflight { .. }) => case.preflight(second, Ok(idle())),
            Some(Effect::WriteIntent { .. }) => {}
            Some(Effect::Clear { .. }) => case.memory.own.as_mut().unwrap().rival = Some(None),
            Some(Effect::Send { .. }) => {
                let own = case.memory.own.as_mut().unwrap();
                own.sent = true;
                own.answer = Some(accepted("77"));
            }
            Some(Effect::Follow { .. }) if second < 400 => case.poll(second, Some(task("77", JobState::Active)), None),
            Some(Effect::Follow { .. }) if unlisted > 0 => {
                unlisted -= 1;
                case.poll(second, Some(finished("77", "s7")), None);
            }
            Some(Effect::Follow { .. }) => case.poll(second, Some(finished("77", "s7")), Some(set("s7", 2))),
            Some(Effect::Look { .. }) => panic!("nothing was lost"),
            Some(
                Effect::ReadSurroundings
                | Effect::Inspect { .. }
                | Effect::DeleteSet { .. }
                | Effect::LookForNewer
                | Effect::RemoveObject
                | Effect::LookForReusable
                | Effect::VerifySet { .. },
            ) => panic!("nobody wants the set deleted"),
            None => match decision.requeue {
                Requeue::OnChange => return (writes, events),
                Requeue::After(time) => second += time.as_secs().max(1),
                Requeue::Now => {}
            },
        }
    }
    panic!("it does not end: {:#?}", case.status);
}

#[test]
fn a_good_backup_costs_four_writes() {
    let (writes, events) = good_backup(0);
    let places: Vec<_> =
        writes.iter().map(|status| (status.phase, status.submission.as_ref().is_some_and(|intent| intent.cleared))).collect();
    assert_eq!(places, [(Phase::Submitting, false), (Phase::Submitting, true), (Phase::Running, true), (Phase::Succeeded, true)]);
    assert_eq!(events, ["Running", "Succeeded"]);
}

#[test]
fn a_set_that_stays_unlisted_costs_one_more() {
    let (writes, _) = good_backup(9);
    let phases: Vec<_> = writes.iter().map(|status| status.phase).collect();
    assert_eq!(phases, [Phase::Submitting, Phase::Submitting, Phase::Running, Phase::Finalizing, Phase::Succeeded]);
}

fn any_answer() -> impl Strategy<Value = Option<CreateOutcome>> {
    prop_oneof![
        Just(None),
        Just(Some(accepted("77"))),
        Just(Some(lost())),
        prop_oneof!["Throttling", "Forbidden", "BackupJobExists", "[A-Za-z.]{0,20}"].prop_map(|code| Some(rejected(&code))),
        Just(Some(CreateOutcome::Rejected(Rejection::NotSent { why: "refused".into() }))),
    ]
}

fn any_facts() -> impl Strategy<Value = LookFacts> {
    (any::<bool>(), any::<bool>(), any::<bool>(), -200i64..3000).prop_map(|(job, listed, claimed, started)| LookFacts {
        running: if job { vec![task("5", JobState::Active)] } else { Vec::new() },
        sets: if listed { vec![set("s1", started)] } else { Vec::new() },
        claims: if claimed { vec![claim("uid-9", Some("5"), None)] } else { Vec::new() },
        intents: if claimed && job { vec![at(started)] } else { Vec::new() },
    })
}

proptest! {
    /// From any place that a few random steps lead to: no panic; what is terminal absorbs; a request leaves only for this process's own,
    /// just cleared, unsent intent; and an intent that is open is replaced by no other.
    #[test]
    fn every_decision_keeps_the_rules(
        steps in prop::collection::vec((0i64..2000, any_answer(), any_facts(), any::<bool>(), 0u8..4, any::<bool>()), 1..12),
        retry in 0i32..2,
    ) {
        let mut case = Case::of(&format!(r#"{{"dbInstanceId":"rm-1","retry":{{"limit":{retry},"backoff":"1s"}}}}"#));
        let mut second = 1;
        for (round, (pass, answer, facts, failed, poll, crash)) in steps.into_iter().enumerate() {
            second += pass;
            case.randomness.nonce = format!("nonce-{round}");
            if crash {
                case.memory = Memory::default();
            }
            for _ in 0..8 {
                let before = case.status.clone();
                let decision = case.step(second);
                if before.phase.is_terminal() {
                    prop_assert_eq!(case.status.phase, before.phase);
                    prop_assert_eq!(&decision.effect, &None);
                }
                if let Some(open) = before.open_submission() {
                    prop_assert_eq!(&case.status.submission.as_ref().unwrap().nonce, &open.nonce, "an open intent is closed before another is written");
                }
                match decision.effect {
                    Some(Effect::Preflight { attempt, .. }) => {
                        let result = if failed { Err(CallError::Api(api_error("Throttling"))) } else { Ok(idle()) };
                        case.memory.preflight = Some(Preflight { attempt, region: "cn-hangzhou".into(), at: at(second), failures: u32::from(failed), not_started: Vec::new(), result });
                    }
                    Some(Effect::WriteIntent { .. }) => prop_assert!(!case.status.submission.as_ref().unwrap().cleared),
                    Some(Effect::Clear { .. }) => case.memory.own.as_mut().unwrap().rival = Some(None),
                    Some(Effect::Send { stamp, .. }) => {
                        let intent = case.status.submission.clone().unwrap();
                        prop_assert!(intent.cleared && intent.outcome.is_none());
                        prop_assert_eq!(&intent.nonce, &stamp.nonce);
                        prop_assert!(second - intent.timestamp.0.duration_since(at(0)).as_secs() <= 60);
                        let own = case.memory.own.as_mut().unwrap();
                        prop_assert!(!own.sent, "sent twice");
                        own.sent = true;
                        own.answer = answer.clone();
                    }
                    Some(Effect::Look { .. }) => case.look(second, facts.clone()),
                    Some(Effect::Follow { .. }) => {
                        let task = match poll {
                            0 => Some(task("77", JobState::Active)),
                            1 => Some(task("77", JobState::Failed)),
                            2 => Some(finished("77", "s7")),
                            _ => None,
                        };
                        let listed = (poll == 2).then(|| set("s7", 2));
                        case.poll(second, task, listed);
                    }
                    Some(effect @ (Effect::ReadSurroundings
                        | Effect::Inspect { .. }
                        | Effect::DeleteSet { .. }
                        | Effect::LookForNewer
                        | Effect::RemoveObject
                        | Effect::LookForReusable
                        | Effect::VerifySet { .. })) => {
                        prop_assert!(false, "nobody wants the set deleted: {:?}", effect);
                    }
                    None => if decision.requeue != Requeue::Now { break },
                }
            }
        }
    }
}

/// Found by a run with `startedAt: 9999-12-30T22:00:00Z` (faults A19): jiff's `+` panicked, again at each start, for all tenants.
#[test]
fn times_at_the_ends_of_time_and_settings_without_measure_stop_nothing() {
    let longest = SignedDuration::from_hours(999_999);
    let ends = [Timestamp::MIN, Timestamp::MAX, "9999-12-30T22:00:00Z".parse().unwrap()];
    let running = || {
        let mut case = Case::new().intent(0, true, true).answered(accepted("77"));
        case.step(1);
        case.poll(100, Some(finished("77", "s7")), None);
        case
    };
    let adopting = || {
        let mut case = Case::new().intent(0, true, false);
        case.look(2000, LookFacts::default());
        case
    };
    let waiting = || {
        let mut case = Case::new().intent(0, true, true).answered(rejected("Throttling"));
        case.step(1);
        case
    };
    let situations: [&dyn Fn() -> Case; 4] = [&Case::new, &running, &adopting, &waiting];
    for situation in situations {
        for end in ends {
            for field in 0..6 {
                let mut case = situation();
                let account = case.account_mut();
                account.protocol.listing_lag = longest;
                account.protocol.clock_skew = longest;
                account.poll = Poll { first: longest, min: longest, max: longest };
                let time = Some(Time(end));
                match field {
                    0 => case.status.started_at = time,
                    1 => case.object.metadata.creation_timestamp = time,
                    2 => case.status.attempts.iter_mut().for_each(|kept| kept.at = Time(end)),
                    3 => case.memory.hold_until = Some(end),
                    4 => case.status.queue.iter_mut().for_each(|queue| queue.since = Time(end)),
                    _ => {
                        if let Some(intent) = &mut case.status.submission {
                            (intent.timestamp, intent.unresolved_since, intent.waiting_since) = (Time(end), Time(end), Time(end));
                        }
                    }
                }
                for second in [0, 5000, 1_000_000] {
                    case.decide(second);
                }
            }
        }
    }
}
