//! The form of the dashboards: the rules of Grafana's linter that apply here, which itself cannot be had.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    files,
    promtool::{promtool, said},
    read,
    rules::{is_exported, metrics},
};

const FOLDER: &str = "deploy/monitoring/dashboards";

/// A dashboard and its file.
fn dashboards() -> Vec<(String, Value)> {
    let read = |file: String| {
        let dashboard = serde_json::from_str(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        (file, dashboard)
    };
    let found: Vec<(String, Value)> = files(FOLDER, ".json").into_iter().map(read).collect();
    assert_eq!(found.len(), 2);
    found
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every query of a dashboard.
fn queries(dashboard: &Value) -> impl Iterator<Item = &str> {
    list(dashboard, "panels").iter().flat_map(|panel| list(panel, "targets")).map(|target| text(target, "expr"))
}

/// All that is wrong with its form.
fn faults(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    check(dashboard["editable"] == false, "it can be edited, and the next upgrade would undo that".to_owned());
    for key in ["uid", "title", "description"] {
        check(!text(dashboard, key).is_empty(), format!("it has no {key}"));
    }
    let variables = list(&dashboard["templating"], "list");
    let sources: Vec<&Value> = variables.iter().filter(|variable| variable["type"] == "datasource").collect();
    let source = sources.first().copied().unwrap_or(&Value::Null);
    let is_source =
        sources.len() == 1 && source["name"] == "datasource" && source["label"] == "Data Source" && source["query"] == "prometheus";
    check(is_source, format!("not one variable datasource: {source}"));
    let chosen = json!({ "type": "prometheus", "uid": "${datasource}" });
    for variable in variables.iter().filter(|variable| variable["type"] != "datasource") {
        let name = text(variable, "name");
        check(variable["datasource"] == chosen, format!("variable {name} does not use the data source"));
        check(variable["refresh"] == 2, format!("variable {name} is not read again when the time changes"));
        check(variable["multi"] == true && variable["allValue"] == ".+", format!("variable {name} does not take several values, or all"));
        check(!text(variable, "label").is_empty(), format!("variable {name} has no label"));
        check(queries(dashboard).any(|query| query.contains(&format!("=~\"${name}\""))), format!("no query uses the variable {name}"));
    }
    let (mut ids, mut titles, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in list(dashboard, "panels") {
        let title = text(panel, "title");
        check(!title.is_empty() && titles.insert(title), format!("the title {title:?} is empty or there twice"));
        check(panel["id"].as_u64().is_some_and(|id| ids.insert(id)), format!("{title}: its id is there twice"));
        check(text(panel, "description").ends_with('.'), format!("{title}: no description"));
        check(panel["datasource"] == chosen, format!("{title}: another data source"));
        let defaults = &panel["fieldConfig"]["defaults"];
        let has_unit = !text(defaults, "unit").is_empty() || !list(defaults, "mappings").is_empty();
        check(has_unit, format!("{title}: no unit"));
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
        for (x, y) in (place("x")..place("x") + place("w")).flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y))) {
            check(x < 24 && places.insert((x, y)), format!("{title}: it covers another panel, or the edge, at {x}, {y}"));
        }
        let mut refs = BTreeSet::new();
        for target in list(panel, "targets") {
            check(target["datasource"] == chosen, format!("{title}: a query with another data source"));
            check(refs.insert(text(target, "refId")), format!("{title}: a refId is there twice"));
            query_faults(text(target, "expr")).into_iter().for_each(|fault| check(false, format!("{title}: {fault}")));
        }
        check(!refs.is_empty(), format!("{title}: no query"));
    }
    check(!titles.is_empty(), "no panel".to_owned());
    faults
}

/// What is wrong with a query, apart from its syntax, which promtool judges.
fn query_faults(query: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let names = metrics(query);
    if names.is_empty() {
        faults.push(format!("no metric in {query:?}"));
    }
    for name in &names {
        if !is_exported(name) {
            faults.push(format!("{name} is not exported"));
        }
    }
    // A counter is read by its growth only, over the window that fits the picture.
    for (at, name) in names.iter().flat_map(|name| query.match_indices(name)) {
        if ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end)) {
            let before = &query[..at];
            let after = query[at + name.len()..].split_once('[').map(|(_, rest)| rest).unwrap_or_default();
            if !["rate(", "increase("].iter().any(|function| before.ends_with(function)) || !after.starts_with("$__rate_interval])") {
                faults.push(format!("{name} is not read as rate or increase over $__rate_interval"));
            }
        }
    }
    faults
}

#[test]
fn every_dashboard_has_the_form_that_grafanas_linter_asks_for() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        assert_eq!(faults(&dashboard), Vec::<String>::new(), "{file}");
        assert!(uids.insert(text(&dashboard, "uid").to_owned()), "{file}: its uid is there twice");
    }
}

#[test]
fn a_fault_of_form_is_found() {
    let (_, good) = dashboards().swap_remove(1);
    for (path, wrong, words) in [
        ("/editable", json!(true), "edited"),
        ("/templating/list/0/name", json!("ds"), "datasource"),
        ("/templating/list/1/refresh", json!(1), "read again"),
        ("/templating/list/1/name", json!("unused"), "unused"),
        ("/panels/0/title", json!(""), "title"),
        ("/panels/0/description", json!(""), "description"),
        ("/panels/1/datasource/uid", json!("prom"), "data source"),
        ("/panels/2/fieldConfig/defaults/unit", json!(""), "unit"),
        ("/panels/1/gridPos/x", json!(6), "covers"),
        ("/panels/2/targets/0/expr", json!("rdsbackup_cloud_requests"), "not exported"),
        ("/panels/2/targets/0/expr", json!("sum(rdsbackup_cloud_requests_total)"), "rate or increase"),
        ("/panels/2/targets/0/expr", json!("sum(rate(rdsbackup_cloud_requests_total[5m]))"), "$__rate_interval"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not there")) = wrong;
        let found = faults(&bad);
        assert!(found.iter().any(|fault| fault.contains(words)), "{path}: {found:?}");
    }
}

/// promtool reads each query as a recording rule, with the variables as Grafana would put them in.
#[tokio::test]
async fn promtool_reads_every_query() {
    let substituted = |query: &str| {
        let query = ["$namespace", "$account", "$job"].iter().fold(query.to_owned(), |query, name| query.replace(name, ".+"));
        query.replace("$__rate_interval", "5m")
    };
    let check = async |queries: &[String]| {
        let rules: Vec<Value> =
            queries.iter().enumerate().map(|(number, query)| json!({ "record": format!("query:{number}"), "expr": query })).collect();
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
        // JSON is YAML.
        std::fs::write(file.path(), json!({ "groups": [{ "name": "queries", "rules": rules }] }).to_string()).expect("written");
        promtool(&["check", "rules", &file.path().display().to_string()]).await
    };
    for (file, dashboard) in dashboards() {
        let queries: Vec<String> = queries(&dashboard).map(substituted).collect();
        assert!(queries.len() > 10 && queries.iter().all(|query| !query.contains('$')), "{file}: {queries:?}");
        let output = check(&queries).await;
        let said = said(&output);
        assert!(output.status.success() && said.contains(&format!("SUCCESS: {} rules found", queries.len())), "{file}: {said}");
    }
    assert!(!check(&["sum by (namespace (up)".to_owned()]).await.status.success(), "a wrong query is found");
}
