//! `/metrics` over HTTP, of the operator beside an API server in memory that has two objects and takes no write.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame},
};
use kube::client::Body;
use rds_backup_operator::{
    accounts::ClientDeps,
    clock::Clock,
    config::Config,
    controller::{Fence, KubeRequests, Scope},
    entropy::Entropy,
    metrics::ALL,
    runtime::{Deps, Operator},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const CONFIG: &str = "\
accounts:
  prod: { regionId: cn-hangzhou, credentials: { type: Auto }, allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }] }
";

fn condition(kind: &str, reason: &str) -> Value {
    json!({ "type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": "2026-03-01T02:10:00Z", "observedGeneration": 1 })
}

fn backup() -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": {
            "namespace": "team-a", "name": "nightly-1", "uid": "u1", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": "2026-03-01T02:00:00Z", "labels": { "rdsbackup.io/schedule-name": "nightly" },
        },
        "spec": { "dbInstanceId": "rm-1", "account": "prod" },
        "status": {
            "observedGeneration": 1, "phase": "Succeeded", "conditions": [condition("Ready", "Succeeded")], "sizeBytes": 2048,
            "startedAt": "2026-03-01T02:00:00Z", "completedAt": "2026-03-01T02:10:00Z", "backupId": "7",
        },
    })
}

fn schedule() -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
        "metadata": {
            "namespace": "team-a", "name": "nightly", "uid": "u2", "resourceVersion": "2", "generation": 1,
            "creationTimestamp": "2026-02-01T00:00:00Z",
        },
        "spec": { "schedule": "0 2 * * *", "suspend": true, "template": { "spec": { "dbInstanceId": "rm-1", "account": "prod" } } },
        "status": {
            "observedGeneration": 1, "conditions": [condition("Ready", "Suspended")], "account": "prod",
            "lastSuccess": { "name": "nightly-1", "completedAt": "2026-03-01T02:10:00Z", "backupId": "7" },
        },
    })
}

type Answered = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Lists what there is, shows no change to a watch, and refuses everything else.
fn answer(request: &Request<Body>) -> Answered {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    if query.split('&').any(|pair| pair == "watch=true") {
        let silent = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        return Response::new(StreamBody::new(silent).boxed_unsync());
    }
    let items = match path.rsplit('/').next() {
        Some("rdsbackups") => Some(json!([backup()])),
        Some("rdsbackupschedules") => Some(json!([schedule()])),
        _ => None,
    };
    let (code, body) = match items {
        Some(items) => {
            (200, json!({ "kind": "List", "apiVersion": "rdsbackup.io/v1alpha1", "metadata": { "resourceVersion": "9" }, "items": items }))
        }
        None => {
            (403, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no" }))
        }
    };
    Response::builder().status(code).body(Full::new(Bytes::from(body.to_string())).boxed_unsync()).expect("an answer")
}

struct Served {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Served {
    async fn begin() -> Self {
        // Without it reqwest and kube cannot be told which of two providers they use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let kube_requests = KubeRequests::default();
        let stop = CancellationToken::new();
        let deps = Deps {
            client: kube_requests.counting(kube::Client::new(service, "ops")),
            scope: Scope::Cluster,
            namespace: "ops".to_owned(),
            instance: "test".to_owned(),
            client_deps: ClientDeps { clock: Clock::system(), entropy: Entropy::system(), transport: None },
            fence: Fence::none(),
            stop: stop.clone(),
        };
        let operator = Operator::new(Config::parse(CONFIG).expect("a configuration"), deps, |_| None);
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let (address, _) = operator.serve_health(loopback, kube_requests, stop.clone()).await.expect("it listens");
        TaskTracker::new().spawn(operator.run());
        let served = Self { address, requests, stop };
        // The objects are listed and looked at within milliseconds.
        for _ in 0..500 {
            if served.get(None).await.1.contains("rdsbackup_schedule_max_age_seconds{") {
                return served;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the schedule was not looked at:\n{}", served.get(None).await.1);
    }

    /// The content type and the text.
    async fn get(&self, accept: Option<&str>) -> (String, String) {
        let accept = accept.map_or_else(String::new, |accept| format!("Accept: {accept}\r\n"));
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let request = format!("GET /metrics HTTP/1.1\r\nHost: operator\r\n{accept}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let header = |line: &str| line.to_ascii_lowercase().strip_prefix("content-type: ").map(str::to_owned);
        (head.lines().find_map(header).expect("a content type"), body.to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The series without their values, and without buckets: each format writes their bounds in its own way.
fn series(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket{"))
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .collect()
}

#[tokio::test]
async fn each_scraper_gets_the_format_that_it_reads() {
    let served = Served::begin().await;
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (open_type, open) = served.get(Some(prometheus)).await;
    let (classic_type, classic) = served.get(Some("text/plain;version=0.0.4")).await;
    assert_eq!(open_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(classic_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(served.get(None).await.0, classic_type);
    assert!(open.ends_with("# EOF\n") && !classic.contains("# EOF"));
    assert!(open.contains("\n# TYPE rdsbackup_schedule_missed_runs counter\n"), "{open}");
    assert!(classic.contains("\n# TYPE rdsbackup_schedule_missed_runs_total counter\n"), "{classic}");
    assert!(open.contains("\n# UNIT process_resident_memory_bytes bytes\n") && !classic.contains("# UNIT"), "{open}");
    assert_eq!(series(&open), series(&classic));
    for line in [
        r#"rdsbackup_backups{namespace="team-a",phase="Succeeded"} 1"#,
        r#"rdsbackup_schedule_suspended{namespace="team-a",schedule="nightly"} 1"#,
        r#"rdsbackup_schedule_max_age_seconds{namespace="team-a",schedule="nightly"} 129600"#,
        r#"rdsbackup_schedule_last_backup_size_bytes{namespace="team-a",schedule="nightly"} 2048"#,
        r#"rdsbackup_submissions_paused{account="prod"} 0"#,
        r#"rdsbackup_operator_kube_requests_total{verb="list",resource="rdsbackups",code="200"} 1"#,
        "rdsbackup_operator_leader 1",
    ] {
        for text in [&open, &classic] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_exported_is_in_the_catalogue_and_a_scrape_asks_nothing() {
    let served = Served::begin().await;
    // What a pass may still ask is asked by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = served.requests.load(Ordering::Relaxed);
    let (_, text) = served.get(None).await;
    for _ in 0..20 {
        served.get(Some("application/openmetrics-text")).await;
    }
    assert_eq!(served.requests.load(Ordering::Relaxed), before, "a scrape asked the API server");
    let described: BTreeSet<String> = ALL.iter().map(|description| format!("{} {}", description.name, description.kind.as_str())).collect();
    let typed: BTreeSet<String> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
    assert!(typed.len() > 30, "{typed:?}");
    assert_eq!(typed.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
}
