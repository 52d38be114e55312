//! `retention` and the audit over a day, on the simulated clock, as a person sees it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::BACKUPS,
    check, life,
    people::{Action, SCHEDULES},
    report::story,
    script::Script,
    step::Step,
    world::{AnyRequest, LogEvent, Reply, State},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The account looks at sets every two hours, not once a day.
const ACCOUNTS: &str = "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: { type: Secret, name: rds-key }\n    \
     audit: { every: 2h }\n    allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]\n";

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    status["conditions"].as_array().into_iter().flatten().find(|said| said["type"] == kind).unwrap_or(&Value::Null)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn a_day_of_a_schedule_that_keeps_its_last_three() {
    let spec = json!({
        "schedule": "0 */2 * * *", "retention": { "keepLast": 3 },
        "template": { "spec": { "dbInstanceId": "rm-1", "method": "Physical" } },
    });
    let mut script = Script::calm(Duration::from_secs(10 * MINUTE))
        .at(1, Action::Schedule { name: "nightly".into(), spec })
        // Somebody deletes the newest set in the console.
        .at(13 * HOUR, Action::Vanish { instance: "rm-1".into() });
    script.lasts = Some(Duration::from_secs(23 * HOUR + 45 * MINUTE));
    script.accounts = Some(ACCOUNTS.to_owned());
    script.audits = true;
    let ended = life::run(&script);
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| {
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins));
        println!("objects");
        let mut kept = Vec::new();
        for object in state.api.all(BACKUPS) {
            let status = &object["status"];
            let available = condition(status, "Available");
            println!(
                "  {}  {}  set {}  Available {} {}",
                text(&object["metadata"], "name"),
                text(status, "phase"),
                text(status, "backupId"),
                if available.is_null() { "-" } else { text(available, "status") },
                text(available, "reason")
            );
            kept.push((text(&object["metadata"], "name").to_owned(), text(available, "reason").to_owned()));
        }
        let listed = state.cloud.jobs.iter().filter(|job| !job.gone).count();
        println!("sets in the cloud: {listed} of {}", state.cloud.jobs.len());
        println!("events of the schedule, and of sets");
        for line in &state.log {
            if let LogEvent::Sent(AnyRequest::Api(Step::Event, call)) = &line.what
                && let Ok(event) = serde_json::from_str::<Value>(&call.body)
                && (event["regarding"]["kind"] == "RdsBackupSchedule" || text(&event, "reason").starts_with("BackupSet"))
            {
                println!("  {} {} {}: {}", line.at, text(&event["regarding"], "name"), text(&event, "reason"), text(&event, "note"));
            }
        }
        let schedule = state.api.all(SCHEDULES).next().expect("the schedule");
        let status = &schedule["status"];
        println!("status: retained {}, lastSuccess {}", status["retained"], text(&status["lastSuccess"], "name"));
        for said in status["conditions"].as_array().into_iter().flatten() {
            println!("  {} {} {}: {}", text(said, "type"), text(said, "status"), text(said, "reason"), text(said, "message"));
        }
        assert_eq!(state.cloud.jobs.len(), 11, "the schedule was created after midnight");
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["nightly-202603011200", "nightly-202603011800", "nightly-202603012000", "nightly-202603012200"],
            "three, and the record of the set that is gone"
        );
        assert_eq!(kept[0].1, "BackupSetGone");
        assert_eq!((status["retained"].as_i64(), text(condition(status, "Retention"), "reason")), (Some(3), "ObjectsOnly"));
        assert_eq!(listed, 10, "nothing but the person deleted a set");
    });
}

/// Requests of every kind fail, the operator is killed, and every six hours somebody deletes the newest set in the console.
#[test]
fn whatever_goes_wrong_retention_removes_no_backup_that_is_needed() {
    let (mut removed, mut lost, mut faults) = (0, 0, 0);
    for seed in 1..=3 {
        let keep = 2 + usize::try_from(seed % 3).expect("small");
        let spec = json!({
            "schedule": "0 * * * *", "retention": { "keepLast": keep },
            "template": { "spec": { "dbInstanceId": "rm-1", "method": "Physical", "retry": { "limit": 3, "backoff": "1m" } } },
        });
        let mut script = Script::calm(Duration::from_secs(10 * MINUTE)).at(1, Action::Schedule { name: "nightly".into(), spec });
        let times = [5, 11, 17, 23].map(|hour| hour * HOUR + 45 * MINUTE);
        for at in times {
            script = script.at(at, Action::Vanish { instance: "rm-1".into() });
        }
        script.seed = seed;
        script.fault_percent = [3, 8, 15][usize::try_from(seed % 3).expect("small")];
        script.faults_until = Duration::from_secs(26 * HOUR);
        script.pauses = vec![Duration::from_secs(20), Duration::from_secs(5 * MINUTE), Duration::from_secs(2 * HOUR)];
        // After the faults there is time for a look at the sets.
        script.lasts = Some(Duration::from_secs(32 * HOUR + 45 * MINUTE));
        script.accounts = Some(ACCOUNTS.to_owned());
        script.audits = true;
        let ended = life::run(&script);
        let mut wrong = check::violations(&script, &ended);
        ended.world.with(|state, _| {
            let seen = Seen::of(state, &times.map(|at| script.begins + Duration::from_secs(at)));
            wrong.extend(seen.unneeded(keep));
            removed += seen.removed.len();
            lost += state.cloud.jobs.iter().filter(|job| job.gone).count();
            faults += state.fault_plan.injected.values().sum::<u64>();
            assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}\n{}", story(&state.log, script.begins));
        });
    }
    println!("retention among faults: {faults} faults, {removed} backups removed, {lost} sets deleted by people and none by the operator");
    assert!(removed > 50 && lost >= 9 && faults > 200, "{removed} removed, {lost} lost, {faults} faults");
}

/// What the servers did and know, beside what the operator says.
struct Seen {
    /// When each backup was first Succeeded, and its set.
    succeeded: BTreeMap<String, (Timestamp, String)>,
    /// When each was removed.
    removed: BTreeMap<String, Timestamp>,
    /// When sets were deleted by people.
    lost: BTreeMap<String, Timestamp>,
    lost_otherwise: usize,
}

impl Seen {
    /// `vanished`: when people deleted the newest set.
    fn of(state: &State, vanished: &[Timestamp]) -> Self {
        let (mut succeeded, mut removed) = (BTreeMap::new(), BTreeMap::new());
        for line in &state.log {
            match &line.what {
                LogEvent::Done(AnyRequest::Api(Step::ChildDelete, call), Reply::Api(answer)) if answer.code == 200 => {
                    removed.entry(call.name.clone().expect("an object")).or_insert(line.at);
                }
                LogEvent::Done(AnyRequest::Api(_, _), Reply::Api(answer)) if answer.body["status"]["phase"] == "Succeeded" => {
                    let (name, set) =
                        (text(&answer.body["metadata"], "name").to_owned(), text(&answer.body["status"], "backupId").to_owned());
                    succeeded.entry(name).or_insert((line.at, set));
                }
                _ => {}
            }
        }
        let gone = state.cloud.jobs.iter().filter(|job| job.gone);
        let lost: BTreeMap<String, Timestamp> =
            gone.clone().filter_map(|job| Some((job.backup_id.to_string(), *vanished.iter().find(|at| **at >= job.started_at)?))).collect();
        let lost_otherwise = gone.count().saturating_sub(vanished.len());
        Self { succeeded, removed, lost, lost_otherwise }
    }

    /// The backups that could be restored at that time, oldest first: slots are in the names.
    fn usable(&self, at: Timestamp) -> Vec<&str> {
        let is_over = |when: Option<&Timestamp>| when.is_some_and(|when| *when < at);
        let usable = self
            .succeeded
            .iter()
            .filter(|(name, (since, set))| *since <= at && !is_over(self.removed.get(*name)) && !is_over(self.lost.get(set)));
        usable.map(|(name, _)| name.as_str()).collect()
    }

    /// What breaks a rule. Between two looks at the sets one may be lost that the operator counts.
    fn unneeded(&self, keep: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, at) in &self.removed {
            let usable = self.usable(*at);
            let newer = usable.iter().filter(|other| **other > name.as_str()).count();
            if usable.contains(&name.as_str()) && newer < keep - 1 {
                wrong.push(format!("{name} was removed at {at}, and {newer} newer ones could be restored: {usable:?}"));
            }
        }
        let at_the_end = self.usable(Timestamp::MAX);
        if at_the_end.len() != keep {
            wrong.push(format!("{keep} are to be kept, and there are {at_the_end:?}"));
        }
        if self.lost_otherwise > 0 {
            wrong.push(format!("{} sets were deleted by nobody", self.lost_otherwise));
        }
        wrong
    }
}
