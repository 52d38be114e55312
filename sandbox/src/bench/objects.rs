//! Objects of a cluster that has made backups for years: what benchmarks begin with.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::plane::{Kubectl, KubectlError};

/// Where they are.
pub(super) const TEAM: &str = "bench";

/// kubectl sends 50 requests a second at most; more of them at once than the two cores can answer gain nothing.
const AT_ONCE: usize = 4;

/// One kubectl gets at most so many bytes: it holds them several times over.
const LARGEST_INPUT: usize = 4 << 20;

/// Creates `count` objects of about `each_kib` KiB.
pub(super) async fn create(kubectl: &Kubectl, count: u32, each_kib: u32, object: impl Fn(u32) -> Value) -> Result<(), KubectlError> {
    in_turn(kubectl, count, each_kib, &["create", "--filename", "-"], object).await
}

/// Gives objects that exist the status that `object` has, and changes nothing else of them.
pub(super) async fn give_status(kubectl: &Kubectl, count: u32, object: impl Fn(u32) -> Value) -> Result<(), KubectlError> {
    let apply = ["apply", "--server-side", "--subresource=status", "--field-manager=bench", "--filename", "-"];
    in_turn(kubectl, count, 0, &apply, object).await
}

async fn in_turn(
    kubectl: &Kubectl,
    count: u32,
    each_kib: u32,
    command: &[&str],
    object: impl Fn(u32) -> Value,
) -> Result<(), KubectlError> {
    let object = &object;
    let at_once = (LARGEST_INPUT / (2048 + (each_kib as usize) * 1024)).clamp(1, 250);
    let numbers: Vec<u32> = (0..count).collect();
    stream::iter(numbers.chunks(at_once))
        .map(|chunk| async move {
            let items: Vec<Value> = chunk.iter().map(|number| object(*number)).collect();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
            kubectl.run_with_input(command, &list.to_string()).await.map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// A backup that ended well, as the operator leaves it.
pub(super) fn finished(number: u32, instance: &str) -> Value {
    let time = "2026-03-01T02:00:00Z";
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Succeeded", "message": "backup set 3210205621 exists and is usable",
            "lastTransitionTime": time, "observedGeneration": 1,
        })
    };
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": { "name": format!("finished-{number:06}"), "namespace": TEAM },
        "spec": { "dbInstanceId": instance, "method": "Physical" },
        "status": {
            "observedGeneration": 1, "phase": "Succeeded", "origin": "Created",
            "conditions": [condition("Ready", "True"), condition("Reconciling", "False"), condition("Stalled", "False")],
            "backupJobId": format!("6644{number:06}"), "backupId": format!("3210{number:06}"), "requestId": "2A1F0C6E-0000-0000-0000-000000000000",
            "startedAt": time, "completedAt": time, "duration": "12m30s", "size": "260Gi", "sizeBytes": 279_172_874_240_i64,
            "consistentTime": time, "expiresAt": time, "checksum": "1835830439",
            "effective": { "regionId": "cn-hangzhou", "method": "Physical", "type": "FullBackup", "engine": "MySQL", "engineVersion": "8.0" },
            "submission": {
                "run": 1, "attempt": 1, "nonce": format!("{number:032x}"), "timestamp": time, "cleared": true, "outcome": "Accepted",
                "unresolvedSince": time, "waitingSince": time, "baseline": { "at": time, "backupIds": ["3210205620"] },
            },
        },
    })
}
