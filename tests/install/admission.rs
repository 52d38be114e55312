//! The policies that the chart makes of `admissionPolicy`, on a real API server: what each namespace may name, and how often schedules run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{Cluster, chart, documents, on_plane, one_account};

const NAMESPACES: [&str; 4] = ["team-a", "team-b-1", "gold", "alone"];

/// The policies, their bindings and the CRDs for these values, in force. `helm template` renders what `helm install` would create.
async fn install(cluster: &Cluster, policy: &Value, more: &[&str]) -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("policy.yaml");
    std::fs::write(&file, json!({ "admissionPolicy": policy }).to_string()).expect("a file");
    let (chart, values, file) = (chart(), one_account(), file.display().to_string());
    let args = ["template", "rds", &chart, "--namespace", "ops", "--values", &values, "--values", &file];
    let rendered = cluster.helm().run(&[&args[..], more].concat()).await.unwrap_or_else(|error| panic!("{error}"));
    let wanted = ["CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    let objects: Vec<Value> = documents(&rendered).into_iter().filter(|object| wanted.iter().any(|kind| object["kind"] == *kind)).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
    apply(cluster, &list).await;
    cluster.served().await;
    objects
}

async fn apply(cluster: &Cluster, text: &str) {
    let args = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    cluster.kubectl().run_with_input(&args, text).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn uninstall(cluster: &Cluster) {
    cluster.kubectl_ok(&["delete", "validatingadmissionpolicybindings,validatingadmissionpolicies", "--all"]).await;
    cluster.clean(&NAMESPACES).await;
}

async fn namespaces(cluster: &Cluster) {
    for name in NAMESPACES {
        let labels = if name == "gold" { json!({ "tier": "gold", "example.com/team": "g" }) } else { json!({}) };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        apply(cluster, &namespace.to_string()).await;
    }
}

fn backup(namespace: &str, name: &str, account: Option<&str>) -> Value {
    let mut spec = json!({ "dbInstanceId": "rm-1" });
    if let Some(account) = account {
        spec["account"] = json!(account);
    }
    json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": namespace }, "spec": spec })
}

fn schedule(namespace: &str, name: &str, cron: &str, account: &str) -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": name, "namespace": namespace },
        "spec": { "schedule": cron, "template": { "spec": { "dbInstanceId": "rm-1", "account": account } } },
    })
}

/// Creates an object, without keeping it if `dry`; the error is what a person reads.
async fn create(cluster: &Cluster, object: &Value, dry: bool) -> Result<String, String> {
    let dry = if dry { &["--dry-run=server"][..] } else { &[] };
    let args = [&["create", "-f", "-"], dry].concat();
    cluster.kubectl().run_with_input(&args, &object.to_string()).await.map_err(|error| error.to_string())
}

/// The API server takes a policy up within some seconds.
async fn in_force(cluster: &Cluster, refused: &Value, words: &str) {
    let began = Instant::now();
    while !create(cluster, refused, true).await.is_err_and(|error| error.contains(words)) {
        assert!(began.elapsed() < Duration::from_secs(60), "the policy is not in force: {:?}", create(cluster, refused, true).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn a_namespace_names_the_accounts_that_its_rules_open_and_no_other() {
    on_plane(|cluster| async move {
        namespaces(&cluster).await;
        let policy = json!({ "enabled": true, "rules": [
            { "namespaces": ["team-a", "team-b-*"], "accounts": ["default", "shared-*"] },
            { "namespaces": ["team-a"], "accounts": ["a-s.own"] },
            { "namespaceLabels": { "tier": "gold", "example.com/team": "g" }, "accounts": ["*"] },
        ] });
        // Made before the policy, and used on after it.
        let crds = json!({ "enabled": false });
        install(&cluster, &crds, &[]).await;
        create(&cluster, &backup("alone", "old", None), false).await.expect("without a policy");
        create(&cluster, &schedule("alone", "old", "0 2 * * *", "default"), false).await.expect("without a policy");
        install(&cluster, &policy, &[]).await;
        in_force(&cluster, &backup("alone", "b", None), "may use no account").await;
        in_force(&cluster, &schedule("alone", "b", "0 2 * * *", "default"), "may use no account").await;

        for (namespace, account, words) in [
            ("team-a", None, ""),
            ("team-a", Some("shared-1"), ""),
            ("team-a", Some("a-s.own"), ""),
            ("team-b-1", Some("default"), ""),
            ("gold", Some("anything"), ""),
            ("team-b-1", Some("a-s.own"), "namespace team-b-1 may not use the account a-s.own. Name one of these in"),
            ("team-a", Some("a-sXown"), "default, shared-*, a-s.own"),
            ("team-a", Some("other"), "default, shared-*, a-s.own"),
            ("alone", Some("default"), "namespace alone may use no account: ask those who run the RDS backup operator"),
        ] {
            let named = account.unwrap_or("default");
            for object in [backup(namespace, "b", account), schedule(namespace, "b", "0 2 * * *", named)] {
                let (kind, created) = (object["kind"].to_string(), create(&cluster, &object, true).await);
                match created {
                    Ok(_) => assert_eq!(words, "", "{kind} {namespace} {named} is accepted"),
                    Err(error) => assert!(!words.is_empty() && error.contains(words), "{kind} {namespace} {named}: {error}"),
                }
            }
        }
        // What was there can be labelled, edited elsewhere and deleted, but not moved to an account that is not open.
        cluster.kubectl_ok(&["label", "rdsbackup,rdsbackupschedule", "--all", "-n", "alone", "seen=yes"]).await;
        let moved = json!({ "spec": { "template": { "spec": { "account": "other" } } } }).to_string();
        let patch = ["patch", "rdsbackupschedule", "old", "-n", "alone", "--type=merge", "-p", &moved];
        let refused = cluster.kubectl().run(&patch).await.expect_err("another account").to_string();
        assert!(refused.contains("may use no account"), "{refused}");
        cluster.kubectl_ok(&["delete", "rdsbackup,rdsbackupschedule", "--all", "-n", "alone"]).await;
        uninstall(&cluster).await;
    });
}

#[test]
fn a_schedule_does_not_run_more_often_than_the_least_interval() {
    on_plane(|cluster| async move {
        namespaces(&cluster).await;
        let mut counts = [0, 0];
        for (least, cases) in [
            (
                "1h",
                &[
                    ("0 2 * * *", ""),
                    ("@daily", ""),
                    ("@weekly", ""),
                    ("@hourly", ""),
                    ("59 * * * *", ""),
                    ("0 */2 * * *", ""),
                    ("15 1,3,5 * * mon-fri", ""),
                    ("  0   2 1-7 * sun ", ""),
                    ("0 23,1 * * *", ""),
                    ("*/30 * * * *", "more often than every 1h"),
                    ("* * * * *", "more often than every 1h"),
                    ("0,59 2 * * *", "more often than every 1h"),
                    ("1-5 2 * * *", "more often than every 1h"),
                    ("0/30 2 * * *", "more often than every 1h"),
                    ("59/60 2,4 * * *", ""),
                    ("0 2 * * *,*", ""),
                    ("0 02 * * *", ""),
                    ("*/0 2 * * *", "cannot be told"),
                    ("1,,2 2 * * *", "cannot be told"),
                    ("5-1/ 2 * * *", "cannot be told"),
                    // The CRD's own rules come first.
                    ("0 ? * * *", "of another kind of cron"),
                    ("0 2 * *", "five fields"),
                    ("@every 1m", "write five fields"),
                    ("TZ=UTC 0 2 * * *", "has a field of its own"),
                ][..],
            ),
            (
                "24h",
                &[
                    ("0 2 * * *", ""),
                    ("@midnight", ""),
                    ("0 0,12 * * *", "more often than every 24h"),
                    ("@hourly", "more often than every 24h"),
                    // Really a week apart; days are not looked at, which the message says.
                    ("0 0,12 * * 1", "Days are not looked at"),
                ][..],
            ),
            (
                "20m",
                &[
                    ("*/20 * * * *", ""),
                    ("*/30 * * * *", ""),
                    ("*/19 * * * *", "every 20m"),
                    ("0,20,40 * * * *", ""),
                    ("5,50 * * * *", "every 20m"),
                ][..],
            ),
        ] {
            install(&cluster, &json!({ "enabled": true, "minScheduleInterval": least }), &[]).await;
            in_force(&cluster, &schedule("team-a", "s", "* * * * *", "default"), &format!("every {least}")).await;
            for (cron, words) in cases {
                let created = create(&cluster, &schedule("team-a", "s", cron, "any"), true).await;
                counts[usize::from(!words.is_empty())] += 1;
                match created {
                    Ok(_) => assert_eq!(*words, "", "{cron} is accepted under {least}"),
                    Err(error) => assert!(!words.is_empty() && error.contains(words), "{cron} under {least}: {error}"),
                }
            }
        }
        println!("admission policy: {} schedules accepted, {} refused", counts[0], counts[1]);
        // An object of the other kind has no interval, and a schedule that stands can be suspended.
        create(&cluster, &backup("team-a", "b", Some("any")), true).await.expect("no rules: any account");
        create(&cluster, &schedule("team-a", "kept", "0 * * * *", "any"), false).await.expect("it is far enough");
        install(&cluster, &json!({ "enabled": true, "minScheduleInterval": "24h" }), &[]).await;
        in_force(&cluster, &schedule("team-a", "s", "0 * * * *", "default"), "every 24h").await;
        let patch = |change: Value| {
            let (kubectl, change) = (cluster.kubectl(), change.to_string());
            async move { kubectl.run(&["patch", "rdsbackupschedule", "kept", "-n", "team-a", "--type=merge", "-p", &change]).await }
        };
        patch(json!({ "spec": { "suspend": true } })).await.expect("its schedule is as it was");
        let refused = patch(json!({ "spec": { "schedule": "30 * * * *" } })).await.expect_err("a new one is judged").to_string();
        assert!(refused.contains("every 24h"), "{refused}");
        uninstall(&cluster).await;
    });
}

#[test]
fn the_policy_is_off_by_default_is_bound_to_the_operators_namespaces_and_can_only_warn() {
    on_plane(|cluster| async move {
        namespaces(&cluster).await;
        let policies = |objects: &[Value]| objects.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding").count();
        assert_eq!(policies(&install(&cluster, &json!({ "enabled": false }), &[]).await), 0);
        let policy = json!({ "enabled": true, "rules": [{ "namespaces": ["nobody"], "accounts": ["none"] }] });
        let scoped = ["--set=scope=namespaces", "--set=namespaces={team-a}"];
        assert_eq!(policies(&install(&cluster, &policy, &scoped).await), 2);
        in_force(&cluster, &backup("team-a", "b", None), "may use no account").await;
        create(&cluster, &backup("alone", "b", None), true).await.expect("it is no namespace of this operator");

        let mut warning = policy.clone();
        warning["actions"] = json!(["Warn", "Audit"]);
        install(&cluster, &warning, &scoped).await;
        let began = Instant::now();
        while create(&cluster, &backup("team-a", "b", None), true).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "it still refuses");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        uninstall(&cluster).await;
    });
}
