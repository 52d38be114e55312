//! The runbooks: one for each alert, with the headings that a person on call looks for.

use crate::{files, read, rules::rules};

const FOLDER: &str = "docs/runbooks";
const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

#[test]
fn each_alert_has_a_runbook_with_the_four_headings() {
    for rule in rules() {
        let page = read(&format!("{FOLDER}/{}.md", rule.name));
        assert!(page.starts_with(&format!("# {}\n", rule.name)), "{}: its title", rule.name);
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", rule.name);
        for section in page.split("\n## ").skip(1) {
            let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
            assert!(text.trim().len() > 40, "{}: {heading} says nothing", rule.name);
        }
    }
}

/// A page of an alert that is gone would still be found by a search.
#[test]
fn each_runbook_belongs_to_an_alert_and_is_listed() {
    let (names, list) = (rules().into_iter().map(|rule| rule.name).collect::<Vec<_>>(), read(&format!("{FOLDER}/README.md")));
    let pages = files(FOLDER, ".md");
    for page in &pages {
        let name = page.rsplit('/').next().and_then(|name| name.strip_suffix(".md")).unwrap_or_default();
        assert!(name == "README" || names.iter().any(|known| known == name), "{page} belongs to no alert");
    }
    assert_eq!(pages.len(), names.len() + 1);
    for rule in rules() {
        let row = list.lines().find(|line| line.starts_with(&format!("| [{0}]({0}.md) |", rule.name)));
        let row = row.unwrap_or_else(|| panic!("{} is not in the list of {FOLDER}/README.md", rule.name));
        let (severity, duration) = (&rule.labels["severity"], &rule.duration);
        assert!(row.contains(&format!("| {severity} | {duration} |")), "{row}: it is {severity} after {duration}");
    }
}
