//! `/sandbox/...`, the log of calls, and the end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use rds_backup_sandbox::rds::{CallRecord, Options};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::client::{Lost, Response, send};
use super::world::{KEY, PATIENCE, SECRET, World, text};

/// A request of another process.
async fn control(world: &World, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (length, host) = (body.len(), world.addr());
    let bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    send(world.addr(), &bytes, PATIENCE).await.unwrap()
}

async fn get(world: &World, path: &str) -> Value {
    let answer = control(world, "GET", path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

#[tokio::test]
async fn the_ledger_and_the_calls_are_there_for_other_processes() {
    let world = World::new().await;
    let job = world.create("rm-mysql-1", &[("BackupMethod", "Physical")]).await;
    world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-2"), ("BackupMethod", "Snapshot")]).await;
    let ledger = get(&world, "/sandbox/ledger").await;
    let entry = &ledger[0];
    assert_eq!((ledger.as_array().unwrap().len(), &entry["jobId"], &entry["instance"]), (1, &json!(job), &json!("rm-mysql-1")));
    assert_eq!(
        (&entry["parameters"]["BackupMethod"], &entry["nonce"], &entry["outcome"]),
        (&json!("Physical"), &json!("nonce-1"), &json!("Running"))
    );
    assert_eq!(get(&world, "/sandbox/ledger?instance=rm-mysql-2").await, json!([]));
    let calls = get(&world, "/sandbox/calls?instance=rm-mysql-2&action=CreateBackup").await;
    assert_eq!((calls.as_array().unwrap().len(), &calls[0]["outcome"]), (1, &json!("InvalidBackupMethod.ValueNotSupport")));
    assert_eq!((&calls[0]["status"], &calls[0]["delivered"], &calls[0]["accessKeyId"]), (&json!(400), &json!(true), &json!(KEY)));
    assert_eq!(get(&world, "/sandbox/calls?action=DescribeBackups").await, json!([]));
}

#[tokio::test]
async fn no_record_holds_a_signature_or_a_secret() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]);
    let signature = request.authorization(KEY, SECRET).rsplit_once("Signature=").unwrap().1.to_owned();
    world.send(&request).await.unwrap();
    for path in ["/sandbox/calls", "/sandbox/ledger", "/sandbox/settings", "/sandbox"] {
        let answer = get(&world, path).await.to_string();
        assert!(!answer.contains(&signature) && !answer.contains(SECRET), "{path}");
    }
}

#[tokio::test]
async fn settings_faults_jobs_and_instances_are_changed_over_http() {
    let world = World::new().await;
    let patched = control(&world, "PATCH", "/sandbox/settings", &json!({ "lag": "1m", "quirks": { "numericIds": true } })).await.json();
    assert_eq!((&patched["lag"], &get(&world, "/sandbox/settings").await["quirks"]["numericIds"]), (&json!("1m"), &json!(true)));
    let wrong = control(&world, "PATCH", "/sandbox/settings", &json!({ "leg": "1m" })).await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str().unwrap().contains("leg")), (400, true));

    let fault = json!({ "action": "CreateBackup", "times": 1, "effect": { "kind": "status5xx", "status": 503, "executed": true } });
    let id = control(&world, "POST", "/sandbox/faults", &fault).await.json()["id"].clone();
    assert_eq!(world.verdict("CreateBackup", &[("DBInstanceId", "rm-mysql-1")]).await, "503 ServiceUnavailable");
    let faults = get(&world, "/sandbox/faults").await;
    assert_eq!((&faults[0]["id"], &faults[0]["hits"], &faults[0]["active"]), (&id, &json!(1), &json!(false)));
    control(&world, "POST", "/sandbox/faults", &json!({ "effect": { "kind": "dropBefore" } })).await;
    assert_eq!(control(&world, "DELETE", "/sandbox/faults/9", &Value::Null).await.status, 404);
    assert_eq!(control(&world, "DELETE", "/sandbox/faults", &Value::Null).await.json()[1]["active"], false);
    assert_eq!(control(&world, "POST", "/sandbox/faults", &json!({ "effect": { "kind": "unheard" } })).await.status, 400);

    let instances = json!({ "pgm-x": { "engine": "PostgreSQL", "engineVersion": "16.0", "disk": "cloud_essd" } });
    assert_eq!(control(&world, "PUT", "/sandbox/instances", &instances).await.json()["pgm-x"]["disk"], "cloud_essd");
    let job =
        control(&world, "POST", "/sandbox/jobs", &json!({ "instance": "pgm-x", "kind": "Manual", "length": "30s" })).await.json()["jobId"]
            .clone();
    assert_eq!(text(&world.tasks("pgm-x", &[]).await[0]["BackupJobId"]), text(&job));
    world.wait(30);
    assert_eq!(get(&world, "/sandbox/sets?instance=pgm-x").await[0]["origin"], "Foreign");
    assert_eq!(control(&world, "GET", "/sandbox/nonsense", &Value::Null).await.status, 404);
}

#[tokio::test]
async fn every_form_of_a_fault_is_understood_over_http() {
    let world = World::new().await;
    for effect in [
        json!({ "kind": "dropBefore" }),
        json!({ "kind": "loseAnswer" }),
        json!({ "kind": "reset", "executed": true }),
        json!({ "kind": "delay", "ms": 5, "when": "before" }),
        json!({ "kind": "garbage", "body": "truncatedJson", "executed": false }),
        json!({ "kind": "throttle" }),
        json!({ "kind": "throttle", "retryAfterMs": 5 }),
        json!({ "kind": "apiError", "code": "X", "httpStatus": 400, "message": "x", "executed": false }),
        json!({ "kind": "hold", "ms": 5, "executed": false }),
        json!({ "kind": "hang", "executed": true }),
        json!({ "kind": "duplicate" }),
        json!({ "kind": "duplicate", "answer": "second" }),
        json!({ "kind": "failJob" }),
        json!({ "kind": "spoilJob" }),
    ] {
        let answer = control(&world, "POST", "/sandbox/faults", &json!({ "instance": "none-*", "effect": effect })).await;
        assert_eq!(answer.status, 200, "{effect}: {}", answer.json());
    }
}

#[tokio::test]
async fn every_call_is_told_and_written_down_once() {
    let directory = std::env::temp_dir().join(format!("rds-endpoint-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("calls.jsonl");
    let received: Arc<Mutex<Vec<CallRecord>>> = Arc::default();
    let (path, listener) = (file.clone(), received.clone());
    let world = World::with(move |options: &mut Options| {
        options.call_log_file = Some(path);
        options.on_call = Some(Box::new(move |call| listener.lock().unwrap().push(call.clone())));
    })
    .await;
    world.create("rm-mysql-1", &[]).await;
    world.verdict("DescribeBackups", &[("DBInstanceId", "rm-mysql-1")]).await;
    let calls = world.endpoint.calls();
    world.endpoint.stop().await;
    let written: Vec<CallRecord> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!((written.len(), &written), (2, &calls));
    assert_eq!(*received.lock().unwrap(), calls);
}

#[tokio::test]
async fn a_stopped_or_dropped_endpoint_listens_no_more() {
    let gone = async |addr: SocketAddr| {
        let begin = std::time::Instant::now();
        while TcpStream::connect(addr).await.is_ok() {
            assert!(begin.elapsed() < PATIENCE);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let world = World::new().await;
    let addr = world.addr();
    assert_eq!((addr.ip(), world.endpoint.url()), (Ipv4Addr::LOCALHOST.into(), format!("http://{addr}")));
    world.endpoint.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
    let world = World::new().await;
    let addr = world.addr();
    drop(world);
    gone(addr).await;
}

#[tokio::test]
async fn what_is_no_http_does_not_disturb_it() {
    let world = World::new().await;
    let answer = send(world.addr(), "hello\r\n\r\n", PATIENCE).await;
    assert!(matches!(answer, Ok(Response { status: 400, .. }) | Err(Lost::Closed)), "{answer:?}");
    world.create("rm-mysql-1", &[]).await;
}
