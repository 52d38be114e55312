//! Gates before deployments with `reuseIfNewerThan`: one backup serves the gates of an hour, whatever goes wrong, and never a set that is not
//! usable.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::BACKUPS,
    check,
    cloud::Job,
    life,
    people::Action,
    randomness::Randomness,
    report::story,
    script::{Script, create},
    world::{LogEvent, Reply, State},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The service lists the starts of sets in minutes, and a set is asked for up to a minute before it is reused.
const ROUNDED: SignedDuration = SignedDuration::from_mins(2);

fn gate(name: &str) -> Action {
    create("team-a", name, json!({ "dbInstanceId": "rm-1", "method": "Physical", "reuseIfNewerThan": "1h", "queueTimeout": "24h" }))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn origins(state: &State) -> BTreeMap<String, String> {
    let of = |object: &Value| (text(&object["metadata"], "name").to_owned(), text(&object["status"], "origin").to_owned());
    state.api.all(BACKUPS).map(of).collect()
}

fn own_jobs(state: &State) -> impl Iterator<Item = &Job> {
    state.cloud.jobs.iter().filter(|job| job.nonce.is_some())
}

#[test]
fn ten_gates_in_an_hour_make_one_backup_and_one_after_the_hour_makes_the_second() {
    let mut script = Script::calm(Duration::from_secs(5 * MINUTE));
    for number in 0..10 {
        script = script.at(1 + number * 6 * MINUTE, gate(&format!("g{number:02}")));
    }
    let script = script.at(70 * MINUTE, gate("g70"));
    let ended = life::run(&script);
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| {
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins));
        let origins = origins(state);
        println!("{origins:?}");
        let made: Vec<&str> = origins.iter().filter(|(_, origin)| *origin == "Created").map(|(name, _)| name.as_str()).collect();
        assert_eq!(made, ["g00", "g70"]);
        assert_eq!(origins.values().filter(|origin| *origin == "Reused").count(), 9);
        assert_eq!(own_jobs(state).count(), 2);
    });
}

#[test]
fn gates_that_are_applied_together_make_one_backup_however_long_it_takes() {
    // Longer than the age: at its end it is too old for a gate that is created then, and serves those that waited for it.
    let mut script = Script::calm(Duration::from_secs(2 * HOUR));
    for number in 0..5 {
        script = script.at(1, gate(&format!("g{number}")));
    }
    let ended = life::run(&script);
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| {
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins));
        assert_eq!(own_jobs(state).count(), 1, "{:?}", origins(state));
    });
}

/// So many worlds. A debug build is several times slower.
const WORLDS: u64 = if cfg!(debug_assertions) { 24 } else { 300 };

/// Answers are lost, the operator is killed, jobs fail, sets vanish, gates come two at a time.
#[test]
fn whatever_goes_wrong_no_gate_makes_a_backup_where_one_is_enough_or_reuses_what_is_not_usable() {
    let (mut made, mut reused, mut faults, mut gone) = (0, 0, 0, 0);
    for seed in 1..=WORLDS {
        let d = &mut Randomness::new(seed);
        let mut script = Script::calm(Duration::from_secs(d.pick(&[20, 5 * MINUTE, 25 * MINUTE])));
        script.seed = seed;
        script.habits.failing = d.pick(&[0, 0, 30]);
        script.habits.longest_lag = Duration::from_secs(d.pick(&[0, 90, 570]));
        script.pace.watch_lag = Duration::from_secs(d.pick(&[0, 0, 2, 60]));
        script.fault_percent = d.pick(&[0, 3, 8, 15]);
        script.faults_until = Duration::from_secs(5 * HOUR);
        script.pauses = vec![Duration::from_secs(d.pick(&[1, 20, 300])); 8];
        script.processes = if d.percent(70) { 1 } else { 2 };
        script.bound = Duration::from_secs(12 * HOUR);
        for number in 0..8 {
            let at = d.in_range(0..=4 * HOUR);
            for twin in 0..=u64::from(d.percent(40)) {
                script = script.at(at, gate(&format!("g{number}-{twin}")));
            }
        }
        for _ in 0..d.in_range(0..=3) {
            script = script.at(d.in_range(0..=4 * HOUR), Action::Kill);
        }
        let vanishes = d.percent(40).then(|| d.in_range(HOUR..=3 * HOUR));
        if let Some(at) = vanishes {
            script = script.at(at, Action::Vanish { instance: "rm-1".into() });
        }
        let vanished = vanishes.map(|at| script.begins + Duration::from_secs(at));
        let ended = life::run(&script);
        let mut wrong = check::violations(&script, &ended);
        ended.world.with(|state, _| {
            let seen = Seen::of(state);
            wrong.extend(seen.needless(state, vanished));
            wrong.extend(seen.unusable(state, vanished));
            made += own_jobs(state).count();
            reused += seen.succeeded.values().filter(|success| success.reused).count();
            gone += state.cloud.jobs.iter().filter(|job| job.gone).count();
            faults += state.fault_plan.injected.values().sum::<u64>();
            assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}\n{}", story(&state.log, script.begins));
        });
    }
    println!("gates among faults: {faults} faults, {made} backups made, {reused} reused, {gone} sets vanished");
    let worlds = usize::try_from(WORLDS).expect("small");
    let enough = made > 2 * worlds && reused > 4 * worlds && faults > 10 * WORLDS && gone > worlds / 6;
    assert!(enough, "{made} made, {reused} reused, {faults} faults, {gone} gone");
}

/// What the API server was told, and when.
struct Seen {
    /// By uid.
    succeeded: BTreeMap<String, Success>,
    /// When the intent of each nonce was cleared.
    cleared: BTreeMap<String, Timestamp>,
}

struct Success {
    at: Timestamp,
    created_at: Option<Timestamp>,
    set: String,
    reused: bool,
}

impl Seen {
    fn of(state: &State) -> Self {
        let created: BTreeMap<&str, Timestamp> = state
            .api
            .all(BACKUPS)
            .filter_map(|object| {
                let metadata = &object["metadata"];
                Some((text(metadata, "uid"), text(metadata, "creationTimestamp").parse().ok()?))
            })
            .collect();
        let (mut succeeded, mut cleared) = (BTreeMap::new(), BTreeMap::new());
        for line in &state.log {
            let LogEvent::Done(_, Reply::Api(answer)) = &line.what else { continue };
            let Some(written) = &answer.written else { continue };
            let after = &written.after;
            if after["submission"]["cleared"] == true {
                cleared.entry(text(&after["submission"], "nonce").to_owned()).or_insert(line.at);
            }
            if after["phase"] == "Succeeded" {
                succeeded.entry(written.uid.clone()).or_insert_with(|| Success {
                    at: line.at,
                    created_at: created.get(written.uid.as_str()).copied(),
                    set: text(after, "backupId").to_owned(),
                    reused: after["origin"] == "Reused",
                });
            }
        }
        Self { succeeded, cleared }
    }

    /// Backups that were made although one of the last hour was known.
    fn needless(&self, state: &State, vanished: Option<Timestamp>) -> Vec<String> {
        let mut wrong = Vec::new();
        for job in own_jobs(state) {
            let Some(cleared) = job.nonce.as_ref().and_then(|nonce| self.cleared.get(nonce)) else { continue };
            for (uid, success) in &self.succeeded {
                let Some(other) = state.cloud.of_set(&success.set) else { continue };
                let was_there = !(other.gone && vanished.is_some_and(|at| at <= *cleared));
                let was_known = success.at + SignedDuration::from_secs(30) < *cleared;
                let was_young = other.started_at + SignedDuration::from_hours(1) > *cleared + ROUNDED;
                if was_there && was_known && was_young && other.id != job.id {
                    wrong.push(format!(
                        "job {} was made at {cleared}, and {uid} had succeeded at {} with job {}",
                        job.id, success.at, other.id
                    ));
                }
            }
        }
        wrong
    }

    /// Backups that were reused although they had failed, or were gone, or too old.
    fn unusable(&self, state: &State, vanished: Option<Timestamp>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (uid, success) in self.succeeded.iter().filter(|(_, success)| success.reused) {
            let Some(job) = state.cloud.of_set(&success.set) else {
                wrong.push(format!("{uid} reused set {:?}, which the cloud does not know", success.set));
                continue;
            };
            let was_gone = job.gone && vanished.is_some_and(|at| at + ROUNDED < success.at);
            if job.fails || was_gone || job.listed_at > success.at || job.instance != "rm-1" {
                wrong.push(format!("{uid} reused the set of job {} at {}, which was not usable", job.id, success.at));
            }
            let was_under_way = success.created_at.is_some_and(|created_at| job.listed_at >= created_at);
            let is_old = job.started_at + SignedDuration::from_hours(1) < success.at - SignedDuration::from_mins(1);
            if is_old && !was_under_way {
                wrong.push(format!("{uid} reused job {} of {} at {}", job.id, job.started_at, success.at));
            }
        }
        wrong
    }
}
