//! What became of the calls of all clients, for the metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::{family::Family, histogram::Histogram};

use super::key_state::KeyState;
use crate::{
    rds::published_code,
    rpc::{CallCounts, CallOutcome},
};

/// The upper bounds of the buckets, in seconds. A call is given up after 30.
const DURATIONS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What a call of an account is counted under: region, action, code.
type CallLabels = (String, &'static str, &'static str);

/// Calls by action.
type ActionLabels = [(&'static str, &'static str); 1];

/// How long calls took, by action, over all accounts.
#[derive(Clone, Debug)]
pub struct CallDurations(pub Family<ActionLabels, Histogram, fn() -> Histogram>);

impl Default for CallDurations {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(DURATIONS)))
    }
}

/// How many calls an account made with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCount {
    /// The label of the region.
    pub region: String,
    /// The action.
    pub action: &'static str,
    /// `OK`, a code of the table, why there is no answer, or `other`.
    pub code: &'static str,
    /// How many.
    pub count: u64,
}

/// The calls of one account. Its series go with the account: a call that is answered later is counted where nobody reads it.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<BTreeMap<CallLabels, u64>>>);

impl Calls {
    /// The counter for the client of a region; what becomes of the calls says whether the account's key can be used.
    pub fn of_client(&self, region: &str, durations: &CallDurations, key: Arc<KeyState>) -> Arc<dyn CallCounts> {
        Arc::new(OfClient { calls: self.clone(), durations: durations.clone(), region: region.to_owned(), key })
    }

    pub fn counts(&self) -> Vec<CallCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count =
            |((region, action, code), count): (&CallLabels, &u64)| CallCount { region: region.clone(), action, code, count: *count };
        counts.iter().map(count).collect()
    }
}

struct OfClient {
    calls: Calls,
    durations: CallDurations,
    region: String,
    key: Arc<KeyState>,
}

impl CallCounts for OfClient {
    fn called(&self, action: &'static str, outcome: CallOutcome<'_>, took: Duration) {
        self.key.used(outcome);
        let Some(code) = label(outcome) else { return };
        let mut counts = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((self.region.clone(), action, code)).or_default();
        *count = count.saturating_add(1);
        self.durations.0.get_or_create(&[("action", action)]).observe(took.as_secs_f64());
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
        let calls = Calls::default();
        let client = calls.of_client("cn-hangzhou", &CallDurations::default(), Arc::default());
        let took = Duration::from_millis(300);
        for number in 0..1000 {
            client.called("CreateBackup", CallOutcome::Error(&format!("Invented.{number}")), took);
        }
        client.called("CreateBackup", CallOutcome::Unreadable, took);
        client.called("CreateBackup", CallOutcome::Error("forbidden.ram"), took);
        client.called("CreateBackup", CallOutcome::NoAnswer(NoAnswer::Refused), took);
        client.called("CreateBackup", CallOutcome::Unusable, took);
        client.called("CreateBackup", CallOutcome::Ok, took);
        let counts = calls.counts();
        assert!(counts.iter().all(|call| (call.region.as_str(), call.action) == ("cn-hangzhou", "CreateBackup")), "{counts:?}");
        let count = |code: &str| counts.iter().find(|call| call.code == code).map(|call| call.count);
        assert_eq!(["other", "Forbidden.RAM", "refused", "OK"].map(count), [Some(1001), Some(1), Some(1), Some(1)]);
        assert_eq!(count("Invented.7"), None);
    }
}
