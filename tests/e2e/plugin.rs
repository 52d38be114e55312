//! The kubectl plugin's commands, by users with the rights that the chart's ClusterRoles grant: what they say of a schedule, a backup and its
//! queue is what the operator does.

use std::{path::Path, process::Output};

use serde_json::{Value, json};

use crate::site::{Site, at_site};

/// A ServiceAccount in the site's namespace, bound to these ClusterRoles there.
async fn user(site: &Site, name: &str, roles: &[&str]) -> std::path::PathBuf {
    let (kubectl, namespace) = (site.kubectl(), site.namespace.as_str());
    kubectl.run(&["create", "serviceaccount", name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
    for role in roles {
        let binding = format!("{name}-{role}");
        let (role, account) = (format!("--clusterrole={role}"), format!("--serviceaccount={namespace}:{name}"));
        kubectl.run(&["create", "rolebinding", &binding, "-n", namespace, &role, &account]).await.unwrap_or_else(|error| panic!("{error}"));
    }
    site.world.plane.service_account_kubeconfig(namespace, name).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The program, with this kubeconfig and nothing else of the environment.
async fn run(kubeconfig: &Path, namespace: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"));
    let output: Output =
        command.args(args).args(["-n", namespace]).env_clear().env("KUBECONFIG", kubeconfig).output().await.expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

#[test]
fn now_names_the_backup_that_the_operator_makes_and_its_set_is_handed_over() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        let schedule = json!({ "schedule": "0 0 29 2 *", "suspend": true, "template": { "spec": { "dbInstanceId": instance } } });
        site.apply_schedule("nightly", &schedule).await;
        site.until_schedule("nightly", "seen", |object| object["status"]["observedGeneration"] == json!(1)).await;
        let editor = user(&site, "editor", &["rds-backup-operator-view", "rds-backup-operator-edit", "view"]).await;

        let (code, stdout, stderr) = run(&editor, &site.namespace, &["now", "nightly", "--wait", "--timeout", "2m"]).await;
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("the schedule is suspended") && stderr.contains("Succeeded"), "{stderr}");
        let name = stdout.trim().strip_prefix("rdsbackups.rdsbackup.io/").unwrap_or_else(|| panic!("{stdout}"));
        let object = site.get(name).await;
        assert_eq!(site.rds().accepted(&instance), 1);
        let set = site.rds().sets(&instance)[0].backup_id.clone();
        assert_eq!(object["status"]["backupId"], json!(set));

        let (code, stdout, stderr) = run(&editor, &site.namespace, &["logs", name]).await;
        assert_eq!((code, stderr.as_str()), (0, ""));
        for part in [" created ", " requested ", " event ", &format!("set={set}"), "phase       Succeeded"] {
            assert!(stdout.contains(part), "{part}: {stdout}");
        }

        let (code, stdout, stderr) = run(&editor, &site.namespace, &["restore-command", name, "--same-network", "-o", "json"]).await;
        assert_eq!(code, 0, "{stderr}");
        let printed: Value = serde_json::from_str(&stdout).expect("JSON");
        let parameters = &printed["parameters"];
        assert_eq!((&parameters["BackupId"], &parameters["DBInstanceId"]), (&json!(set), &json!(instance)));
        assert_eq!(parameters["RegionId"], object["status"]["effective"]["regionId"]);
    });
}

#[test]
fn a_paused_backup_waits_and_a_reader_may_not_let_it_go_on() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        let editor = user(&site, "editor", &["rds-backup-operator-view", "rds-backup-operator-edit"]).await;
        let reader = user(&site, "reader", &["rds-backup-operator-view"]).await;
        site.apply_schedule("nightly", &json!({ "schedule": "0 0 29 2 *", "template": { "spec": { "dbInstanceId": instance } } })).await;
        let (code, _, stderr) = run(&editor, &site.namespace, &["pause", "schedule/nightly"]).await;
        assert_eq!(code, 0, "{stderr}");
        site.until_schedule("nightly", "suspended", |object| {
            object["status"]["nextScheduleTime"].is_null() && object["status"]["observedGeneration"] == json!(2)
        })
        .await;

        // It holds the instance long enough, so the two behind it wait.
        site.apply("first", json!({ "dbInstanceId": instance })).await;
        site.until_accepted(&instance).await;
        site.apply("second", json!({ "dbInstanceId": instance })).await;
        let (code, _, stderr) = run(&editor, &site.namespace, &["pause", "second"]).await;
        assert_eq!(code, 0, "{stderr}");
        site.until_phase("first", "Succeeded").await;
        site.until_reason("second", "SubmissionsPaused").await;
        assert_eq!(site.rds().accepted(&instance), 1);

        // No right to the Events, and none to other namespaces.
        let (code, stdout, stderr) = run(&reader, &site.namespace, &["logs", "second"]).await;
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stderr.contains("may not list events.events.k8s.io") && stdout.contains("counted in this namespace only"),
            "{stdout}{stderr}"
        );
        assert!(stdout.contains(" paused "), "{stdout}");
        let (code, stdout, stderr) = run(&reader, &site.namespace, &["resume", "second"]).await;
        assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
        assert!(
            stderr.contains("may not patch rdsbackups.rdsbackup.io") && stderr.contains("--clusterrole=rds-backup-operator-edit"),
            "{stderr}"
        );
        let (code, _, stderr) = run(&editor, &site.namespace, &["resume", "second"]).await;
        assert_eq!(code, 0, "{stderr}");
        site.until_phase("second", "Succeeded").await;
    });
}
