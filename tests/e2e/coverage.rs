//! An account seen beside a real cluster: what `generate` prints is what the API server takes, and `report --account` and `orphans` tell
//! what is there, with the rights of the chart's ClusterRole for reading.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use rds_backup_sandbox::rds::{Engine, InstanceSpec, JobKind};

use crate::site::{Site, at_site};

/// The program with the account's key in its environment, and the configuration of a machine of one's own.
fn run(site: &Site, kubeconfig: &Path, command: &str, args: &[&str]) -> Output {
    let text = format!(
        "accounts: {{ default: {{ regionId: cn-hangzhou, endpoint: '{}', credentials: {{ type: Auto }}, allow: [] }} }}\n",
        site.rds().url()
    );
    let config = site.world.write_config(&format!("{}-coverage.yaml", site.namespace), &text).expect("a file");
    let tag = format!("site={}", site.namespace);
    let mut program = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"));
    program.arg(command).args(["--account", "default", "--tag", &tag, "--config"]).arg(config).args(args);
    program.env_clear().env("KUBECONFIG", kubeconfig);
    program.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-key").env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-secret");
    program.output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_instances_of_a_tag_are_generated_applied_and_covered() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let (orders, users) = (site.instance("rm-coverage-a"), site.instance("rm-coverage-b"));
        for instance in [&orders, &users] {
            let mut spec = InstanceSpec::new(Engine::MySQL, "8.0", "cloud_essd");
            spec.tags.insert("site".into(), site.namespace.clone());
            site.rds().define(instance, spec);
        }
        let kubectl = site.kubectl();
        let reader = format!("{}-reader", site.namespace);
        let account = format!("--serviceaccount={}:reader", site.namespace);
        for args in [
            &["create", "serviceaccount", "reader", "-n", &site.namespace][..],
            &["create", "clusterrolebinding", &reader, "--clusterrole=rds-backup-operator-view", &account],
        ] {
            kubectl.run(args).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let kubeconfig =
            site.world.plane.service_account_kubeconfig(&site.namespace, "reader").await.unwrap_or_else(|error| panic!("{error}"));

        let output = run(&site, &kubeconfig, "report", &["-A"]);
        assert_eq!((output.status.code(), text(&output.stdout).lines().next()), (Some(1), Some("2 instances: 2 not covered")));
        let generated = run(&site, &kubeconfig, "generate", &["--schedule", "0 0 29 2 *", "-n", &site.namespace]);
        assert_eq!(generated.status.code(), Some(0), "{}", text(&generated.stderr));
        kubectl.run_with_input(&["apply", "-f", "-"], text(&generated.stdout)).await.unwrap_or_else(|error| panic!("{error}"));
        site.until_schedule(&orders, "accepted", |object| !object["status"]["nextScheduleTime"].is_null()).await;
        let output = run(&site, &kubeconfig, "report", &["-A"]);
        assert_eq!(
            (output.status.code(), text(&output.stdout).lines().next()),
            (Some(0), Some("2 instances: 2 pending")),
            "{}",
            text(&output.stdout)
        );
        // A set that somebody made in the console, and one that the operator made.
        site.rds().start_job(&users, JobKind::Manual, Duration::from_millis(1)).expect("a job");
        site.apply("by-hand", serde_json::json!({ "dbInstanceId": orders, "method": "Snapshot" })).await;
        site.until_phase("by-hand", "Succeeded").await;
        let output = run(&site, &kubeconfig, "orphans", &[]);
        let (foreign, said) = (&site.rds().sets(&users)[0].backup_id, text(&output.stdout));
        assert!(output.status.success() && said.contains(foreign.as_str()), "{said}{}", text(&output.stderr));
        assert!(said.starts_with("1 of 2 manual backup sets of 2 instances have no RdsBackup\n"), "{said}");

        // It is taken in, and the second time there is nothing to do.
        let manifests = run(&site, &kubeconfig, "orphans", &["-o", "manifests", "-n", &site.namespace]);
        kubectl.run_with_input(&["apply", "-f", "-"], text(&manifests.stdout)).await.unwrap_or_else(|error| panic!("{error}"));
        let taken = site.until_phase(&format!("{users}-{foreign}"), "Succeeded").await;
        assert_eq!((&taken["status"]["origin"], taken["status"]["backupId"].as_str()), (&"Existing".into(), Some(foreign.as_str())));
        let again = run(&site, &kubeconfig, "orphans", &[]);
        assert_eq!(text(&again.stdout), "0 of 2 manual backup sets of 2 instances have no RdsBackup\n", "{}", text(&again.stderr));
        let generated = run(&site, &kubeconfig, "generate", &["--schedule", "0 0 29 2 *", "-n", &site.namespace]);
        let applied =
            kubectl.run_with_input(&["apply", "-f", "-"], text(&generated.stdout)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(applied.lines().filter(|line| line.ends_with(" unchanged")).count(), 2, "{applied}");
        assert_eq!(site.rds().accepted(&users), 0, "nothing was made for it");
    });
}

#[test]
fn the_operator_counts_the_instances_that_no_schedule_names_where_it_is_asked_to() {
    at_site(|site| async move {
        let instances = ["a", "b"].map(|kind| site.instance(&format!("rm-counted-{kind}")));
        for instance in &instances {
            let mut spec = InstanceSpec::new(Engine::MySQL, "8.0", "local_ssd");
            spec.tags.insert("counted".into(), site.namespace.clone());
            site.rds().define(instance, spec);
        }
        let coverage = format!("    coverage: {{ every: 1h, tags: {{ counted: {} }} }}\n    signature:", site.namespace);
        let operator = site.operator_configured(&[("    signature:", &coverage)]).await;
        let until = async |count: &str| {
            let wanted = format!("rdsbackup_uncovered_instances{{account=\"default\"}} {count}");
            let began = Instant::now();
            loop {
                let text = operator.get("/metrics").await.expect("an answer").body;
                if text.lines().any(|line| line == wanted) {
                    return;
                }
                assert!(began.elapsed() < Duration::from_secs(120), "{wanted} is not told:\n{text}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        until("2").await;
        // A schedule counts at once, and costs no call.
        let calls = || {
            site.rds().calls().iter().filter(|call| call.parameters.get("Tags").is_some_and(|tags| tags.contains(&site.namespace))).count()
        };
        let before = calls();
        let template = serde_json::json!({ "spec": { "dbInstanceId": instances[0] } });
        site.apply_schedule("counted", &serde_json::json!({ "schedule": "0 0 29 2 *", "template": template })).await;
        until("1").await;
        assert_eq!((before, calls()), (1, 1));
    });
}
