//! The process itself: it says why it cannot work, and waits instead of ending.

use std::{path::Path, process::Command, time::Duration};

use rds_backup_sandbox::{
    plane::{Plane, PlaneOptions},
    world::{NAMESPACE, SECRET, StartOperator},
};
use serde_json::json;

use crate::site::at_site;

fn run(args: &[&str], kubeconfig: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"))
        .args(args)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .output()
        .expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(
        &config,
        "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: { type: Auto }\n    allow: []\n    colour: red\n",
    )
    .unwrap();
    let path = config.display().to_string();
    let (code, said) = run(&["run", "--config", &path], dir.path());
    assert_eq!(code, Some(2));
    assert!(said.contains(&path) && said.contains("line 6") && said.contains("colour"), "{said}");
    let (code, said) = run(&["run", "--config", "/nowhere.yaml"], dir.path());
    assert!(code == Some(2) && said.contains("/nowhere.yaml cannot be read"), "{said}");
}

#[test]
fn a_pod_with_a_wrong_configuration_says_so_and_starts_when_it_is_right() {
    at_site(|site| async move {
        let right = site.world.operator_config("");
        let config = site.world.write_config(&format!("{}-wrong.yaml", site.namespace), &format!("colour: red\n{right}")).unwrap();
        let start = StartOperator { config: Some(config), args: vec!["--wait-for-config".to_owned()], ..StartOperator::default() };
        let mut operator = site.start(start);
        let log = operator.log().to_owned();
        let address = loop {
            assert!(operator.ended_already().unwrap().is_none(), "it waits: {}", operator.log_tail());
            let lines = std::fs::read_to_string(&log).unwrap_or_default();
            let waiting = lines.lines().find(|line| line.contains("the configuration cannot be used"));
            if let Some(line) = waiting.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
                break line["address"].as_str().expect("an address").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let ask = |path: &'static str| {
            let address = address.clone();
            tokio::task::spawn_blocking(move || {
                use std::io::{Read, Write};
                let mut stream = std::net::TcpStream::connect(address).expect("it listens");
                write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("written");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("an answer");
                answer
            })
        };
        let ready = ask("/readyz").await.unwrap();
        assert!(ready.contains(" 503 ") && ready.contains("line 1") && ready.contains("colour"), "{ready}");
        assert!(ask("/healthz").await.unwrap().contains(" 200 "), "a restart would not help");
        let instance = site.instance("rm-mysql");
        site.apply("waits", json!({ "dbInstanceId": instance })).await;
        site.world.write_config(&format!("{}-wrong.yaml", site.namespace), &right).unwrap();
        operator.wait_ready(Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{error}"));
        site.until_phase("waits", "Succeeded").await;
    });
}

#[test]
fn a_pod_with_a_wrong_configuration_ends_when_it_is_told_to() {
    at_site(|site| async move {
        let config = site.world.write_config(&format!("{}-never.yaml", site.namespace), "accounts: {}\n").unwrap();
        let start = StartOperator { config: Some(config), args: vec!["--wait-for-config".to_owned()], ..StartOperator::default() };
        let mut operator = site.start(start);
        let began = std::time::Instant::now();
        while !operator.log_tail().contains("name at least one") {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", operator.log_tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(operator.stop().await.unwrap().success());
    });
}

#[test]
fn an_api_server_that_is_away_is_waited_for() {
    at_site(|site| async move {
        let kubeconfig = site.kubeconfig_of_no_server();
        let mut operator = site.start(StartOperator { kubeconfig: Some(kubeconfig), ..StartOperator::default() });
        let said = operator.wait_ready(Duration::from_secs(4)).await.expect_err("it is not ready").to_string();
        assert!(said.contains("GET /readyz is 503 the API server cannot be reached"), "{said}");
        assert!(operator.ended_already().unwrap().is_none(), "it waits");
        assert_eq!(operator.get("/healthz").await.unwrap().status, 200, "a restart would not help");
        assert!(operator.stop().await.unwrap().success());
    });
}

#[test]
fn a_missing_crd_is_named_and_waited_for() {
    at_site(|site| async move {
        let mut bare = Plane::start(PlaneOptions::default()).await.expect("a control plane without CRDs");
        let key =
            ["create", "secret", "generic", SECRET, "-n", NAMESPACE, "--from-literal=accessKeyId=x", "--from-literal=accessKeySecret=y"];
        bare.kubectl().run(&["create", "namespace", NAMESPACE]).await.unwrap();
        bare.kubectl().run(&key).await.unwrap();
        let mut operator = site.start(StartOperator { kubeconfig: Some(bare.kubeconfig().to_owned()), ..StartOperator::default() });
        let said = operator.wait_ready(Duration::from_secs(4)).await.expect_err("it is not ready").to_string();
        assert!(said.contains("the CRD rdsbackups.rdsbackup.io is not installed: apply crds/"), "{said}");
        bare.apply_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")).await.expect("the CRDs");
        operator.wait_ready(Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(operator.stop().await.unwrap().success());
        assert!(bare.api_server().pid() > 0);
        bare.stop().await;
    });
}

#[test]
fn an_operator_that_is_newer_than_its_crds_is_not_ready_and_says_what_to_apply() {
    at_site(|site| async move {
        let bare = Plane::start(PlaneOptions::default()).await.expect("a control plane without CRDs");
        let kubectl = bare.kubectl();
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/rdsbackup.io.yaml");
        let crds = std::fs::read_to_string(crds).expect("the CRDs");
        // The CRDs of an earlier release: without a field of the status.
        let older = crds.replacen("              checksum:", "              checksumOfOld:", 1);
        assert_ne!(older, crds);
        kubectl.run_with_input(&["apply", "--server-side", "-f", "-"], &older).await.unwrap();
        kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await.unwrap();
        let mut operator = site.start(StartOperator { kubeconfig: Some(bare.kubeconfig().to_owned()), ..StartOperator::default() });
        let said = operator.wait_ready(Duration::from_secs(8)).await.expect_err("it is not ready").to_string();
        let words = "the CRD rdsbackups.rdsbackup.io in the cluster is older than this operator (status.checksum is missing)";
        assert!(said.contains(words) && said.contains("apply crds/"), "{said}");
        assert!(operator.log_tail().contains("status.checksum is missing"), "{}", operator.log_tail());
        kubectl.run_with_input(&["apply", "--server-side", "-f", "-"], &crds).await.unwrap();
        operator.wait_ready(Duration::from_secs(90)).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(operator.stop().await.unwrap().success());
        bare.stop().await;
    });
}

#[test]
fn an_edit_is_observed_and_reported() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-stopped");
        site.apply("edited", json!({ "dbInstanceId": instance, "queueTimeout": "1h" })).await;
        site.until_reason("edited", "InstanceNotRunning").await;
        site.apply("edited", json!({ "dbInstanceId": instance, "queueTimeout": "2h" })).await;
        let object =
            site.until("edited", "observed", |object| object["status"]["observedGeneration"] == object["metadata"]["generation"]).await;
        assert_eq!(object["metadata"]["generation"], 2);
        let conditions = object["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().all(|condition| condition["observedGeneration"] == 2), "{conditions:#?}");
    });
}
