use schemars::JsonSchema;
use serde::Deserialize;

/// One rule of an account's allow-list. An object must match all three lists of a rule; `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowRule {
    /// Namespaces, for example `team-a` or `team-a-*`: `*` stands for any text, here and below.
    pub namespaces: Vec<String>,
    /// Instances, for example `rm-a*`.
    pub instances: Vec<String>,
    /// Regions, for example `cn-hangzhou`.
    pub regions: Vec<String>,
}

/// The regions that an account's allow-list opens to one namespace for one instance, as patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRegions(Vec<String>);

impl AllowedRegions {
    /// Those that match one of the patterns, in which `*` stands for any text.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Self(patterns.into_iter().collect())
    }

    /// Those of the rules that match the namespace and the instance.
    pub fn of(rules: &[AllowRule], namespace: &str, instance: &str) -> Self {
        let matching = rules.iter().filter(|rule| rule.opens(namespace, instance));
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
    /// Whether the rule matches in some region.
    pub fn opens(&self, namespace: &str, instance: &str) -> bool {
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
            instances: texts(instances),
            regions: texts(regions),
        };
        let rules = [rule(&["team-a"], &["rm-a*"], &["cn-hangzhou"]), rule(&["team-a", "team-b"], &["rm-a1"], &["cn-b*"])];
        let allow = |namespace: &str, instance: &str, region: &str| AllowedRegions::of(&rules, namespace, instance).allow(Some(region));
        assert!(
            allow("team-a", "rm-a1", "cn-hangzhou") && allow("team-a", "rm-a1", "cn-beijing") && allow("team-b", "rm-a1", "cn-beijing")
        );
        assert!(
            !allow("team-a", "rm-a2", "cn-beijing") && !allow("team-b", "rm-a1", "cn-hangzhou") && !allow("team-c", "rm-a1", "cn-beijing")
        );
        assert!(!AllowedRegions::of(&rules, "team-a", "rm-a1").allow(None), "one that is not told may be any");
        assert!(AllowedRegions::of(&[rule(&["*"], &["*"], &["*"])], "team-c", "rm-9").allow(None));
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
