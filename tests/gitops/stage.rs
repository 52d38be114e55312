//! A world with a namespace of situations, and a directory of what the API server says of them.

use std::{
    collections::BTreeSet,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use rds_backup_sandbox::{
    plane::Kubectl,
    rds::InstanceSpec,
    world::{Operator, SECRET, StartOperator, World},
};
use serde_json::{Value, json};

pub use crate::environment::condition;
use crate::environment::world_options;

pub const NAMESPACE: &str = "situations";
/// Here the API server refuses every RdsBackup.
pub const REFUSED: &str = "refused";
/// Here a webhook that does not answer stands before every RdsBackup.
pub const UNANSWERED: &str = "unanswered";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Stage {
    pub world: World,
    files: tempfile::TempDir,
}

/// A recording that is wanted, of the object that is as `is` says.
pub struct Want {
    kind: &'static str,
    situation: &'static str,
    is: Box<dyn Fn(&Value) -> bool>,
}

impl Want {
    pub fn backup(situation: &'static str, is: impl Fn(&Value) -> bool + 'static) -> Self {
        Self { kind: "RdsBackup", situation, is: Box::new(is) }
    }

    pub fn schedule(situation: &'static str, is: impl Fn(&Value) -> bool + 'static) -> Self {
        Self { kind: "RdsBackupSchedule", situation, is: Box::new(is) }
    }
}

impl Stage {
    pub async fn set() -> Self {
        let mut options = world_options();
        let long = InstanceSpec { job_time: Some(Duration::from_secs(3600)), ..InstanceSpec::default() };
        options.catalogue = options.catalogue.with("rm-mysql-long-*", long);
        let world = World::start(options).await.unwrap_or_else(|error| panic!("the world does not start: {error:?}"));
        let files = tempfile::tempdir().expect("a directory");
        for part in ["recordings", "patches"] {
            std::fs::create_dir(files.path().join(part)).expect("a directory");
        }
        let stage = Self { world, files };
        for namespace in [NAMESPACE, REFUSED, UNANSWERED] {
            stage.run(&["create", "namespace", namespace]).await;
        }
        stage.refuse_children().await;
        stage.install_in_argo_cd().await;
        stage
    }

    pub fn kubectl(&self) -> Kubectl {
        self.world.kubectl()
    }

    pub async fn run(&self, args: &[&str]) -> String {
        self.kubectl().run(args).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn apply(&self, objects: &Value) {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        self.kubectl().run_with_input(&["apply", "-f", "-"], &list).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn patch(&self, kind: &str, name: &str, patch: &Value) {
        self.run(&["patch", kind, name, "-n", NAMESPACE, "--type=merge", "-p", &patch.to_string()]).await;
    }

    pub fn recordings(&self) -> PathBuf {
        self.files.path().join("recordings")
    }

    pub fn patches(&self) -> PathBuf {
        self.files.path().join("patches")
    }

    /// Every version of the RdsBackups, one a line.
    pub fn history(&self) -> PathBuf {
        self.files.path().join("history.jsonl")
    }

    /// Writes down every version of the RdsBackups that a watch shows, until it is dropped.
    pub async fn watch(&self) {
        let mut file = std::fs::File::create(self.history()).expect("a file");
        let args = ["get", "rdsbackups", "--all-namespaces", "--watch", "--output=jsonpath={@}{\"\\n\"}"];
        let mut stream = self.kubectl().stream(&args).expect("kubectl");
        while let Some(line) = stream.line().await {
            writeln!(file, "{line}").expect("written");
        }
        panic!("the watch has ended");
    }

    /// `argocd-cm` as the API server returns it.
    pub fn config_map(&self) -> PathBuf {
        self.files.path().join("argocd-cm.json")
    }

    /// The operator, with accounts for situations beside the world's own.
    pub async fn operator(&self) -> Operator {
        let account = |name: &str, namespaces: &str, expiry: &str| {
            format!(
                "  {name}:\n    regionId: cn-hangzhou\n    endpoint: {}\n    credentials: {{ type: Secret, name: {SECRET} }}\n    \
                 protocol: {{ requestExpiry: {expiry}, clockSkew: 2s, listingLag: 4s }}\n    poll: {{ first: 1s, min: 1s, max: 2s }}\n    \
                 allow: [{{ namespaces: [\"{namespaces}\"], instances: [\"*\"], regions: [\"*\"] }}]\n",
                self.world.rds.url()
            )
        };
        // What was lost stays open for as long as the request might be accepted.
        let accounts = [account("others", "others-*", "5s"), account("patient", "*", "1h"), account("never", "*", "Never")].concat();
        let config = self.world.write_config("situations.yaml", &self.world.operator_config(&accounts)).expect("a file");
        let start = StartOperator { config: Some(config), ..StartOperator::default() };
        let mut operator = self.world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));
        operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
        operator
    }

    /// Every object of both kinds, as the API server returns it.
    pub async fn objects(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        for resource in ["rdsbackups", "rdsbackupschedules"] {
            let path = format!("/apis/rdsbackup.io/v1alpha1/{resource}");
            objects.append(&mut self.world.reader().items(&path).await.unwrap_or_else(|error| panic!("{error}")));
        }
        objects
    }

    /// Waits until each is there, and writes it down as it is at that moment.
    pub async fn record(&self, wants: impl IntoIterator<Item = Want>) {
        let mut wants: Vec<Want> = wants.into_iter().collect();
        let begun = Instant::now();
        loop {
            let objects = self.objects().await;
            wants.retain(|want| match objects.iter().find(|object| object["kind"] == want.kind && (want.is)(object)) {
                Some(object) => {
                    let file = self.recordings().join(format!("{}.{}.json", want.kind, want.situation));
                    std::fs::write(file, object.to_string()).expect("a file");
                    false
                }
                None => true,
            });
            if wants.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not recorded: {:?}\n{}", situations(&wants), described(&objects));
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Waits until an object is as `is` says.
    pub async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let objects = self.objects().await;
            if let Some(object) = objects.iter().find(|object| is(object)) {
                return object.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: did not happen\n{}", described(&objects));
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Two namespaces in which no RdsBackup can be created: in one a policy refuses it, in the other a webhook does not answer.
    async fn refuse_children(&self) {
        let of = |namespace: &str| json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } });
        let rules = json!([{ "apiGroups": ["rdsbackup.io"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["rdsbackups"] }]);
        let admission =
            |kind: &str| json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": REFUSED } });
        let mut policy = admission("ValidatingAdmissionPolicy");
        policy["spec"] = json!({
            "failurePolicy": "Fail", "matchConstraints": { "resourceRules": rules },
            "validations": [{ "expression": "false", "message": "the budget is used up" }],
        });
        let mut binding = admission("ValidatingAdmissionPolicyBinding");
        binding["spec"] =
            json!({ "policyName": REFUSED, "validationActions": ["Deny"], "matchResources": { "namespaceSelector": of(REFUSED) } });
        let mut webhook = admission("ValidatingWebhookConfiguration");
        webhook["webhooks"] = json!([{
            "name": "unanswered.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            // Nothing listens there.
            "clientConfig": { "url": "https://127.0.0.1:1/" }, "timeoutSeconds": 1, "namespaceSelector": of(UNANSWERED), "rules": rules,
        }]);
        self.apply(&json!([policy, binding, webhook])).await;
        // The API server takes them up within a second or so.
        for (namespace, words) in [(REFUSED, "the budget is used up"), (UNANSWERED, "failed calling webhook")] {
            let probe = json!({
                "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": "probe", "namespace": namespace },
                "spec": { "dbInstanceId": "rm-mysql-probe" },
            });
            let (begun, probe) = (Instant::now(), probe.to_string());
            let refused = async || {
                let answer = self.kubectl().run_with_input(&["create", "--dry-run=server", "-f", "-"], &probe).await;
                answer.is_err_and(|error| error.stderr().contains(words))
            };
            while !refused().await {
                assert!(begun.elapsed() < PATIENCE, "{namespace}: nothing refuses");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Adds the customizations to an `argocd-cm` that has something of its own, as the file says.
    async fn install_in_argo_cd(&self) {
        self.run(&["create", "namespace", "argocd"]).await;
        self.run(&["create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd.example.com"]).await;
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd/argocd-cm.yaml");
        self.run(&["apply", "--server-side", "--field-manager=rds-backup-operator", "-f", file]).await;
        let config_map = self.kubectl().json(&["get", "configmap", "argocd-cm", "-n", "argocd"]).await.expect("argocd-cm");
        assert_eq!(config_map["data"]["url"], "https://argocd.example.com", "what was there stays");
        std::fs::write(self.config_map(), config_map.to_string()).expect("a file");
    }
}

fn situations(wants: &[Want]) -> BTreeSet<String> {
    wants.iter().map(|want| format!("{} {}", want.kind, want.situation)).collect()
}

/// The objects that there are, for a failure message.
fn described(objects: &[Value]) -> String {
    let line = |object: &Value| {
        let ready = condition(object, "Ready");
        format!(
            "{} {}/{} generation {} of {}: {} {} {}\n",
            object["kind"],
            object["metadata"]["namespace"],
            object["metadata"]["name"],
            object["status"]["observedGeneration"],
            object["metadata"]["generation"],
            object["status"]["phase"],
            ready["reason"],
            ready["message"]
        )
    };
    objects.iter().map(line).collect()
}

pub fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind)["status"] == "True"
}

pub fn named(object: &Value, name: &str) -> bool {
    object["metadata"]["name"] == name && object["metadata"]["namespace"] != "team-a"
}

pub fn is_observed(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}
