//! The report: how often each fault was injected, and what it broke.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::check::{self, Evidence};
use super::outcome::Outcome;
use super::violation::{RULES, Violation};

/// Every plan with what it broke.
pub(super) type Judged = Vec<(Outcome, Vec<Violation>)>;

pub(super) fn judged(outcomes: Vec<Outcome>, undisturbed: &[Outcome], evidence: &Evidence) -> Judged {
    outcomes
        .into_iter()
        .map(|outcome| {
            let violations = check::judge(&outcome, undisturbed, evidence);
            (outcome, violations)
        })
        .collect()
}

#[derive(Default)]
struct Line {
    plans: usize,
    faults: usize,
    violated: usize,
    slowest: f64,
}

/// A line for each scenario and fault, one for each rule, and every violation.
pub(super) fn text(judged: &Judged, logs: bool) -> String {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for (outcome, violations) in judged {
        let line = lines.entry(outcome.group.clone()).or_default();
        line.plans += 1;
        line.faults += outcome.faults;
        line.violated += usize::from(!violations.is_empty());
        line.slowest = line.slowest.max(outcome.took.as_secs_f64());
    }
    let mut text = format!("{:12} {:38} {:>6} {:>7} {:>9} {:>10}\n", "SCENARIO", "FAULT", "PLANS", "FAULTS", "VIOLATED", "SLOWEST");
    for ((scenario, fault), Line { plans, faults, violated, slowest }) in &lines {
        let _ = writeln!(text, "{scenario:12} {fault:38} {plans:>6} {faults:>7} {violated:>9} {slowest:>8.1} s");
    }
    let notes = judged.iter().flat_map(|(outcome, _)| outcome.notes.iter().map(move |note| (&outcome.id, note)));
    for (number, (id, note)) in notes.enumerate() {
        let _ = writeln!(text, "{}{id}: {note}", if number == 0 { "\n" } else { "" });
    }
    let _ = writeln!(text, "\n{:36} {:>10}", "RULE", "VIOLATIONS");
    for rule in RULES {
        let count = judged.iter().flat_map(|(_, violations)| violations).filter(|violation| violation.rule == rule).count();
        let _ = writeln!(text, "{rule:36} {count:>10}");
    }
    for (outcome, violations) in judged {
        for Violation { rule, what } in violations {
            let _ = writeln!(text, "\nVIOLATED {}: {rule}: {what}", outcome.id);
        }
        if logs || !violations.is_empty() {
            for object in &outcome.objects {
                let _ = writeln!(text, "{} {}: {}", object["kind"], object["metadata"]["name"], object["status"]);
            }
        }
        if logs {
            let _ = writeln!(text, "\n{}\nrequests: {}", outcome.id, outcome.requests.join(", "));
            for log in &outcome.logs {
                let _ = writeln!(text, "{}:\n{}", log.display(), std::fs::read_to_string(log).unwrap_or_default());
            }
        }
    }
    let violated = judged.iter().filter(|(_, violations)| !violations.is_empty()).count();
    let _ = writeln!(text, "\nfaults: {} plans, {violated} with violations", judged.len());
    text
}

/// The same for programs.
pub(super) fn json(judged: &Judged) -> String {
    let plans: Vec<_> = judged
        .iter()
        .map(|(outcome, violations)| {
            let violations: Vec<_> = violations.iter().map(|found| json!({ "rule": found.rule, "what": found.what })).collect();
            json!({
                "id": outcome.id, "seconds": outcome.took.as_secs_f64(), "struck": outcome.faults, "requests": outcome.requests.len(),
                "notes": outcome.notes,
                "violations": violations,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "plans": plans }))
}
