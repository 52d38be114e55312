//! The configuration of kube-state-metrics. The program itself is not run: it is compared with the CRD, as its documentation reads it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    files, read,
    rules::{CASES, RULES, metrics},
};

const CONFIG: &str = "deploy/monitoring/kube-state-metrics.yaml";

fn resource() -> Value {
    let file: Value = serde_saphyr::from_str(&read(CONFIG)).unwrap_or_else(|error| panic!("{CONFIG}: {error}"));
    assert_eq!(file["kind"], "CustomResourceStateMetrics");
    let resources = file["spec"]["resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(resources.len(), 1);
    resources[0].clone()
}

/// The schema of the kind that it reads.
fn schema(resource: &Value) -> Value {
    let crds = serde_saphyr::from_multiple::<Value>(&read("crds/rdsbackup.io.yaml")).expect("the CRDs");
    let of_kind = |crd: &&Value| crd["spec"]["names"]["kind"] == resource["groupVersionKind"]["kind"];
    let crd = crds.iter().find(of_kind).expect("the kind");
    assert_eq!(crd["spec"]["group"], resource["groupVersionKind"]["group"]);
    assert_eq!(crd["spec"]["versions"][0]["name"], resource["groupVersionKind"]["version"]);
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn property<'a>(schema: &'a Value, path: &Value) -> &'a Value {
    let steps = path.as_array().into_iter().flatten().filter_map(Value::as_str);
    steps.fold(schema, |schema, step| &schema["properties"][step])
}

/// Whether kube-state-metrics makes a number of such a field: times of RFC 3339, booleans and numbers; no length of time such as `26h`.
fn is_number(field: &Value) -> bool {
    field["format"] == "date-time" || matches!(field["type"].as_str(), Some("boolean" | "integer" | "number"))
}

#[test]
fn every_path_is_a_field_of_the_crd_that_becomes_a_number() {
    let resource = resource();
    let schema = schema(&resource);
    let metrics = resource["metrics"].as_array().expect("metrics");
    assert!(metrics.len() >= 5);
    for metric in metrics {
        let (name, gauge) = (&metric["name"], &metric["each"]["gauge"]);
        assert_eq!(metric["each"]["type"], "Gauge", "{name}");
        assert!(metric["help"].as_str().is_some_and(|help| !help.is_empty()), "{name}");
        let field = property(&schema, &gauge["path"]);
        if field["type"] != "array" {
            assert!(is_number(field), "{name}: {} is {field}", gauge["path"]);
            continue;
        }
        // A condition's status is True, False or Unknown: kube-state-metrics makes 1 and 0 of the first two.
        let value = property(&field["items"], &gauge["valueFrom"]);
        assert!(value["description"].as_str().is_some_and(|text| text.ends_with("one of True, False, Unknown.")), "{name}: {value}");
        for path in gauge["labelsFromPath"].as_object().into_iter().flatten().map(|(_, path)| path) {
            assert_eq!(property(&field["items"], path)["type"], "string", "{name}: {path}");
        }
    }
    assert!(!is_number(property(&schema, &serde_json::json!(["spec", "freshness", "maxAge"]))), "a length of time");
    assert!(!is_number(property(&schema, &serde_json::json!(["status", "misspelt"]))));
}

#[test]
fn what_the_rules_and_the_cases_read_is_exported() {
    let resource = resource();
    let prefix = resource["metricNamePrefix"].as_str().expect("a prefix");
    let names = resource["metrics"].as_array().into_iter().flatten().filter_map(|metric| metric["name"].as_str());
    let exported: BTreeSet<String> = names.map(|name| format!("{prefix}_{name}")).collect();
    let texts = read(RULES) + &files(CASES, ".yaml").iter().map(|file| read(file)).collect::<String>();
    let wanted: Vec<&str> = metrics(&texts).into_iter().filter(|name| name.starts_with("kube_")).collect();
    assert!(!wanted.is_empty() && wanted.iter().all(|name| exported.contains(*name)), "{wanted:?} of {exported:?}");
    // The labels by which the rules join.
    let labels: Vec<&String> = resource["labelsFromPath"].as_object().expect("labels").keys().collect();
    assert_eq!(labels, ["namespace", "schedule"]);
}
