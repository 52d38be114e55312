//! `report`, asked by users with the rights that they have: of the chart's ClusterRole for reading, and of none.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::site::{Site, at_site};

/// The program, with this kubeconfig and nothing else of the environment.
fn report(kubeconfig: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"));
    command.arg("report").args(args).env_clear().env("KUBECONFIG", kubeconfig).output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A ServiceAccount in the site's namespace; with `role`, bound to that ClusterRole there.
async fn user(site: &Site, name: &str, role: Option<&str>) -> PathBuf {
    let (kubectl, namespace) = (site.kubectl(), site.namespace.as_str());
    kubectl.run(&["create", "serviceaccount", name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
    if let Some(role) = role {
        let (role, account) = (format!("--clusterrole={role}"), format!("--serviceaccount={namespace}:{name}"));
        kubectl.run(&["create", "rolebinding", name, "-n", namespace, &role, &account]).await.unwrap_or_else(|error| panic!("{error}"));
    }
    site.world.plane.service_account_kubeconfig(namespace, name).await.unwrap_or_else(|error| panic!("{error}"))
}

fn row<'a>(report: &'a Value, schedule: &str) -> &'a Value {
    let rows = report["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["schedule"] == schedule).unwrap_or_else(|| panic!("no {schedule} in {report:#}"))
}

#[test]
fn a_reader_sees_every_schedule_and_a_stale_one_ends_it_with_1() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let (orders, users, ledger) = (site.instance("rm-mysql"), site.instance("pgm"), site.instance("rm-maria"));
        let template = |instance: &str| json!({ "spec": { "dbInstanceId": instance } });
        site.apply_schedule("nightly", &json!({ "schedule": "0 0 29 2 *", "runOnCreate": true, "template": template(&orders) })).await;
        site.apply_schedule("later", &json!({ "schedule": "0 0 29 2 *", "suspend": true, "template": template(&users) })).await;
        site.apply("by-hand", json!({ "dbInstanceId": ledger })).await;
        site.until_phase("by-hand", "Succeeded").await;
        site.until_schedule("nightly", "backed up", |object| !object["status"]["lastSuccess"].is_null()).await;

        let reader = user(&site, "reader", Some("rds-backup-operator-view")).await;
        let output = report(&reader, &["-n", &site.namespace, "-o", "json"]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{}", text(&output.stdout));
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(found["rows"].as_array().map(Vec::len), Some(3), "{found:#}");
        let nightly = row(&found, "nightly");
        let (set, object) = (&site.rds().sets(&orders)[0], site.get(nightly["newestUsable"]["name"].as_str().expect("a name")).await);
        assert_eq!((&nightly["objective"], &nightly["newestUsable"]["backupId"]), (&json!("Met"), &json!(set.backup_id)), "{found:#}");
        assert_eq!(nightly["newestUsable"]["startedAt"], object["status"]["startedAt"]);
        assert_eq!(nightly["newestUsable"]["sizeBytes"], object["status"]["sizeBytes"]);
        assert!(nightly["nextRunAt"].as_str().is_some_and(|at| at.ends_with("-02-29T00:00:00Z")), "{found:#}");
        let later = row(&found, "later");
        assert_eq!((&later["suspended"], &later["nextRunAt"], &later["objective"]), (&json!(true), &Value::Null, &json!("Pending")));
        let by_hand = found["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["dbInstanceId"] == *ledger)).expect("a row");
        assert_eq!((&by_hand["objective"], &by_hand["newestUsable"]["name"]), (&json!("None"), &json!("by-hand")));

        // A backup that is older than its objective. The operator would say so within a second.
        site.patch_schedule("nightly", &json!({ "spec": { "freshness": { "maxAge": "1s" } } })).await;
        let output = report(&reader, &["-n", &site.namespace]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains(&format!("not met: {}/nightly", site.namespace)), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("Missed") && text(&output.stdout).contains("suspended"), "{}", text(&output.stdout));
        let output = report(&reader, &["-n", &site.namespace, "-o", "csv"]);
        assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(1), 4), "{}", text(&output.stdout));

        // Its rights end at its namespace.
        let output = report(&reader, &["-A"]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len(), said.lines().count()), (Some(3), 0, 1), "{said}");
        assert!(said.contains("in all namespaces") && said.contains("or ask for one namespace with -n"), "{said}");
    });
}

#[test]
fn without_rights_it_ends_with_3_and_the_command_that_it_prints_gives_them() {
    at_site(|site| async move {
        let nobody = user(&site, "nobody", None).await;
        let output = report(&nobody, &["-n", &site.namespace]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len(), said.lines().count()), (Some(3), 0, 1), "{said}");
        let command = said.split('`').find(|part| part.starts_with("kubectl ")).unwrap_or_else(|| panic!("no command in {said}"));
        let args: Vec<&str> = command.split(' ').skip(1).collect();
        site.kubectl().run(&args).await.unwrap_or_else(|error| panic!("{error}"));
        let output = report(&nobody, &["-n", &site.namespace]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("there are no schedules and no backups in namespace {}\n", site.namespace));
    });
}
