use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::api::RdsBackup;

const NOW: &str = "2026-11-30T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A backup of rm-orders that ended at that hour of the day before, with this merged into it.
fn backup(name: &str, hour: u32, change: &Json) -> RdsBackup {
    let mut object = json!({
        "metadata": { "namespace": "team-b", "name": name, "uid": format!("uid-of-{name}") },
        "spec": { "dbInstanceId": "rm-orders", "account": "spare" },
        "status": {
            "observedGeneration": 1, "phase": "Succeeded", "backupId": format!("7000000{hour:02}"), "size": "42Gi",
            "startedAt": format!("2026-11-29T{hour:02}:00:00Z"), "completedAt": format!("2026-11-29T{hour:02}:30:00Z"),
            "effective": { "regionId": "cn-shanghai", "engine": "MySQL", "engineVersion": "8.0", "method": "Physical" },
        },
    });
    merge(&mut object, change);
    serde_json::from_value(object).unwrap()
}

fn merge(into: &mut Json, change: &Json) {
    match (into, change) {
        (Json::Object(into), Json::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge(into.entry(name).or_insert(Json::Null), value);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}

fn target() -> Target {
    let network = Network::Named { vpc: "vpc-drill".into(), vswitch: "vsw-drill".into() };
    Target { network, zone: None, storage_type: None, name: None, deletion_protection: false }
}

fn call(set: &UsableSet, target: &Target) -> CloneCall {
    CloneCall::new(set, Point::Set, target)
}

fn handover<'a>(set: &'a UsableSet, target: &Target) -> Handover<'a> {
    Handover { set, call: call(set, target), to_time: None, notes: notes(set, target, None, at(NOW)) }
}

fn refused(change: &Json) -> String {
    usable(&backup("b", 2, change), at(NOW)).unwrap_err()
}

#[test]
fn only_a_set_that_can_be_restored_is_handed_over() {
    assert!(usable(&backup("b", 2, &json!({})), at(NOW)).is_ok());
    for (change, wanted) in [
        (json!({ "status": null }), "has not ended, it is Pending"),
        (json!({ "status": { "phase": "Running" } }), "has not ended, it is Running"),
        (
            json!({ "status": { "phase": "Failed", "conditions": [{ "type": "Ready", "status": "False", "reason": "QueueTimeout", "message": "m",
                "lastTransitionTime": NOW }] } }),
            "failed (QueueTimeout)",
        ),
        (
            json!({ "status": { "conditions": [{ "type": "Available", "status": "False", "reason": "BackupSetGone", "message": "it is\ngone",
                "lastTransitionTime": NOW }] } }),
            "cannot be restored (BackupSetGone): it is gone",
        ),
        (json!({ "status": { "expiresAt": NOW } }), "expired at 2026-11-30T12:00:00Z"),
        (json!({ "status": { "backupId": null } }), "has no status.backupId"),
        (json!({ "status": { "effective": { "method": "Logical" } } }), "is logical"),
        (json!({ "status": { "effective": { "regionId": null } } }), "the region of backup team-b/b is not recorded"),
    ] {
        let said = refused(&change);
        assert!(said.contains(wanted) && !said.contains('\n'), "{change}: {said}");
    }
    // Again usable: the daily look says so.
    let back = json!({ "status": { "conditions": [{ "type": "Available", "status": "True", "reason": "BackupSetBack", "message": "m",
        "lastTransitionTime": NOW }] } });
    assert!(usable(&backup("b", 2, &back), at(NOW)).is_ok());
}

#[test]
fn the_newest_usable_set_before_the_moment_is_chosen_among_those_of_the_instance_and_account() {
    let all = [
        backup("early", 2, &json!({})),
        backup("late", 8, &json!({})),
        backup("gone", 6, &json!({ "status": { "expiresAt": "2026-11-30T11:59:59Z" } })),
        backup("of-another-account", 7, &json!({ "spec": { "account": "default" } })),
        backup("of-another-instance", 7, &json!({ "spec": { "dbInstanceId": "rm-users" } })),
        backup("failed", 7, &json!({ "status": { "phase": "Failed" } })),
    ];
    let chosen = |moment: &str| newest_before(&all[5], all.iter(), at(moment), at(NOW)).map(|set| set.name);
    assert_eq!(chosen("2026-11-30T00:00:00Z").as_deref(), Ok("late"));
    assert_eq!(chosen("2026-11-29T08:30:00Z").as_deref(), Ok("late"), "it ended at that second");
    assert_eq!(chosen("2026-11-29T08:29:59Z").as_deref(), Ok("early"), "what was written while the later one ran may be in it");
    let said = chosen("2026-11-29T02:29:59Z").unwrap_err();
    assert!(said.contains("the oldest in this namespace is early, of 2026-11-29T02:30:00Z"), "{said}");
    let said = newest_before(&all[4], all[..4].iter(), at(NOW), at(NOW)).unwrap_err();
    assert!(said.contains("no usable backup of rm-users"), "{said}");
}

#[test]
fn a_consistent_time_counts_where_it_lies_within_the_backup() {
    let as_of =
        |consistent: &str| usable(&backup("b", 2, &json!({ "status": { "consistentTime": consistent } })), at(NOW)).unwrap().data_as_of;
    assert_eq!(as_of("2026-11-29T02:10:00Z"), Some(at("2026-11-29T02:10:00Z")));
    assert_eq!(as_of("1970-01-01T00:00:00Z"), Some(at("2026-11-29T02:30:00Z")));
}

#[test]
fn a_command_that_is_pasted_twice_makes_one_clone() {
    let set = usable(&backup("b", 2, &json!({})), at(NOW)).unwrap();
    let token = |set: &UsableSet, target: &Target| call(set, target).value("ClientToken").cloned().unwrap();
    let first = token(&set, &target());
    let Value::Text(text) = &first else { panic!("{first:?}") };
    assert!(text.len() <= 64 && text.is_ascii() && text.starts_with("rdsb-"), "{text}");
    assert_eq!(token(&set, &target()), first);
    let elsewhere = Target { network: Network::OfTheSource, deletion_protection: true, ..target() };
    assert_eq!(token(&set, &elsewhere), first, "with other parameters the service refuses it, and makes no second clone");
    let named = Target { name: Some("drill-2".into()), ..target() };
    let other_object = UsableSet { uid: "another".into(), ..set.clone() };
    let other_set = UsableSet { backup_id: "1".into(), ..set.clone() };
    let moment = CloneCall::new(&set, Point::Time(at(NOW)), &target()).value("ClientToken").cloned().unwrap();
    let others = [token(&set, &named), token(&other_object, &target()), token(&other_set, &target()), moment];
    assert!(others.iter().all(|other| *other != first), "{others:?}");
}

#[test]
fn the_network_of_the_source_is_taken_on_purpose_only() {
    let set = usable(&backup("b", 2, &json!({})), at(NOW)).unwrap();
    let asked = Target { network: Network::Asked, ..target() };
    let written = as_cli(&call(&set, &asked));
    assert!(written.contains("--VPCId \"${VPC_ID:?set it to the VPC of the clone}\""), "{written}");
    assert!(as_json(&handover(&set, &asked)).unwrap_err().contains("--vpc-id"), "a program fills nothing in");
    let terraform = as_terraform(&handover(&set, &asked));
    assert!(terraform.contains("variable \"vpc_id\"") && terraform.contains("= var.vswitch_id\n"), "{terraform}");
    let same = Target { network: Network::OfTheSource, ..target() };
    assert!(!as_cli(&call(&set, &same)).contains("VPC") && notes(&set, &same, None, at(NOW)).iter().any(|note| note.contains("shares")));
}

#[test]
fn the_databases_of_a_partial_set_are_named_and_cannot_leave_their_quotes() {
    let names = json!({ "spec": { "strategy": "db", "databases": ["a'b", "c$(x)"] },
        "status": { "effective": { "engine": "SQLServer" } } });
    let set = usable(&backup("b", 2, &names), at(NOW)).unwrap();
    let written = as_cli(&call(&set, &target()));
    assert!(written.contains(r"--DbNames 'a'\''b,c$(x)' \"), "{written}");
    let hcl = UsableSet { databases: vec![r#"a"${b}%{c}\"#.into()], ..set.clone() };
    let written = as_terraform(&handover(&hcl, &target()));
    assert!(written.contains(r#"db_names                 = "a\"$${b}%%{c}\\""#), "{written}");
    // The moment of a whole instance has no such list.
    assert_eq!(CloneCall::new(&set, Point::Time(at(NOW)), &target()).value("DbNames"), None);
}

#[test]
fn what_it_costs_and_what_it_inherits_is_said_each_time_and_the_trap_of_cloud_disks_where_it_is_one() {
    let said = |change: &Json| notes(&usable(&backup("b", 2, change), at(NOW)).unwrap(), &target(), None, at(NOW)).join("\n");
    let physical = said(&json!({}));
    for wanted in
        ["Nothing was created", "costs money", "IP allow-list", "must be Running", "DeletionProtection is off", "42Gi: data as of"]
    {
        assert!(physical.contains(wanted), "{wanted}: {physical}");
    }
    assert!(!physical.contains("ReleasedKeepPolicy"));
    assert!(said(&json!({ "status": { "effective": { "method": "Snapshot" } } })).contains("ReleasedKeepPolicy"));
    assert!(!said(&json!({ "status": { "effective": { "method": "Snapshot", "engine": "PostgreSQL" } } })).contains("ReleasedKeepPolicy"));
    assert!(said(&json!({ "status": { "expiresAt": "2026-11-30T20:00:00Z" } })).contains("expires soon"));
}
