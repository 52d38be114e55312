//! What an account's requests and polls wait for: `protocol` and `poll`.

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::api::Span;

/// What the submission protocol waits for (`protocol`). The defaults are the service's documented figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// How old a signed request may be when the service still accepts it; default 15m.
    pub request_expiry: Expiry,
    /// How far the service's clocks may differ from each other; default 2m.
    pub clock_skew: SignedDuration,
    /// How long a backup set may be missing from the list after its job has ended; default 10m.
    pub listing_lag: SignedDuration,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            request_expiry: Expiry::After(SignedDuration::from_mins(15)),
            clock_skew: SignedDuration::from_mins(2),
            listing_lag: SignedDuration::from_mins(10),
        }
    }
}

impl Protocol {
    /// How long after its signed time an intent that cannot be resolved stops holding its instance: the sum of the three, by default 27
    /// min.
    pub fn release_after(&self) -> SignedDuration {
        let expiry = match self.request_expiry {
            Expiry::After(expiry) => expiry,
            Expiry::Never => SignedDuration::from_mins(15),
        };
        expiry.saturating_add(self.clock_skew).saturating_add(self.listing_lag)
    }
}

/// What the submission protocol waits for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Protocol")]
pub(super) struct RawProtocol {
    /// How old a signed request may be when the service still accepts it. `Never`: that is not known, so after a lost answer the operator
    /// sends nothing more. `Never` is the default if `endpoint` names another machine.
    #[serde(default)]
    #[schemars(with = "Expiry", extend("default" = "15m"))]
    request_expiry: Option<Expiry>,
    /// How far the service's clocks may differ.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "2m"))]
    clock_skew: Option<Time>,
    /// How long a backup set may be missing from the list after its job has ended. Too short a lag can make a second backup.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "10m"))]
    listing_lag: Option<Time>,
}

impl RawProtocol {
    /// With the defaults for what is not said; `unsaid` is that of the expiry.
    pub fn or_defaults(self, unsaid: Expiry) -> Protocol {
        let default = Protocol::default();
        Protocol {
            request_expiry: self.request_expiry.unwrap_or(unsaid),
            clock_skew: self.clock_skew.map_or(default.clock_skew, |span| span.0),
            listing_lag: self.listing_lag.map_or(default.listing_lag, |span| span.0),
        }
    }
}

/// When the service stops accepting a signed request (`protocol.requestExpiry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// This long after its signed time.
    After(SignedDuration),
    /// Never, or it is not known: after an unknown outcome no other attempt is opened.
    Never,
}

impl JsonSchema for Expiry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expiry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "Never" }, Span::plain_schema()] })
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "Never" {
            return Ok(Self::Never);
        }
        Span::new(text).get().map(Self::After).map_err(|error| de::Error::custom(format!("{error}; or Never")))
    }
}

/// How often the operator asks about jobs and lost requests (`poll`): first after `first`, then after half of the time elapsed, between
/// `min` and `max`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "RawPoll")]
pub struct Poll {
    /// The pause before the first question; default 15s.
    pub first: SignedDuration,
    /// The shortest pause; default 10s.
    pub min: SignedDuration,
    /// The longest pause; default 2m.
    pub max: SignedDuration,
}

impl Default for Poll {
    fn default() -> Self {
        RawPoll::default().into()
    }
}

impl Poll {
    /// The pause after a question that is asked `elapsed` after the beginning: about 21 calls in 30 minutes with the defaults.
    pub fn after(&self, elapsed: SignedDuration) -> SignedDuration {
        (elapsed / 2).min(self.max).max(self.min)
    }
}

/// How often the operator asks about jobs and lost requests.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Poll")]
struct RawPoll {
    /// The pause before the first question.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "15s"))]
    first: Option<Time>,
    /// The shortest pause.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "10s"))]
    min: Option<Time>,
    /// The longest pause.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "2m"))]
    max: Option<Time>,
}

impl From<RawPoll> for Poll {
    fn from(RawPoll { first, min, max }: RawPoll) -> Self {
        let seconds = |given: Option<Time>, default: i64| given.map_or(SignedDuration::from_secs(default), |time| time.0);
        Self { first: seconds(first, 15), min: seconds(min, 10), max: seconds(max, 120) }
    }
}

/// How often the operator looks whether backup sets are still there (`audit`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "RawAudit")]
pub struct Audit {
    /// The time between two looks at the sets of an instance; default 24h. None without looks.
    pub every: Option<SignedDuration>,
    /// The most calls in an hour; default 100.
    pub calls_per_hour: u32,
}

impl Default for Audit {
    fn default() -> Self {
        RawAudit::default().into()
    }
}

/// How often the operator looks whether backup sets are still there.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Audit")]
struct RawAudit {
    /// The time between two looks at the sets of an instance. One look is a list of the sets, and a few more calls where one of them is missing.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "24h"))]
    every: Option<Time>,
    /// Whether the operator looks at all. Without it a set that vanishes is found at its restore, and no set is removed by `retention`.
    #[serde(default)]
    #[schemars(with = "bool", extend("default" = true))]
    enabled: Option<bool>,
    /// The most calls for it in an hour, 1 to 3600.
    #[serde(default, deserialize_with = "calls_per_hour")]
    #[schemars(with = "u32", range(min = 1, max = 3600), extend("default" = 100))]
    calls_per_hour: Option<u32>,
}

impl From<RawAudit> for Audit {
    fn from(RawAudit { every, enabled, calls_per_hour }: RawAudit) -> Self {
        let every = every.map_or(SignedDuration::from_hours(24), |time| time.0);
        Self { every: enabled.unwrap_or(true).then_some(every), calls_per_hour: calls_per_hour.unwrap_or(100) }
    }
}

fn calls_per_hour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(calls) if !(1..=3600).contains(&calls) => Err(de::Error::custom("callsPerHour is 1 to 3600; to make none set enabled: false")),
        calls => Ok(calls),
    }
}

/// A length of time in the configuration.
pub(super) struct Time(pub(super) SignedDuration);

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Span::plain_schema()
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Span::new(String::deserialize(deserializer)?).get().map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_follow_half_of_the_time_elapsed() {
        let poll = Poll::default();
        for (elapsed, pause) in [(0, 10), (15, 10), (60, 30), (200, 100), (3600, 120)] {
            assert_eq!(poll.after(SignedDuration::from_secs(elapsed)), SignedDuration::from_secs(pause), "{elapsed}");
        }
    }
}
