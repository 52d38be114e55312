//! A control plane of their own for the tests of installation, without the operator's CRDs and roles, and both Helms.

use std::{
    sync::{Arc, LazyLock, Weak},
    time::{Duration, Instant},
};

use rds_backup_sandbox::plane::{Helms, Kubectl, Plane, Tool};
use serde_json::Value;

pub use crate::setup::repository;
use crate::setup::{RUNTIME, helms, plane_options};

const PATIENCE: Duration = Duration::from_secs(90);

static CLUSTER: LazyLock<tokio::sync::Mutex<Weak<Cluster>>> = LazyLock::new(Default::default);

pub struct Cluster {
    plane: Plane,
    helms: Helms,
}

/// Runs one test. A release has objects without a namespace, which two releases at once would fight for: one test at a time.
pub fn on_plane<F: Future<Output = ()>>(test: impl FnOnce(Arc<Cluster>) -> F) {
    static ONE_AT_A_TIME: LazyLock<tokio::sync::Mutex<()>> = LazyLock::new(Default::default);
    RUNTIME.block_on(async {
        let cluster = cluster().await;
        let _one_at_a_time = ONE_AT_A_TIME.lock().await;
        test(cluster).await;
    });
}

async fn cluster() -> Arc<Cluster> {
    let mut shared = CLUSTER.lock().await;
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let helms = helms().await;
    let plane = Plane::start(plane_options()).await.unwrap_or_else(|error| panic!("{error}"));
    let cluster = Arc::new(Cluster { plane, helms });
    *shared = Arc::downgrade(&cluster);
    cluster
}

/// The chart's directory, as an argument.
pub fn chart() -> String {
    repository().join("charts/rds-backup-operator").display().to_string()
}

/// Values with one account.
pub fn one_account() -> String {
    repository().join("charts/rds-backup-operator/ci/one-account-values.yaml").display().to_string()
}

impl Cluster {
    pub fn kubectl(&self) -> Kubectl {
        self.plane.kubectl()
    }

    /// Both Helms, with their names.
    pub fn helms(&self) -> [(&'static str, Tool); 2] {
        [("Helm 4", self.plane.helm(&self.helms.v4)), ("Helm 3", self.plane.helm(&self.helms.v3))]
    }

    pub fn helm(&self) -> Tool {
        self.plane.helm(&self.helms.v4)
    }

    /// Runs kubectl and expects that it works.
    pub async fn kubectl_ok(&self, args: &[&str]) -> String {
        self.kubectl().run(args).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command of the documents in a shell, as an administrator.
    pub async fn shell(&self, command: &str) -> String {
        let kubectl = self.kubectl();
        let directory = kubectl.program().parent().expect("kubectl is in a directory");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", directory.display());
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-euc", command]).env("PATH", path).env("KUBECONFIG", self.plane.kubeconfig()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(60), shell.output()).await.expect("it ends").expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub async fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        let list = self.kubectl().json(&["get", kind, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until the objects of a kind in a namespace are as wanted, and returns them.
    pub async fn until(&self, kind: &str, namespace: &str, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            // A CRD that is established may still be answered with 429 while its storage is made.
            let list = self.kubectl().json(&["get", kind, "-n", namespace]).await;
            if let Ok(list) = &list
                && let Some(items) = list["items"].as_array()
                && wanted(items)
            {
                return items.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{kind} in {namespace}: not {what}: {list:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the API server serves both kinds.
    pub async fn served(&self) {
        self.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).await;
        for kind in ["rdsbackups", "rdsbackupschedules"] {
            self.until(kind, "default", "served", |_| true).await;
        }
    }

    /// Takes away what releases leave on purpose.
    pub async fn clean(&self, namespaces: &[&str]) {
        self.kubectl_ok(&["delete", "crd", "--all", "--ignore-not-found", "--timeout=60s"]).await;
        self.kubectl_ok(&[&["delete", "namespace", "--ignore-not-found", "--timeout=90s"], namespaces].concat()).await;
    }
}

/// The YAML documents of a text.
pub fn documents(text: &str) -> Vec<Value> {
    let documents = serde_saphyr::from_multiple::<Value>(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}
