//! The scripted STS of a world: AssumeRole and its keys, which the cloud takes until their end. And the worlds of accounts with such keys.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    check,
    cloud::{self, Call, Reply},
    life::{self, Ended},
    matrix::{first, ready},
    report::story,
    script::{Script, create},
    single::{calm, end},
    world::{AnyRequest, CANARY, LogEvent, Reply as AnyReply},
};

/// How it behaves, and what it did.
#[derive(Clone, Debug, Default)]
pub struct Sts {
    /// How long its keys live, whatever is asked for.
    pub life: Duration,
    /// When it cannot be reached: from and to, since the beginning of the world.
    pub down: Option<(Duration, Duration)>,
    /// Every call, and whether it was answered.
    pub calls: Vec<(Timestamp, bool)>,
    ends: BTreeMap<String, Timestamp>,
}

impl Sts {
    /// None: it cannot be reached.
    pub fn answer(&mut self, call: &Call, begins: Timestamp, now: Timestamp) -> Option<Reply> {
        let is_down = self.down.is_some_and(|(from, to)| (begins + from..begins + to).contains(&now));
        self.calls.push((now, !is_down));
        if is_down {
            return None;
        }
        assert!(call.key.starts_with("id1-") && call.param("RoleArn").starts_with("acs:ram::1:role/"), "{call:?}");
        let id = format!("STS.{}-{CANARY}", self.ends.len() + 1);
        let end = Timestamp::from_second((now + self.life).as_second()).expect("a time");
        self.ends.insert(id.clone(), end);
        let key = json!({
            "AccessKeyId": id, "AccessKeySecret": format!("secret-{CANARY}"), "SecurityToken": format!("token-{CANARY}"),
            "Expiration": end.to_string(),
        });
        let body = json!({ "RequestId": "0A1B2C3D-STS", "Credentials": key }).to_string().into_bytes();
        Some(Reply { status: 200, headers: vec![("date", cloud::http_date(now))], body })
    }

    /// Whether it gave out the key, and the key has not ended.
    pub fn accepts(&self, key: &str, now: Timestamp) -> bool {
        self.ends.get(key).is_some_and(|end| now < *end)
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const MINUTE: u64 = 60;

/// A hub with the Secret's key that nobody may use, and these accounts, whose roles are assumed with it.
fn accounts(names: impl IntoIterator<Item = String>) -> String {
    let account = |name: &str, credentials: &str, allow: &str| {
        format!("  {name}:\n    regionId: cn-hangzhou\n    credentials: {credentials}\n    allow: [{allow}]\n")
    };
    let all = "{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }";
    let hub = account("hub", "{ type: Secret, name: rds-key }", "");
    let spokes = names.into_iter().map(|name| {
        account(&name, &format!("{{ type: AssumeRole, roleArn: \"acs:ram::1:role/{name}\", durationSeconds: 900, from: hub }}"), all)
    });
    format!("accounts:\n{hub}{}", spokes.collect::<String>())
}

fn with_sts(script: Script, names: impl IntoIterator<Item = String>, life: u64, down: Option<(u64, u64)>) -> Script {
    let down = down.map(|(from, to)| (seconds(from), seconds(to)));
    Script { accounts: Some(accounts(names)), sts: Sts { life: seconds(life), down, ..Sts::default() }, ..script }
}

/// Runs a world and panics if it violates a rule. The hub's key is read for as long as accounts renew theirs with it, at rest too.
fn run(script: &Script) -> Ended {
    let ended = life::run(script);
    let mut wrong = check::violations(script, &ended);
    wrong.retain(|what| !(what.starts_with("I7 at rest") && what.ends_with("/secrets/rds-key")));
    ended.world.with(|state, _| assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins)));
    ended
}

fn calls(ended: &Ended) -> Vec<(Timestamp, bool)> {
    ended.world.with(|state, _| state.cloud.sts.calls.clone())
}

/// Calls of the service by the moment of their answer, each with the id of its key and its status.
fn asked(ended: &Ended) -> Vec<(Timestamp, String, u16)> {
    ended.world.with(|state, _| {
        let of_cloud = |what: &LogEvent| match what {
            LogEvent::Done(AnyRequest::Cloud(_, call), AnyReply::Cloud(reply)) => Some((call.key.clone(), reply.status)),
            _ => None,
        };
        state.log.iter().filter_map(|line| of_cloud(&line.what).map(|(key, status)| (line.at, key, status))).collect()
    })
}

#[test]
fn a_job_of_three_hours_is_followed_with_keys_of_fifteen_minutes_and_never_interrupted() {
    let script = with_sts(calm(180), ["default".to_owned()], 15 * MINUTE, None);
    let ended = run(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"]), (1, &Value::from("Succeeded")), "{statuses:?}");
    let asked = asked(&ended);
    let refused: Vec<_> = asked.iter().filter(|(_, _, status)| *status != 200).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let keys = asked.iter().map(|(_, key, _)| key).collect::<std::collections::BTreeSet<_>>().len();
    let exchanges = calls(&ended);
    let (took, pauses) = (ended.at.duration_since(script.begins), exchanges.windows(2).map(|two| two[1].0.duration_since(two[0].0)));
    let pauses: Vec<f64> = pauses.map(|pause| pause.as_secs_f64()).collect();
    let (least, most) = (pauses.iter().copied().fold(f64::MAX, f64::min), pauses.iter().copied().fold(0.0, f64::max));
    let longest = asked.windows(2).map(|two| two[1].0.duration_since(two[0].0)).max().expect("calls");
    println!(
        "a job of 180 min, keys of 15 min: {} exchanges in {:.0} min, {least:.0} to {most:.0} s apart; {} calls of the service with {keys} keys, \
         0 refused, at most {:.0} s apart",
        exchanges.len(),
        took.as_secs_f64() / 60.0,
        asked.len(),
        longest.as_secs_f64()
    );
    assert!(keys >= 18 && exchanges.iter().all(|(_, answered)| *answered), "{keys} keys");
    // Each 5 minutes before the end of the one before it, the first up to a tenth earlier; one a step of the clock later at most.
    assert!(least >= 530.0 && most <= 625.0, "{least} to {most} s apart");
    // The operator asks at least every two minutes, and no renewal holds it up.
    assert!(longest <= SignedDuration::from_secs(125), "{longest}");
}

#[test]
fn two_hundred_accounts_that_start_at_once_do_not_renew_at_once() {
    let names: Vec<String> = (1..=200).map(|number| format!("a{number:03}")).collect();
    let mut script = Script { lasts: Some(seconds(10_000)), ..Script::calm(seconds(MINUTE)) };
    for name in &names {
        script.instances.insert(format!("rm-{name}"), "local_ssd");
        script =
            script.at(1, create("team-a", name, json!({ "dbInstanceId": format!("rm-{name}"), "account": name, "method": "Physical" })));
    }
    let ended = run(&with_sts(script.clone(), names, 3600, None));
    let done = end(&ended).1.iter().filter(|status| status["phase"] == "Succeeded").count();
    let exchanges = calls(&ended);
    let mut per_second = BTreeMap::<i64, usize>::new();
    for (at, _) in &exchanges {
        *per_second.entry(at.duration_since(script.begins).as_secs()).or_default() += 1;
    }
    let wave = |from: i64, to: i64| {
        let found: Vec<(i64, usize)> = per_second.range(from..to).map(|(second, count)| (*second, *count)).collect();
        let all: usize = found.iter().map(|(_, count)| count).sum();
        let most = found.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let span = found.last().map_or(0, |(last, _)| last - found[0].0 + 1);
        println!("from {} s: {all} exchanges within {span} s, at most {most} in a second", found.first().map_or(from, |(first, _)| *first));
        (all, most, span)
    };
    let (at_start, _, within) = wave(0, 600);
    assert!(at_start == 200 && within <= 20, "every account has its key soon: {at_start} within {within} s");
    // An hour's key is renewed after 45 minutes, the first one up to a tenth earlier: within 270 s.
    for (from, to) in [(2000, 4000), (4500, 6500), (7000, 9500)] {
        let (all, most, span) = wave(from, to);
        assert!(all == 200 && most <= 8 && span >= 200, "{all} exchanges, {most} in a second, within {span} s");
    }
    assert_eq!((exchanges.len(), done), (800, 200));
}

#[test]
fn an_outage_of_sts_is_bridged_to_the_end_of_the_key_then_told_and_heals_by_itself() {
    // The first key is had at once and ends after 15 minutes. STS is away from minute 5 to minute 25; the job runs for an hour.
    let down = (5 * MINUTE, 25 * MINUTE);
    let world = |lasts: Option<u64>| {
        let script = with_sts(calm(60), ["default".to_owned()], 15 * MINUTE, Some(down));
        Script { lasts: lasts.map(seconds), ..script }
    };
    let minute = |at: Timestamp, script: &Script| at.duration_since(script.begins).as_secs_f64() / 60.0;
    let script = world(None);
    let whole = run(&script);
    let (jobs, statuses) = end(&whole);
    assert_eq!((jobs, &statuses[0]["phase"]), (1, &Value::from("Succeeded")), "{statuses:?}");
    let asked = asked(&whole);
    assert!(asked.iter().all(|(_, _, status)| *status == 200), "no call with a key that had ended");
    let (last, next) = asked
        .windows(2)
        .map(|two| (minute(two[0].0, &script), minute(two[1].0, &script)))
        .max_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)))
        .expect("calls");
    let exchanges = calls(&whole);
    let failed = exchanges.iter().filter(|(_, answered)| !answered).count();
    let back = exchanges.iter().find(|(at, answered)| *answered && minute(*at, &script) > 25.0).expect("a key after the outage").0;
    let told = whole.world.with(|state, _| {
        let writes = state.log.iter().find(|line| match &line.what {
            LogEvent::Sent(AnyRequest::Api(_, call)) => {
                call.body.contains("ServiceUnavailable") && call.body.contains("The last key of AssumeRole")
            }
            _ => false,
        });
        writes.unwrap_or_else(|| panic!("{}", story(&state.log, script.begins))).at
    });
    println!(
        "STS away from minute 5 to 25: the old key is used until minute {last:.1} (its end: 15), the reason is told at minute {:.1}, {failed} \
         exchanges fail, another key is there {:.0} s after the outage, and the job is asked about {:.0} s after it",
        minute(told, &script),
        (minute(back, &script) - 25.0) * 60.0,
        (next - 25.0) * 60.0
    );
    assert!((12.0..15.0).contains(&last), "the old key is used to its end: {last}");
    assert!((14.4..17.0).contains(&minute(told, &script)), "{}", minute(told, &script));
    assert!((25.0..26.1).contains(&minute(back, &script)), "{}", minute(back, &script));
    assert!((25.0..26.6).contains(&next), "{next}");
    // What the object says meanwhile.
    let status = first(&run(&world(Some(20 * MINUTE))));
    assert_eq!(ready(&status), "ServiceUnavailable");
    let said =
        status["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == "Ready").expect("a condition")["message"].clone();
    let said = said.as_str().unwrap_or_default();
    println!("the object at minute 20: {said}");
    assert!(
        said.contains("AssumeRole (role acs:ram::1:role/default, from account hub)") && said.contains("ended at 2026-03-01T00:15:0"),
        "{said}"
    );
}
