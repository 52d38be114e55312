//! The rules and the cases, as data, and what every rule must have.

use std::collections::{BTreeMap, BTreeSet};

use rds_backup_operator::metrics::{ALL, Description, FRESHNESS, Kind};
use serde_json::Value;

use crate::{files, read};

pub const RULES: &str = "deploy/monitoring/alerts.yaml";
pub const CASES: &str = "deploy/monitoring/tests";

/// An alert.
pub struct Rule {
    pub name: String,
    pub expression: String,
    /// `for`
    pub duration: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_else(|| panic!("{name}: {value} is no text")).to_owned())).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// The alerts of the rules file.
pub fn rules() -> Vec<Rule> {
    let file: Value = serde_saphyr::from_str(&read(RULES)).unwrap_or_else(|error| panic!("{RULES}: {error}"));
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_else(|| panic!("{rule} has no {key}")).to_owned();
    let rules = list(&file, "groups").flat_map(|group| list(group, "rules"));
    let rules: Vec<Rule> = rules
        .map(|rule| Rule {
            name: text(rule, "alert"),
            expression: text(rule, "expr"),
            duration: text(rule, "for"),
            labels: texts(&rule["labels"]),
            annotations: texts(&rule["annotations"]),
        })
        .collect();
    assert!(!rules.is_empty(), "{RULES} has no rule");
    rules
}

/// The names of metrics in a text: words that begin with one of our prefixes, or `up`.
pub fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words
        .filter(|word| *word == "up" || ["rdsbackup_", "kube_rdsbackup", "process_"].iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// Where an alert fires and where it is silent: `FILE at TIME`.
#[derive(Default)]
struct Covered {
    fires: Vec<String>,
    silent: Vec<String>,
}

/// What the cases of a file say of each alert. An alert is silent only in a case that gives it a series to read: without one, no rule could
/// fire.
fn covered(file: &str, text: &str, rules: &[Rule], covered: &mut BTreeMap<String, Covered>) {
    let cases: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    for case in list(&cases, "tests") {
        let given: BTreeSet<&str> = list(case, "input_series").filter_map(|series| series["series"].as_str()?.split('{').next()).collect();
        for assertion in list(case, "alert_rule_test") {
            let name = assertion["alertname"].as_str().unwrap_or_default();
            let rule = rules.iter().find(|rule| rule.name == name).unwrap_or_else(|| panic!("{file}: there is no alert {name:?}"));
            let here =
                format!("{} at {}", file.rsplit('/').next().unwrap_or_default(), assertion["eval_time"].as_str().unwrap_or_default());
            let entry = covered.entry(name.to_owned()).or_default();
            if list(assertion, "exp_alerts").next().is_some() {
                entry.fires.push(here);
            } else if metrics(&rule.expression).iter().any(|metric| given.contains(metric)) {
                entry.silent.push(here);
            }
        }
    }
}

/// What is missing.
fn uncovered(rules: &[Rule], covered: &BTreeMap<String, Covered>) -> Vec<String> {
    let nothing = Covered::default();
    let mut missing = Vec::new();
    for rule in rules {
        let cases = covered.get(&rule.name).unwrap_or(&nothing);
        if cases.fires.is_empty() {
            missing.push(format!("{} fires in no case", rule.name));
        }
        if cases.silent.is_empty() {
            missing.push(format!("{} is silent in no case", rule.name));
        }
    }
    missing
}

#[test]
fn each_alert_fires_in_one_case_and_is_silent_in_another() {
    let (rules, mut found) = (rules(), BTreeMap::new());
    for file in files(CASES, ".yaml") {
        covered(&file, &read(&file), &rules, &mut found);
    }
    for (name, cases) in &found {
        println!("{name}: fires in {}; silent in {}", cases.fires.join(", "), cases.silent.join(", "));
    }
    assert_eq!(uncovered(&rules, &found), Vec::<String>::new());
}

#[test]
fn an_alert_without_a_case_is_found() {
    let rules = rules();
    let only = |text: &str| {
        let mut found = BTreeMap::new();
        covered("here.yaml", text, &rules, &mut found);
        uncovered(&rules, &found).into_iter().filter(|missing| missing.starts_with("RdsBackupStuck ")).collect::<Vec<_>>()
    };
    assert_eq!(only("tests: []").len(), 2);
    let fires = r#"
tests:
- alert_rule_test: [{ eval_time: 1m, alertname: RdsBackupStuck, exp_alerts: [{ exp_labels: {} }] }]
"#;
    assert_eq!(only(fires), ["RdsBackupStuck is silent in no case"]);
    // Silence where nothing is measured says nothing.
    let silent = r#"
tests:
- input_series: [{ series: 'up{job="x"}', values: "1" }]
  alert_rule_test: [{ eval_time: 1m, alertname: RdsBackupStuck, exp_alerts: [] }]
"#;
    assert_eq!(only(silent).len(), 2);
}

#[test]
fn every_alert_says_what_is_wrong_how_bad_it_is_and_where_its_runbook_is() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = &rule.name;
        assert!(names.insert(name.clone()), "{name} is there twice");
        for annotation in ["summary", "description"] {
            let text = rule.annotations.get(annotation).unwrap_or_else(|| panic!("{name} has no {annotation}"));
            assert!(!text.trim().is_empty() && !text.contains('\n'), "{name}: {annotation}: {text:?}");
        }
        let url = rule.annotations.get("runbook_url").unwrap_or_else(|| panic!("{name} has no runbook_url"));
        assert!(url.starts_with("https://") && url.ends_with(&format!("/docs/runbooks/{name}.md")), "{name}: {url}");
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning")), "{name}: {severity:?}");
    }
}

/// Whether the operator exports it: a metric of the catalogue, or a part of a histogram.
pub fn is_exported(name: &str) -> bool {
    let is = |description: &Description| match name.strip_prefix(description.name) {
        Some("") => description.kind != Kind::Histogram,
        Some("_bucket" | "_sum" | "_count") => description.kind == Kind::Histogram,
        _ => false,
    };
    ALL.iter().any(is)
}

#[test]
fn every_metric_of_the_rules_and_the_cases_is_exported() {
    let (rules, cases) = (read(RULES), files(CASES, ".yaml").iter().map(|file| read(file)).collect::<String>());
    let names: BTreeSet<&str> = metrics(&rules).into_iter().chain(metrics(&cases)).filter(|name| name.starts_with("rdsbackup_")).collect();
    let unknown: Vec<&&str> = names.iter().filter(|name| !is_exported(name)).collect();
    assert!(names.len() > 10 && unknown.is_empty(), "{unknown:?} of {} names", names.len());
    assert!(!is_exported("rdsbackup_backup_duration_seconds") && is_exported("rdsbackup_backup_duration_seconds_bucket"));
}

/// What docs/guides/monitoring.md says of `metrics.perSchedule: Freshness`.
#[test]
fn the_rules_need_no_more_of_each_schedule_than_freshness_has() {
    let rules = read(RULES);
    let of_schedules: Vec<&str> = metrics(&rules).into_iter().filter(|name| name.starts_with("rdsbackup_schedule_")).collect();
    let known = |name: &&str| FRESHNESS.iter().any(|description| description.name == *name);
    assert!(!of_schedules.is_empty() && of_schedules.iter().all(known), "{of_schedules:?}");
}

/// A series that has ended counts for as long as the window of `last_over_time`. With a `for` that is not twice as long, an old value alone
/// could fire.
#[test]
fn no_alert_fires_by_what_a_series_said_before_it_ended() {
    let mut windows = 0;
    for rule in rules() {
        for rest in rule.expression.split("last_over_time(").skip(1) {
            let window = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(window, _)| window);
            let window = window.unwrap_or_else(|| panic!("{}: last_over_time has no window", rule.name));
            windows += 1;
            let (window, duration) = (minutes(window), minutes(&rule.duration));
            assert!(duration >= 2 * window, "{}: for {duration} min, and a window of {window} min", rule.name);
        }
    }
    assert!(windows > 10, "{windows} windows were found");
}

fn minutes(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    match unit {
        "m" => number,
        "h" => number * 60,
        "d" => number * 24 * 60,
        _ => panic!("{text}: a unit that the rules do not use"),
    }
}
