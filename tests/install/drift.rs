//! Generated files agree with the files that they are generated from.

use rds_backup_sandbox::manifests;
use serde_json::Value;

use super::cluster::{documents, repository};
use crate::setup::helms;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[tokio::test]
async fn deploy_install_is_what_the_chart_renders() {
    let helms = helms().await;
    for helm in [&helms.v4, &helms.v3] {
        let files = manifests::render(helm, repository()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["crds.yaml", "operator.yaml", "rbac.yaml"]);
        for (file, text) in files {
            let kept = read(&format!("deploy/install/{file}"));
            assert!(kept == text, "deploy/install/{file} is out of date: cargo sandbox manifests ({})", helm.display());
        }
    }
}

/// Also by their meaning: a rule that is cut off would be the same text in both.
#[tokio::test]
async fn the_rules_file_is_what_the_chart_renders() {
    let helms = helms().await;
    let kept = read(manifests::ALERTS);
    for helm in [&helms.v4, &helms.v3] {
        let rendered = manifests::alerts(helm, repository()).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(kept == rendered, "{} is out of date: cargo sandbox manifests ({})", manifests::ALERTS, helm.display());
    }
    let alerts = |text: &str| text.lines().filter(|line| line.trim_start().starts_with("- alert: ")).count();
    let source = read("charts/rds-backup-operator/files/alerts.yaml");
    let rules: usize =
        documents(&kept)[0]["groups"].as_array().into_iter().flatten().filter_map(|group| Some(group["rules"].as_array()?.len())).sum();
    assert!(rules > 0 && rules == alerts(&source), "{rules} rules of {}", alerts(&source));
    assert!(!kept.contains("${"), "a threshold has no value");
}

#[test]
fn the_dashboards_are_those_of_the_chart() {
    for files in manifests::dashboards(repository()) {
        let [ours, copy] = files.map(|file| std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        assert!(ours == copy && !ours.is_empty(), "out of date: cargo sandbox manifests");
    }
}

#[test]
fn the_charts_crds_are_the_operators() {
    let ours = read("crds/rdsbackup.io.yaml");
    assert!(
        read("charts/rds-backup-operator/files/crds.yaml") == ours,
        "out of date: cp crds/rdsbackup.io.yaml charts/rds-backup-operator/files/crds.yaml"
    );
    // Rendering keeps every word of them.
    let specs = |text: &str| documents(text).into_iter().map(|crd| numbers_alike(crd["spec"].clone())).collect::<Vec<Value>>();
    assert_eq!(specs(&ours), specs(&read("deploy/install/crds.yaml")));
}

/// One of the two writes a limit as 0.0, the other as 0.
fn numbers_alike(value: Value) -> Value {
    match value {
        Value::Number(number) => serde_json::json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(numbers_alike).collect(),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, field)| (name, numbers_alike(field))).collect()),
        other => other,
    }
}
