//! Durations in files and over HTTP: `500ms`, `3s`, `1h 30m`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes `3s`.
pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let span = SignedDuration::try_from(*span).unwrap_or(SignedDuration::MAX);
    serializer.collect_str(&format_args!("{span:#}"))
}

/// Reads `3s`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span: SignedDuration = text.parse().map_err(D::Error::custom)?;
    Duration::try_from(span).map_err(|_| D::Error::custom(format!("a duration cannot be negative: {text}")))
}

/// The same for a duration that may be absent.
pub(super) mod optional {
    use super::*;

    /// Writes `3s` or null.
    pub(in crate::rds) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `3s` or null.
    pub(in crate::rds) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Some_(#[serde(with = "super")] Duration);
        Ok(Option::<Some_>::deserialize(deserializer)?.map(|span| span.0))
    }
}
