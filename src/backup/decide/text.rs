//! Texts that are stored and shown.

use jiff::SignedDuration;

/// Texts of the service are bounded before they are stored.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A length of time in a message.
pub(super) fn short(time: SignedDuration) -> String {
    format!("{time:#}")
}
