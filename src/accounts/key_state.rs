//! Whether an account's access key can be used, by its last use.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::credentials::CredentialsError;
use crate::{
    rds::{ErrorKind, meaning_of},
    rpc::{CallOutcome, Credentials},
};

/// What the metrics say of an account's access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Whether it could be read, and the service did not refuse it.
    pub usable: bool,
    /// When it ends, or ended if there has been no other one since; none for one that does not end.
    pub ends_at: Option<Timestamp>,
}

/// The key as it was read last, and whether the service refused it since.
#[derive(Debug, Default)]
pub(super) struct KeyState(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// None before the first read; an inner None where the key could not be read.
    read: Option<Option<Credentials>>,
    /// The end of the newest key that was read. It outlives the key: an alert must not end with it.
    ends_at: Option<Timestamp>,
    refused: bool,
}

impl KeyState {
    /// The key was read, or could not be. Another key than before is not refused yet. That the API server did not hand it out says nothing
    /// of it.
    pub fn read(&self, found: &Result<Credentials, CredentialsError>) {
        if found.as_ref().is_err_and(CredentialsError::says_nothing_of_the_key) {
            return;
        }
        let mut state = self.locked();
        let found = found.as_ref().ok();
        let is_same = matches!((&state.read, found), (Some(Some(before)), Some(found)) if before.is(found));
        state.refused &= is_same;
        if let Some(found) = found {
            state.ends_at = found.expires_at;
        }
        state.read = Some(found.cloned());
    }

    /// What became of a call with it. Most errors say nothing of the key.
    pub fn used(&self, outcome: CallOutcome<'_>) {
        match outcome {
            CallOutcome::Ok => self.locked().refused = false,
            CallOutcome::Error(code) if is_refusal(code) => self.locked().refused = true,
            CallOutcome::Error(_) | CallOutcome::Unreadable | CallOutcome::NoAnswer(_) | CallOutcome::Unusable => {}
        }
    }

    /// None before it was read.
    pub fn facts(&self) -> Option<KeyFacts> {
        let state = self.locked();
        let read = state.read.as_ref()?;
        Some(KeyFacts { usable: read.is_some() && !state.refused, ends_at: state.ends_at })
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_refusal(code: &str) -> bool {
    matches!(meaning_of(code).kind, ErrorKind::InvalidCredentials | ErrorKind::TokenExpired)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Result<Credentials, CredentialsError> {
        Ok(Credentials {
            access_key_id: id.into(),
            access_key_secret: "secret-of-the-test".to_owned().into(),
            security_token: None,
            expires_at: None,
        })
    }

    fn missing() -> Result<Credentials, CredentialsError> {
        Err(CredentialsError::Missing { namespace: "ops".into(), name: "key".into() })
    }

    #[test]
    fn a_secret_that_the_api_server_does_not_hand_out_says_nothing_of_the_key() {
        let unread = || {
            let (namespace, name, why) = ("ops".into(), "key".into(), "it does not answer".into());
            Err(CredentialsError::Unreadable { namespace, name, why, again_in: jiff::SignedDuration::from_secs(1) })
        };
        let state = KeyState::default();
        let usable = || state.facts().map(|facts| facts.usable);
        state.read(&unread());
        assert_eq!(usable(), None);
        state.read(&key("a"));
        state.read(&unread());
        assert_eq!(usable(), Some(true));
        state.used(CallOutcome::Error("InvalidAccessKeyId.Inactive"));
        state.read(&unread());
        state.read(&key("a"));
        assert_eq!(usable(), Some(false), "it is the key that was refused");
    }

    #[test]
    fn the_end_of_the_newest_key_is_known_until_there_is_another_one() {
        let state = KeyState::default();
        let end = "2026-03-01T13:00:00Z".parse().unwrap();
        state.read(&key("a").map(|key| Credentials { expires_at: Some(end), ..key }));
        state.read(&missing());
        assert_eq!(state.facts(), Some(KeyFacts { usable: false, ends_at: Some(end) }));
        state.read(&key("b"));
        assert_eq!(state.facts(), Some(KeyFacts { usable: true, ends_at: None }), "one that does not end");
    }

    #[test]
    fn a_key_is_usable_until_it_is_missing_or_refused_and_another_one_is_again() {
        let state = KeyState::default();
        let usable = || state.facts().map(|facts| facts.usable);
        assert_eq!(usable(), None, "nothing is known before the first read");
        state.read(&missing());
        assert_eq!(usable(), Some(false));
        state.read(&key("a"));
        assert_eq!(usable(), Some(true));
        for says_nothing in [CallOutcome::Error("Forbidden.RAM"), CallOutcome::Error("Throttling"), CallOutcome::Unreadable] {
            state.used(says_nothing);
            assert_eq!(usable(), Some(true), "{says_nothing:?}");
        }
        state.used(CallOutcome::Error("InvalidAccessKeyId.Inactive"));
        state.read(&key("a"));
        assert_eq!(usable(), Some(false), "the same key is read again every minute");
        state.used(CallOutcome::Error("Throttling"));
        assert_eq!(usable(), Some(false));
        state.used(CallOutcome::Ok);
        assert_eq!(usable(), Some(true), "it was activated again");
        state.used(CallOutcome::Error("SignatureDoesNotMatch"));
        state.read(&key("b"));
        assert_eq!(state.facts(), Some(KeyFacts { usable: true, ends_at: None }));
    }
}
