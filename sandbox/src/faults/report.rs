//! The table of what was struck and what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::check::{self, Evidence};
use super::ran::Ran;
use super::violation::{RULES, Violation};

/// Every plan with what it broke.
pub(super) type Judged = Vec<(Ran, Vec<Violation>)>;

pub(super) fn judged(ran: Vec<Ran>, undisturbed: &[Ran], evidence: &Evidence) -> Judged {
    ran.into_iter()
        .map(|ran| {
            let violations = check::judge(&ran, undisturbed, evidence);
            (ran, violations)
        })
        .collect()
}

#[derive(Default)]
struct Line {
    plans: usize,
    struck: usize,
    violated: usize,
    slowest: f64,
}

/// A line for each scenario and blow, one for each rule, and every violation.
pub(super) fn text(judged: &Judged, logs: bool) -> String {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for (ran, violations) in judged {
        let line = lines.entry(ran.group.clone()).or_default();
        line.plans += 1;
        line.struck += ran.struck;
        line.violated += usize::from(!violations.is_empty());
        line.slowest = line.slowest.max(ran.took.as_secs_f64());
    }
    let mut text = format!("{:12} {:38} {:>6} {:>7} {:>9} {:>10}\n", "SCENARIO", "BLOW", "PLANS", "STRUCK", "VIOLATED", "SLOWEST");
    for ((scenario, blow), Line { plans, struck, violated, slowest }) in &lines {
        let _ = writeln!(text, "{scenario:12} {blow:38} {plans:>6} {struck:>7} {violated:>9} {slowest:>8.1} s");
    }
    let notes = judged.iter().flat_map(|(ran, _)| ran.notes.iter().map(move |note| (&ran.id, note)));
    for (number, (id, note)) in notes.enumerate() {
        let _ = writeln!(text, "{}{id}: {note}", if number == 0 { "\n" } else { "" });
    }
    let _ = writeln!(text, "\n{:36} {:>10}", "RULE", "VIOLATIONS");
    for rule in RULES {
        let count = judged.iter().flat_map(|(_, violations)| violations).filter(|violation| violation.rule == rule).count();
        let _ = writeln!(text, "{rule:36} {count:>10}");
    }
    for (ran, violations) in judged {
        for Violation { rule, what } in violations {
            let _ = writeln!(text, "\nVIOLATED {}: {rule}: {what}", ran.id);
        }
        if logs || !violations.is_empty() {
            for object in &ran.objects {
                let _ = writeln!(text, "{} {}: {}", object["kind"], object["metadata"]["name"], object["status"]);
            }
        }
        if logs {
            let _ = writeln!(text, "\n{}\nrequests: {}", ran.id, ran.requests.join(", "));
            for log in &ran.logs {
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
        .map(|(ran, violations)| {
            let violations: Vec<_> = violations.iter().map(|found| json!({ "rule": found.rule, "what": found.what })).collect();
            json!({
                "id": ran.id, "seconds": ran.took.as_secs_f64(), "struck": ran.struck, "requests": ran.requests.len(), "notes": ran.notes,
                "violations": violations,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "plans": plans }))
}
