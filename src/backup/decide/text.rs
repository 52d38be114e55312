//! Texts that are stored and shown.

/// Texts of the service are bounded before they are stored.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}
