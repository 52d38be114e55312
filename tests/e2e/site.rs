//! The site of one test: a namespace, instances and an operator of its own, in a world that the tests share.

use std::{
    collections::BTreeSet,
    ops::Deref,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rds_backup_sandbox::{
    plane::{
        Kubectl,
        audit::{self, AuditEvent},
    },
    rds::{CallRecord, Endpoint},
    world::{Operator, StartOperator, World},
};
use serde_json::{Value, json};

pub use crate::environment::{EXPIRY, LAG, condition};
use crate::{
    environment::world_options,
    rights::{self, Right, Scope},
    setup::RUNTIME,
};

/// Longer than anything here takes on a busy machine: a wait that exceeds it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

static WORLD: LazyLock<tokio::sync::Mutex<Weak<Shared>>> = LazyLock::new(Default::default);
static SITES: AtomicU32 = AtomicU32::new(1);
static RUNNING_TESTS: AtomicU32 = AtomicU32::new(0);
/// The requests of operators to API servers that have been stopped.
static ASKED: Mutex<BTreeSet<Right>> = Mutex::new(BTreeSet::new());
/// The actions that operators called at endpoints that have been stopped.
static CALLED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A world whose audit log is read before it is stopped.
pub struct Shared(World);

impl Deref for Shared {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        note_calls(&self.0.rds);
        match audit::read(self.0.plane.audit_log()) {
            Ok(log) => note(&log),
            // Its requests are lost: a right that no role grants makes the comparison fail, instead of passing without them.
            Err(error) => _ = ASKED.lock().unwrap_or_else(PoisonError::into_inner).insert(rights::unknown(&error.to_string())),
        }
    }
}

/// Keeps what these requests asked for.
pub fn note(log: &[AuditEvent]) {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).extend(rights::asked(log));
}

/// The rights that operators have asked for so far, in this world and in those before it.
pub fn requests(site: &Site) -> BTreeSet<Right> {
    note(&site.audit());
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub fn note_calls(rds: &Endpoint) {
    CALLED.lock().unwrap_or_else(PoisonError::into_inner).extend(rds.calls().into_iter().map(|call| call.action));
}

/// The actions that operators have called so far, in this world and in those before it.
pub fn actions(site: &Site) -> BTreeSet<String> {
    note_calls(site.rds());
    CALLED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// How many other tests run now.
pub fn other_running_tests() -> u32 {
    RUNNING_TESTS.load(Ordering::SeqCst) - 1
}

/// Counts one test for as long as it runs, however it ends.
pub struct RunningTest;

impl RunningTest {
    pub fn begin() -> Self {
        RUNNING_TESTS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for RunningTest {
    fn drop(&mut self) {
        RUNNING_TESTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The world of all tests that run now; the last one to end takes it down.
async fn world() -> Arc<Shared> {
    let mut shared = WORLD.lock().await;
    if let Some(world) = shared.upgrade() {
        return world;
    }
    let options = world_options();
    let quirks = &options.settings.quirks;
    assert!(quirks.numeric_ids && quirks.process125, "the wire's quirks are on");
    let world = World::start(options).await.unwrap_or_else(|error| panic!("the world does not start: {error:?}"));
    if rights::scope() == Scope::Namespaces {
        rights::narrow(&world).await;
    }
    let world = Arc::new(Shared(world));
    *shared = Arc::downgrade(&world);
    world
}

/// Runs one test at a site of its own.
pub fn at_site<F: Future<Output = ()>>(test: impl FnOnce(Arc<Site>) -> F) {
    let _running = RunningTest::begin();
    RUNTIME.block_on(async {
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        let site = Arc::new(Site { world: world().await, namespace: format!("site-{number}"), number });
        site.kubectl().run(&["create", "namespace", &site.namespace]).await.expect("a namespace");
        match rights::scope() {
            Scope::Namespaces => rights::grant(&site.world, &site.namespace).await,
            Scope::Cluster => rights::grant_lease(&site.world, &site.namespace).await,
        }
        test(site).await;
    });
}

pub struct Site {
    pub world: Arc<Shared>,
    pub namespace: String,
    number: u32,
}

impl Site {
    pub fn kubectl(&self) -> Kubectl {
        self.world.kubectl()
    }

    pub fn rds(&self) -> &Endpoint {
        &self.world.rds
    }

    /// An instance id that no other test uses; `kind` decides engine and disk, for example `rm-mysql`.
    pub fn instance(&self, kind: &str) -> String {
        format!("{kind}-s{}", self.number)
    }

    /// A ServiceAccount of this site that may do what the operator's may: its kubeconfig, and its name in the audit log.
    pub async fn account(&self, name: &str) -> (std::path::PathBuf, String) {
        let (system, account) = ("rds-backup-system", format!("{}-with-{name}", self.namespace));
        let kubectl = self.kubectl();
        kubectl.run(&["create", "serviceaccount", &account, "-n", system]).await.unwrap();
        rights::grant_as_well(&kubectl, &account, &self.namespace).await;
        let kubeconfig = self.world.plane.service_account_kubeconfig(system, &account).await.unwrap();
        (kubeconfig, audit::service_account_user(system, &account))
    }

    /// An operator that watches this site only.
    pub async fn operator(&self) -> Operator {
        self.operator_with(StartOperator::default()).await
    }

    pub async fn operator_with(&self, start: StartOperator) -> Operator {
        let mut operator = self.start(start);
        operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
        operator
    }

    pub fn start(&self, mut start: StartOperator) -> Operator {
        start.args.extend(["--watch-namespace", &self.namespace, "--lease-namespace", rights::lease_namespace()].map(str::to_owned));
        self.world.start_operator(start).unwrap_or_else(|error| panic!("{error}"))
    }

    /// An operator whose configuration is the world's, with these texts replaced.
    pub async fn operator_configured(&self, changes: &[(&str, &str)]) -> Operator {
        let config = self.config(changes);
        self.operator_with(StartOperator { config: Some(config), ..StartOperator::default() }).await
    }

    pub fn config(&self, changes: &[(&str, &str)]) -> std::path::PathBuf {
        let mut text = self.world.operator_config("");
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in:\n{text}");
            text = text.replacen(from, to, 1);
        }
        self.world.write_config(&format!("{}-{}.yaml", self.namespace, SITES.fetch_add(1, Ordering::Relaxed)), &text).expect("a file")
    }

    pub async fn apply(&self, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": self.namespace }, "spec": spec,
        });
        self.kubectl().run_with_input(&["apply", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn get(&self, name: &str) -> Value {
        self.world.reader().object("rdsbackups", &self.namespace, name).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn delete(&self, name: &str) {
        self.kubectl().run(&["delete", "rdsbackup", name, "-n", &self.namespace]).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until the object is as `wanted` says.
    pub async fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let object = self.get(name).await;
            if wanted(&object) {
                return object;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{name} is not {what}:\n{}",
                serde_json::to_string_pretty(&object["status"]).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn until_phase(&self, name: &str, phase: &str) -> Value {
        self.until(name, phase, |object| {
            let now = object["status"]["phase"].as_str().unwrap_or_default();
            assert!(now == phase || !matches!(now, "Succeeded" | "Failed"), "{name} ended otherwise:\n{:#}", object["status"]);
            now == phase
        })
        .await
    }

    pub async fn until_reason(&self, name: &str, reason: &str) -> Value {
        self.until(name, reason, |object| condition(object, "Ready")["reason"] == reason).await
    }

    /// Every call about an instance, as the endpoint saw it.
    pub fn calls(&self, instance: &str) -> Vec<CallRecord> {
        self.rds().calls().into_iter().filter(|call| call.instance == instance).collect()
    }

    pub fn creates(&self, instance: &str) -> Vec<CallRecord> {
        self.calls(instance).into_iter().filter(|call| call.action == "CreateBackup").collect()
    }

    /// The audit log once it is written, without watches' ends.
    pub fn audit(&self) -> Vec<AuditEvent> {
        audit::read(self.world.plane.audit_log()).expect("the audit log")
    }

    /// An admission rule that refuses status writes of this site for which `expression` (CEL over `object`) is false.
    pub async fn refuse_status_unless(&self, expression: &str) {
        let name = format!("{}-status", self.namespace);
        let rule = json!({
            "apiVersion": "v1", "kind": "List", "items": [
                {
                    "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
                    "spec": {
                        "failurePolicy": "Fail",
                        "matchConstraints": { "resourceRules": [{
                            "apiGroups": ["rdsbackup.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["rdsbackups/status"],
                        }] },
                        "validations": [{ "expression": expression, "message": "refused by the test" }],
                    },
                },
                {
                    "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
                    "spec": {
                        "policyName": name, "validationActions": ["Deny"],
                        "matchResources": { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": self.namespace } } },
                    },
                },
            ],
        });
        self.kubectl().run_with_input(&["apply", "-f", "-"], &rule.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
        // The API server takes the rule up within a second or so: a write that must be refused is tried until it is.
        let probe = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": "probe", "namespace": self.namespace },
            "spec": { "dbInstanceId": "rm-mysql-probe", "account": "missing" },
        });
        self.kubectl().run_with_input(&["create", "-f", "-"], &probe.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
        let begun = Instant::now();
        let patch = json!({ "status": {
            "backupJobId": "1", "submission": {
                "run": 1, "attempt": 1, "nonce": "n", "timestamp": "2026-01-01T00:00:00Z", "cleared": true, "unresolvedSince": "2026-01-01T00:00:00Z",
                "waitingSince": "2026-01-01T00:00:00Z", "baseline": { "at": "2026-01-01T00:00:00Z" },
            },
        } });
        let patch = patch.to_string();
        let args = ["patch", "rdsbackup", "probe", "-n", &self.namespace, "--subresource=status", "--type=merge", "-p", &patch];
        while !self.kubectl().run(&args).await.is_err_and(|error| error.stderr().contains("refused by the test")) {
            assert!(begun.elapsed() < PATIENCE, "the rule is not in force");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.delete("probe").await;
    }

    /// A kubeconfig of the operator's user for a port on which no server listens.
    pub fn kubeconfig_of_no_server(&self) -> std::path::PathBuf {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let text = std::fs::read_to_string(self.world.operator_kubeconfig()).expect("the operator's kubeconfig");
        let text = text.replace(self.world.plane.server(), &format!("https://127.0.0.1:{port}"));
        self.world.write_config(&format!("{}-away-{port}.yaml", self.namespace), &text).expect("a file")
    }

    /// Waits until the service has accepted a request for a backup of an instance.
    pub async fn until_accepted(&self, instance: &str) {
        let begun = Instant::now();
        while self.rds().accepted(instance) == 0 {
            assert!(begun.elapsed() < PATIENCE, "no request for {instance} was accepted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn allow_status(&self) {
        let name = format!("{}-status", self.namespace);
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            self.kubectl().run(&["delete", kind, &name]).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// Ready, Reconciling and Stalled as kstatus reads them.
pub fn kstatus(object: &Value) -> (String, bool, bool) {
    let ready = condition(object, "Ready")["status"].as_str().unwrap_or("absent").to_owned();
    (ready, condition(object, "Reconciling")["status"] == "True", condition(object, "Stalled")["status"] == "True")
}

pub fn message(object: &Value) -> &str {
    condition(object, "Ready")["message"].as_str().unwrap_or_default()
}

/// The lines of an operator's log, as JSON.
pub fn log_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the operator's log");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}
