//! What the operator is asked to do while a fault is injected.

use std::fmt;

use serde_json::{Value, json};

use crate::rds::{BackupPolicy, Effect, Fault, InstanceSpec};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// An RdsBackup, from its creation to its end.
    OneShot,
    /// The same, and the answer to its request is lost.
    LostAnswer,
    /// A schedule that makes a backup as soon as it is created.
    Fire,
    /// An RdsBackup whose deletion deletes its set, from its creation until it is gone.
    Deletion,
}

impl Scenario {
    pub(super) const ALL: [Self; 4] = [Self::OneShot, Self::LostAnswer, Self::Fire, Self::Deletion];

    /// What is applied.
    pub(super) fn object(self, namespace: &str, instance: &str) -> Value {
        let mut backup = json!({ "dbInstanceId": instance, "method": "Physical" });
        if self == Self::Deletion {
            backup["deletionPolicy"] = json!("Delete");
        }
        let (kind, spec) = match self {
            Self::OneShot | Self::LostAnswer | Self::Deletion => ("RdsBackup", backup),
            // Its slot is far enough away: what fires is its creation.
            Self::Fire => ("RdsBackupSchedule", json!({ "schedule": "0 0 29 2 *", "runOnCreate": true, "template": { "spec": backup } })),
        };
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": kind,
            "metadata": { "name": "sample", "namespace": namespace }, "spec": spec,
        })
    }

    /// The fault of the endpoint that belongs to the scenario.
    pub(super) fn fault(self, instance: &str) -> Option<Fault> {
        (self == Self::LostAnswer).then(|| Fault::on("CreateBackup", Effect::LoseAnswer).instance(instance).times(1))
    }

    /// The instance of the scenario, where another than the catalogue's is needed: one whose sets the service deletes from their first day.
    /// The operator cannot know that of it, and asks.
    pub(super) fn instance(self) -> Option<InstanceSpec> {
        let policy = BackupPolicy { log_backup: true, log_retention_days: 0, ..BackupPolicy::default() };
        (self == Self::Deletion).then(|| InstanceSpec { policy, ..InstanceSpec::default() })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneShot => "one-shot",
            Self::LostAnswer => "lost-answer",
            Self::Fire => "fire",
            Self::Deletion => "deletion",
        })
    }
}
