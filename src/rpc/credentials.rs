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
    /// A temporary key as services write it. All four parts, or none: a key without its end would be used for ever.
    pub fn of_answer(found: &Value) -> Option<Self> {
        let part = |name: &str| {
            let text = found.get(name)?.as_str()?;
            let usable = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
            usable.then(|| text.to_owned())
        };
        Some(Self {
            access_key_id: part("AccessKeyId")?,
            access_key_secret: part("AccessKeySecret")?.into(),
            security_token: Some(part("SecurityToken")?.into()),
            expires_at: Some(part("Expiration")?.parse().ok()?),
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
