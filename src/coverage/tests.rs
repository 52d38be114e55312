//! The parts of coverage that the tests of the whole program (`tests/fleet`) do not reach.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    generate::{name, name_of_set},
    *,
};
use crate::rds::{BackupSet, Engine, Instance, InstanceId, ListedInstance, Mode, SetStatus};

fn listed(id: &str, change: impl FnOnce(&mut Instance)) -> ListedInstance {
    let mut instance = Instance {
        id: InstanceId::new(id),
        engine: Engine::MySql,
        engine_version: Some("8.0".into()),
        status: "Running".into(),
        storage_type: Some("local_ssd".into()),
        instance_type: Some("Primary".into()),
        primary_id: None,
        lock_mode: Some("Unlock".into()),
        category: None,
        region_id: None,
    };
    change(&mut instance);
    ListedInstance { instance, description: None, zone_id: None, expires_at: None }
}

#[test]
fn an_instance_is_left_out_only_for_a_role_or_a_state_that_is_documented() {
    let role = |role: &str| {
        let role = role.to_owned();
        move |instance: &mut Instance| instance.instance_type = Some(role)
    };
    for (listed, why) in [
        (listed("rm-1", |_| {}), None),
        (listed("rm-1", |instance| instance.instance_type = None), None),
        (listed("rm-1", role("Novelty")), None),
        (listed("rm-1", |instance| instance.lock_mode = Some("LockByExpiration".into())), None),
        (listed("rm-1", |instance| instance.status = "Stopped".into()), None),
        (listed("rm-1", role("READONLY")), Some("read-only instance")),
        (listed("rm-1", role("Guard")), Some("disaster recovery instance")),
        (listed("rm-1", role("Temp")), Some("temporary instance")),
        (listed("rm-1", |instance| instance.status = "Deleting".into()), Some("it is released")),
        (listed("rm-1", |instance| instance.lock_mode = Some("Released".into())), Some("it is released")),
    ] {
        let shown = format!("{listed:?}");
        let found = candidates(vec![listed]);
        assert_eq!(found.left_out.first().map(|left_out| left_out.why.as_str()), why, "{shown}");
        assert_eq!(found.instances.is_empty(), why.is_some(), "{shown}");
    }
}

#[test]
fn names_are_names_of_kubernetes_and_no_two_instances_share_one() {
    let is_name = |text: &str, longest: usize| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        text.len() <= longest
            && ends(text.chars().next())
            && ends(text.chars().last())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let long = "rm-".to_owned() + &"x".repeat(70);
    let longer = long.clone() + "y";
    let ids = ["rm-uf6wjk5xxxxxxxxxx", "RM-UF6WJK5XXXXXXXXXX", "rm_1", "rm-1", "rm.1", "-", "_", "中", "", &long, &longer];
    let names: BTreeSet<String> = ids.iter().map(|id| name(&[id], 50)).collect();
    assert_eq!(names.len(), ids.len(), "{names:?}");
    assert!(names.iter().all(|name| is_name(name, 50)), "{names:?}");
    assert_eq!(name(&["rm-uf6wjk5xxxxxxxxxx"], 50), "rm-uf6wjk5xxxxxxxxxx", "an id that is a name is the name");
    let set = |instance: &str, set: &str| name_of_set(&InstanceId::new(instance), set);
    assert_eq!(set("rm-1", "321020562"), "rm-1-321020562");
    assert!(is_name(&set(&long, "321020562"), 63) && set(&long, "1") != set(&long, "2") && set("a", "b-c") != set("a-b", "c"));
}

fn plan() -> Plan {
    Plan {
        account: "main".into(),
        region_id: "cn-hangzhou".into(),
        schedule: "0 2 * * *".into(),
        time_zone: None,
        jitter: Some("30m".into()),
        namespace: None,
    }
}

#[test]
fn a_manifest_says_nothing_that_is_not_known() {
    let unknown = listed("rm-1", |instance| instance.storage_type = None);
    let elsewhere = listed("rm-2", |instance| instance.region_id = Some("cn-beijing".into()));
    let found = manifests(&plan(), &[elsewhere, unknown]);
    let wanted = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": "rm-1" },
        "spec": {
            "schedule": "0 2 * * *", "jitter": "30m",
            "template": { "spec": { "account": "main", "dbInstanceId": "rm-1", "regionId": "cn-hangzhou" } },
        },
    });
    assert_eq!(found[0], wanted);
    let template = &found[1]["spec"]["template"]["spec"];
    assert_eq!((&template["regionId"], &template["method"]), (&json!("cn-beijing"), &json!("Physical")));
}

fn set(id: &str, started_at: Option<&str>) -> BackupSet {
    BackupSet {
        status: SetStatus::Success,
        mode: Mode::Manual,
        available: Some(true),
        size_bytes: Some(1 << 30),
        started_at: started_at.map(|at| at.parse().unwrap()),
        ..BackupSet::new(id.into())
    }
}

fn found(sets: Vec<BackupSet>, objects: &[Value]) -> Orphans {
    let listed = [InstanceSets { instance: InstanceId::new("rm-1"), region_id: "cn-hangzhou".into(), sets }];
    orphans("main", "cn-hangzhou", &listed, &Claims::of(objects))
}

#[test]
fn automated_failed_and_unfinished_sets_are_no_orphans() {
    let automated = BackupSet { mode: Mode::Automated, ..set("1", None) };
    let failed = BackupSet { status: SetStatus::Failed, ..set("2", None) };
    let unknown = BackupSet { mode: Mode::Unknown, ..set("3", None) };
    let found = found(vec![automated, failed, unknown, set("4", None)], &[]);
    assert_eq!(found.sets.iter().map(|set| set.backup_id.as_str()).collect::<Vec<_>>(), ["4"]);
    assert_eq!(found.manual_sets, 1);
}

#[test]
fn an_unfinished_backup_holds_the_sets_that_began_after_it_and_no_older_one() {
    let object = |phase: Value| {
        json!({
            "metadata": { "name": "b", "namespace": "team-a", "creationTimestamp": "2026-03-01T12:00:00Z" },
            "spec": { "dbInstanceId": "RM-1" }, "status": { "phase": phase },
        })
    };
    let held = |phase: Value, started_at: Option<&str>| found(vec![set("1", started_at)], &[object(phase)]).sets[0].no_manifest.is_some();
    for phase in
        [json!("Pending"), json!("Queued"), json!("Submitting"), json!("Resolving"), json!("Running"), json!(null), json!("Novelty")]
    {
        assert!(held(phase.clone(), Some("2026-03-01T13:00:00Z")), "{phase}");
        assert!(held(phase.clone(), Some("2026-03-01T11:50:00Z")), "{phase}: clocks differ");
        assert!(held(phase.clone(), None), "{phase}");
        assert!(!held(phase.clone(), Some("2026-03-01T11:00:00Z")), "{phase}");
    }
    assert!(!held(json!("Failed"), Some("2026-03-01T13:00:00Z")));
    assert!(!held(json!("Succeeded"), Some("2026-03-01T13:00:00Z")));
}

#[test]
fn a_claim_is_of_an_instance_and_whatever_else_its_object_has() {
    let named = |spec: Value, status: Value| {
        let object = json!({ "metadata": { "name": "b", "namespace": "n" }, "spec": spec, "status": status });
        found(vec![set("1", None)], &[object]).sets.is_empty()
    };
    assert!(named(json!({ "dbInstanceId": "rm-1" }), json!({ "backupId": "1", "phase": "Novelty" })));
    assert!(named(json!({ "dbInstanceId": "rm-1", "existingBackupId": "1", "method": 7 }), json!(null)));
    assert!(named(json!({ "dbInstanceId": "rm-1", "account": "other" }), json!({ "backupId": "1" })), "one set has one name");
    assert!(!named(json!({ "dbInstanceId": "rm-2" }), json!({ "backupId": "1", "phase": "Succeeded" })));
    assert!(!named(json!({}), json!({ "backupId": "1" })));
}
