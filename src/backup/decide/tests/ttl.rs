//! Objects that have ended and whose `ttl` is over.

use super::*;
use crate::{
    api::{ARGOCD_HOOK_ANNOTATION, ARGOCD_TRACKING_ANNOTATION, DeletionPolicy, FLUX_LABELS, HOLD_ANNOTATION, Span},
    backup::{
        decide::has_newer,
        request::{InstanceObject, InstanceObjects},
    },
};

const HOUR: i64 = 3600;

fn with_ttl(mut case: Case) -> Case {
    case.object.spec.ttl = Some(Span::new("24h"));
    case
}

fn succeeded() -> Case {
    let mut case = with_ttl(Case::new()).intent(0, true, true).answered(accepted("77"));
    case.step(1);
    case.poll(200, Some(finished("77", "s7")), Some(set("s7", 2)));
    case.step(201);
    case.assert_place(Phase::Succeeded, Reason::Succeeded);
    case.memory = Memory::default();
    case
}

fn failed() -> Case {
    let mut case = with_ttl(Case::new()).intent(0, true, true).answered(accepted("77"));
    case.step(1);
    case.poll(200, Some(task("77", JobState::Failed)), None);
    case.step(201);
    case.assert_place(Phase::Failed, Reason::BackupFailed);
    case
}

fn ignored(case: &mut Case, second: i64) -> Option<String> {
    let decision = case.step(second);
    assert_eq!(decision.effect, None);
    case.status.condition(ConditionType::TtlIgnored).map(|said| said.message.clone())
}

#[test]
fn an_object_goes_when_its_time_is_over_by_the_api_servers_clock() {
    let case = failed();
    assert_eq!(wait_of(&case.decide(202)), secs(12 * HOUR), "it looks again twice a day");
    assert_eq!(wait_of(&case.decide(201 + 24 * HOUR - 5)), secs(5));
    assert_eq!(case.decide(201 + 24 * HOUR).effect, Some(Effect::RemoveObject));
    let mut unsure = failed();
    unsure.server_now = Some(at(300));
    assert_eq!(unsure.decide(48 * HOUR).effect, None, "the node's clock is ahead");
    unsure.server_now = None;
    unsure.time_is_known = false;
    assert_eq!(unsure.decide(48 * HOUR).effect, None);
    let mut endless = failed();
    endless.object.spec.ttl = None;
    assert_eq!(endless.decide(9000 * HOUR).requeue, Requeue::OnChange);
}

#[test]
fn a_success_goes_only_when_another_of_its_instance_is_newer() {
    let mut case = succeeded();
    let due = 92 + 24 * HOUR;
    assert_eq!(case.decide(due).effect, Some(Effect::LookForNewer));
    case.memory.newer = Some((at(due), true));
    assert_eq!(case.decide(due + 1).effect, Some(Effect::RemoveObject));
    assert_eq!(case.decide(due + 61).effect, Some(Effect::LookForNewer), "that counts for a minute");
    case.memory.newer = Some((at(due), false));
    assert!(ignored(&mut case, due + 1).is_some_and(|why| why.contains("newest usable backup of its instance")));
    assert_eq!(wait_of(&case.decide(due + 1)), secs(HOUR - 1));
    assert_eq!(case.decide(due + HOUR).effect, Some(Effect::LookForNewer));
}

#[test]
fn what_is_held_tracked_or_would_take_its_set_along_stays_and_says_so_from_the_first_day_on() {
    let annotated = |names: &[&str]| {
        let mut case = succeeded();
        case.object.metadata.annotations = Some(names.iter().map(|name| ((*name).to_owned(), "true".to_owned())).collect());
        case
    };
    let labelled = |name: &str| {
        let mut case = succeeded();
        case.object.metadata.labels = Some([(name.to_owned(), "apps".to_owned())].into());
        case
    };
    let mut deletes = succeeded();
    deletes.object.spec.deletion_policy = Some(DeletionPolicy::Delete);
    deletes.object.metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
    deletes.account_mut().credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "no Secret".into(), again_in: None });
    for (mut case, why) in [
        (annotated(&[HOLD_ANNOTATION]), "hold"),
        (annotated(&[ARGOCD_TRACKING_ANNOTATION]), "GitOps tool"),
        (labelled(FLUX_LABELS[0]), "GitOps tool"),
        (labelled(FLUX_LABELS[1]), "GitOps tool"),
        (deletes, "would delete the backup set"),
    ] {
        for second in [202, 48 * HOUR] {
            let said = ignored(&mut case, second).unwrap_or_else(|| panic!("{why}: nothing is said"));
            assert!(said.contains(why), "{said}");
        }
    }
    let hook = annotated(&[ARGOCD_TRACKING_ANNOTATION, ARGOCD_HOOK_ANNOTATION]);
    assert_eq!(hook.decide(48 * HOUR).effect, Some(Effect::LookForNewer), "a hook is not made again");
    let mut freed = annotated(&[HOLD_ANNOTATION]);
    assert!(ignored(&mut freed, 202).is_some());
    freed.object.metadata.annotations = None;
    assert_eq!(ignored(&mut freed, 203), None);
}

#[test]
fn newer_is_what_ended_later_can_be_restored_and_stays() {
    let own = succeeded();
    let object = |case: &Case| {
        let mut object = case.object.clone();
        object.status = Some(case.status.clone());
        object
    };
    let newer = |change: fn(&mut RdsBackup)| {
        let mut other = object(&own);
        other.metadata.uid = Some("uid-9".into());
        change(&mut other);
        let listed =
            InstanceObject { object: std::sync::Arc::new(other), admissible: true, release_after: secs(0), ended: false, too_large: false };
        has_newer(&object(&own), &InstanceObjects::from(vec![listed]))
    };
    assert!(newer(|other| other.status.as_mut().unwrap().completed_at = Some(Time(at(5000)))));
    assert!(newer(|_| {}), "of two that ended at the same moment one stays");
    assert!(!newer(|other| other.metadata.uid = Some("uid-1".into())), "the other one");
    assert!(!newer(|other| other.metadata.uid = Some("uid-5".into())), "itself");
    assert!(!newer(|other| other.status.as_mut().unwrap().completed_at = Some(Time(at(1)))));
    assert!(!newer(|other| other.status.as_mut().unwrap().phase = Phase::Failed));
    assert!(!newer(|other| other.status.as_mut().unwrap().backup_id = None));
    assert!(!newer(|other| other.metadata.deletion_timestamp = Some(Time(at(5000)))));
    assert!(!newer(|other| {
        let gone = crate::api::condition("Available", "False", Reason::BackupSetGone, "gone", 1, Time(at(1)));
        other.status.as_mut().unwrap().conditions.push(gone);
    }));
}
