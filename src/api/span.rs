use std::fmt;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time in hours, minutes and seconds, for example `90s`, `30m`, `2h` or `1h30m`.
///
/// Kept as text and parsed where it is used: a wrong one is reported in the status of its object, and never stops the watch of other
/// objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(String);

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of("self.matches('[1-9]')", "longer than zero")
    }
}

/// The schema in the CRDs. The form is a rule and no `pattern`: the API server answers a broken pattern with the pattern alone.
fn schema_of(and: &str, in_words: &str) -> Schema {
    json_schema!({
        "type": "string",
        // Six digits of each unit.
        "maxLength": 21,
        "x-kubernetes-validations": [{
            "rule": format!("self.matches('{}') && {and}", Span::PATTERN),
            "message": format!("write a length of time like 90s, 30m, 2h or 1h30m, {in_words}; a day is 24h"),
        }],
    })
}

/// Why a [`Span`] is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: write it like 90s, 30m, 2h or 1h30m, longer than zero; a day is 24h")]
pub struct SpanError(String);

impl Span {
    /// The form of such a text. `0s` has it, and is no length of time but where [`Span::schema_or_zero`] is the schema.
    pub const PATTERN: &str = "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$";

    /// The longest that [`Span::of`] writes: the CRDs take up to six digits of hours.
    const LONGEST: SignedDuration = SignedDuration::from_hours(999_999);

    /// A length of time as specs and messages have it: `12m30s`, `2h`, in whole seconds, `0s` for less than one, and at most `999999h`.
    pub fn of(length: SignedDuration) -> Self {
        let seconds = length.min(Self::LONGEST).as_secs();
        let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
        let text: String = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
        Self(if text.is_empty() { "0s".to_owned() } else { text })
    }

    /// As [`Span::of`], without seconds from an hour on: `1h59m` for an age that people read.
    pub fn for_people(length: SignedDuration) -> Self {
        let seconds = length.as_secs();
        Self::of(SignedDuration::from_secs(if seconds < 3600 { seconds } else { seconds / 60 * 60 }))
    }

    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The schema in the CRDs of a field in which `0s` stands for none.
    pub fn schema_or_zero(_: &mut SchemaGenerator) -> Schema {
        schema_of("self != ''", "or 0s for none")
    }

    /// The schema of such a text in the configuration, whose readers know patterns and no rules.
    pub fn plain_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": Self::PATTERN, "minLength": 2, "maxLength": 21 })
    }

    /// The length of time, always more than zero.
    pub fn get(&self) -> Result<SignedDuration, SpanError> {
        let error = || SpanError(self.0.chars().take(32).collect());
        if self.0.len() > 21 || !self.0.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'h' | b'm' | b's')) {
            return Err(error());
        }
        match self.0.parse::<SignedDuration>() {
            Ok(span) if span > SignedDuration::ZERO => Ok(span),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_are_read() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("720h", 2_592_000), ("1h0m5s", 3605)] {
            assert_eq!(Span::new(text).get(), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_written_without_what_is_zero() {
        let of = |seconds| Span::of(SignedDuration::from_secs(seconds)).to_string();
        assert_eq!([750, 7200, 3605, 59, 86_400 * 3].map(of), ["12m30s", "2h", "1h5s", "59s", "72h"]);
        assert_eq!(
            [Span::of(SignedDuration::from_millis(90_999)), Span::of(SignedDuration::from_millis(999))],
            ["1m30s", "0s"].map(Span::new)
        );
        assert_eq!(
            [SignedDuration::ZERO, SignedDuration::from_secs(-5), SignedDuration::MIN].map(Span::of),
            [(); 3].map(|()| Span::new("0s"))
        );
        assert_eq!(Span::of(SignedDuration::MAX), Span::new("999999h"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for seconds in [1, 59, 60, 61, 3599, 3600, 3661, 86_399, 86_400, 999_999 * 3600] {
            let (length, span) = (SignedDuration::from_secs(seconds), Span::of(SignedDuration::from_secs(seconds)));
            assert_eq!(span.get(), Ok(length), "{span}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_a_panic() {
        for text in ["", "0s", "2d", "-5m", "1.5h", "h", "5", "PT5M", "99999999999999999999h", "5 m", "5m5h5m5h", "é"] {
            assert!(Span::new(text).get().is_err(), "{text}");
        }
    }
}
