//! Alert rules with short times, so that nobody waits 10 minutes for an alert of a demo.

use serde_json::Value;

/// A minute of a rule is a second here. With 60, the shortest time of our rules (2 minutes) is still two scrapes of a server that scrapes
/// every second, as it is for one that scrapes every minute.
const RATIO: u64 = 60;

/// Why rules could not be shortened.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// They are not YAML.
    #[error("not YAML: {0}")]
    Yaml(String),
    /// A rule's time has another form than the documentation of Prometheus gives it.
    #[error("{0:?} is not a length of time")]
    Time(String),
}

/// The same rules with every `for` and every window (`[5m]`) divided by 60. Thresholds stay: they are about backups, not about the
/// monitoring. The result is JSON, which Prometheus reads as YAML.
pub(super) fn shortened(rules: &str) -> Result<String, RulesError> {
    let mut rules: Value = serde_saphyr::from_str(rules).map_err(|error| RulesError::Yaml(error.to_string()))?;
    let groups = rules["groups"].as_array_mut().into_iter().flatten();
    for rule in groups.flat_map(|group| group["rules"].as_array_mut().into_iter().flatten()) {
        for (key, change) in [("for", shorter as fn(&str) -> _), ("expr", with_shorter_windows)] {
            if let Some(Value::String(text)) = rule.get_mut(key) {
                *text = change(text)?;
            }
        }
    }
    Ok(rules.to_string())
}

/// The expression with every window shortened. Brackets in quotes are part of a label's value.
fn with_shorter_windows(expr: &str) -> Result<String, RulesError> {
    let (mut changed, mut rest, mut quote, mut escaped) = (String::new(), expr.chars(), None, false);
    while let Some(c) = rest.next() {
        changed.push(c);
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if c == '[' => {
                let window: String = rest.by_ref().take_while(|c| *c != ']').collect();
                // A subquery has a step too, which may be empty: `[1h:5m]`.
                let parts = window.split(':').map(|part| if part.is_empty() { Ok(String::new()) } else { shorter(part) });
                changed.push_str(&parts.collect::<Result<Vec<_>, _>>()?.join(":"));
                changed.push(']');
            }
            None => {}
        }
    }
    Ok(changed)
}

/// `10m` as `10s`.
fn shorter(time: &str) -> Result<String, RulesError> {
    let millis = millis(time.trim()).ok_or_else(|| RulesError::Time(time.to_owned()))?.div_ceil(RATIO);
    Ok(if millis % 1000 == 0 { format!("{}s", millis / 1000) } else { format!("{millis}ms") })
}

/// `1h30m` in milliseconds.
fn millis(time: &str) -> Option<u64> {
    const SECOND: u64 = 1000;
    const DAY: u64 = 86_400 * SECOND;
    let (mut sum, mut rest) = (0_u64, time);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let unit = match unit {
            "ms" => 1,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            "d" => DAY,
            "w" => 7 * DAY,
            "y" => 365 * DAY,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = after;
    }
    (!time.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_for_and_every_window_is_shortened_by_the_same_ratio_and_nothing_else_is() {
        let rules = r#"
groups:
- name: a
  rules:
  - alert: Slow
    for: 1d
    expr: |
      max(rate(calls_total{code=~"[5m]\"[5m]",path='[1m]'}[10m])) > 600
      or max_over_time(x[1h30m:]) or max_over_time(y[1h:5m]) or z[30s]
    annotations: { description: 'for 10m, over [5m]' }
  - alert: AtOnce
    expr: up == 0
- name: b
  rules:
  - { alert: Down, for: 10m, expr: absent(up) }
"#;
        let short: Value = serde_json::from_str(&shortened(rules).expect("rules")).expect("JSON");
        let (slow, at_once, down) = (&short["groups"][0]["rules"][0], &short["groups"][0]["rules"][1], &short["groups"][1]["rules"][0]);
        assert_eq!((&slow["for"], &down["for"]), (&Value::from("1440s"), &Value::from("10s")));
        let expr = "max(rate(calls_total{code=~\"[5m]\\\"[5m]\",path='[1m]'}[10s])) > 600\n\
                    or max_over_time(x[90s:]) or max_over_time(y[60s:5s]) or z[500ms]\n";
        assert_eq!(slow["expr"], expr);
        assert_eq!(slow["annotations"]["description"], "for 10m, over [5m]");
        assert_eq!((at_once.get("for"), &at_once["expr"]), (None, &Value::from("up == 0")));
    }

    #[test]
    fn the_repositorys_rules_are_all_there_with_short_times() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/monitoring/alerts.yaml");
        let text = std::fs::read_to_string(path).expect("the rules");
        let short = shortened(&text).expect("they can be shortened");
        for (long, time) in [("[5m]", "[5s]"), ("[10m]", "[10s]"), ("[2m]", "[2s]")] {
            assert!(text.contains(long) && !short.contains(long), "{long}");
            assert_eq!(text.matches(long).count(), short.matches(time).count(), "{long}");
        }
        assert_eq!(text.matches("for: 10m\n").count(), short.matches("\"for\":\"10s\"").count());
        assert_eq!(text.matches("- alert: ").count(), short.matches("\"alert\":").count());
    }

    #[test]
    fn a_time_of_no_known_form_is_named() {
        for wrong in ["10", "10 minutes", "m", "[5m"] {
            let error = shortened(&format!("{{ groups: [{{ rules: [{{ for: '{wrong}' }}] }}] }}")).expect_err(wrong).to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(shortened("groups: [").is_err());
    }
}
