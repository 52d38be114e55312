use std::fmt;

use secrecy::SecretString;

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

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}
