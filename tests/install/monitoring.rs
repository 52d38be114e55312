//! What the chart renders for the Prometheus Operator. Helm alone does that; no control plane is needed.

use rds_backup_sandbox::plane::Tool;
use serde_json::{Value, json};

use super::cluster::{chart, documents, one_account, repository};
use crate::setup::helms;

/// What each Helm renders, for a cluster that knows the Prometheus Operator.
async fn rendered(args: &[&str]) -> Vec<Vec<Value>> {
    let (helms, home) = (helms().await, tempfile::tempdir().expect("a directory"));
    let mut all = Vec::new();
    for helm in [&helms.v4, &helms.v3] {
        let helm = Tool::without_plane("helm", helm, home.path());
        let (chart, values) = (chart(), one_account());
        let template = ["template", "x", &chart, "--namespace=ops", "--values", &values, "--api-versions=monitoring.coreos.com/v1"];
        all.push(documents(&helm.run(&[&template, args].concat()).await.unwrap_or_else(|error| panic!("{error}"))));
    }
    all
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The rules of a PrometheusRule, by name.
fn rules(object: &Value) -> Vec<&Value> {
    object["spec"]["groups"].as_array().into_iter().flatten().flat_map(|group| group["rules"].as_array().into_iter().flatten()).collect()
}

#[tokio::test]
async fn nothing_of_it_is_rendered_unless_it_is_asked_for() {
    for objects in rendered(&[]).await {
        for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule"] {
            assert!(of_kind(&objects, kind).is_empty(), "{kind}");
        }
        assert!(of_kind(&objects, "ConfigMap").iter().all(|map| map["data"]["rds-backup-fleet.json"].is_null()));
    }
}

#[tokio::test]
async fn thresholds_names_and_labels_of_the_values_are_in_the_rules() {
    let given = [
        "--set=metrics.prometheusRule.enabled=true",
        "--set=metrics.prometheusRule.labels.release=prometheus",
        "--set=metrics.prometheusRule.alertLabels.team=dba",
        "--set=metrics.prometheusRule.runbookBaseUrl=https://wiki.example.com/rds/",
        "--set=metrics.prometheusRule.disabled={RdsBackupTwoLeaders,RdsBackupOverdueByObject,RdsBackupNotFreshByObject}",
        "--set=metrics.prometheusRule.for.RdsBackupNotFresh=1h30m",
        "--set=metrics.prometheusRule.severity.RdsBackupStuck=page",
        "--set=metrics.prometheusRule.thresholds.scheduleOverdueSeconds=86400",
        "--set-json=metrics.prometheusRule.thresholds.throttledShare=0.125",
    ];
    for objects in rendered(&given).await {
        let [object] = of_kind(&objects, "PrometheusRule")[..] else { panic!("one PrometheusRule: {objects:?}") };
        assert_eq!((&object["metadata"]["labels"]["release"], &object["metadata"]["namespace"]), (&json!("prometheus"), &json!("ops")));
        let rules = rules(object);
        let rule = |name: &str| rules.iter().find(|rule| rule["alert"] == name).copied();
        let one = |name: &str| rule(name).unwrap_or_else(|| panic!("{name} is not there"));
        for name in ["RdsBackupTwoLeaders", "RdsBackupOverdueByObject", "RdsBackupNotFreshByObject"] {
            assert!(rule(name).is_none(), "{name} is disabled");
        }
        // All its rules are disabled.
        let groups = object["spec"]["groups"].as_array().expect("groups");
        assert!(groups.iter().all(|group| group["name"] != "rdsbackup.independent"), "a group without rules");
        let not_fresh = one("RdsBackupNotFresh");
        assert_eq!((&not_fresh["for"], &not_fresh["labels"]), (&json!("1h30m"), &json!({ "severity": "critical", "team": "dba" })));
        assert_eq!(not_fresh["annotations"]["runbook_url"], "https://wiki.example.com/rds/RdsBackupNotFresh.md");
        assert!(
            not_fresh["annotations"]["summary"].as_str().is_some_and(|text| text.starts_with("{{ $labels.namespace }}/")),
            "{not_fresh}"
        );
        assert_eq!((&one("RdsBackupStuck")["labels"]["severity"], &one("RdsBackupStuck")["for"]), (&json!("page"), &json!("10m")));
        for (name, words) in [
            ("RdsBackupScheduleOverdue", "> 86400\n"),
            ("RdsBackupCloudThrottled", "> 0.125\n"),
            ("RdsBackupCloudErrors", "> 0.25\n"),
            ("RdsBackupStuck", "> 43200\n"),
            ("RdsBackupOperatorDown", r#"absent(up{job="x-rds-backup-operator-metrics",namespace="ops"})"#),
        ] {
            let expression = one(name)["expr"].as_str().unwrap_or_default();
            assert!(expression.contains(words), "{name}: {words:?} is not in {expression}");
        }
        assert!(rules.iter().all(|rule| !rule["expr"].as_str().unwrap_or_default().contains("${")), "a threshold has no value");
    }
}

/// Whoever scrapes, the series keep the namespace of their object, and the job is the one that the rules look for.
#[tokio::test]
async fn both_monitors_keep_the_labels_of_the_series_and_agree_on_the_job() {
    let asked = ["--set=metrics.serviceMonitor.enabled=true", "--set=metrics.serviceMonitor.interval=30s"];
    for objects in rendered(&asked).await {
        let [monitor] = of_kind(&objects, "ServiceMonitor")[..] else { panic!("one ServiceMonitor") };
        assert_eq!(monitor["spec"]["endpoints"], json!([{ "port": "http", "path": "/metrics", "interval": "30s", "honorLabels": true }]));
        assert_eq!(of_kind(&objects, "Service")[0]["metadata"]["name"], "x-rds-backup-operator-metrics", "the job of a ServiceMonitor");
    }
    let asked = ["--set=metrics.podMonitor.enabled=true", "--set=metrics.service.enabled=false", "--set=metrics.podMonitor.labels.a=b"];
    for objects in rendered(&asked).await {
        assert!(of_kind(&objects, "Service").is_empty());
        let [monitor] = of_kind(&objects, "PodMonitor")[..] else { panic!("one PodMonitor") };
        let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
        assert_eq!((&endpoint["honorLabels"], &endpoint["path"], &endpoint["interval"]), (&json!(true), &json!("/metrics"), &json!("60s")));
        assert_eq!(endpoint["relabelings"], json!([{ "targetLabel": "job", "replacement": "x-rds-backup-operator-metrics" }]));
        assert_eq!(monitor["metadata"]["labels"]["a"], "b");
        // It selects the Deployment's pods by a port that they have.
        let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"];
        let labels = monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels");
        assert!(!labels.is_empty() && labels.iter().all(|(name, value)| pod["metadata"]["labels"][name] == *value), "{labels:?}");
        let ports = pod["spec"]["containers"][0]["ports"].as_array().expect("ports");
        assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{ports:?}");
    }
}

#[tokio::test]
async fn the_dashboards_are_in_a_config_map_that_grafanas_sidecar_finds() {
    let asked = ["--set=metrics.dashboards.enabled=true", "--set=metrics.dashboards.annotations.grafana_folder=Backups"];
    for objects in rendered(&asked).await {
        let maps = of_kind(&objects, "ConfigMap");
        let map = maps.iter().find(|map| map["metadata"]["name"] == "x-rds-backup-operator-dashboards").expect("the ConfigMap");
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        assert_eq!(map["metadata"]["annotations"]["grafana_folder"], "Backups");
        for name in ["fleet", "operator"] {
            let text = map["data"][format!("rds-backup-{name}.json")].as_str().expect("a dashboard");
            let kept =
                std::fs::read_to_string(repository().join(format!("deploy/monitoring/dashboards/{name}.json"))).expect("a dashboard");
            // Helm renders none of it, though legends look like its templates.
            assert_eq!(text.trim_end(), kept.trim_end());
        }
    }
}
