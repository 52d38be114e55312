//! The last test by its name, so that the other tests have run: they needed every right that the chart grants, and no further one.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    rights::{self, Namespaces},
    site::{actions, at_site, other_running_tests, requests},
};

/// For the tests that still run when this one begins.
const LONGEST_TEST: Duration = Duration::from_secs(600);

#[test]
fn what_the_chart_grants_is_what_the_whole_suite_asked_for() {
    at_site(|site| async move {
        let began = Instant::now();
        while other_running_tests() > 0 {
            assert!(began.elapsed() < LONGEST_TEST, "another test has not ended");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let roles = rights::roles(&site.kubectl()).await;
        let (mut asked, granted) = (requests(&site), rights::granted(&roles));
        // The lease of the operator of `everywhere`, which sees that nothing is refused to it; `E2E_SCOPE=cluster` compares its rights.
        asked.retain(|(.., namespaces)| *namespaces != Namespaces::Lease || rights::scope() == rights::Scope::Cluster);
        println!("scope {:?}, {} roles", rights::scope(), roles.len());
        for (group, resource, verb, namespaces) in &granted {
            println!("{:22} {resource:28} {verb:8} {namespaces:?}", if group.is_empty() { "core" } else { group });
        }
        let differences = rights::compare(&asked, &granted);
        assert!(differences.is_empty(), "run the whole suite (cargo test --test e2e); then:\n{}", differences.join("\n"));

        // The same for the rights at the service, which deploy/ram names.
        let called: BTreeSet<String> = actions(&site).into_iter().map(|action| format!("rds:{action}")).collect();
        assert_eq!(called, ram_actions(), "the actions at the endpoint, and those of deploy/ram");

        // Secrets by get, and by name: in the operator's own namespace alone.
        for (role, namespaces) in &roles {
            for rule in role["rules"].as_array().into_iter().flatten() {
                let secrets = rule["resources"].as_array().is_some_and(|resources| resources.iter().any(|resource| resource == "secrets"));
                let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
                assert!(!secrets || named && rule["verbs"] == serde_json::json!(["get"]) && *namespaces == Namespaces::Operator, "{rule}");
            }
        }
        let robot = site.kubectl().with_kubeconfig(site.world.operator_kubeconfig());
        for secret in ["another", "sh.helm.release.v1.rds-backup-operator.v1"] {
            let refused = robot.run(&["get", "secret", secret, "-n", "rds-backup-system"]).await.expect_err("another Secret").to_string();
            assert!(refused.contains("Forbidden"), "{refused}");
        }
        robot.run(&["get", "secrets", "-n", "rds-backup-system"]).await.expect_err("never listed");
    });
}

/// Every action that a policy in deploy/ram allows.
fn ram_actions() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ram");
    let files = std::fs::read_dir(folder).expect("deploy/ram").map(|entry| entry.expect("a file").path());
    let policies = files.filter(|file| file.extension().is_some_and(|ending| ending == "json"));
    let mut actions = BTreeSet::new();
    for policy in policies {
        let policy: Value = serde_json::from_str(&std::fs::read_to_string(&policy).expect("a policy")).expect("JSON");
        for statement in policy["Statement"].as_array().expect("statements") {
            match &statement["Action"] {
                Value::String(action) => _ = actions.insert(action.clone()),
                Value::Array(several) => actions.extend(several.iter().map(|action| action.as_str().expect("an action").to_owned())),
                other => panic!("no action: {other}"),
            }
        }
    }
    actions
}
