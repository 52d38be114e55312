//! A real control plane: it is a cluster worth testing against, and it leaves nothing behind, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rds_backup_sandbox::plane::audit::{self, AuditEvent, Write};
use rds_backup_sandbox::plane::{Plane, PlaneOptions};

/// What the operator's group looks like from the outside, as far as the audit policy is concerned.
const CRD: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: rdsbackups.rdsbackup.io }
spec:
  group: rdsbackup.io
  names: { kind: RdsBackup, plural: rdsbackups, singular: rdsbackup }
  scope: Namespaced
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: { status: {} }
    schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
"#;

const ROBOT: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: { name: robot, namespace: team-a }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: robot, namespace: team-a }
rules:
- { apiGroups: [rdsbackup.io], resources: [rdsbackups, rdsbackups/status], verbs: [create, get, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: robot, namespace: team-a }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: robot }
subjects: [{ kind: ServiceAccount, name: robot, namespace: team-a }]
"#;

const BACKUP: &str = "{ apiVersion: rdsbackup.io/v1alpha1, kind: RdsBackup, metadata: { name: nightly, namespace: team-a } }";

/// One plane for all of it: each start costs 3 s of two cores.
#[tokio::test]
async fn a_plane_is_a_cluster_with_rbac_controllers_and_an_audit_log_and_leaves_nothing_behind() {
    let plane = Plane::start(PlaneOptions::default()).await.expect("a plane");
    only_the_health_and_version_paths_are_open_to_anonymous_users(&plane).await;
    the_server_says_which_version_it_is(&plane).await;
    a_service_account_may_do_what_rbac_says_and_is_logged_by_its_own_name(&plane).await;
    deleting_a_namespace_finishes(&plane).await;

    let (dir, pids) = (plane.dir().to_owned(), plane.processes().map(|(_, pid)| pid));
    assert!(pids.into_iter().all(runs), "all three run until they are stopped");
    plane.stop().await;
    assert!(!pids.into_iter().any(runs), "a process outlived its plane");
    assert!(!dir.exists(), "the directory outlived its plane");
}

async fn only_the_health_and_version_paths_are_open_to_anonymous_users(plane: &Plane) {
    let nobody = plane.dir().join("nobody.kubeconfig");
    // kubectl asks for a name when it has none. The server knows no passwords, so a user with only a password is anonymous to it.
    let user = serde_json::json!({ "username": "nobody", "password": "none" });
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "nobody",
        "clusters": [{ "name": "plane", "cluster": { "server": plane.server(), "certificate-authority": plane.ca() } }],
        "contexts": [{ "name": "nobody", "context": { "cluster": "plane", "user": "nobody" } }],
        "users": [{ "name": "nobody", "user": user }],
    });
    std::fs::write(&nobody, config.to_string()).expect("a kubeconfig");
    let anonymous = plane.kubectl().with_kubeconfig(&nobody);
    assert_eq!(anonymous.run(&["get", "--raw", "/readyz"]).await.expect("health is open"), "ok");
    let refused = anonymous.run(&["get", "--raw", "/api/v1/secrets"]).await.expect_err("secrets are not");
    assert!(refused.stderr().contains("system:anonymous"), "{refused}");
    let events = logged(plane, |event| event.uri == "/api/v1/secrets").await;
    assert!(events.iter().all(|event| event.user == "system:anonymous" && event.code == 403), "{events:#?}");
}

async fn the_server_says_which_version_it_is(plane: &Plane) {
    let versions = plane.kubectl().json(&["version"]).await.expect("versions");
    assert_eq!(versions["clientVersion"]["gitVersion"], versions["serverVersion"]["gitVersion"], "kubectl is of the server's own version");
}

async fn a_service_account_may_do_what_rbac_says_and_is_logged_by_its_own_name(plane: &Plane) {
    let admin = plane.kubectl();
    let crd = plane.dir().join("crd.yaml");
    std::fs::write(&crd, CRD).expect("a file");
    plane.apply_file(&crd).await.expect("the CRD is accepted");
    admin.run(&["wait", "--for=condition=Established", "crd/rdsbackups.rdsbackup.io", "--timeout=30s"]).await.expect("the CRD is served");
    admin.run(&["create", "namespace", "team-a"]).await.expect("a namespace");
    admin.run_with_input(&["apply", "--filename=-"], ROBOT).await.expect("a ServiceAccount and its role");

    let kubeconfig = plane.service_account_kubeconfig("team-a", "robot").await.expect("a kubeconfig");
    assert_eq!(mode(&kubeconfig), 0o600, "a token is for its owner only");
    let robot = admin.with_kubeconfig(&kubeconfig);
    robot.run_with_input(&["create", "--filename=-"], BACKUP).await.expect("it may create backups");
    let status = r#"{"status":{"phase":"Running"}}"#;
    let patch = ["patch", "rdsbackup", "nightly", "--subresource=status", "--type=merge", "--patch", status];
    robot.run(&patch).await.expect("it may write their status");
    robot.run(&["get", "secrets"]).await.expect_err("it may not list Secrets");

    let user = audit::service_account_user("team-a", "robot");
    let writes = logged(plane, |event| event.user == user && event.write() == Some(Write::BackupStatus)).await;
    let [write] = &writes[..] else { panic!("one status write: {writes:#?}") };
    assert_eq!((write.namespace.as_str(), write.name.as_str(), write.code), ("team-a", "nightly", 200));
    assert_eq!(write.request_body.as_ref().map(ToString::to_string).as_deref(), Some(status), "bodies of our group are logged");
    let events = audit::read(plane.audit_log()).expect("a log");
    assert!(audit::by_user(&events, &user).any(|event| event.resource == "secrets" && event.code == 403));
    assert!(events.iter().all(|event| event.group == "rdsbackup.io" || event.request_body.is_none()), "bodies of other groups are not");
}

/// Needs the controller manager: the API server alone only marks a namespace for deletion.
async fn deleting_a_namespace_finishes(plane: &Plane) {
    let kubectl = plane.kubectl();
    kubectl.run(&["get", "serviceaccount", "default", "--namespace=default"]).await.expect("the default ServiceAccount");
    kubectl.run(&["delete", "namespace", "team-a", "--timeout=60s"]).await.expect("it goes");
    kubectl.run(&["get", "namespace", "team-a"]).await.expect_err("it is gone");
}

/// The events that match, waiting for the first of them: the server answers before it writes its log.
async fn logged(plane: &Plane, wanted: impl Fn(&AuditEvent) -> bool) -> Vec<AuditEvent> {
    for _ in 0..100 {
        let mut events = audit::read(plane.audit_log()).expect("a log");
        events.retain(&wanted);
        if !events.is_empty() {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing like it in the audit log after 5 s");
}

#[tokio::test]
async fn a_component_that_cannot_start_is_named_with_its_last_words() {
    let quiet =
        PlaneOptions { progress: Box::new(|_| {}), extra_apiserver_flags: vec!["--no-such-flag".into()], ..PlaneOptions::default() };
    let error = Plane::start(quiet).await.err().expect("no plane");
    let message = error.to_string();
    assert!(message.starts_with("kube-apiserver ended") && message.contains("unknown flag: --no-such-flag"), "{message}");
}

#[test]
fn a_parent_that_is_killed_takes_its_plane_with_it() {
    let scratch = tempfile::tempdir().expect("a directory");
    let dir = scratch.path().join("plane");
    // This very test binary, as a process of its own that starts a plane and can be killed.
    let me = std::env::current_exe().expect("a path");
    let mut parent = Command::new(me)
        .args(["--exact", "parent_to_be_killed", "--ignored", "--nocapture"])
        .env("PLANE_OF_THE_PARENT", &dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a parent");
    let pids_file = dir.join("pids");
    let started = eventually(Duration::from_secs(600), || pids_file.exists() || matches!(parent.try_wait(), Ok(Some(_))));
    let pids: Vec<u32> = std::fs::read_to_string(&pids_file).unwrap_or_default().lines().flat_map(str::parse).collect();
    let all_run = pids.iter().all(|&pid| runs(pid));
    parent.kill().expect("kill -9");
    parent.wait().expect("an end");
    assert!(started && pids.len() == 3 && all_run, "the parent's plane ran: {pids:?}");
    assert!(eventually(Duration::from_secs(5), || !pids.iter().any(|&pid| runs(pid))), "children outlived their parent: {pids:?}");
}

/// Not a test: what [`a_parent_that_is_killed_takes_its_plane_with_it`] kills.
#[tokio::test]
#[ignore = "run by another test, as a process"]
async fn parent_to_be_killed() {
    let Some(dir) = std::env::var_os("PLANE_OF_THE_PARENT").map(PathBuf::from) else { return };
    let options = PlaneOptions { dir: Some(dir.clone()), progress: Box::new(|_| {}), ..PlaneOptions::default() };
    let plane = Plane::start(options).await.expect("a plane");
    let pids = plane.processes().map(|(_, pid)| format!("{pid}\n")).concat();
    // Complete when it appears.
    std::fs::write(dir.join("pids.partial"), pids).expect("a file");
    std::fs::rename(dir.join("pids.partial"), dir.join("pids")).expect("a file");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn eventually(limit: Duration, condition: impl FnMut() -> bool) -> bool {
    let pause = Duration::from_millis(20);
    let mut condition = condition;
    (0..limit.as_millis() / pause.as_millis()).any(|_| {
        std::thread::sleep(pause);
        condition()
    })
}

/// A zombie does not run: it only waits for its new parent, the init process, to take notice.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}
