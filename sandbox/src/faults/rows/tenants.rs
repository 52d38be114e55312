//! Rows 40, 41 and 43: the trouble of one tenant beside the backups of another.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::environment::{Environment, of_name, seconds};
use super::limits;
use crate::faults::error::FaultsError;
use crate::faults::proxied_operator::Setup;

/// Accounts whose endpoints accept connections and never answer.
const HUNG_ACCOUNTS: usize = 2;
/// Objects of each of them.
const HUNG_OBJECTS: usize = 20;
/// Within this time a backup of the healthy account must be accepted.
const SOON: Duration = seconds(15);

/// Row 40: two accounts whose endpoints never answer, with 20 objects each; then 5 backups of a healthy account.
pub(super) async fn hung_accounts(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let mut accounts = String::from("accounts:\n");
    // Ends the endpoints at the end of the row.
    let mut endpoints = JoinSet::new();
    for number in 0..HUNG_ACCOUNTS {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = listener.local_addr()?;
        endpoints.spawn(never_answer(listener));
        accounts += &format!(
            "  hung-{number}:\n    regionId: cn-hangzhou\n    endpoint: http://{endpoint}\n    credentials: {{ type: Secret, name: {secret} }}\n    \
             allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n",
            secret = crate::world::SECRET,
        );
    }
    env.start_operator_with(Setup { changes: vec![("accounts:\n".to_owned(), accounts)], ..Setup::default() }).await?;
    let hung = (0..HUNG_ACCOUNTS * HUNG_OBJECTS).map(|number| {
        let spec = json!({
            "dbInstanceId": env.instance(&format!("hung-{number}")), "method": "Physical", "account": format!("hung-{}", number % HUNG_ACCOUNTS),
        });
        object(env, &format!("hung-{number}"), spec, json!({}))
    });
    let hung: Vec<Value> = hung.collect();
    create(env, hung).await?;
    // Until their calls hang.
    tokio::time::sleep(seconds(5)).await;
    env.outcome.faults += HUNG_ACCOUNTS * HUNG_OBJECTS;
    let began = Instant::now();
    env.backups("healthy", 5, 1).await?;
    let accepted = env.until_accepted(5, seconds(120)).await;
    let took = began.elapsed();
    env.expect(accepted && took < SOON, format!("the requests of the healthy account took {:.1} s", took.as_secs_f64()));
    env.note(format!(
        "beside {} objects of hung accounts the last of 5 requests was accepted after {:.1} s",
        HUNG_ACCOUNTS * HUNG_OBJECTS,
        took.as_secs_f64()
    ));
    env.until("at their ends: healthy", seconds(60), |objects| all(objects, "healthy-", "Succeeded")).await;
    remove(env, "hung").await
}

async fn never_answer(listener: TcpListener) {
    let mut connections = Vec::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.push(connection);
    }
}

/// Objects with large annotations: together nearly as much as the operator's memory, and in an operator that kept them more than it.
const FAT_OBJECTS: usize = 600;
/// 16 passes at a time each have an object, its status write and its answer in memory.
const MEMORY: u64 = 128 << 20;

/// Row 41: 600 objects with 200 KiB of annotations each, which is 120 MB, and 128 MiB of memory.
pub(super) async fn fat_cache(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let ballast = "x".repeat(200 << 10);
    for chunk in 0..FAT_OBJECTS / 30 {
        let fat = (0..30).map(|one| {
            let number = chunk * 30 + one;
            let spec = json!({ "dbInstanceId": env.instance(&format!("fat-{number}")), "method": "Physical", "account": "missing" });
            let mut fat = object(env, &format!("fat-{number}"), spec, json!({ "example.com/ballast": ballast }));
            fat["metadata"]["labels"] = json!({ "size": "fat" });
            fat
        });
        let fat: Vec<Value> = fat.collect();
        create(env, fat).await?;
    }
    env.outcome.faults += FAT_OBJECTS;
    env.start_operator().await?;
    limits::limit_memory(env, MEMORY)?;
    env.backups("beside", 3, 1).await?;
    // These alone: a list of all would move the 120 MB each time.
    let (namespace, kubectl, began) = (env.outcome.namespace.clone(), env.kubectl(), Instant::now());
    let args = ["get", "rdsbackup", "beside-0-0", "beside-1-0", "beside-2-0", "--namespace", &namespace];
    while !kubectl.json(&args).await?["items"].as_array().is_some_and(|beside| all(beside, "beside-", "Succeeded")) {
        if began.elapsed() > seconds(120) {
            env.outcome.trouble("the backups beside the large objects have not succeeded after 120 s");
            break;
        }
        tokio::time::sleep(seconds(1)).await;
    }
    env.expect_still_running()?;
    let (heap, peak) = (limits::heap_kib(env), limits::peak_kib(env));
    // The limit is one of data: the pages of the program's file do not count.
    env.expect((1..MEMORY >> 10).contains(&heap), format!("{heap} KiB of data"));
    env.note(format!("{heap} KiB of data, {peak} KiB resident at the peak with the program, with 120 MB of annotations"));
    env.kubectl().run(&["delete", "rdsbackup", "--wait=false", "--namespace", &namespace, "--selector=size=fat"]).await?;
    Ok(())
}

/// Row 43: beside an object that this version cannot read, whose intent is open, nothing is sent for its instance; once it is
/// deleted, the backups behind it are made.
pub(super) async fn unreadable_rival(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let instance = env.instance("shared");
    let spec = json!({ "dbInstanceId": instance, "method": "Physical" });
    create(env, vec![object(env, "rival", spec, json!({}))]).await?;
    let now = env.world.rds.now().service;
    let intent = json!({
        "run": 1, "attempt": 1, "nonce": "of-a-newer-version", "timestamp": now, "cleared": true,
        "unresolvedSince": now, "waitingSince": now, "baseline": { "at": now },
    });
    write_unreadable(env, "rival", "Dancing", &intent).await?;
    env.outcome.faults += 1;
    env.start_operator().await?;
    env.asked(&instance, 1..=1);
    env.expect_more(1);
    env.backup("behind", &instance).await?;
    env.until("said about", seconds(30), |objects| !of_name(objects, "behind")["status"]["conditions"].is_null()).await;
    // Longer than an intent of these worlds is open.
    tokio::time::sleep(seconds(20)).await;
    env.expect(env.accepted() == 0, "a request was sent beside the open intent of an object that cannot be read");
    let objects = env.objects().await?;
    let said = super::environment::condition(of_name(&objects, "behind"), "Ready").clone();
    env.note(format!("said {}: {}", said["reason"], said["message"]));
    env.expect(
        said["message"].as_str().is_some_and(|message| message.contains("rival")),
        "the object does not name the one that it waits for",
    );
    let namespace = env.outcome.namespace.clone();
    env.kubectl().run(&["delete", "rdsbackup", "rival", "--namespace", &namespace]).await?;
    env.until_phase("behind", "Succeeded").await;
    Ok(())
}

/// Writes a phase that the CRD does not know, which is loosened for the time of the write.
async fn write_unreadable(env: &mut Environment<'_>, name: &str, phase: &str, intent: &Value) -> Result<(), FaultsError> {
    const PHASE: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/phase";
    let kubectl = env.kubectl();
    let crd = kubectl.json(&["get", "crd", "rdsbackups.rdsbackup.io"]).await?;
    let known = crd.pointer(PHASE).cloned().unwrap_or(Value::Null);
    let set = |value: &Value| json!([{ "op": "replace", "path": PHASE, "value": value }]).to_string();
    kubectl.run(&["patch", "crd", "rdsbackups.rdsbackup.io", "--type=json", "-p", &set(&json!({ "type": "string" }))]).await?;
    let status = json!({ "status": { "observedGeneration": 1, "phase": phase, "submission": intent } }).to_string();
    let namespace = env.outcome.namespace.clone();
    let write = ["patch", "rdsbackup", name, "--namespace", &namespace, "--subresource=status", "--type=merge", "-p", &status];
    let began = Instant::now();
    while let Err(error) = kubectl.run(&write).await {
        if began.elapsed() > seconds(15) {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    kubectl.run(&["patch", "crd", "rdsbackups.rdsbackup.io", "--type=json", "-p", &set(&known)]).await?;
    Ok(())
}

fn object(env: &Environment<'_>, name: &str, spec: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": { "name": name, "namespace": env.outcome.namespace, "annotations": annotations }, "spec": spec,
    })
}

async fn create(env: &Environment<'_>, items: Vec<Value>) -> Result<(), FaultsError> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    env.kubectl().run_with_input(&["create", "--filename=-"], &list).await?;
    Ok(())
}

/// Deletes the objects whose names begin so: they have no end of their own.
async fn remove(env: &mut Environment<'_>, prefix: &str) -> Result<(), FaultsError> {
    let objects = env.objects().await?;
    let names = objects.iter().filter_map(|object| object["metadata"]["name"].as_str()).filter(|name| name.starts_with(prefix));
    let namespace = env.outcome.namespace.clone();
    let args = [vec!["delete", "rdsbackup", "--wait=false", "--namespace", &namespace], names.collect()].concat();
    env.kubectl().run(&args).await?;
    Ok(())
}

fn all(objects: &[Value], prefix: &str, phase: &str) -> bool {
    let named = |object: &&Value| object["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix));
    let mut those = objects.iter().filter(named).peekable();
    those.peek().is_some() && those.all(|object| object["status"]["phase"] == phase)
}
