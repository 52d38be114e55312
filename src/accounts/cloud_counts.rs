//! What became of the calls of all clients, for the metrics.

use std::{sync::Arc, time::Duration};

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

use super::key_state::KeyState;
use crate::{
    rds::published_code,
    rpc::{CallCounts, CallOutcome},
};

/// The upper bounds of the buckets, in seconds. A call is given up after 30.
const DURATIONS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What a call is counted under: account, region, action, code.
type CallLabels = [(&'static str, String); 4];

/// Calls by action.
type ActionLabels = [(&'static str, &'static str); 1];

/// The calls of this process to the service.
#[derive(Clone, Debug)]
pub struct CloudCounts {
    /// How many, by account, region, action and code.
    pub requests: Family<CallLabels, Counter>,
    /// How long they took, by action.
    pub durations: Family<ActionLabels, Histogram, fn() -> Histogram>,
}

impl Default for CloudCounts {
    fn default() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)) }
    }
}

impl CloudCounts {
    /// The counter for the client of an account and a region; what becomes of the calls says whether the account's key can be used.
    pub(super) fn of(&self, account: &str, region: &str, key: Arc<KeyState>) -> Arc<dyn CallCounts> {
        Arc::new(OfClient { counts: self.clone(), account: account.to_owned(), region: region.to_owned(), key })
    }
}

struct OfClient {
    counts: CloudCounts,
    account: String,
    region: String,
    key: Arc<KeyState>,
}

impl CallCounts for OfClient {
    fn called(&self, action: &'static str, outcome: CallOutcome<'_>, took: Duration) {
        self.key.used(outcome);
        let Some(code) = label(outcome) else { return };
        let labels =
            [("account", self.account.clone()), ("region", self.region.clone()), ("action", action.to_owned()), ("code", code.to_owned())];
        self.counts.requests.get_or_create(&labels).inc();
        self.counts.durations.get_or_create(&[("action", action)]).observe(took.as_secs_f64());
    }
}

/// The label, of a closed list: `OK`, a code of the table, why there is no answer, or `other`. None for a call that was not made.
fn label(outcome: CallOutcome<'_>) -> Option<&'static str> {
    match outcome {
        CallOutcome::Ok => Some("OK"),
        CallOutcome::Error(code) => Some(published_code(code).unwrap_or("other")),
        CallOutcome::Unreadable => Some("other"),
        CallOutcome::NoAnswer(cause) => Some(cause.as_str()),
        CallOutcome::Unusable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::no_answer::NoAnswer;

    #[test]
    fn no_text_of_the_service_becomes_a_label() {
        let counts = CloudCounts::default();
        let client = counts.of("a", "cn-hangzhou", Arc::default());
        let took = Duration::from_millis(300);
        for number in 0..1000 {
            client.called("CreateBackup", CallOutcome::Error(&format!("Invented.{number}")), took);
        }
        client.called("CreateBackup", CallOutcome::Unreadable, took);
        client.called("CreateBackup", CallOutcome::Error("forbidden.ram"), took);
        client.called("CreateBackup", CallOutcome::NoAnswer(NoAnswer::Refused), took);
        client.called("CreateBackup", CallOutcome::Unusable, took);
        client.called("CreateBackup", CallOutcome::Ok, took);
        let count = |code: &str| {
            let labels = [("account", "a"), ("region", "cn-hangzhou"), ("action", "CreateBackup"), ("code", code)];
            counts.requests.get(&labels.map(|(name, value)| (name, value.to_owned()))).map(|counter| counter.get())
        };
        assert_eq!(["other", "Forbidden.RAM", "refused", "OK"].map(count), [Some(1001), Some(1), Some(1), Some(1)]);
        assert_eq!(count("Invented.7"), None);
    }
}
