//! What the kinds of this operator have in common for the API server, and what of an object stays in memory.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};

use super::{field_times, guarded::Guarded};
use crate::api::{
    ARGOCD_HOOK_ANNOTATION, ARGOCD_TRACKING_ANNOTATION, BLACKOUT_ANNOTATION, Effective, FINALIZER, FLUX_LABELS, HOLD_ANNOTATION,
    NEXT_START_ANNOTATION, PAUSED_ANNOTATION, RdsBackup, RdsBackupSchedule, RdsBackupStatus, SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL,
    SLOT_ANNOTATION,
};

/// The labels and annotations that the operator reads.
const READ_LABELS: [&str; 4] = [SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL, FLUX_LABELS[0], FLUX_LABELS[1]];
const READ_ANNOTATIONS: [&str; 7] = [
    SLOT_ANNOTATION,
    NEXT_START_ANNOTATION,
    BLACKOUT_ANNOTATION,
    HOLD_ANNOTATION,
    PAUSED_ANNOTATION,
    ARGOCD_TRACKING_ANNOTATION,
    ARGOCD_HOOK_ANNOTATION,
];

/// A namespaced kind of ours.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + fmt::Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// Reduces an object to what is read of it while it rests in the cache: its tenant may have written a MiB into its metadata, and
    /// finished objects stay for years. Neither a status nor finalizers are written from such a copy.
    fn project(&mut self);
}

impl Kind for RdsBackup {
    fn project(&mut self) {
        self.metadata = projected(std::mem::take(&mut self.metadata));
        if let Some(status) = &mut self.status
            && status.phase.is_terminal()
        {
            *status = ended(std::mem::take(status));
        }
    }
}

impl Kind for RdsBackupSchedule {
    fn project(&mut self) {
        let mut managed_fields = self.metadata.managed_fields.take();
        self.metadata = projected(std::mem::take(&mut self.metadata));
        // Of these it keeps when the schedule was edited.
        field_times::project(&mut managed_fields);
        self.metadata.managed_fields = managed_fields;
    }
}

impl<K: Kind> Guarded<K> {
    /// As [`Kind::project`] says; of an object that does not deserialise nothing but metadata is left anyway.
    pub fn project(&mut self) {
        match &mut self.0 {
            Ok(object) => std::sync::Arc::make_mut(object).project(),
            Err(unreadable) => unreadable.metadata = projected(std::mem::take(&mut unreadable.metadata)),
        }
    }
}

/// Field by field, so that a new one is decided on.
fn projected(metadata: ObjectMeta) -> ObjectMeta {
    let ObjectMeta {
        annotations,
        creation_timestamp,
        deletion_grace_period_seconds: _,
        deletion_timestamp,
        finalizers,
        generate_name: _,
        generation,
        labels,
        managed_fields: _,
        name,
        namespace,
        owner_references: _,
        resource_version,
        self_link: _,
        uid,
    } = metadata;
    ObjectMeta {
        annotations: annotations.and_then(|all| only(all, &READ_ANNOTATIONS)),
        creation_timestamp,
        deletion_timestamp,
        // The others are not ours to read: a write of this list reads the object first.
        finalizers: finalizers.map(|all| all.into_iter().filter(|name| name == FINALIZER).collect()),
        generation,
        labels: labels.and_then(|all| only(all, &READ_LABELS)),
        name,
        namespace,
        resource_version,
        uid,
        ..ObjectMeta::default()
    }
}

fn only(mut all: BTreeMap<String, String>, names: &[&str]) -> Option<BTreeMap<String, String>> {
    all.retain(|name, _| names.contains(&name.as_str()));
    (!all.is_empty()).then_some(all)
}

/// How an object ended, and what it has: no intent, no attempts, no messages.
fn ended(status: RdsBackupStatus) -> RdsBackupStatus {
    let mut conditions = status.conditions;
    conditions.iter_mut().for_each(|condition| condition.message = String::new());
    RdsBackupStatus {
        observed_generation: status.observed_generation,
        phase: status.phase,
        conditions,
        backup_job_id: status.backup_job_id,
        backup_id: status.backup_id,
        origin: status.origin,
        started_at: status.started_at,
        size_bytes: status.size_bytes,
        completed_at: status.completed_at,
        expires_at: status.expires_at,
        expiry_source: status.expiry_source,
        effective: status.effective.map(|Effective { region_id, backup_type, .. }| Effective {
            region_id,
            backup_type,
            ..Effective::default()
        }),
        ..RdsBackupStatus::default()
    }
}

/// What an object's copy in memory does without: a third of its size, and the operator does not read it. Of the managed fields it keeps
/// when a schedule was edited.
pub(super) fn pruned<K: ResourceExt>(mut object: K) -> K {
    field_times::project(&mut object.meta_mut().managed_fields);
    if let Some(annotations) = &mut object.meta_mut().annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backup(phase: &str) -> RdsBackup {
        let time = "2026-03-01T02:00:00Z";
        let condition = json!({ "type": "Ready", "status": "True", "reason": "Succeeded", "message": "m", "lastTransitionTime": time });
        serde_json::from_value(json!({
            "metadata": {
                "name": "b", "namespace": "team-a", "uid": "u", "resourceVersion": "5", "generation": 2, "creationTimestamp": time,
                "labels": { "rdsbackup.io/schedule-name": "s", "app": "x" }, "annotations": { "rdsbackup.io/hold": "true", "note": "x" },
                "finalizers": ["example.com/keep", "rdsbackup.io/backup-set"],
            },
            "spec": { "dbInstanceId": "rm-1" },
            "status": { "observedGeneration": 2, "phase": phase, "conditions": [condition], "backupId": "7", "requestId": "r" },
        }))
        .unwrap()
    }

    #[test]
    fn a_copy_that_rests_has_what_is_read_of_it_and_no_more() {
        let mut rests = backup("Succeeded");
        rests.project();
        let value = serde_json::to_value(&rests).unwrap();
        assert_eq!(value["metadata"]["labels"], json!({ "rdsbackup.io/schedule-name": "s" }));
        assert_eq!(value["metadata"]["annotations"], json!({ "rdsbackup.io/hold": "true" }));
        assert_eq!(value["metadata"]["finalizers"], json!(["rdsbackup.io/backup-set"]));
        let status = rests.status.unwrap();
        assert_eq!((status.ready_reason(), status.backup_id.as_deref()), (Some("Succeeded"), Some("7")));
        assert_eq!((status.conditions[0].message.as_str(), status.request_id.as_deref()), ("", None));
    }

    #[test]
    fn the_status_of_one_that_has_not_ended_stays_whole() {
        let (mut rests, whole) = (backup("Running"), backup("Running"));
        rests.project();
        assert_eq!((rests.status, rests.spec), (whole.status, whole.spec));
    }
}
