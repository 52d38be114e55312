//! The gate that is a Job: its manifests as a cluster with restricted Pod Security takes them, its roles, and its script as that
//! ServiceAccount.

use std::{
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::process::Command;

use super::stage::Stage;

/// Where the manifests live.
const NAMESPACE: &str = "team-a";
const ACCOUNT: &str = "rds-backup-gate";

/// A look every 10 s, on a busy machine: far below the Job's own deadline.
const AT_ONCE: Duration = Duration::from_secs(90);

fn manifest(name: &str) -> String {
    format!("{}/deploy/argocd/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub async fn check(stage: &Stage) {
    stage.run(&["create", "namespace", NAMESPACE]).await;
    stage.run(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"]).await;
    stage.run(&["create", "--dry-run=server", "-f", &manifest("presync-gate-rdsbackup.yaml")]).await;

    let file = manifest("presync-gate-job.yaml");
    // One document after the other.
    let documents = stage.run(&["create", "--dry-run=client", "-o", "json", "-f", &file]).await;
    let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&documents).into_iter().collect();
    let objects = objects.expect("JSON");
    let (jobs, access): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(|object| object["kind"] == "Job");
    stage.apply(&access.into()).await;
    let [job] = &jobs[..] else { panic!("one Job: {jobs:#?}") };
    let text = job.to_string();
    let created = stage.kubectl().run_with_input(&["create", "--dry-run=server", "-f", "-"], &text).await;
    created.unwrap_or_else(|error| panic!("{error}"));
    // Pod Security only warns of a Job: what it refuses are its Pods.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "gate", "namespace": NAMESPACE }, "spec": job["spec"]["template"]["spec"],
    });
    let created = stage.kubectl().run_with_input(&["create", "--dry-run=server", "-f", "-"], &pod.to_string()).await;
    created.unwrap_or_else(|error| panic!("{error}"));

    let kubeconfig = stage.world.plane.service_account_kubeconfig(NAMESPACE, ACCOUNT).await.expect("a kubeconfig");
    least_privilege(stage, &kubeconfig).await;
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let gate = Gate { stage, container, kubeconfig };
    tokio::join!(
        gate.passes(),
        gate.is_synced_often("rm-mysql-often"),
        hooks_share_a_backup(stage, "presync-gate-rdsbackup.yaml", "rm-mysql-hook"),
        releases_share_a_backup(stage, "rm-mysql-release"),
        gate.fails("rm-readonly-gate", 2, "UnsupportedMethod"),
        gate.fails("rm-nosuch", 2, "InstanceNotFound"),
        async {
            gate.fails("Not-An-Id", 1, "dbInstanceId is made of lower-case letters").await;
        }
    );
}

async fn least_privilege(stage: &Stage, kubeconfig: &Path) {
    let kubectl = stage.kubectl().with_kubeconfig(kubeconfig);
    let may = async |verb: &str, resource: &str, namespace: &str| {
        kubectl.run(&["auth", "can-i", verb, resource, "--namespace", namespace]).await.is_ok()
    };
    for verb in ["create", "get", "list", "watch"] {
        assert!(may(verb, "rdsbackups.rdsbackup.io", NAMESPACE).await, "{verb}");
    }
    for (verb, resource) in
        [("delete", "rdsbackups.rdsbackup.io"), ("patch", "rdsbackups.rdsbackup.io"), ("get", "secrets"), ("create", "pods")]
    {
        assert!(!may(verb, resource, NAMESPACE).await, "{verb} {resource}");
    }
    assert!(!may("create", "rdsbackups.rdsbackup.io", "default").await, "in another namespace");
}

/// As Argo CD creates a hook that has a `generateName`: another object at every sync.
async fn hooks_share_a_backup(stage: &Stage, file: &str, instance: &str) {
    let text = std::fs::read_to_string(manifest(file)).expect("a manifest").replace("rm-uf6wjk5xxxx", instance);
    let sync = async || {
        let created = stage.kubectl().run_with_input(&["create", "-f", "-", "-o", "name"], &text).await;
        let name = created.unwrap_or_else(|error| panic!("{error}"));
        stage.run(&["wait", name.trim(), "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s"]).await;
    };
    shares_a_backup(stage, instance, sync).await;
}

/// As Flux applies one release after the other: the object has another name each time, and that of the previous one stays.
async fn releases_share_a_backup(stage: &Stage, instance: &str) {
    let file = format!("{}/deploy/flux/deploy-gate-backup.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).expect("a manifest").replace("rm-uf6wjk5xxxx", instance);
    let release = std::cell::Cell::new(0);
    let sync = async || {
        release.set(release.get() + 1);
        let name = format!("release-{}", release.get());
        // Each release is reconciled twice.
        for _ in 0..2 {
            let applied =
                stage.kubectl().run_with_input(&["apply", "--server-side", "-f", "-"], &text.replace("before-release-42", &name)).await;
            applied.unwrap_or_else(|error| panic!("{error}"));
        }
        stage.run(&["wait", &format!("rdsbackup/{name}"), "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s"]).await;
    };
    shares_a_backup(stage, instance, sync).await;
}

/// Ten syncs make one backup. When their backup has become older than the hour, the next sync makes another.
async fn shares_a_backup(stage: &Stage, instance: &str, sync: impl AsyncFn()) {
    for _ in 0..10 {
        sync().await;
    }
    assert_eq!(stage.world.rds.accepted(instance), 1, "{instance}: ten syncs in an hour");
    let origins = age(stage, instance).await;
    assert_eq!((origins.iter().filter(|origin| *origin == "Reused").count(), origins.len()), (9, 10), "{instance}: {origins:?}");
    sync().await;
    assert_eq!(stage.world.rds.accepted(instance), 2, "{instance}: after the hour");
    println!("{instance}: ten syncs, 1 accepted request; one more after the hour, 2");
}

/// Makes the backups of an instance two hours older, as their objects tell it. Returns their origins.
async fn age(stage: &Stage, instance: &str) -> Vec<String> {
    let listed = stage.run(&["get", "rdsbackup", "-n", NAMESPACE, "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let mut origins = Vec::new();
    for object in listed["items"].as_array().into_iter().flatten().filter(|object| object["spec"]["dbInstanceId"] == instance) {
        let earlier = |field: &str| {
            let time: jiff::Timestamp = object["status"][field].as_str().expect("a time").parse().expect("a time");
            (time - jiff::SignedDuration::from_hours(2)).to_string()
        };
        let times = json!({ "status": { "startedAt": earlier("startedAt"), "completedAt": earlier("completedAt") } }).to_string();
        let name = object["metadata"]["name"].as_str().expect("a name");
        stage.run(&["patch", "rdsbackup", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", &times]).await;
        origins.push(object["status"]["origin"].as_str().unwrap_or_default().to_owned());
    }
    origins
}

struct Gate<'a> {
    stage: &'a Stage,
    container: &'a Value,
    kubeconfig: PathBuf,
}

impl Gate<'_> {
    /// It waits for the backup; the Pod that replaces another waits for the same one.
    async fn passes(&self) {
        for pod in ["the first Pod", "its replacement"] {
            let output = self.run("rm-mysql-gate", "7d2f").await;
            assert!(output.status.success(), "{pod}: {output:#?}");
        }
        let backup = self.stage.run(&["get", "rdsbackup", "before-deploy-7d2f", "-n", NAMESPACE, "-o", "jsonpath={.status.phase}"]).await;
        assert_eq!(backup, "Succeeded");
        assert_eq!(self.stage.world.rds.accepted("rm-mysql-gate"), 1);
    }

    /// Ten syncs, ten Jobs.
    async fn is_synced_often(&self, instance: &str) {
        let number = std::cell::Cell::new(0);
        let sync = async || {
            number.set(number.get() + 1);
            let output = self.run(instance, &format!("often-{}", number.get())).await;
            assert!(output.status.success(), "{output:#?}");
        };
        shares_a_backup(self.stage, instance, sync).await;
    }

    async fn fails(&self, instance: &str, code: i32, words: &str) {
        let begun = Instant::now();
        let output = self.run(instance, &instance.to_lowercase()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{instance}: {output:#?}");
        assert!(said.contains(words), "{instance}: {said}");
        println!("the gate said no to {instance} after {:.1} s", begun.elapsed().as_secs_f32());
    }

    /// The container's command as its ServiceAccount, with kubectl and a shell and nothing else of this machine's environment.
    async fn run(&self, instance: &str, job: &str) -> Output {
        let texts = |key: &str| self.container[key].as_array().cloned().unwrap_or_default();
        let words: Vec<String> =
            texts("command").into_iter().chain(texts("args")).map(|word| word.as_str().expect("text").to_owned()).collect();
        let home = tempfile::tempdir().expect("a directory");
        let kubectl = self.stage.kubectl();
        let tools = kubectl.program().parent().expect("a directory").display().to_string();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().kill_on_drop(true);
        command.env("PATH", format!("{tools}:/usr/bin:/bin")).env("KUBECONFIG", &self.kubeconfig);
        for variable in texts("env") {
            let name = variable["name"].as_str().expect("a name");
            let value = match name {
                "DB_INSTANCE_ID" => instance.to_owned(),
                "NAMESPACE" => NAMESPACE.to_owned(),
                "JOB_UID" => job.to_owned(),
                "HOME" => home.path().display().to_string(),
                other => panic!("a variable {other} that is not known here"),
            };
            command.env(name, value);
        }
        let ended = tokio::time::timeout(AT_ONCE, command.output()).await;
        ended.unwrap_or_else(|_| panic!("{instance}: the gate does not end")).expect("it runs")
    }
}
