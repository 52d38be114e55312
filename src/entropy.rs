//! The one place that draws random numbers. Everything else takes randomness as a parameter.

use std::{fmt, sync::Arc};

use jiff::SignedDuration;

/// A source of nonces and random pauses: the system's, or one that a test controls.
#[derive(Clone)]
pub struct Entropy(Arc<dyn Fn() -> u128 + Send + Sync>);

impl Entropy {
    /// The system's randomness.
    #[expect(clippy::disallowed_methods, reason = "the one place that uses it")]
    pub fn system() -> Self {
        Self(Arc::new(rand::random::<u128>))
    }

    /// A source that calls `source` for 128 random bits.
    pub fn new(source: impl Fn() -> u128 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A nonce in the form of a UUID of version 4, as the official clients send.
    pub fn nonce(&self) -> String {
        let bits = (self.0)() & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// A random number below `end`; 0 if that is 0.
    pub fn below(&self, end: u64) -> u64 {
        u64::try_from((self.0)() % u128::from(end.max(1))).unwrap_or_default()
    }

    /// A random pause from 1 s to 5 s, in whole milliseconds.
    pub fn pause(&self) -> SignedDuration {
        let spread = i64::try_from((self.0)() % 4001).unwrap_or_default();
        SignedDuration::from_millis(1000 + spread)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_the_form_of_a_version_4_uuid() {
        assert_eq!(Entropy::new(|| 0).nonce(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(Entropy::new(|| u128::MAX).nonce(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_pause_is_one_to_five_seconds() {
        assert_eq!(Entropy::new(|| 0).pause(), SignedDuration::from_secs(1));
        assert_eq!(Entropy::new(|| 4000).pause(), SignedDuration::from_secs(5));
        assert_eq!(Entropy::new(|| 4001).pause(), SignedDuration::from_secs(1));
    }
}
