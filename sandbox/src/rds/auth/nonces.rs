//! Nonces that have been used.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::rds::clock::since;
use crate::rds::error::ApiError;

/// Nonces by access key, with the machine's time of their use.
#[derive(Debug, Default)]
pub(crate) struct Nonces(BTreeMap<(String, String), Timestamp>);

impl Nonces {
    /// Uses the nonce up. One that was used within the retention is refused, and stays used from its first use on.
    pub(crate) fn consume(&mut self, key: &str, nonce: &str, retention: Duration, now: Timestamp) -> Result<(), ApiError> {
        let entry = (key.to_owned(), nonce.to_owned());
        if self.0.get(&entry).is_some_and(|used| since(*used, now) < retention) {
            return Err(ApiError::new(400, "SignatureNonceUsed", "Specified signature nonce was used already."));
        }
        self.0.insert(entry, now);
        // Swept now and then: a map of a long load test would else hold every nonce it ever saw.
        if self.0.len().is_multiple_of(10_000) {
            self.0.retain(|_, used| since(*used, now) < retention);
        }
        Ok(())
    }
}
