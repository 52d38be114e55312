//! Instances that cannot be backed up now, or never: read-only ones, locked ones, ones that do not run, ones that do not exist.

use rds_backup_operator::{api::Phase, backup::decide::Effect, rpc::SignatureVersion};
use rds_backup_sandbox::rds::{Engine, InstanceSpec};
use serde_json::json;

use crate::bench::{Bench, Case, KINDS};

/// The state of the instance, the expected reason, whether it is Stalled, the phase, and a text of the cure.
type Row = (&'static str, fn(&mut InstanceSpec), &'static str, bool, Phase, &'static str);

const ROWS: [Row; 13] = [
    ("read-only", |spec| spec.kind = "Readonly".into(), "UnsupportedMethod", true, Phase::Failed, "create one for its primary"),
    ("guard", |spec| spec.kind = "Guard".into(), "UnsupportedMethod", true, Phase::Failed, "create one for its primary"),
    ("temporary", |spec| spec.kind = "Temp".into(), "UnsupportedMethod", true, Phase::Failed, "create one for its primary"),
    ("stopped", |spec| spec.status = "Stopped".into(), "InstanceNotRunning", false, Phase::Queued, "only of running instances"),
    ("restoring", |spec| spec.status = "Restoring".into(), "InstanceNotRunning", false, Phase::Queued, "is in state Restoring"),
    ("cloning", |spec| spec.status = "INS_CLONING".into(), "InstanceNotRunning", false, Phase::Queued, "is in state INS_CLONING"),
    ("disk full", |spec| spec.lock_mode = "LockByDiskQuota".into(), "InstanceNotRunning", false, Phase::Queued, "Extend its storage"),
    ("locked by hand", |spec| spec.lock_mode = "ManualLock".into(), "InstanceNotRunning", false, Phase::Queued, "Unlock it"),
    ("rolled back", |spec| spec.lock_mode = "LockByRestoration".into(), "InstanceNotRunning", false, Phase::Queued, "rolled back"),
    ("expired", |spec| spec.lock_mode = "LockByExpiration".into(), "AccountProblem", true, Phase::Pending, "must renew it"),
    (
        "read-only, disk full",
        |spec| spec.lock_mode = "LockReadInstanceByDiskQuota".into(),
        "InstanceNotRunning",
        false,
        Phase::Queued,
        "Extend",
    ),
    (
        "read-only and stopped",
        |spec| (spec.kind, spec.status) = ("Readonly".into(), "Stopped".into()),
        "UnsupportedMethod",
        true,
        Phase::Failed,
        "primary",
    ),
    (
        "stopped and locked",
        |spec| (spec.lock_mode, spec.status) = ("ManualLock".into(), "Stopped".into()),
        "InstanceNotRunning",
        false,
        Phase::Queued,
        "Unlock",
    ),
];

#[tokio::test]
async fn an_instance_that_takes_no_backup_is_not_asked_for_one() {
    let bench = Bench::new(SignatureVersion::V1).await;
    println!("{:<16} {:<24} {:<20} {:<8} {:<45} message", "instance", "what", "reason", "stalled", "the service's code");
    for (kind, engine, disk) in KINDS {
        let method = if (engine, disk) == (Engine::MySQL, "cloud_essd") { "Snapshot" } else { "Physical" };
        for (number, (what, change, reason, stalled, phase, cure)) in ROWS.into_iter().enumerate() {
            let instance = format!("{kind}-{number}");
            let mut spec = InstanceSpec::new(engine, "1", disk);
            change(&mut spec);
            bench.endpoint.define(&instance, spec);
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": method }));
            let decision = case.preflight(&bench).await;
            assert!(!matches!(decision.effect, Some(Effect::WriteIntent { .. } | Effect::Send { .. })), "{instance}: {what}");

            let request = rds_backup_operator::backup::spec::ValidatedSpec::from_spec(&case.object.spec).expect("a good spec").request;
            let code = bench.judged(&request).await.unwrap_or_else(|| panic!("{instance}: the service makes a backup though it is {what}"));
            println!(
                "{kind:<16} {what:<24} {:<20} {:<8} {code:<45} {}",
                case.reason(),
                if case.is_stalled() { "yes" } else { "no" },
                case.message()
            );
            assert_eq!((case.reason(), case.is_stalled(), case.status.phase), (reason, stalled, phase), "{instance}: {what}");
            assert!(case.message().starts_with(&instance) && case.message().contains(cure), "{what}: {}", case.message());
        }
    }
}

#[tokio::test]
async fn what_is_not_known_of_an_instance_is_left_to_the_service() {
    let bench = Bench::new(SignatureVersion::V3).await;
    for (number, (disk, kind, lock)) in
        [("cloud9_disk", "Primary", "Unlock"), ("local_ssd", "SomethingNew", "Unlock"), ("local_ssd", "Primary", "LockOfANewKind")]
            .into_iter()
            .enumerate()
    {
        let instance = format!("rm-new-{number}");
        let spec = InstanceSpec { kind: kind.into(), lock_mode: lock.into(), ..InstanceSpec::new(Engine::MySQL, "9", disk) };
        bench.endpoint.define(&instance, spec);
        let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": "Physical" }));
        let decision = case.preflight(&bench).await;
        assert!(matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{disk} {kind} {lock}: {decision:?}");
    }
}
