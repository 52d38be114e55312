//! Two installs of the whole cluster, each with an account of its own: one works, the other says that it does not. In a world of their own,
//! where they cannot get in the way of other tests.

use std::{path::PathBuf, time::Duration};

use rds_backup_sandbox::{
    plane::{
        Tool,
        audit::{self, Write},
    },
    rds::Settings,
    world::{NAMESPACE, SECRET, SERVICE_ACCOUNT, StartOperator, World, WorldOptions},
};
use serde_json::{Value, json};

use crate::{
    environment::{condition, world_options},
    leader::{leads, until_it_leads, until_unready_because},
    setup::{helms, repository},
    site::{RunningTest, log_lines},
};

const PATIENCE: Duration = Duration::from_secs(60);
const TEAM: &str = "team-a";
/// The namespace of the second release, and what the chart calls its objects.
const SECOND: (&str, &str) = ("second-system", "second-rds-backup-operator");

/// Installs the chart once more, in another namespace, as far as a control plane without pods goes: its ServiceAccount, roles and Secret.
/// Returns its kubeconfig.
async fn second_release(world: &World) -> PathBuf {
    let helm = Tool::without_plane("helm", &helms().await.v4, &world.dir().join("home"));
    let path = |file: &str| repository().join(file).display().to_string();
    let (chart, values) = (path("charts/rds-backup-operator"), path("deploy/install/values.yaml"));
    let args = ["template", "second", &chart, "--namespace", SECOND.0, "--values", &values, "--show-only=templates/rbac.yaml"];
    let roles = helm.run(&args).await.unwrap_or_else(|error| panic!("{error}"));
    let kubectl = world.kubectl();
    let secret = kubectl.json(&["get", "secret", SECRET, "-n", NAMESPACE]).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": SECRET, "namespace": SECOND.0 }, "data": secret["data"],
    });
    kubectl.run(&["create", "namespace", SECOND.0]).await.unwrap();
    kubectl.run(&["create", "serviceaccount", SECOND.1, "-n", SECOND.0]).await.unwrap();
    for text in [roles, secret.to_string()] {
        kubectl.run_with_input(&["apply", "--server-side", "-f", "-"], &text).await.unwrap_or_else(|error| panic!("{error}"));
    }
    world.plane.service_account_kubeconfig(SECOND.0, SECOND.1).await.unwrap()
}

/// An operator that knows one account, as a pod of an install.
fn pod(world: &World, (namespace, name): (&str, &str), account: &str, kubeconfig: Option<PathBuf>) -> StartOperator {
    let config = world.operator_config("").replace("  default:\n", &format!("  {account}:\n"));
    StartOperator {
        config: Some(world.write_config(&format!("{account}.yaml"), &config).expect("a file")),
        kubeconfig,
        leader_elect: true,
        env: [("POD_NAMESPACE", namespace), ("INSTALL_NAME", name)].map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        ..StartOperator::default()
    }
}

async fn apply(world: &World, account: &str) {
    let object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": account, "namespace": TEAM },
        "spec": { "dbInstanceId": instance(account), "account": account },
    });
    world.kubectl().run_with_input(&["apply", "-f", "-"], &object.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
}

fn instance(account: &str) -> String {
    format!("rm-mysql-{account}")
}

async fn until(world: &World, name: &str, wanted: impl Fn(&Value) -> bool) {
    let began = std::time::Instant::now();
    loop {
        let object = world.reader().object("rdsbackups", TEAM, name).await.unwrap_or_else(|error| panic!("{error}"));
        if wanted(&object) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{name}: {:#}", object["status"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_installs_of_the_cluster_one_works_and_the_other_says_so_until_it_takes_over() {
    let _running = RunningTest::begin();
    let options = WorldOptions { settings: Settings { job_time: Duration::from_secs(1), ..Settings::sandbox() }, ..world_options() };
    let world = World::start(options).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    world.kubectl().run(&["create", "namespace", TEAM]).await.unwrap();
    let kubeconfig = second_release(&world).await;
    let start = |start: StartOperator| world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));

    let ours = pod(&world, (NAMESPACE, SERVICE_ACCOUNT), "first", None);
    let mut first = start(ours.clone());
    until_it_leads(&first).await;
    let second = start(pod(&world, SECOND, "second", Some(kubeconfig)));
    let reason = ["rds-backup-system/rds-backup-operator holds the lease kube-system/rds-backup-operator", "--watch-namespace"];
    until_unready_because(&second, &reason).await;
    let mut replica = start(ours);
    replica.wait_ready(PATIENCE).await.expect("a standby of the install that leads is ready");

    for account in ["first", "second"] {
        apply(&world, account).await;
    }
    until(&world, "first", |object| object["status"]["phase"] == "Succeeded").await;
    until(&world, "second", |object| condition(object, "Ready")["reason"] == "AccountNotFound").await;
    // Longer than the second install needs to change something.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let changes = |user: &str| {
        let log = audit::read(world.plane.audit_log()).expect("the audit log");
        let changes = audit::by_user(&log, user).filter(|event| event.write().is_some_and(|write| !matches!(write, Write::Lease)));
        changes.map(|event| format!("{} {}", event.verb, event.uri)).collect::<Vec<_>>()
    };
    let user = audit::service_account_user(SECOND.0, SECOND.1);
    assert!(!leads(&second) && !leads(&replica) && changes(&user).is_empty(), "the second install changed {:?}", changes(&user));
    let said = log_lines(second.log());
    let said = said.iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains("holds the lease"))).count();
    assert_eq!(said, 1, "it is logged once:\n{}", second.log_tail());
    println!("said by the second install: {}", second.get("/readyz").await.unwrap().body.trim());

    assert!(replica.stop().await.unwrap().success());
    let killed = std::time::Instant::now();
    first.kill_9().await.unwrap();
    until_it_leads(&second).await;
    println!("the second install leads {:.1} s after the first was killed", killed.elapsed().as_secs_f64());
    until(&world, "second", |object| object["status"]["phase"] == "Succeeded").await;
    assert_eq!(second.get("/readyz").await.unwrap().status, 200);
    let accepted = ["first", "second"].map(|account| world.rds.accepted(&instance(account)));
    assert!(!changes(&user).is_empty() && accepted == [1, 1], "{accepted:?}");
    drop(second);
    world.stop().await;
}
