//! Whether, and how often, the operator counts the instances of an account that no schedule names: `coverage`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::waits::Time;

/// The shortest time between two listings: each is a call for 100 instances and tag.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);

/// So many tags a listing can be narrowed by. Each is a listing of its own.
const MOST_TAGS: usize = 5;

/// The instances of the account are listed, and `rdsbackup_uncovered_instances` tells how many of them no schedule names. Off without it.
/// The access key needs `rds:DescribeDBInstances` for it. Not with credentials of type `TenantSecret`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Coverage")]
pub struct CoverageSettings {
    /// The time between two listings of the account's region, at least 5m. A listing is one call for each 100 instances, and keeps the
    /// account's `limits`.
    #[serde(default = "hourly", deserialize_with = "every")]
    #[schemars(with = "Time", extend("default" = "1h"))]
    pub every: SignedDuration,
    /// Only instances with all of these tags, five at most. Each tag is a listing of its own.
    #[serde(default, deserialize_with = "tags")]
    #[schemars(extend("maxProperties" = 5))]
    pub tags: BTreeMap<String, String>,
}

fn hourly() -> SignedDuration {
    SignedDuration::from_hours(1)
}

fn every<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    match Time::deserialize(deserializer)?.0 {
        every if every < SHORTEST => Err(de::Error::custom("coverage.every is at least 5m")),
        every => Ok(every),
    }
}

fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let tags = BTreeMap::<String, String>::deserialize(deserializer)?;
    match tags.len() > MOST_TAGS || tags.contains_key("") {
        true => Err(de::Error::custom("coverage.tags has five tags at most, each with a key")),
        false => Ok(tags),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn read(credentials: &str, coverage: &str) -> Result<Option<(i64, usize)>, String> {
        let text = format!("accounts: {{ a: {{ regionId: cn-hangzhou, credentials: {credentials}, allow: [], coverage: {coverage} }} }}");
        let config = Config::parse(&text)?;
        Ok(config.accounts["a"].coverage.as_ref().map(|coverage| (coverage.every.as_secs(), coverage.tags.len())))
    }

    #[test]
    fn it_is_off_until_it_is_asked_for_and_never_faster_than_every_five_minutes() {
        let auto = "{ type: Auto }";
        let text = "accounts: { a: { regionId: cn-hangzhou, credentials: { type: Auto }, allow: [] } }";
        assert_eq!(Config::parse(text).unwrap().accounts["a"].coverage, None);
        assert_eq!(read(auto, "{}"), Ok(Some((3600, 0))));
        assert_eq!(read(auto, "{ every: 5m, tags: { backup: daily } }"), Ok(Some((300, 1))));
        for (credentials, coverage, words) in [
            (auto, "{ every: 4m59s }", "at least 5m"),
            (auto, "{ every: soon }", "length of time"),
            (auto, "{ tags: { a: x, b: x, c: x, d: x, e: x, f: x } }", "five tags at most"),
            (auto, "{ often: true }", "often"),
            ("{ type: TenantSecret, name: key }", "{}", "coverage: not with credentials of type TenantSecret"),
        ] {
            let error = read(credentials, coverage).unwrap_err();
            assert!(error.contains(words), "{coverage}: {error}");
        }
    }
}
