//! Sets that are there already: of `existingBackupId`, and of a backup that is young enough.

use super::*;
use crate::{
    api::{DeletionPolicy, HOLD_ANNOTATION, Origin},
    backup::{
        decide::{is_enough, is_usable, reusable},
        memory::{Candidate, VerifiedSet},
        request::{InstanceObject, InstanceObjects},
    },
};

impl Case {
    /// What the service says of a set.
    fn told(&mut self, second: i64, id: &str, listed: Option<BackupSet>) {
        self.told_of(second, id, Ok(VerifiedSet { instance: instance(Engine::MySql, "local_ssd"), set: listed }));
    }

    fn told_of(&mut self, second: i64, id: &str, result: Result<VerifiedSet, CallError>) {
        self.memory.taking_in.absorb_verified((BackupId::new(id), "cn-hangzhou"), at(second), result, is_usable);
    }
}

fn verifies(id: &str) -> Option<Effect> {
    Some(Effect::VerifySet { instance: InstanceId::new(INSTANCE), set: BackupId::new(id) })
}

fn existing() -> Case {
    Case::of(r#"{"dbInstanceId":"rm-1","existingBackupId":"s9"}"#)
}

#[test]
fn a_set_that_is_there_becomes_the_objects_own_record_with_one_write_and_no_request() {
    let mut case = existing();
    let asked = case.step(1);
    assert_eq!((asked.effect, &case.status), (verifies("s9"), &RdsBackupStatus::fresh()));
    case.told(2, "s9", Some(BackupSet { method: Some("Snapshot".into()), ..set("s9", -9000) }));
    let decision = case.step(2);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    assert_eq!(decision.effect, None);
    let status = &case.status;
    assert_eq!((status.origin, status.backup_id.as_deref(), &status.backup_job_id), (Some(Origin::Existing), Some("s9"), &None));
    assert_eq!(
        (&status.submission, status.started_at.clone(), status.completed_at.clone()),
        (&None, Some(Time(at(-9000))), Some(Time(at(-8910))))
    );
    let effective = status.effective.as_ref().unwrap();
    assert_eq!((effective.method.as_deref(), effective.engine.as_deref()), (Some("Snapshot"), Some("MySQL")));
    assert_eq!(effective.region_id.as_deref(), Some("cn-hangzhou"));
    assert!(decision.events[0].note().contains("backup set s9 was taken in"), "{:?}", decision.events);
}

#[test]
fn a_set_that_the_service_does_not_list_is_looked_for_until_queue_timeout() {
    let mut case = existing();
    case.told(1, "s9", None);
    let waits = case.step(1);
    case.assert_place(Phase::Pending, Reason::BackupSetNotFound);
    assert_eq!((case.kstatus(), wait_of(&waits)), ((Some("False"), false, true), secs(60)));
    assert_eq!(case.decide(62).effect, verifies("s9"));
    case.told(62, "s9", Some(set("s9", -9000)));
    assert_eq!(case.decide(62).status.phase, Phase::Succeeded, "it is there now");
    case.told(7300, "s9", None);
    case.step(7300);
    case.assert_place(Phase::Failed, Reason::QueueTimeout);
    assert!(case.status.condition(ConditionType::Ready).unwrap().message.contains("BackupSetNotFound"));
}

#[test]
fn a_set_that_cannot_be_restored_is_an_end_and_one_that_is_not_finished_is_waited_for() {
    for (listed, words) in [
        (BackupSet { available: Some(false), ..set("s9", 0) }, "not available"),
        (BackupSet { available: None, ..set("s9", 0) }, "does not say that it is available"),
        (BackupSet { meta: MetaStatus::Empty, ..set("s9", 0) }, "empty"),
        (BackupSet { size_bytes: Some(0), ..set("s9", 0) }, "size is 0"),
        (BackupSet { status: SetStatus::Failed, ..set("s9", 0) }, "failed"),
    ] {
        let mut case = existing();
        case.told(1, "s9", Some(listed.clone()));
        assert_eq!(wait_of(&case.step(2)), secs(9), "one answer is not enough");
        case.assert_place(Phase::Queued, Reason::Finalizing);
        assert_eq!(case.decide(11).effect, verifies("s9"));
        case.told(11, "s9", Some(listed));
        case.step(11);
        case.assert_place(Phase::Failed, Reason::BackupNotUsable);
        assert_eq!((case.status.origin, &case.status.backup_id), (None, &None), "{words}");
        assert!(case.status.condition(ConditionType::Ready).unwrap().message.contains(words), "{words}: {:?}", case.status.conditions);
    }
    let mut case = existing();
    case.told(1, "s9", Some(BackupSet { status: SetStatus::Unknown, ..set("s9", 0) }));
    let waits = case.step(2);
    case.assert_place(Phase::Queued, Reason::Finalizing);
    assert_eq!((wait_of(&waits), case.decide(122).effect), (secs(119), verifies("s9")));
}

#[test]
fn what_cannot_be_read_is_no_end() {
    let mut case = existing();
    case.told_of(1, "s9", Err(CallError::Api(api_error("Throttling.User"))));
    case.step(1);
    case.assert_place(Phase::Queued, Reason::Throttled);
    assert_eq!(case.decide(7).effect, verifies("s9"));
    case.told_of(8, "s9", Err(CallError::Api(api_error("Forbidden.RAM"))));
    case.step(8);
    case.assert_place(Phase::Pending, Reason::AccessDenied);
}

#[test]
fn the_region_of_the_instance_is_the_one_that_is_asked_and_must_be_allowed() {
    let elsewhere = |case: &mut Case| {
        let instance = Instance { region_id: Some("cn-beijing".into()), ..instance(Engine::MySql, "local_ssd") };
        case.told_of(1, "s9", Ok(VerifiedSet { instance, set: Some(set("s9", 0)) }));
    };
    let mut forbidden = existing();
    forbidden.account_mut().regions = AllowedRegions::new(["cn-hangzhou".into()]);
    elsewhere(&mut forbidden);
    forbidden.step(1);
    forbidden.assert_place(Phase::Pending, Reason::RegionNotAllowed);
    let mut moved = existing();
    elsewhere(&mut moved);
    moved.step(1);
    assert_eq!(moved.status.effective.as_ref().unwrap().region_id.as_deref(), Some("cn-beijing"));
    moved.account_mut().region_id = "cn-beijing".into();
    assert_eq!(moved.decide(1).effect, verifies("s9"), "what another region says proves nothing");
}

#[test]
fn a_set_that_was_taken_in_is_never_deleted_also_without_the_rules_of_the_crd() {
    let mut case = existing();
    case.told(1, "s9", Some(set("s9", 0)));
    case.step(1);
    for origin in [Origin::Existing, Origin::Reused] {
        case.status.origin = Some(origin);
        case.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
        case.object.metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        case.object.metadata.deletion_timestamp = Some(Time(at(2)));
        let decision = case.decide(3);
        assert_eq!((decision.effect, decision.finalizers), (None, Some(Vec::new())), "{origin:?}");
        assert!(decision.events[0].note().contains("backup set s9 stays"), "{:?}", decision.events);
    }
}

#[test]
fn a_pause_does_not_hold_up_what_starts_no_backup() {
    let mut case = existing();
    case.account_mut().paused = true;
    assert_eq!(case.step(1).effect, verifies("s9"));
}

/// A gate that takes a backup which began less than an hour ago; created at second 0.
fn gate() -> Case {
    Case::of(r#"{"dbInstanceId":"rm-1","method":"Physical","reuseIfNewerThan":"1h"}"#)
}

/// A backup that began at second `started` and took ten minutes.
fn succeeded(name: &str, started: i64) -> RdsBackup {
    let mut object = RdsBackup::new(name, serde_json::from_str(r#"{"dbInstanceId":"rm-1"}"#).unwrap());
    object.metadata.uid = Some(format!("uid-{name}"));
    object.metadata.namespace = Some("team-a".into());
    object.metadata.creation_timestamp = Some(Time(at(started - 10)));
    object.status = Some(RdsBackupStatus {
        phase: Phase::Succeeded,
        origin: Some(Origin::Created),
        backup_id: Some(format!("s-{name}")),
        started_at: Some(Time(at(started))),
        completed_at: Some(Time(at(started + 600))),
        ..RdsBackupStatus::default()
    });
    object
}

fn found(objects: Vec<RdsBackup>) -> InstanceObjects {
    let listed = |object| InstanceObject {
        object: std::sync::Arc::new(object),
        admissible: true,
        release_after: secs(0),
        ended: false,
        too_large: false,
    };
    objects.into_iter().map(listed).collect::<Vec<_>>().into()
}

fn names(gate: &Case, objects: Vec<RdsBackup>) -> Vec<String> {
    reusable(&gate.object, &found(objects)).into_iter().map(|candidate| candidate.name).collect()
}

fn lists(case: &mut Case, second: i64, objects: Vec<RdsBackup>) {
    let candidates: Vec<Candidate> = reusable(&case.object, &found(objects));
    case.memory.taking_in.absorb_reusable(at(second), candidates);
}

#[test]
fn a_backup_that_is_young_enough_is_reused_after_the_service_was_asked_for_its_set() {
    let mut case = gate();
    assert_eq!(case.step(1).effect, Some(Effect::LookForReusable));
    lists(&mut case, 1, vec![succeeded("old", -3000), succeeded("young", -900)]);
    assert_eq!(case.step(1).effect, verifies("s-young"));
    case.told(2, "s-young", Some(BackupSet { ended_at: Some(at(-300)), ..set("s-young", -900) }));
    let decision = case.step(2);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    let status = &case.status;
    assert_eq!(
        (status.origin, status.reused_from.as_deref(), status.backup_id.as_deref()),
        (Some(Origin::Reused), Some("young"), Some("s-young"))
    );
    assert_eq!((&status.submission, status.started_at.clone()), (&None, Some(Time(at(-900)))));
    assert_eq!(decision.events[0].note(), "no other backup was made: backup set s-young of RdsBackup young is usable and began 15m2s ago");
}

#[test]
fn a_set_that_is_not_usable_is_passed_over_and_the_next_one_asked_for_and_then_a_backup_is_made() {
    for listed in [None, Some(BackupSet { available: Some(false), ..set("s-young", -900) })] {
        let mut case = gate();
        let both = || vec![succeeded("older", -1800), succeeded("young", -900)];
        lists(&mut case, 1, both());
        case.told(2, "s-young", listed.clone());
        assert_eq!(wait_of(&case.step(2)), secs(10), "one answer is not enough");
        assert_eq!(case.step(12).effect, verifies("s-young"));
        case.told(12, "s-young", listed);
        assert_eq!(case.step(12).effect, verifies("s-older"));
        case.told(13, "s-older", None);
        case.told(23, "s-older", None);
        assert_eq!(case.step(23).effect, Some(Effect::LookForReusable), "once more before it makes its own");
        lists(&mut case, 23, both());
        assert!(matches!(case.step(23).effect, Some(Effect::Preflight { .. })));
        assert_eq!(is_enough(&case.object, &found(both()), &case.memory.taking_in, at(24)), None, "they withdraw no intent");
    }
}

#[test]
fn a_damaged_answer_passes_over_no_backup() {
    let mut case = gate();
    lists(&mut case, 1, vec![succeeded("young", -900)]);
    case.told(2, "s-young", None);
    assert_eq!(wait_of(&case.step(2)), secs(10), "it makes no backup of its own meanwhile");
    case.told(12, "s-young", Some(set("s-young", -900)));
    assert_eq!(case.step(12).status.origin, Some(Origin::Reused));
}

#[test]
fn a_set_that_cannot_be_asked_for_is_waited_for_and_no_other_backup_made() {
    let mut case = gate();
    lists(&mut case, 1, vec![succeeded("young", -900)]);
    case.told_of(2, "s-young", Err(CallError::Lost { why: "reset".into() }));
    let waits = case.step(2);
    case.assert_place(Phase::Queued, Reason::ServiceUnavailable);
    assert!(wait_of(&waits) > secs(0));
}

#[test]
fn the_age_counts_from_the_start_of_the_backup() {
    let takes = |started: i64, created: i64, now: i64| {
        let mut case = gate();
        case.object.metadata.creation_timestamp = Some(Time(at(created)));
        lists(&mut case, now, vec![succeeded("a", started)]);
        case.step(now).effect == verifies("s-a")
    };
    assert!(takes(-3599, 0, 0));
    assert!(!takes(-3600, 0, 0), "it ended 50 minutes ago, and its data are an hour old");
    // The gate waited, for credentials for example.
    assert!(takes(-1800, 0, 1799) && !takes(-1800, 0, 1800));
    // It was under way when the gate was created; of two gates that are applied together one makes the backup.
    assert!(takes(-599, 0, 7000) && takes(5, 0, 7000), "two gates at once make one backup, however long it takes");
    assert!(!takes(-4000, 0, -3000), "the clock of a node that is behind makes nothing young");
}

#[test]
fn only_an_equal_backup_of_the_same_namespace_is_reused() {
    let case = gate();
    assert_eq!(names(&case, vec![succeeded("a", -900), succeeded("b", -60)]), ["b", "a"], "the youngest first");
    let refused = |what: &str, change: &dyn Fn(&mut RdsBackup)| {
        let mut other = succeeded("a", -60);
        change(&mut other);
        assert_eq!(names(&case, vec![other]), Vec::<String>::new(), "{what}");
    };
    fn status(object: &mut RdsBackup) -> &mut RdsBackupStatus {
        object.status.as_mut().unwrap()
    }
    refused("another namespace", &|other| other.metadata.namespace = Some("team-b".into()));
    refused("another account", &|other| other.spec.account = "other".into());
    refused("another method", &|other| other.spec.method = Some(crate::api::BackupMethod::Snapshot));
    refused("single databases", &|other| other.spec.databases = vec!["orders".into()]);
    refused("itself", &|other| other.metadata.uid = Some("uid-5".into()));
    refused("being deleted", &|other| other.metadata.deletion_timestamp = Some(Time(at(0))));
    refused("under way", &|other| status(other).phase = Phase::Running);
    refused("failed", &|other| status(other).phase = Phase::Failed);
    refused("taken in", &|other| status(other).origin = Some(Origin::Existing));
    refused("without a set", &|other| status(other).backup_id = None);
    refused("gone by the last look", &|other| {
        let gone = crate::api::condition("Available", "False", Reason::BackupSetGone, "gone", 1, Time(at(0)));
        status(other).conditions.push(gone);
    });
    let mut held = succeeded("a", -60);
    held.metadata.annotations = Some([(HOLD_ANNOTATION.to_owned(), "true".to_owned())].into());
    held.status.as_mut().unwrap().origin = Some(Origin::Reused);
    assert_eq!(names(&case, vec![held]), ["a"]);
}

#[test]
fn what_the_object_asks_for_must_be_what_the_other_has() {
    let equal = |ours: &str, others: &str, made: &str| {
        let gate = Case::of(&format!(r#"{{"dbInstanceId":"rm-1","reuseIfNewerThan":"1h"{ours}}}"#));
        let mut other = succeeded("a", -60);
        other.spec = serde_json::from_str(&format!(r#"{{"dbInstanceId":"rm-1"{others}}}"#)).unwrap();
        other.status.as_mut().unwrap().effective = serde_json::from_str(made).unwrap();
        names(&gate, vec![other]).len() == 1
    };
    assert!(equal("", r#","method":"Physical""#, "{}"), "the service's default");
    let db = r#","method":"Logical","strategy":"db","databases":"#;
    assert!(equal(&format!(r#"{db}["a","b"]"#), &format!(r#"{db}["b","a"]"#), "{}"));
    assert!(!equal(&format!(r#"{db}["a"]"#), &format!(r#"{db}["a","b"]"#), "{}"));
    assert!(equal(r#","type":"FullBackup""#, "", r#"{"type":"FullBackup"}"#), "the service chose a full one");
    assert!(!equal(r#","type":"FullBackup""#, "", r#"{"type":"IncrementalBackup"}"#));
    assert!(equal("", r#","type":"FullBackup""#, r#"{"type":"FullBackup"}"#));
    assert!(!equal(r#","retentionDays":30"#, "", "{}") && equal(r#","retentionDays":30"#, r#","retentionDays":30"#, "{}"));
    assert!(equal("", r#","retentionDays":30"#, "{}"));
}

#[test]
fn while_a_backup_is_under_way_the_gate_waits_and_what_it_found_before_does_not_count_for_long() {
    let mut case = gate();
    case.siblings = vec![sibling("uid-1", -5, Phase::Running)];
    lists(&mut case, 1, Vec::new());
    case.step(1);
    case.assert_place(Phase::Queued, Reason::WaitingForTurn);
    case.siblings.clear();
    assert_eq!(case.decide(31).effect, Some(Effect::LookForReusable), "it looks again before it makes one");
}
