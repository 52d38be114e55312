//! Applies snippets and samples to a real API server.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use rds_backup_sandbox::plane::{Kubectl, Plane, PlaneOptions};
use serde_json::Value;

use crate::{
    ROOT, files, read,
    snippets::{Found, Object},
};

#[tokio::test]
async fn the_api_server_takes_what_the_documentation_shows_and_refuses_what_it_calls_invalid() {
    let plane = Plane::start(PlaneOptions { progress: Box::new(|_| {}), ..PlaneOptions::default() }).await.expect("a plane");
    plane.apply_file(&Path::new(ROOT).join("crds")).await.expect("the CRDs");
    let kubectl = plane.kubectl();
    served(&kubectl).await;

    let shown = Found::everywhere().objects;
    let (valid, invalid): (Vec<Object>, Vec<Object>) = samples().into_iter().partition(|sample| !sample.from.contains("/invalid-"));
    assert!(!shown.is_empty() && !valid.is_empty() && !invalid.is_empty(), "{} {} {}", shown.len(), valid.len(), invalid.len());
    namespaces(&kubectl, shown.iter().chain(&valid).chain(&invalid)).await;

    let mut wrong = Vec::new();
    for object in shown.iter().chain(&valid) {
        wrong.extend(dry_run(&kubectl, object).await.err().map(|why| format!("{}: {why}", object.from)));
    }
    for object in &invalid {
        if dry_run(&kubectl, object).await.is_ok() {
            wrong.push(format!("{} is accepted, and its name says that it is not", object.from));
        }
    }
    // A dry run that refuses nothing would check nothing, so a wrong object must be refused.
    let misspelt = Object {
        from: String::new(),
        value: serde_json::json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
        "metadata": { "name": "misspelt", "namespace": "default" }, "spec": { "dbInstanceId": "rm-1", "databses": ["a"] } }),
    };
    let refused = dry_run(&kubectl, &misspelt).await.expect_err("an unknown field is accepted");
    assert!(refused.contains("databses"), "{refused}");
    println!("{} snippets and {} samples accepted, {} samples refused", shown.len(), valid.len(), invalid.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    plane.stop().await;
}

/// For up to a second after a CRD is Established the API server answers 429 for its objects.
async fn served(kubectl: &Kubectl) {
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await.expect("the CRDs are established");
    let begun = Instant::now();
    while let Err(error) = kubectl.run(&["get", "rdsbackups,rdsbackupschedules", "--all-namespaces"]).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn samples() -> Vec<Object> {
    let mut objects = Vec::new();
    let shown = |file: &std::path::PathBuf| file.starts_with("deploy/samples") || file.ends_with("deploy-gate-backup.yaml");
    for file in files(".yaml").into_iter().filter(shown) {
        let from = file.display().to_string();
        let documents = serde_saphyr::from_multiple::<Value>(&read(&file)).unwrap_or_else(|error| panic!("{from}: {error}"));
        objects.extend(documents.into_iter().map(|value| Object { from: from.clone(), value }));
    }
    objects
}

/// Creates the namespaces of the objects, which are not part of the check.
async fn namespaces(kubectl: &Kubectl, objects: impl Iterator<Item = &Object>) {
    let wanted: BTreeSet<&str> = objects.filter_map(|object| object.value["metadata"]["namespace"].as_str()).collect();
    let there = kubectl.run(&["get", "namespaces", "--output=jsonpath={.items[*].metadata.name}"]).await.expect("the namespaces");
    let there: BTreeSet<&str> = there.split_whitespace().collect();
    for namespace in wanted.difference(&there) {
        kubectl.run(&["create", "namespace", namespace]).await.expect("a namespace");
    }
}

/// A server-side apply, which refuses fields that the server does not know. An object without a name is created instead.
async fn dry_run(kubectl: &Kubectl, object: &Object) -> Result<(), String> {
    let how: &[&str] = if object.value["metadata"]["name"].is_string() { &["apply", "--server-side"] } else { &["create"] };
    let args = [how, &["--dry-run=server", "--validate=strict", "--filename=-"]].concat();
    kubectl.run_with_input(&args, &object.value.to_string()).await.map(drop).map_err(|error| error.stderr().to_owned())
}
