//! How long passes take and why some cannot be finished, for the metrics. Each kind has its own.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};

use super::error::Error;

/// The upper bounds of the buckets, in seconds. A pass that sends a request may wait for its answer for 30.
const DURATIONS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Why a pass could not be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassFailure {
    /// The API server did not answer in time.
    Timeout,
    /// The API server cannot be reached, fails, or asks for a pause.
    Unavailable,
    /// The API server refuses what was asked.
    Refused,
    /// Another replica may lead.
    NotLeading,
    /// The operator shuts down.
    ShuttingDown,
    /// A fault of the operator.
    Internal,
}

impl PassFailure {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Timeout, Self::Unavailable, Self::Refused, Self::NotLeading, Self::ShuttingDown, Self::Internal];

    /// As a label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "Timeout",
            Self::Unavailable => "Unavailable",
            Self::Refused => "Refused",
            Self::NotLeading => "NotLeading",
            Self::ShuttingDown => "ShuttingDown",
            Self::Internal => "Internal",
        }
    }
}

impl From<&Error> for PassFailure {
    fn from(error: &Error) -> Self {
        match error {
            Error::Timeout { .. } => Self::Timeout,
            Error::NotLeading => Self::NotLeading,
            Error::Api { .. } if error.answer().is_some_and(|(code, _)| (400..500).contains(&code) && code != 429) => Self::Refused,
            Error::Api { .. } => Self::Unavailable,
        }
    }
}

/// The passes of one kind.
#[derive(Clone, Debug)]
pub struct PassCounts {
    /// How long they took.
    pub durations: Histogram,
    /// Those that could not be finished.
    failures: [Counter; PassFailure::ALL.len()],
}

impl Default for PassCounts {
    fn default() -> Self {
        Self { durations: Histogram::new(DURATIONS), failures: Default::default() }
    }
}

impl PassCounts {
    /// A pass ended so, after this time.
    pub fn ended(&self, took: Duration, failure: Option<PassFailure>) {
        self.durations.observe(took.as_secs_f64());
        if let Some((_, counter)) = failure.and_then(|failure| self.failures().find(|(known, _)| *known == failure)) {
            counter.inc();
        }
    }

    /// How many could not be finished, for each reason.
    pub fn failures(&self) -> impl Iterator<Item = (PassFailure, &Counter)> {
        PassFailure::ALL.into_iter().zip(&self.failures)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn every_error_of_the_api_server_has_its_reason() {
        let answered = |code: u16| Error::Api {
            verb: "get",
            kind: "RdsBackup".to_owned(),
            source: Box::new(kube::Error::Api(Status::failure("no", "No").with_code(code).boxed())),
        };
        for (code, reason) in
            [(403, PassFailure::Refused), (422, PassFailure::Refused), (429, PassFailure::Unavailable), (503, PassFailure::Unavailable)]
        {
            assert_eq!(PassFailure::from(&answered(code)), reason, "{code}");
        }
        let counts = PassCounts::default();
        counts.ended(Duration::from_millis(20), None);
        counts.ended(Duration::from_millis(20), Some(PassFailure::from(&Error::NotLeading)));
        let failed: Vec<_> = counts.failures().filter(|(_, counter)| counter.get() > 0).map(|(reason, _)| reason.as_str()).collect();
        assert_eq!(failed, ["NotLeading"]);
    }
}
