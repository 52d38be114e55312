use secrecy::{SecretString, zeroize::Zeroizing};

use crate::rpc::Credentials;

/// The longest part. Tokens have about 1,000 bytes.
const LONGEST: usize = 8192;

/// Why the parts make no credentials: the name of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartError {
    /// It is missing or empty.
    Missing(&'static str),
    /// No request can carry it.
    Unusable(&'static str),
}

/// Credentials from their parts, by the names that the source gives to id, secret and token. Every source goes through here, so that each
/// treats what editors leave behind alike: white space around a part is cut off. A part with anything but visible ASCII characters in it is
/// no part of an access key, and no header could carry it.
pub(super) fn credentials(
    [id, secret, token]: [&'static str; 3],
    lookup: impl Fn(&'static str) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<Credentials, PartError> {
    let part = |name: &'static str| {
        let bytes = lookup(name).unwrap_or_default();
        let text = bytes.trim_ascii();
        if text.len() > LONGEST || !text.iter().all(u8::is_ascii_graphic) {
            return Err(PartError::Unusable(name));
        }
        Ok(Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.is_empty()))
    };
    let required = |name: &'static str| part(name)?.ok_or(PartError::Missing(name));
    Ok(Credentials {
        access_key_id: required(id)?,
        access_key_secret: SecretString::from(required(secret)?),
        security_token: part(token)?.map(SecretString::from),
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(id: &str, secret: &str, token: &str) -> Result<(String, String, Option<String>), PartError> {
        let lookup = |name: &str| {
            let value = match name {
                "id" => id,
                "secret" => secret,
                _ => token,
            };
            (value != "-").then(|| value.as_bytes().to_vec().into())
        };
        let found = credentials(["id", "secret", "token"], lookup)?;
        let token = found.security_token.map(|token| token.expose_secret().to_owned());
        Ok((found.access_key_id, found.access_key_secret.expose_secret().to_owned(), token))
    }

    #[test]
    fn what_editors_leave_around_a_part_is_cut_off() {
        let good = Ok(("LTAI".to_owned(), "s/+=".to_owned(), None));
        for (id, secret, token) in [("LTAI", "s/+=", "-"), (" LTAI\r\n", "\ts/+=\n", ""), ("LTAI\n\n", "s/+= ", " \n")] {
            assert_eq!(read(id, secret, token), good);
        }
        assert_eq!(read("STS.a", "b", "CAIS\n").unwrap().2.as_deref(), Some("CAIS"));
    }

    #[test]
    fn what_no_header_can_carry_is_named() {
        for wrong in ["a\nb", "a b", "a\u{0}", "schl\u{fc}ssel", "\u{feff}LTAI", &"x".repeat(8193)] {
            assert_eq!(read(wrong, "s", "-"), Err(PartError::Unusable("id")), "{wrong:?}");
            assert_eq!(read("i", wrong, "-"), Err(PartError::Unusable("secret")), "{wrong:?}");
            assert_eq!(read("i", "s", wrong), Err(PartError::Unusable("token")), "{wrong:?}: never left out in silence");
        }
        assert_eq!(read("-", "s", "-"), Err(PartError::Missing("id")));
        assert_eq!(read("i", " ", "-"), Err(PartError::Missing("secret")));
    }
}
