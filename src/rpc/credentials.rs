use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// An access key, with its token where the key is temporary.
#[derive(Clone)]
pub struct Credentials {
    /// `AccessKeyId`: not a secret by itself, but it never reaches a log either.
    pub access_key_id: String,
    /// `AccessKeySecret`
    pub access_key_secret: SecretString,
    /// `SecurityToken` of temporary keys.
    pub security_token: Option<SecretString>,
}

impl Credentials {
    /// Whether they are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.parts() == other.parts()
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
