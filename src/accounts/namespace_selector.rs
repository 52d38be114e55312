//! `allow[].namespaceSelector`: labels that the object's Namespace must have.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::{Selector, SelectorExt};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::labels::Labels;

/// Labels that a Namespace must have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawSelector")]
pub struct NamespaceSelector(Selector);

/// A selector as Kubernetes has it: all of it must match. An empty one is refused, since it would match every namespace.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NamespaceSelector")]
struct RawSelector {
    /// Labels with their values.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    match_labels: Option<BTreeMap<String, String>>,
    /// Further rules about labels.
    #[serde(default)]
    #[schemars(with = "Vec<RawRequirement>")]
    match_expressions: Option<Vec<RawRequirement>>,
}

/// A rule about one label.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LabelRequirement")]
struct RawRequirement {
    /// The label's key, for example `example.com/tier`.
    key: String,
    /// What must be true of it. A Namespace without the label matches `NotIn` too.
    operator: Operator,
    /// The values, with `In` and `NotIn` only.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    values: Option<Vec<String>>,
}

/// What must be true of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum Operator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl NamespaceSelector {
    /// Whether these labels match.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.0.matches(labels)
    }
}

impl JsonSchema for NamespaceSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawSelector::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawSelector::json_schema(generator)
    }
}

impl TryFrom<RawSelector> for NamespaceSelector {
    type Error = String;

    fn try_from(RawSelector { match_labels, match_expressions }: RawSelector) -> Result<Self, String> {
        let labels = match_labels.unwrap_or_default();
        let requirements = match_expressions.unwrap_or_default();
        if labels.is_empty() && requirements.is_empty() {
            return Err("namespaceSelector: an empty one would match every namespace. Name a label, or use namespaces: [\"*\"]".to_owned());
        }
        for (key, value) in &labels {
            check_key(key)?;
            check_value(value)?;
        }
        for RawRequirement { key, operator, values } in &requirements {
            check_key(key)?;
            let values = values.as_deref().unwrap_or_default();
            match (operator, values) {
                (Operator::In | Operator::NotIn, []) => return Err(format!("namespaceSelector: {operator:?} of {key} needs values")),
                (Operator::Exists | Operator::DoesNotExist, [_, ..]) => {
                    return Err(format!("namespaceSelector: {operator:?} of {key} has no values"));
                }
                _ => values.iter().try_for_each(|value| check_value(value))?,
            }
        }
        let requirement = |RawRequirement { key, operator, values }: RawRequirement| LabelSelectorRequirement {
            key,
            operator: format!("{operator:?}"),
            values,
        };
        let match_expressions = requirements.into_iter().map(requirement).collect();
        let selector = LabelSelector { match_labels: Some(labels), match_expressions: Some(match_expressions) };
        Ok(Self(selector.try_into().map_err(|error| format!("namespaceSelector: {error}"))?))
    }
}

/// A key that no label can have would never match, and with `NotIn` and `DoesNotExist` always.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_prefix = |prefix: &str| {
        (1..=253).contains(&prefix.len())
            && prefix
                .split('.')
                .all(|part| is_name(part) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'))
    };
    if prefix.is_none_or(is_prefix) && is_name(name) {
        return Ok(());
    }
    Err(format!("namespaceSelector: {:?} is no key of a label", key.chars().take(80).collect::<String>()))
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    Err(format!("namespaceSelector: {:?} is no value of a label", value.chars().take(80).collect::<String>()))
}

/// 1 to 63 letters, digits and `-_.`, with a letter or digit at both ends.
fn is_name(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= 63
        && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn selector(value: Value) -> Result<NamespaceSelector, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn it_matches_as_kubernetes_does() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Labels>();
        let (gold, silver, none) = (labels(&[("tier", "gold"), ("a.b/c", "d")]), labels(&[("tier", "silver")]), Labels::new());
        let rule =
            |operator: &str, values: Value| json!({ "matchExpressions": [{ "key": "tier", "operator": operator, "values": values }] });
        for (written, of_gold, of_silver, of_none) in [
            (json!({ "matchLabels": { "tier": "gold" } }), true, false, false),
            (json!({ "matchLabels": { "tier": "gold", "a.b/c": "d" } }), true, false, false),
            (json!({ "matchLabels": { "tier": "gold", "a.b/c": "e" } }), false, false, false),
            (rule("In", json!(["gold", "silver"])), true, true, false),
            (rule("NotIn", json!(["gold"])), false, true, true),
            (rule("Exists", Value::Null), true, true, false),
            (rule("DoesNotExist", json!([])), false, false, true),
            (
                json!({ "matchLabels": { "a.b/c": "d" }, "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["silver"] }] }),
                false,
                false,
                false,
            ),
        ] {
            let selector = selector(written.clone()).unwrap();
            let found = [&gold, &silver, &none].map(|labels| selector.matches(labels));
            assert_eq!(found, [of_gold, of_silver, of_none], "{written}");
        }
    }

    #[test]
    fn what_would_match_by_mistake_is_refused() {
        let expression = |value: Value| json!({ "matchExpressions": [value] });
        for (written, words) in [
            (json!({}), "an empty one"),
            (json!({ "matchLabels": {} }), "an empty one"),
            (json!({ "matchLabel": { "a": "b" } }), "matchLabel"),
            (json!({ "matchLabels": { "a b": "c" } }), "no key of a label"),
            (json!({ "matchLabels": { "A.b/c": "d" } }), "no key of a label"),
            (json!({ "matchLabels": { "a": "-" } }), "no value of a label"),
            (expression(json!({ "key": "a", "operator": "In" })), "needs values"),
            (expression(json!({ "key": "a", "operator": "NotIn", "values": [] })), "needs values"),
            (expression(json!({ "key": "a", "operator": "Exists", "values": ["b"] })), "has no values"),
            (expression(json!({ "key": "a/b/c", "operator": "DoesNotExist" })), "no key of a label"),
            (expression(json!({ "key": "a", "operator": "Is", "values": ["b"] })), "Is"),
            (expression(json!({ "key": "a", "operator": "In", "value": ["b"] })), "value"),
        ] {
            let error = selector(written.clone()).expect_err("refused");
            assert!(error.contains(words), "{written}: {error}");
        }
    }
}
