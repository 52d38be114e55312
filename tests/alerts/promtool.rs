//! promtool's own judgement of the rules and the cases.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use rds_backup_operator::rds::{ErrorKind, meaning_of, published_code, published_errors};
use rds_backup_sandbox::plane::Prometheus;

use crate::{
    ROOT, files, read,
    rules::{CASES, RULES, rules},
};

pub async fn promtool(args: &[&str]) -> Output {
    let progress = Box::new(|line: &str| eprintln!("{line}")) as _;
    let found = Prometheus::find(&progress).await.unwrap_or_else(|error| panic!("{error}"));
    Command::new(found.promtool).args(args).current_dir(ROOT).output().expect("promtool runs")
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn promtool_takes_the_rules() {
    let output = promtool(&["check", "rules", RULES]).await;
    let said = said(&output);
    println!("{said}");
    assert!(output.status.success() && said.contains(&format!("SUCCESS: {} rules found", rules().len())), "{said}");
}

#[tokio::test]
async fn every_case_holds() {
    let cases = files(CASES, ".yaml");
    assert!(!cases.is_empty());
    let args: Vec<&str> = ["test", "rules"].into_iter().chain(cases.iter().map(String::as_str)).collect();
    let output = promtool(&args).await;
    let said = said(&output);
    println!("{said}");
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("SUCCESS").count(), cases.len(), "{said}");
}

/// Without this, cases that promtool does not read would hold.
#[tokio::test]
async fn a_case_that_does_not_hold_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("alerts.yaml");
    std::fs::write(&rules, read(RULES)).expect("the rules");
    // The cases of deploy/monitoring/tests find the rules one folder above them.
    let tests = dir.path().join("tests");
    std::fs::create_dir(&tests).expect("a directory");
    let case = read(&format!("{CASES}/operator.yaml"));
    let wrong = case.replacen("exp_alerts: []", "exp_alerts: [{ exp_labels: { severity: critical } }]", 1);
    assert_ne!(case, wrong);
    let path = tests.join("operator.yaml");
    std::fs::write(&path, wrong).expect("a case");
    let output = promtool(&["test", "rules", &path.display().to_string()]).await;
    assert!(!output.status.success() && said(&output).contains("FAILED"), "{}", said(&output));
}

/// What a text compares the label `code` with.
fn code_patterns(text: &str) -> Vec<&str> {
    let quoted = |rest: &'static str| text.split(rest).skip(1).filter_map(|rest| rest.split('"').next());
    quoted("code=~\"").chain(quoted("code!~\"")).collect()
}

/// Prometheus takes a pattern as the whole label: `Throttling.*` is not `Rejected.Throttling`.
#[tokio::test]
async fn the_rules_and_the_dashboard_know_every_code_of_throttling() {
    let rules = read(RULES);
    let dashboard = read("deploy/monitoring/dashboards/operator.json").replace(r#"\""#, "\"").replace(r"\\", r"\");
    let patterns: Vec<&str> =
        [&rules, &dashboard].into_iter().flat_map(|text| code_patterns(text)).filter(|code| *code != "$code").collect();
    assert!(patterns.len() >= 3 && patterns.iter().all(|pattern| *pattern == patterns[0]), "{patterns:?}");
    let labels = published_errors().iter().filter_map(|row| published_code(row.code));
    let is_throttled: BTreeMap<&str, bool> = labels.map(|code| (code, meaning_of(code).kind == ErrorKind::Throttled)).collect();
    let throttled: Vec<&&str> = is_throttled.iter().filter(|(_, is)| **is).map(|(code, _)| code).collect();
    assert!(throttled.len() > 2 && is_throttled.len() > 100, "{throttled:?} of {}", is_throttled.len());
    let series: String = is_throttled.keys().map(|code| format!("  - {{ series: 'm{{code=\"{code}\"}}', values: '1' }}\n")).collect();
    let samples: String = throttled.iter().map(|code| format!("    - {{ labels: 'm{{code=\"{code}\"}}', value: 1 }}\n")).collect();
    let case = format!(
        "tests:\n- interval: 1m\n  input_series:\n{series}  promql_expr_test:\n  - expr: 'm{{code=~\"{}\"}}'\n    eval_time: 0m\n    exp_samples:\n{samples}",
        patterns[0]
    );
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("codes.yaml");
    std::fs::write(&path, case).expect("a case");
    let output = promtool(&["test", "rules", &path.display().to_string()]).await;
    assert!(output.status.success() && said(&output).contains("SUCCESS"), "{}", said(&output));
}
