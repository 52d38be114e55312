//! Polling, pace and cost: requests and writes, counted from outside.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    cloud,
    faults::Fault,
    life::{self, Ended},
    people::Action,
    script::{Script, create},
    single::{calm, end, ended, sent_count},
    step::Step,
    world::{AnyRequest, LogEvent, Reply},
};

const MINUTE: u64 = 60;

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * MINUTE)
}

/// A world with the accounts a, b and c, and so many backups of each (account, region), all of them made in the first second.
fn crowd(of: &[(&'static str, &str, usize)], lasts: Duration) -> Script {
    let mut script = Script::calm(minutes(10));
    script.actions = ["a", "b", "c"].map(|key| (Duration::ZERO, Action::KeyOf(key))).to_vec();
    let account = |name: &str| {
        format!(
            "  {name}:\n    regionId: cn-hangzhou\n    credentials: {{ type: Secret, name: key-{name} }}\n    \
             allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n"
        )
    };
    script.accounts = Some(format!("accounts:\n{}{}{}", account("a"), account("b"), account("c")));
    script.instances.clear();
    for (account, region, many) in of {
        for number in 0..*many {
            let instance = format!("rm-{account}-{region}-{number}");
            script.instances.insert(instance.clone(), "local_ssd");
            let spec = json!({ "dbInstanceId": instance, "account": account, "regionId": region });
            script = script.at(1, create("team-a", &format!("{account}-{region}-{number}"), spec));
        }
    }
    script.lasts = Some(lasts);
    script
}

/// When calls were sent, by access key and region, since the world began.
fn sent(script: &Script, ended: &Ended, of: impl Fn(Step) -> bool) -> BTreeMap<String, Vec<f64>> {
    ended.world.with(|state, _| {
        let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for line in &state.log {
            if let LogEvent::Sent(AnyRequest::Cloud(step, call)) = &line.what
                && of(*step)
            {
                found.entry(key_and_region(call)).or_default().push(since(script, line.at));
            }
        }
        found
    })
}

/// The access key and the region: a central host serves several, and CreateBackup does not name it, but the instance does.
fn key_and_region(call: &cloud::Call) -> String {
    let region = call.param("DBInstanceId").splitn(3, '-').nth(2).and_then(|rest| rest.rsplit_once('-')).map_or("", |(region, _)| region);
    format!("{} {region}", call.key.split('-').next().unwrap_or_default())
}

fn since(script: &Script, at: Timestamp) -> f64 {
    at.duration_since(script.begins).as_secs_f64()
}

fn within(times: &[f64], from: f64, to: f64) -> usize {
    times.iter().filter(|at| (from..to).contains(*at)).count()
}

/// The most calls within any such span.
fn busiest(times: &[f64], span: f64) -> usize {
    times.iter().map(|from| within(times, *from, from + span)).max().unwrap_or_default()
}

fn is_read(step: Step) -> bool {
    step.is_cloud() && step != Step::Create
}

#[test]
fn a_job_is_looked_at_after_15_seconds_and_then_after_half_of_the_time_elapsed() {
    let script = calm(30);
    let ended = ended(&script);
    let began = ended.world.with(|state, _| since(&script, state.cloud.jobs[0].started_at));
    let polls: Vec<f64> = sent(&script, &ended, |step| step == Step::TaskById).into_values().flatten().map(|at| at - began).collect();
    assert_eq!(polls.len(), 21, "{polls:?}");
    // The elapsed time is counted from the whole second in which the job began, and an answer travels for 60 ms.
    assert!((14.0..16.0).contains(&polls[0]), "{polls:?}");
    for pair in polls.windows(2) {
        let expected = (pair[0] / 2.0).clamp(10.0, 120.0);
        assert!((expected - 0.1..expected + 0.7).contains(&(pair[1] - pair[0])), "{expected} s after {} s: {polls:?}", pair[0]);
    }
}

#[test]
fn every_account_and_region_has_its_own_pace_and_keeps_it() {
    let crowd = |of: &[(&'static str, &str, usize)]| {
        let script = crowd(of, Duration::from_secs(50));
        let ended = ended(&script);
        let (reads, creates) = (sent(&script, &ended, is_read), sent(&script, &ended, |step| step == Step::Create));
        // 10 reads and 5 requests a second, and a full bucket at the start.
        for (whose, times) in &reads {
            assert!(busiest(times, 1.0) <= 20 && busiest(times, 10.0) <= 110, "{whose}: {times:?}");
        }
        for (whose, times) in &creates {
            assert!(busiest(times, 1.0) <= 10 && busiest(times, 10.0) <= 55, "{whose}: {times:?}");
        }
        reads.into_iter().map(|(whose, times)| (whose, within(&times, 2.0, 12.0))).collect::<BTreeMap<_, _>>()
    };
    let alone = crowd(&[("a", "cn-hangzhou", 70)]);
    let together = crowd(&[("a", "cn-hangzhou", 70), ("a", "cn-shanghai", 70), ("b", "cn-hangzhou", 70)]);
    println!("{alone:?} {together:?}");
    assert_eq!(together.len(), 3, "{together:?}");
    for (whose, reads) in together.iter().chain(&alone) {
        assert!((75..=110).contains(reads), "{whose}: {reads} reads within ten seconds; {alone:?} {together:?}");
    }
}

#[test]
fn accounts_whose_endpoints_never_answer_hold_up_no_other() {
    // In several regions, too: each has an endpoint of its own.
    let hung =
        [("a", "cn-hangzhou", 20), ("b", "cn-hangzhou", 20), ("a", "cn-shanghai", 20), ("a", "cn-beijing", 20), ("b", "cn-beijing", 20)];
    let of = [&hung[..], &[("c", "cn-hangzhou", 5)]].concat();
    for of in [&of[..], &[hung[0], hung[1], of[5]]] {
        let script = crowd(of, Duration::from_secs(120)).at(0, Action::Hang { key: "a" }).at(0, Action::Hang { key: "b" });
        let ended = life::run(&script);
        let creates = sent(&script, &ended, |step| step == Step::Create);
        let healthy = creates.get("c cn-hangzhou").cloned().unwrap_or_default();
        assert!(healthy.len() == 5 && healthy.iter().all(|at| *at < 6.0), "{} hung: {creates:?}", of.len() - 1);
    }
}

#[test]
fn a_throttled_account_slows_down_recovers_and_holds_up_no_other() {
    let world = |of: &[(&'static str, &str, usize)]| {
        let mut script = crowd(of, Duration::from_secs(300));
        script.habits.durations = vec![minutes(60)];
        script
    };
    let alone = world(&[("b", "cn-hangzhou", 60)]);
    let alone = sent(&alone, &ended(&alone), |step| step == Step::Create)["b cn-hangzhou"].clone();
    let both = world(&[("a", "cn-hangzhou", 250), ("b", "cn-hangzhou", 60)])
        .at(5, Action::Limit { key: "a", per_second: Some(3) })
        .at(25, Action::Limit { key: "a", per_second: None });
    let ended = ended(&both);
    let reads = &sent(&both, &ended, is_read)["a cn-hangzhou"];
    let a: Vec<usize> = (0..30).map(|ten| within(reads, f64::from(ten) * 10.0, f64::from(ten + 1) * 10.0)).collect();
    println!("reads of the throttled account within ten seconds: {a:?}");
    // An eighth of the pace or a quarter while it complains and for a minute after that; then double, each minute. A slowed bucket holds
    // one read: at a quarter no ten seconds have more than 25 + 1, at a half no more than 50 + 1.
    assert!(a[2..8].iter().all(|calls| (8..=26).contains(calls)), "{a:?}");
    assert!((40..=51).contains(&a[16]), "{a:?}");
    // At full pace it holds the reads of one second, and what it holds is used when callers come back after a pause: any ten seconds have
    // at most 10 * 10 + 10 reads. The lower bound tells full pace from half, and callers that wait for their turn from callers that stay
    // away.
    let recovered: Vec<f64> = reads.iter().copied().filter(|at| *at >= 200.0).collect();
    assert!(busiest(&recovered, 10.0) <= 110 && a[20..26].iter().all(|calls| *calls >= 85), "{a:?}");
    let refused = ended.world.with(|state, _| {
        let throttled = |line: &&crate::world::LogEntry| {
            matches!(&line.what, LogEvent::Done(_, Reply::Cloud(reply)) if String::from_utf8_lossy(&reply.body).contains("Throttling.User"))
        };
        state.log.iter().filter(throttled).count()
    });
    assert!((1..=20).contains(&refused), "{refused} calls were refused before the pace was low enough");
    let b = &sent(&both, &ended, |step| step == Step::Create)["b cn-hangzhou"];
    let last = |times: &[f64]| times.last().copied().unwrap_or_default();
    println!("the other account's 60 backups were asked for by {} s, and by {} s where it is alone", last(b), last(&alone));
    assert!(b.len() == 60 && last(b) < last(&alone) * 2.0, "{b:?}, and alone {alone:?}");
}

#[test]
fn a_pause_that_the_service_names_is_kept_by_its_account_and_by_no_other() {
    let script = crowd(&[("a", "cn-hangzhou", 30), ("b", "cn-hangzhou", 30)], Duration::from_secs(90)).fault(
        Step::TasksBefore,
        1,
        Fault::Throttled { pause_ms: 17_000 },
    );
    let ended = ended(&script);
    let (asked, until) = ended.world.with(|state, _| {
        let pause = |line: &crate::world::LogEntry| match &line.what {
            LogEvent::Note(text) => Some((since(&script, line.at), since(&script, crate::transport::pause_of(text)?))),
            _ => None,
        };
        state.log.iter().find_map(pause).expect("the cloud asked for a pause")
    });
    let all = sent(&script, &ended, Step::is_cloud);
    // Calls that were under way when the pause was asked for are answered; then there is no call until the millisecond that was named.
    let mut during_pause: Vec<usize> = all.values().map(|times| within(times, asked + 0.1, until)).collect();
    during_pause.sort_unstable();
    assert_eq!(during_pause[0], 0, "{all:?}");
    assert!(during_pause[1] > 100, "the other account goes on: {during_pause:?}");
    let after: usize = all.values().map(|times| within(times, until, until + 10.0)).min().expect("two accounts");
    assert!((10..=55).contains(&after), "{after} calls in the ten seconds after the pause: half of the pace");
}

#[test]
fn the_pause_that_the_service_names_is_the_pause_of_the_object_and_does_not_grow() {
    let create_at = |pause_ms: u64, refused: u32| {
        let mut script = calm(5);
        for nth in 1..=refused {
            script = script.fault(Step::Instance, nth, Fault::Throttled { pause_ms });
        }
        let ended = ended(&script);
        sent(&script, &ended, |step| step == Step::Create).into_values().flatten().next().expect("a request")
    };
    let undisturbed = create_at(3000, 0);
    for (pause_ms, least, most) in [(3000, 18.0, 24.0), (0, 30.0, 36.0), (20_000, 120.0, 128.0)] {
        // Six refusals cost six pauses, and a second at most for the pace of the account, which is an eighth then.
        let later = create_at(pause_ms, 6) - undisturbed;
        assert!((least..most).contains(&later), "{later} s later after 6 refusals with a pause of {pause_ms} ms");
    }
}

#[test]
fn a_hundred_finished_backups_cost_nothing_for_a_day() {
    const DAY: u64 = 24 * 60;
    let mut script = Script::calm(minutes(1));
    script.instances.clear();
    for number in 0..100 {
        script.instances.insert(format!("rm-{number}"), "local_ssd");
        script = script.at(1, create("team-a", &format!("b{number}"), json!({ "dbInstanceId": format!("rm-{number}") })));
    }
    script.lasts = Some(minutes(DAY + 60));
    let ended = ended(&script);
    assert!(end(&ended).1.iter().all(|status| status["phase"] == "Succeeded"));
    let at_rest = script.begins + minutes(60);
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    ended.world.with(|state, _| {
        for line in state.log.iter().filter(|line| line.at > at_rest) {
            if let LogEvent::Sent(AnyRequest::Api(step, _) | AnyRequest::Cloud(step, _)) = &line.what {
                *asked.entry(step.name()).or_default() += 1;
            }
        }
    });
    // Two watches, each begun again after 290 s; kube asks for that.
    assert_eq!(asked, BTreeMap::from([(Step::Watch.name(), 2 * 86_400_usize.div_ceil(290))]));
}

#[test]
fn writes_are_counted() {
    let foreign = || Action::Foreign { instance: "rm-1".into(), automated: true, lasts: minutes(6) };
    for (what, busy, lasts, lag, expected) in [
        ("a good backup", false, 5, 0, 4),
        ("one that had to wait", true, 5, 0, 5),
        ("one whose set was listed late", false, 5, 9, 5),
        ("a long one", false, 40, 0, 7),
        ("all of it", true, 40, 9, 9),
    ] {
        let mut script = calm(lasts);
        if busy {
            script = script.at(0, foreign());
        }
        script.habits.longest_lag = minutes(lag);
        script.habits.shortest_lag = minutes(lag);
        let ended = ended(&script);
        let written = ended.world.with(|state, _| {
            let changed = |line: &&crate::world::LogEntry| matches!(&line.what, LogEvent::Done(AnyRequest::Api(_, call), _) if call.is_status_write());
            state.log.iter().filter(changed).count()
        });
        assert_eq!(written, expected, "{what}");
    }
}

#[test]
fn watch_events_do_not_shorten_any_pause() {
    let counts = |script: Script| {
        let ended = ended(&script);
        (
            sent_count(&ended, Step::Create),
            sent_count(&ended, Step::TaskById),
            sent_count(&ended, Step::Instance),
            sent_count(&ended, Step::TasksLook),
        )
    };
    // While the object waits after a refusal, while the operator looks for a lost answer, and while the job runs.
    let refused = Fault::Refused { code: "IncorrectDBInstanceState", status: 403 };
    for (what, fault) in [("refused", refused), ("lost", Fault::Lost { executed: false }), ("late", Fault::Lost { executed: true })] {
        let calm = || calm(10).fault(Step::Create, 1, fault);
        let touched =
            (0..1200).fold(calm(), |script, nth| script.at(2 + nth, Action::Touch { namespace: "team-a".into(), name: "b".into() }));
        let (calm, touched) = (counts(calm()), counts(touched));
        assert_eq!(calm, touched, "{what}");
    }
}

#[test]
fn no_more_than_eight_backups_of_an_account_and_region_call_the_service_at_a_time() {
    let mut script = crowd(&[("a", "cn-hangzhou", 60), ("b", "cn-hangzhou", 60)], Duration::from_secs(60));
    script.pace.cloud = (9000, 9000);
    let ended = life::run(&script);
    // From the moment when a call leaves to the moment when its answer is back.
    let mut open: Vec<(Timestamp, i32)> = ended.world.with(|state, _| {
        let calls = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Sent(AnyRequest::Cloud(..)) => Some([(line.at, 1), (line.at + Duration::from_secs(9), -1)]),
            _ => None,
        });
        calls.flatten().collect()
    });
    open.sort();
    let most = open.iter().scan(0, |now, (_, change)| {
        *now += change;
        Some(*now)
    });
    assert_eq!(most.max(), Some(16));
}

/// How long each backup was without a condition, in seconds since the world began: all are made in its first second.
fn first_conditions(script: &Script, ended: &Ended) -> BTreeMap<String, f64> {
    ended.world.with(|state, _| {
        let mut first = BTreeMap::new();
        for line in &state.log {
            if let LogEvent::Done(_, Reply::Api(answer)) = &line.what
                && let Some(written) = &answer.written
                && written.after["conditions"].as_array().is_some_and(|conditions| !conditions.is_empty())
            {
                first.entry(written.uid.clone()).or_insert_with(|| since(script, line.at));
            }
        }
        first
    })
}

#[test]
fn each_of_a_hundred_backups_made_at_once_has_a_condition_within_5_seconds() {
    let of_many = || crowd(&[("a", "cn-hangzhou", 100)], Duration::from_secs(120));
    let mut of_one = Script::calm(minutes(10));
    for number in 0..100 {
        of_one = of_one.at(1, create("team-a", &format!("b{number}"), json!({ "dbInstanceId": "rm-1" })));
    }
    of_one.lasts = Some(Duration::from_secs(120));
    let limited = of_many().at(0, Action::Limit { key: "a", per_second: Some(3) });
    let paused = of_many().fault(Step::Instance, 1, Fault::Throttled { pause_ms: 60_000 });
    let mut slow = of_many();
    slow.pace.cloud = (3000, 3000);
    let hung = of_many().at(0, Action::Hang { key: "a" });
    // Where the endpoint itself is slow, the eight that call it have a condition once it has answered.
    for (what, script, calling) in [
        ("of a hundred instances", of_many(), 0),
        ("of one instance", of_one, 0),
        ("of an account that is limited", limited, 0),
        ("of an account that is paused", paused, 0),
        ("of a slow endpoint", slow, 8),
        ("of an endpoint that never answers", hung, 8),
    ] {
        let ended = life::run(&script);
        let first = first_conditions(&script, &ended);
        let late: Vec<f64> = first.values().map(|at| at - 1.0).filter(|after| *after > 5.0).collect();
        println!("{what}: the latest after {:.1} s", first.values().copied().fold(0.0, f64::max) - 1.0);
        assert!(first.len() == 100 && late.len() <= calling, "{what}: {} have a condition, and late are {late:?}", first.len());
        // The write is seen by the watch. It costs no object its turn: the last request left after 40 s before there was such a write.
        if what == "of a hundred instances" {
            let creates = sent(&script, &ended, |step| step == Step::Create)["a cn-hangzhou"].clone();
            assert!(creates.len() == 100 && creates.iter().all(|at| *at < 42.0), "{creates:?}");
        }
    }
}
