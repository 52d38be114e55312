//! promtool's own judgement of the rules and the cases.

use std::process::{Command, Output};

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
