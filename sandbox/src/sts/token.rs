//! Tokens as a cluster's issuer writes them: JWTs. They are signed with HMAC-SHA256 and a secret that the provider here knows, where a real
//! cluster signs with RSA and publishes its keys: to whoever only carries a token it is the same.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The issuer of a cluster.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`
    pub url: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: Vec<String>,
    pub(super) exp: i64,
}

/// Why a text is no token of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    /// Not three parts, not base64, not JSON, or an algorithm that is not known.
    Invalid,
    /// Signed by somebody else.
    Signature,
}

impl Issuer {
    /// An issuer of this name.
    pub fn new(url: &str, secret: &str) -> Self {
        Self { url: url.to_owned(), secret: secret.to_owned() }
    }

    /// A token for a ServiceAccount (`system:serviceaccount:NAMESPACE:NAME`), for one audience, until then.
    pub fn token(&self, subject: &str, audience: &str, until: Timestamp) -> String {
        let claims = Claims { iss: self.url.clone(), sub: subject.to_owned(), aud: vec![audience.to_owned()], exp: until.as_second() };
        let part = |json: String| BASE64URL_NOPAD.encode(json.as_bytes());
        // Neither can fail to become JSON.
        let header = part(serde_json::to_string(&Header { alg: "HS256".to_owned() }).unwrap_or_default());
        let signed = format!("{header}.{}", part(serde_json::to_string(&claims).unwrap_or_default()));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&self.mac(&signed).finalize().into_bytes()))
    }

    /// What a token of this issuer says.
    pub(super) fn read(&self, token: &str) -> Result<Claims, TokenError> {
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { return Err(TokenError::Invalid) };
        let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Invalid);
        let of_header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| TokenError::Invalid)?;
        let claims: Claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| TokenError::Invalid)?;
        if of_header.alg != "HS256" || claims.iss != self.url {
            return Err(TokenError::Invalid);
        }
        let signature = decoded(signature)?;
        self.mac(&format!("{header}.{payload}")).verify_slice(&signature).map_err(|_| TokenError::Signature)?;
        Ok(claims)
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        // HMAC takes a key of any length, so the error cannot happen.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(text.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_of_this_issuer_is_read() {
        let issuer = Issuer::new("https://issuer.example", "secret");
        let token = issuer.token("system:serviceaccount:a:b", "sts.aliyuncs.com", Timestamp::from_second(1_800_000_000).unwrap());
        let claims = issuer.read(&token).unwrap();
        assert_eq!((claims.sub.as_str(), claims.exp), ("system:serviceaccount:a:b", 1_800_000_000));
        let other = Issuer::new("https://issuer.example", "other");
        assert_eq!(other.read(&token), Err(TokenError::Signature));
        assert_eq!(Issuer::new("https://other.example", "secret").read(&token), Err(TokenError::Invalid));
        for wrong in ["", "a.b", "a.b.c", &token.replace('.', "_"), &format!("{token}.x"), &token[1..]] {
            assert_eq!(issuer.read(wrong), Err(TokenError::Invalid), "{wrong}");
        }
    }
}
