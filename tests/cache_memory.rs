//! What the objects of a cluster cost while they rest in the operator's cache. The heap of this process is counted, so this file has one
//! test and a process of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use kube::client::Body;
use peak_alloc::PeakAlloc;
use rds_backup_operator::{
    accounts::ClientDeps,
    clock::Clock,
    config::Config,
    controller::{Fence, Scope},
    entropy::Entropy,
    runtime::{Deps, Operator},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;

/// The most that one finished object may cost, whatever its tenant wrote into its metadata: its names, its spec, how it ended.
const MOST_OF_ONE: usize = 4 * KIB;

const CONFIG: &str = "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: { type: Auto }\n    allow: []\n";

/// A backup that ended well, as the operator leaves it.
fn finished(number: usize, annotations: &Value) -> Value {
    let time = "2026-03-01T02:00:00Z";
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": "Succeeded", "message": "backup set 3210205621 exists and is usable",
            "lastTransitionTime": time, "observedGeneration": 1,
        })
    };
    let baseline: Vec<String> = (0..7).map(|set| format!("32102056{set}")).collect();
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": {
            "name": format!("nightly-{number:012}"), "namespace": "team-a", "uid": format!("00000000-0000-4000-8000-{number:012}"),
            "resourceVersion": "17", "generation": 1, "creationTimestamp": time, "annotations": annotations,
            "labels": { "rdsbackup.io/schedule-name": "nightly", "rdsbackup.io/schedule-uid": "00000000-0000-4000-8000-000000000001", "team": "a" },
        },
        "spec": { "dbInstanceId": format!("rm-{}", number % 100), "account": "default", "method": "Physical" },
        "status": {
            "observedGeneration": 1, "phase": "Succeeded", "conditions": [condition("Ready")], "origin": "Created",
            "backupJobId": "66442211", "backupId": "3210205621", "requestId": "2A1F0C6E-0000-0000-0000-000000000000",
            "startedAt": time, "completedAt": time, "duration": "12m30s", "size": "260Gi", "sizeBytes": 279_172_874_240_i64,
            "consistentTime": time, "expiresAt": time, "checksum": "1835830439****",
            "effective": { "regionId": "cn-hangzhou", "method": "Physical", "type": "FullBackup", "engine": "MySQL", "engineVersion": "8.0" },
            "submission": {
                "run": 1, "attempt": 1, "nonce": "0123456789abcdef0123456789abcdef", "timestamp": time, "cleared": true, "outcome": "Accepted",
                "unresolvedSince": time, "waitingSince": time, "baseline": { "at": time, "backupIds": baseline },
            },
        },
    })
}

/// An API server that has these objects, in pages, and watches in which nothing happens. Counts the pages.
fn client(count: usize, annotations: Value, pages: Arc<AtomicUsize>) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (annotations, pages) = (annotations.clone(), pages.clone());
        async move {
            let query: Vec<(String, String)> =
                url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
            let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            if value("watch").is_some() {
                std::future::pending::<()>().await;
            }
            let of_backups = request.uri().path().ends_with("/rdsbackups");
            let first: usize = value("continue").and_then(|from| from.parse().ok()).unwrap_or(0);
            let last = if of_backups { count.min(first + value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(count)) } else { 0 };
            let items: Vec<Value> = (first..last).map(|number| finished(number, &annotations)).collect();
            let more = if last < count && of_backups { last.to_string() } else { String::new() };
            let kind = if of_backups { "RdsBackupList" } else { "RdsBackupScheduleList" };
            let list = json!({
                "apiVersion": "rdsbackup.io/v1alpha1", "kind": kind, "metadata": { "resourceVersion": "17", "continue": more }, "items": items,
            });
            pages.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.to_string().into_bytes())))
        }
    });
    kube::Client::new(service, "default")
}

/// The bytes that one of so many objects costs an operator that has come to rest.
async fn cost(count: usize, annotations: Value) -> usize {
    let pages = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let deps = Deps {
        client: client(count, annotations, pages.clone()),
        scope: Scope::Cluster,
        namespace: "rds-system".to_owned(),
        instance: "operator".to_owned(),
        client_deps: ClientDeps { clock: Clock::system(), entropy: Entropy::system(), transport: None },
        fence: Fence::none(),
        stop: stop.clone(),
    };
    let before = HEAP.current_usage();
    let operator = Operator::new(Config::parse(CONFIG).expect("a configuration"), deps, |_| None);
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn(operator.run());
    // A page of 50, and the list of the schedules.
    while pages.load(Ordering::Relaxed) < count.div_ceil(50) + 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut used = HEAP.current_usage();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = HEAP.current_usage();
        if now.abs_diff(used) < 10 * KIB {
            break;
        }
        used = now;
    }
    let cost = used.saturating_sub(before) / count;
    let rss = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rss = rss.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned();
    println!("{count} objects: {cost} bytes of heap each; {rss}");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    cost
}

#[tokio::test]
async fn an_object_at_rest_costs_little_whatever_its_tenant_wrote_into_it() {
    let ordinary = cost(10_000, json!({})).await;
    // The API server takes 256 KiB of annotations.
    let notes: serde_json::Map<String, Value> =
        (0..8).map(|note| (format!("example.com/note-{note}"), "x".repeat(25 * KIB).into())).collect();
    let annotated = cost(1000, notes.into()).await;
    assert!(ordinary <= MOST_OF_ONE, "{ordinary} bytes for an ordinary one");
    assert!(annotated <= MOST_OF_ONE, "{annotated} bytes for one with 200 KiB of annotations");
}
