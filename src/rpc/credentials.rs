use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// An access key, with its token if the key is temporary.
#[derive(Clone)]
pub struct Credentials {
    /// `AccessKeyId`. It is not a secret by itself, but it never reaches a log either.
    pub access_key_id: String,
    /// `AccessKeySecret`
    pub access_key_secret: SecretString,
    /// `SecurityToken` of temporary keys.
    pub security_token: Option<SecretString>,
    /// When a temporary key ends, if its source says so.
    pub expires_at: Option<Timestamp>,
}

/// The longest part of a key that is taken. Tokens have about 1,000 bytes.
const LONGEST: usize = 8192;

impl Credentials {
    /// A temporary key as services write it. All four parts, or none: a key without its end would be used for ever. The parts are moved
    /// out of the document, so that what is left of them in memory is wiped when the key is dropped.
    pub fn of_answer(mut found: Value) -> Option<Self> {
        let mut part = |name: &str| {
            let Value::String(text) = found.get_mut(name)?.take() else { return None };
            let text = SecretString::from(text);
            let shown = text.expose_secret();
            let usable = !shown.is_empty() && shown.len() <= LONGEST && shown.bytes().all(|byte| byte.is_ascii_graphic());
            usable.then_some(text)
        };
        // All parts are taken out before any of them may be missing.
        let (id, secret, token, end) = (part("AccessKeyId"), part("AccessKeySecret"), part("SecurityToken"), part("Expiration"));
        Some(Self {
            access_key_id: id?.expose_secret().to_owned(),
            access_key_secret: secret?,
            security_token: Some(token?),
            expires_at: Some(end?.expose_secret().parse().ok()?),
        })
    }

    /// Whether both are the same key. The end is not compared: a key does not become another one because its source names an end.
    pub fn is(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }

    /// The end of a key that has ended; none while the service can accept the key.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|end| *end <= now)
    }

    fn parts(&self) -> (&str, &str, Option<&str>) {
        let token = self.security_token.as_ref().map(ExposeSecret::expose_secret);
        (&self.access_key_id, self.access_key_secret.expose_secret(), token)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}
