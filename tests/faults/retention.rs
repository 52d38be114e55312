//! `retention` and the audit over a day, on the simulated clock, as a person sees it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    api::BACKUPS,
    check, life,
    people::{Action, SCHEDULES},
    report::story,
    script::Script,
    step::Step,
    world::{AnyRequest, LogEvent},
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
