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

impl AllowRule {
    /// Whether the rule matches.
    pub fn allows(&self, namespace: &str, instance: &str, region: &str) -> bool {
        self.opens(namespace, instance) && any(&self.regions, region)
    }

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
