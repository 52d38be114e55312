//! An operator of some namespaces: the trouble of one namespace is that namespace's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    api::BACKUPS,
    check,
    life::{self, Ended},
    people::Action,
    report::story,
    script::{Script, create},
    single::{end, of_events, sent_count},
    step::Step,
};

const MINUTE: u64 = 60;

/// Two instances; rm-1 is open to team-a only, rm-2 to both.
fn two_namespaces(minutes: u64) -> Script {
    let mut script = Script::calm(Duration::from_secs(minutes * MINUTE));
    script.namespaces = vec!["team-a".to_owned(), "team-b".to_owned()];
    script.instances.insert("rm-2".to_owned(), "local_ssd");
    script.accounts = Some(
        "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: { type: Secret, name: rds-key }\n    allow:\n    \
         - { namespaces: [team-a], instances: [\"*\"], regions: [\"*\"] }\n    - { namespaces: [team-b], instances: [rm-2], regions: [\"*\"] }\n"
            .to_owned(),
    );
    script.at(0, Action::NoSightOfTheCluster)
}

fn sees_everything(mut script: Script) -> Script {
    script.actions.retain(|(_, action)| !matches!(action, Action::NoSightOfTheCluster));
    script
}

fn backup(namespace: &str, name: &str, instance: &str) -> Action {
    create(namespace, name, json!({ "dbInstanceId": instance, "method": "Physical" }))
}

/// The operator's rights in team-b; its watches break.
fn rights(granted: bool) -> Action {
    Action::Rights { namespace: "team-b", granted, watches_break: true }
}

fn hourly(namespace: &'static str, instance: &str) -> Action {
    let spec = json!({ "schedule": "0 * * * *", "template": { "spec": { "dbInstanceId": instance } } });
    Action::ScheduleIn { namespace, name: "hourly".into(), spec }
}

/// Runs a world whose end is its time, and panics if it violates a rule.
fn after(mut script: Script, minutes: u64) -> Ended {
    script.lasts = Some(Duration::from_secs(minutes * MINUTE));
    let ended = life::run(&script);
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| assert!(wrong.is_empty(), "{wrong:#?}\n{}", story(&state.log, script.begins)));
    ended
}

fn backups(ended: &Ended) -> Vec<(String, String, String)> {
    ended.world.with(|state, _| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let reason = |object: &Value| {
            let ready = object["status"]["conditions"].as_array().and_then(|all| all.iter().find(|one| one["type"] == "Ready")).cloned();
            text(&ready.unwrap_or_default()["reason"])
        };
        state.api.backups().map(|object| (text(&object["metadata"]["name"]), text(&object["status"]["phase"]), reason(object))).collect()
    })
}

#[test]
fn a_namespace_that_is_deleted_holds_up_no_backup_and_no_schedule_of_another_also_after_a_restart() {
    // At 00:30 a backup of team-a runs and one of team-b does; at 01:00 and 02:00 a slot of team-a is due.
    let script = two_namespaces(5)
        .at(1, hourly("team-a", "rm-1"))
        .at(2, hourly("team-b", "rm-2"))
        .at(30 * MINUTE, backup("team-a", "runs", "rm-2"))
        .at(31 * MINUTE, Action::NamespaceGone("team-b"))
        .at(40 * MINUTE, backup("team-a", "next", "rm-2"))
        .at(90 * MINUTE, Action::Kill);
    let made = backups(&after(script, 130));
    let names: Vec<&str> = made.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["hourly-202603010100", "hourly-202603010200", "next", "runs"]);
    assert!(made.iter().all(|(_, phase, _)| phase == "Succeeded"), "{made:?}");
}

#[test]
fn what_a_namespace_held_when_its_rights_went_holds_up_nothing_once_it_is_gone() {
    // The job of team-b runs for an hour. The cache goes on showing it as running.
    let script = two_namespaces(60)
        .at(1, backup("team-b", "lost-sight-of", "rm-2"))
        .at(5 * MINUTE, Action::NamespaceGone("team-b"))
        .at(70 * MINUTE, backup("team-a", "next", "rm-2"));
    assert_eq!(backups(&after(script, 140)), [("next".into(), "Succeeded".into(), "Succeeded".into())]);
}

#[test]
fn a_namespace_that_exists_and_cannot_be_read_holds_only_the_instances_that_are_open_to_it() {
    let script = two_namespaces(5)
        .at(10, rights(false))
        .at(20, backup("team-a", "own", "rm-1"))
        .at(20, backup("team-a", "shared", "rm-2"))
        .at(21, hourly("team-a", "rm-1"));
    let ended = after(script.clone(), 30);
    let reason =
        |name: &str, ended: &Ended| backups(ended).into_iter().find(|(found, ..)| found == name).map(|(_, phase, reason)| (phase, reason));
    assert_eq!(reason("own", &ended), Some(("Succeeded".into(), "Succeeded".into())));
    assert_eq!(reason("shared", &ended), Some(("Pending".into(), "ClaimsUnreadable".into())));
    let told = of_events(&ended, "note").into_iter().filter(|note| note.contains("team-b")).count();
    assert_eq!((end(&ended).0, told), (1, 1), "it says so once and sends nothing");
    // Not in circles: it writes that it waits, and no intent again and again.
    assert!(sent_count(&ended, Step::IntentWrite) <= 2, "{}", sent_count(&ended, Step::IntentWrite));

    let ended = after(script.at(30 * MINUTE, rights(true)).at(31 * MINUTE, Action::Kill), 70);
    assert_eq!(reason("shared", &ended), Some(("Succeeded".into(), "Succeeded".into())), "a grant is noticed within a minute");
    assert_eq!(reason("hourly-202603010100", &ended), Some(("Succeeded".into(), "Succeeded".into())));
}

#[test]
fn rights_that_go_while_the_watch_goes_on_are_noticed_before_anything_is_sent() {
    let script = two_namespaces(5)
        .at(10, Action::Rights { namespace: "team-b", granted: false, watches_break: false })
        .at(20, backup("team-a", "shared", "rm-2"));
    let ended = after(script, 4);
    assert_eq!(backups(&ended), [("shared".into(), "Pending".into(), "ClaimsUnreadable".into())]);
    assert_eq!((end(&ended).0, sent_count(&ended, Step::IntentWrite)), (0, 1), "its one intent is withdrawn");
}

#[test]
fn an_answer_that_was_lost_waits_while_a_namespace_cannot_be_read() {
    let script = two_namespaces(40)
        .at(1, backup("team-a", "shared", "rm-2"))
        .fault(Step::Create, 1, crate::faults::Fault::Lost { executed: true })
        .at(2, rights(false));
    let ended = after(script.clone(), 20);
    assert_eq!(backups(&ended), [("shared".into(), "Running".into(), "ClaimsUnreadable".into())]);
    let ended = after(script.at(20 * MINUTE, rights(true)), 90);
    assert_eq!((end(&ended).0, &end(&ended).1[0]["origin"]), (1, &json!("Adopted")));
    assert_eq!(backups(&ended)[0].1, "Succeeded");
}

#[test]
fn where_the_claims_of_the_whole_cluster_are_read_a_namespace_without_rights_holds_up_nothing() {
    let script = sees_everything(two_namespaces(5)).at(10, rights(false)).at(20, backup("team-a", "shared", "rm-2"));
    assert_eq!(backups(&after(script, 20)), [("shared".into(), "Succeeded".into(), "Succeeded".into())]);
}

/// A status that this release cannot read.
fn tamper(status: Value) -> Action {
    Action::Tamper { plural: BACKUPS, name: "a-other".into(), status }
}

#[test]
fn an_object_that_cannot_be_read_is_a_rival_until_it_can_be_read_or_has_ended() {
    // Its request is accepted and its answer lost, and then its status cannot be read any more: the job may be its own.
    let script = Script::calm(Duration::from_secs(40 * MINUTE))
        .at(1, backup("team-a", "a-other", "rm-1"))
        .fault(Step::Create, 1, crate::faults::Fault::Lost { executed: true })
        .at(3, tamper(json!({ "phase": "Restoring" })))
        .at(4, backup("team-a", "b", "rm-1"));
    let ended = after(script.clone(), 100);
    assert_eq!(backups(&ended)[1], ("b".into(), "Pending".into(), "ClaimsUnreadable".into()));
    assert_eq!(end(&ended).0, 1, "nothing is sent in doubt");
    let told = of_events(&ended, "note").into_iter().filter(|note| note.contains("RdsBackup a-other")).count();
    assert_eq!(told, 1, "it says which object it is");

    let ended = after(script.clone().at(60 * MINUTE, tamper(json!({ "phase": "Resolving" }))), 200);
    assert!(backups(&ended).iter().all(|(_, phase, _)| phase == "Succeeded"), "{:?}", backups(&ended));
    assert_eq!(end(&ended).0, 2);

    let done = json!({ "phase": "Failed", "origin": "Restored" });
    let ended = after(script.at(60 * MINUTE, tamper(done)), 130);
    assert_eq!(backups(&ended)[1], ("b".into(), "Succeeded".into(), "Succeeded".into()), "what has ended is no rival");
}

#[test]
fn an_object_that_cannot_be_read_and_may_not_use_the_instance_is_no_rival() {
    let mut script = sees_everything(two_namespaces(5));
    script.namespaces = Vec::new();
    let script = script
        .at(1, backup("team-b", "a-other", "rm-1"))
        .at(2, Action::TamperIn { namespace: "team-b", name: "a-other", status: json!({ "phase": "Restoring" }) })
        .at(3, backup("team-a", "b", "rm-1"));
    assert_eq!(backups(&after(script, 20))[0], ("b".into(), "Succeeded".into(), "Succeeded".into()));
}

#[test]
fn an_object_that_is_too_large_to_be_written_leaves_the_queue_of_its_instance_and_says_so() {
    let script = Script::calm(Duration::from_secs(5 * MINUTE))
        .at(0, Action::Fill { name: "a-large" })
        .at(1, backup("team-a", "a-large", "rm-1"))
        .at(10, backup("team-a", "b", "rm-1"));
    let ended = after(script, 20);
    assert_eq!(backups(&ended)[1], ("b".into(), "Succeeded".into(), "Succeeded".into()));
    let told = of_events(&ended, "reason").into_iter().filter(|reason| reason == "ObjectTooLarge").count();
    assert_eq!((end(&ended).0, told), (1, 1));
}
