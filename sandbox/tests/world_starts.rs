//! A world is complete but for the operator: a stand-in for it finds all that it needs, and nothing is left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rds_backup_sandbox::rds::Settings;
use rds_backup_sandbox::world::{NAMESPACE, SECRET, SERVICE_ACCOUNT, StartOperator, World, WorldOptions};

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

/// A repository with the operator's real manifests, a CRD that says nothing, and a program in place of the operator.
fn repository(dir: &Path) -> std::path::PathBuf {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install");
    let manifests = dir.join("deploy/install");
    for dir in [&manifests, &dir.join("crds")] {
        std::fs::create_dir_all(dir).expect("a directory");
    }
    for entry in std::fs::read_dir(real).expect("the operator's manifests") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), manifests.join(entry.file_name())).expect("a copy");
    }
    std::fs::write(dir.join("crds/rdsbackups.yaml"), CRD).expect("a file");
    let program = dir.join("stand-in");
    std::fs::write(&program, "#!/bin/sh\necho \"started $KUBECONFIG $3\"\nwhile :; do sleep 0.05; done\n").expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    program
}

#[tokio::test]
async fn a_world_has_what_the_operator_needs_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().expect("a directory");
    let program = repository(scratch.path());
    let settings = Settings { lag: Duration::from_secs(7), ..Settings::sandbox() };
    let world = World::start(WorldOptions { settings, ..WorldOptions::new(program, scratch.path()) }).await.expect("a world");

    let robot = world.kubectl().with_kubeconfig(world.operator_kubeconfig());
    let who = robot.run(&["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"]).await.expect("it is known");
    assert_eq!(who, format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"));
    robot.run(&["get", "rdsbackups", "--all-namespaces"]).await.expect("it may list backups, and they are served");
    robot.run(&["get", "secret", SECRET, "--namespace", NAMESPACE]).await.expect("it may read the access key");
    robot.run(&["get", "secrets", "--namespace", NAMESPACE]).await.expect_err("and no other Secret");

    let mut watch = robot.stream(&["get", "--raw", "/apis/rdsbackup.io/v1alpha1/rdsbackups?watch=1"]).expect("a watch");
    let backup = "{ apiVersion: rdsbackup.io/v1alpha1, kind: RdsBackup, metadata: { name: b, namespace: default } }";
    world.kubectl().run_with_input(&["apply", "--filename=-"], backup).await.expect("an object");
    let event = tokio::time::timeout(Duration::from_secs(30), watch.line()).await.expect("in time").unwrap_or_default();
    assert!(event.starts_with(r#"{"type":"ADDED""#), "a watch is read line by line as it happens: {event}");
    drop(watch);

    let config = std::fs::read_to_string(world.config()).expect("a configuration");
    assert!(config.contains(&format!("endpoint: {}\n", world.rds.url())) && config.contains("listingLag: 8s"), "{config}");
    let other = world.write_config("other.yaml", &world.operator_config("# mine\n")).expect("another");

    let mut first = world.start_operator(StartOperator::default()).expect("it starts");
    let mut second =
        world.start_operator(StartOperator { config: Some(other.clone()), ..StartOperator::default() }).expect("another starts");
    assert_ne!((first.log(), first.pid()), (second.log(), second.pid()));
    let error = second.wait_ready(Duration::from_millis(500)).await.expect_err("a stand-in never is").to_string();
    let (log, said) =
        (second.log().display().to_string(), format!("started {} {}", world.operator_kubeconfig().display(), other.display()));
    assert!(error.contains("its log does not say where it listens") && error.contains(&log) && error.ends_with(&said), "{error}");

    first.kill_9().await.expect("killed");
    second.stop().await.expect("stopped");
    let dir = world.dir().to_owned();
    world.stop().await;
    assert!(!dir.exists(), "the directory outlived its world");
}
