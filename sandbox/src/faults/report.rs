//! The table of what was struck and what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::check::{self, Evidence, RULES, Violation};
use super::run::Ran;

/// Every plan with what it broke.
pub(super) type Judged = Vec<(Ran, Vec<Violation>)>;

pub(super) fn judged(ran: Vec<Ran>, undisturbed: &[Ran], evidence: &Evidence) -> Judged {
    let of = |ran: &Ran| undisturbed.iter().find(|run| run.scenario == ran.scenario);
    let judge = |ran: Ran| {
        let violations = of(&ran).map(|undisturbed| check::judge(&ran, undisturbed, evidence)).unwrap_or_default();
        (ran, violations)
    };
    let mut judged: Judged = ran.into_iter().map(judge).collect();
    judged.sort_by_key(|(ran, _)| id(ran));
    judged
}

fn id(ran: &Ran) -> String {
    ran.plan.as_ref().map(super::plan::Plan::id).unwrap_or_default()
}

/// A line for each scenario and blow, one for each rule, and every violation.
pub(super) fn text(judged: &Judged, logs: bool) -> String {
    let mut rows: BTreeMap<(String, String), (usize, usize, f64)> = BTreeMap::new();
    for (ran, violations) in judged {
        let Some(plan) = &ran.plan else { continue };
        let row = rows.entry((plan.scenario.to_string(), plan.blow.to_string())).or_default();
        row.0 += 1;
        row.1 += usize::from(!violations.is_empty());
        row.2 = row.2.max(ran.took.as_secs_f64());
    }
    let mut text = format!("{:12} {:14} {:>6} {:>9} {:>12}\n", "SCENARIO", "BLOW", "PLANS", "VIOLATED", "SLOWEST");
    for ((scenario, blow), (plans, violated, slowest)) in &rows {
        let _ = writeln!(text, "{scenario:12} {blow:14} {plans:>6} {violated:>9} {slowest:>10.1} s");
    }
    let _ = writeln!(text, "\n{:36} {:>10}", "RULE", "VIOLATIONS");
    for rule in RULES {
        let count = judged.iter().flat_map(|(_, violations)| violations).filter(|violation| violation.rule == rule).count();
        let _ = writeln!(text, "{rule:36} {count:>10}");
    }
    for (ran, violations) in judged {
        for Violation { rule, what } in violations {
            let _ = writeln!(text, "\nVIOLATED {}: {rule}: {what}", id(ran));
        }
        if logs || !violations.is_empty() {
            for object in &ran.objects {
                let _ = writeln!(text, "{} {}: {}", object["kind"], object["metadata"]["name"], object["status"]);
            }
        }
        if logs {
            let _ = writeln!(text, "\n{}\nrequests: {}", id(ran), ran.requests.join(", "));
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
            json!({ "id": id(ran), "seconds": ran.took.as_secs_f64(), "requests": ran.requests.len(), "violations": violations })
        })
        .collect();
    format!("{:#}\n", json!({ "plans": plans }))
}
