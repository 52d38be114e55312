//! A release's life with each Helm: lint, install, upgrade, rollback, uninstall. CRDs and objects outlive it.

use std::time::{Duration, Instant};

use rds_backup_sandbox::plane::Tool;
use serde_json::{Value, json};

use super::cluster::{Cluster, chart, on_plane, one_account, repository};

const NAMESPACE: &str = "rds-backup-system";

async fn run(helm: &Tool, args: &[&str]) -> String {
    helm.run(args).await.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn it_is_installed_upgraded_rolled_back_and_uninstalled() {
    on_plane(|cluster| async move {
        for (name, helm) in cluster.helms() {
            println!("{name}: {}", run(&helm, &["version", "--short"]).await.trim());
            life(&cluster, name, &helm).await;
            cluster.clean(&[NAMESPACE, "team-a"]).await;
        }
    });
}

async fn life(cluster: &Cluster, name: &str, helm: &Tool) {
    let (chart, values) = (chart(), one_account());
    for values in [&[][..], &["--values", &values]] {
        let linted = run(helm, &[&["lint", "--strict", &chart], values].concat()).await;
        assert!(linted.contains("0 chart(s) failed"), "{linted}");
    }

    let release = ["rds-backup-operator", chart.as_str(), "--namespace", NAMESPACE, "--values", &values];
    let installed = run(helm, &[&["install", "--create-namespace"], &release[..]].concat()).await;
    println!("{name}: install\n{installed}");
    assert!(installed.contains("kubectl create secret generic rds-access-key --namespace rds-backup-system"), "{installed}");
    assert!(installed.contains("deployment/rds-backup-operator"), "{installed}");
    let pods = pods(cluster, 2).await;
    assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Pending"), "{pods:#?}");
    assert_eq!(cluster.list("poddisruptionbudgets", NAMESPACE).await.len(), 1);

    cluster.kubectl_ok(&["create", "namespace", "team-a"]).await;
    cluster.served().await;
    roles_of_people(cluster, name).await;
    // What the notes say is next, as they say it.
    let example = installed.split("<<EOF\n").nth(1).and_then(|text| text.split("EOF").next()).expect("the notes have an example");
    let example: String = example.lines().map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect();
    cluster.kubectl().run_with_input(&["apply", "-f", "-"], &example).await.unwrap_or_else(|error| panic!("{error}"));

    let revision = |cluster: &Cluster| {
        let kubectl = cluster.kubectl();
        async move { kubectl.json(&["get", "deployment", "rds-backup-operator", "-n", NAMESPACE]).await.expect("the Deployment") }
    };
    let before = revision(cluster).await;
    let changed = [&["upgrade"], &release[..], &["--set=replicaCount=3", "--set=submissions=Paused"]].concat();
    run(helm, &changed).await;
    let upgraded = revision(cluster).await;
    assert_eq!(upgraded["spec"]["replicas"], 3);
    let template = |deployment: &Value| deployment["spec"]["template"].clone();
    assert_eq!(template(&before), template(&upgraded), "another configuration restarts no pod: the operator reads it anew");
    let config =
        cluster.kubectl_ok(&["get", "configmap", "rds-backup-operator", "-n", NAMESPACE, "-o=jsonpath={.data.config\\.yaml}"]).await;
    assert!(config.contains("submissions: Paused"), "{config}");

    run(helm, &["rollback", "rds-backup-operator", "1", "--namespace", NAMESPACE]).await;
    let back = revision(cluster).await;
    assert_eq!((back["spec"]["replicas"].clone(), template(&back)), (json!(2), template(&before)));
    let history = run(helm, &["history", "rds-backup-operator", "--namespace", NAMESPACE]).await;
    println!("{name}: history\n{history}");

    let uninstalled = run(helm, &["uninstall", "rds-backup-operator", "--namespace", NAMESPACE]).await;
    println!("{name}: {}", uninstalled.trim());
    let kept = cluster.kubectl_ok(&["get", "crd", "-o", "name"]).await;
    assert_eq!(kept.lines().count(), 2, "the CRDs stay: {kept}");
    assert_eq!(cluster.list("rdsbackups", "team-a").await.len(), 1, "the objects stay");
    assert!(cluster.kubectl().run(&["get", "deployment", "rds-backup-operator", "-n", NAMESPACE]).await.is_err());
    let roles = cluster.kubectl_ok(&["get", "clusterroles,clusterrolebindings", "-o", "name"]).await;
    assert!(!roles.contains("rds-backup-operator"), "{roles}");

    nobody_takes_the_finalizer_off(cluster).await;

    // And it comes back to what it left.
    run(helm, &[&["install"], &release[..]].concat()).await;
    assert_eq!(cluster.list("rdsbackups", "team-a").await.len(), 1);
    run(helm, &["uninstall", "rds-backup-operator", "--namespace", NAMESPACE]).await;
}

/// Without an operator an object with its finalizer stays until its owner lets go of it, with the command of the documents.
async fn nobody_takes_the_finalizer_off(cluster: &Cluster) {
    let metadata = json!({ "name": "kept", "namespace": "team-a", "finalizers": ["rdsbackup.io/backup-set"] });
    let spec = json!({ "dbInstanceId": "rm-kept", "deletionPolicy": "Delete" });
    let object = json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": metadata, "spec": spec });
    let kubectl = cluster.kubectl();
    kubectl.run_with_input(&["create", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = kubectl.run(&["delete", "rdsb", "kept", "-n", "team-a", "--timeout=3s"]).await;
    assert!(refused.is_err_and(|error| error.stderr().contains("timed out")), "it waits for an operator");

    let guide = std::fs::read_to_string(repository().join("docs/guides/deletion.md")).expect("the guide");
    let command = guide.lines().find(|line| line.starts_with("kubectl get rdsb -A --no-headers")).expect("the guide has the command");
    println!("{}", cluster.shell(command).await.trim());
    let left = cluster.list("rdsbackups", "team-a").await;
    assert_eq!(left.len(), 1, "the one of before, which nobody deleted: {left:#?}");
    assert_ne!(left[0]["metadata"]["name"], "kept");
}

async fn pods(cluster: &Cluster, count: usize) -> Vec<Value> {
    cluster.until("pods", NAMESPACE, &format!("{count} pods"), |pods| pods.len() == count).await
}

/// The roles view, edit and admin of a namespace cover its backups too; only the operator writes their status.
async fn roles_of_people(cluster: &Cluster, name: &str) {
    // The controller manager adds the chart's rules to a role within a second or so; a right that is never granted is asked for after one
    // that is.
    for (role, verb, resource, subresource, may) in [
        ("view", "list", "rdsbackups", "", true),
        ("view", "create", "rdsbackups", "", false),
        ("edit", "create", "rdsbackupschedules", "", true),
        ("admin", "delete", "rdsbackups", "", true),
        ("admin", "patch", "rdsbackups", "status", false),
    ] {
        let (person, kubectl) = (format!("person-with-{role}"), cluster.kubectl());
        let (cluster_role, user) = (format!("--clusterrole={role}"), format!("--user={person}"));
        // Another row may have made it.
        let _ = kubectl.run(&["create", "rolebinding", &person, &cluster_role, &user, "--namespace=team-a"]).await;
        let (resource, subresource) = (format!("{resource}.rdsbackup.io"), format!("--subresource={subresource}"));
        let question = ["auth", "can-i", verb, &resource, &subresource, "--namespace=team-a", "--as", &person];
        let began = Instant::now();
        while kubectl.run(&question).await.is_ok() != may {
            assert!(began.elapsed() < Duration::from_secs(30), "{name}: {question:?} is not {may}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("{name}: {role} may {}{verb} {resource} {subresource}", if may { "" } else { "not " });
    }
}
