use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{labels::Labels, namespace_selector::NamespaceSelector};

/// One rule of an account's allow-list. An object must match all of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawRule")]
pub struct AllowRule {
    /// Names of namespaces, as patterns.
    pub namespaces: Vec<String>,
    /// What the labels of the Namespace must match, beside its name.
    pub namespace_selector: Option<NamespaceSelector>,
    /// Instances, as patterns.
    pub instances: Vec<String>,
    /// Regions, as patterns.
    pub regions: Vec<String>,
}

/// One rule of an account's allow-list. An object must match all of it; in the lists `*` stands for any text.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AllowRule")]
struct RawRule {
    /// Namespaces, for example `team-a` or `team-a-*`: `*` stands for any text, here and below. May be left out beside
    /// `namespaceSelector`: then the name is not looked at.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    namespaces: Option<Vec<String>>,
    /// Labels that the Namespace must have, as Kubernetes selects by them. Whoever may label a Namespace decides by that who may use the
    /// account. The labels are at most 10 s old, and at most 60 s while the API server does not hand them out; then nothing is allowed.
    #[serde(default)]
    #[schemars(with = "NamespaceSelector")]
    namespace_selector: Option<NamespaceSelector>,
    /// Instances, for example `rm-a*`.
    instances: Vec<String>,
    /// Regions, for example `cn-hangzhou`.
    regions: Vec<String>,
}

impl JsonSchema for AllowRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawRule::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = RawRule::json_schema(generator);
        schema.insert("anyOf".to_owned(), serde_json::json!([{ "required": ["namespaces"] }, { "required": ["namespaceSelector"] }]));
        schema
    }
}

impl TryFrom<RawRule> for AllowRule {
    type Error = String;

    fn try_from(RawRule { namespaces, namespace_selector, instances, regions }: RawRule) -> Result<Self, String> {
        let namespaces = match (namespaces, &namespace_selector) {
            (Some(namespaces), _) => namespaces,
            (None, Some(_)) => vec!["*".to_owned()],
            (None, None) => return Err("a rule of allow needs namespaces or namespaceSelector".to_owned()),
        };
        Ok(Self { namespaces, namespace_selector, instances, regions })
    }
}

/// The regions that an account's allow-list opens to one namespace for one instance, as patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRegions(Vec<String>);

impl AllowedRegions {
    /// Those that match one of the patterns, in which `*` stands for any text.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Self(patterns.into_iter().collect())
    }

    /// Those of the rules that match the namespace and the instance. Labels that are not known match nothing.
    pub fn of(rules: &[AllowRule], namespace: &str, labels: Option<&Labels>, instance: &str) -> Self {
        let matching = rules.iter().filter(|rule| rule.opens(namespace, labels, instance));
        Self::new(matching.flat_map(|rule| rule.regions.clone()))
    }

    /// Those of the rules that match where the labels of the namespace are as the rules want them.
    pub(super) fn at_most(rules: &[AllowRule], namespace: &str, instance: &str) -> Self {
        let matching = rules.iter().filter(|rule| rule.may_open(namespace, instance));
        Self::new(matching.flat_map(|rule| rule.regions.clone()))
    }

    /// Whether the region is one of them. One that the service does not tell is only if every region is.
    pub fn allow(&self, region: Option<&str>) -> bool {
        match region {
            Some(region) => self.0.iter().any(|pattern| matches(pattern, region)),
            None => self.0.iter().any(|pattern| pattern == "*"),
        }
    }
}

impl AllowRule {
    /// Whether the rule matches in some region. Labels that are not known match nothing.
    fn opens(&self, namespace: &str, labels: Option<&Labels>, instance: &str) -> bool {
        let by_labels = match (&self.namespace_selector, labels) {
            (None, _) => true,
            (Some(selector), Some(labels)) => selector.matches(labels),
            (Some(_), None) => false,
        };
        by_labels && self.may_open(namespace, instance)
    }

    /// Whether the rule matches in some region, whatever the labels of the namespace.
    pub(super) fn may_open(&self, namespace: &str, instance: &str) -> bool {
        any(&self.namespaces, namespace) && any(&self.instances, instance)
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether `text` matches `pattern`, in which `*` stands for any text. The pieces between the stars occur in order; the first is at the
/// start, the last at the end.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_those_of_the_rules_that_match_namespace_and_instance() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rule = |namespaces: &[&str], instances: &[&str], regions: &[&str]| AllowRule {
            namespaces: texts(namespaces),
            namespace_selector: None,
            instances: texts(instances),
            regions: texts(regions),
        };
        let rules = [rule(&["team-a"], &["rm-a*"], &["cn-hangzhou"]), rule(&["team-a", "team-b"], &["rm-a1"], &["cn-b*"])];
        let allow =
            |namespace: &str, instance: &str, region: &str| AllowedRegions::of(&rules, namespace, None, instance).allow(Some(region));
        assert!(
            allow("team-a", "rm-a1", "cn-hangzhou") && allow("team-a", "rm-a1", "cn-beijing") && allow("team-b", "rm-a1", "cn-beijing")
        );
        assert!(
            !allow("team-a", "rm-a2", "cn-beijing") && !allow("team-b", "rm-a1", "cn-hangzhou") && !allow("team-c", "rm-a1", "cn-beijing")
        );
        assert!(!AllowedRegions::of(&rules, "team-a", None, "rm-a1").allow(None), "one that is not told may be any");
        assert!(AllowedRegions::of(&[rule(&["*"], &["*"], &["*"])], "team-c", None, "rm-9").allow(None));
    }

    #[test]
    fn a_selector_is_matched_beside_the_name_and_labels_that_are_not_known_match_nothing() {
        let rule: AllowRule = serde_json::from_value(serde_json::json!({
            "namespaces": ["team-*"], "namespaceSelector": { "matchLabels": { "backups": "on" } }, "instances": ["rm-1"], "regions": ["*"],
        }))
        .unwrap();
        let labels = |value: &str| Labels::from([("backups".to_owned(), value.to_owned())]);
        let allows = |namespace: &str, labels: Option<&Labels>| {
            AllowedRegions::of(std::slice::from_ref(&rule), namespace, labels, "rm-1").allow(Some("cn-hangzhou"))
        };
        assert!(allows("team-a", Some(&labels("on"))));
        assert!(!allows("team-a", Some(&labels("off"))) && !allows("team-a", Some(&Labels::new())) && !allows("team-a", None));
        assert!(!allows("other", Some(&labels("on"))), "the name must match too");
        let alone =
            serde_json::json!({ "namespaceSelector": { "matchLabels": { "backups": "on" } }, "instances": ["*"], "regions": ["*"] });
        let alone: AllowRule = serde_json::from_value(alone).unwrap();
        assert!(alone.opens("any", Some(&labels("on")), "rm-1") && !alone.opens("any", None, "rm-1") && alone.may_open("any", "rm-1"));
        let neither = serde_json::from_value::<AllowRule>(serde_json::json!({ "instances": ["*"], "regions": ["*"] })).unwrap_err();
        assert!(neither.to_string().contains("needs namespaces or namespaceSelector"), "{neither}");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "rm-1", true),
            ("rm-a*", "rm-a1", true),
            ("rm-a*", "rm-b1", false),
            ("team-a", "team-a", true),
            ("team-a", "team-ab", false),
            ("*-prod", "a-prod", true),
            ("*-prod", "a-prod-2", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("aa*aa", "aaa", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }
}
