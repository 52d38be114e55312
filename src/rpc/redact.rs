//! Makes text from outside safe to show in a status, an event or a log.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, zeroize::Zeroizing};

use super::{credentials::Credentials, sign::encode};

/// The longest message that is kept, in bytes. Every message that the service publishes is shorter.
const LONGEST_MESSAGE: usize = 256;

/// What of a secret must not be shown: so many characters from its beginning. A service or a proxy that cuts off what it repeats leaves that.
const BEGINNING: usize = 12;

/// So many characters of a secret have a beginning of any form in them.
const ENCODED: usize = 24;

/// A shorter text in base64 stands in other texts by chance.
const SHORTEST_IN_BASE64: usize = 8;

/// The texts that must not be shown, even if the service repeats them: the caller's own key, as it is, percent-encoded once and twice, and in
/// base64. They are the beginnings of each form.
pub(super) struct Hidden(Vec<Zeroizing<String>>);

impl Hidden {
    /// No text is hidden.
    pub const NOTHING: Self = Self(Vec::new());

    /// The id, the secret and the token.
    pub fn of(credentials: &Credentials) -> Self {
        let Credentials { access_key_id, access_key_secret, security_token, expires_at: _ } = credentials;
        let token = security_token.as_ref().map(|token| token.expose_secret());
        Self::all([Some(access_key_id.as_str()), Some(access_key_secret.expose_secret()), token].into_iter().flatten())
    }

    /// All of these. A text of less than 4 characters is not a key, and hiding it would blank whole sentences.
    pub fn all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut beginnings = Vec::new();
        for text in texts.into_iter().filter(|text| text.len() >= 4) {
            let text = cut(text, ENCODED);
            let once = encode(text);
            let mut add = |form: &str, shortest: usize| {
                let beginning = cut(form, BEGINNING);
                if beginning.len() >= shortest {
                    beginnings.push(Zeroizing::new(beginning.to_owned()));
                }
            };
            add(text, 0);
            add(&once, 0);
            add(&encode(&once), 0);
            // Within a text that is encoded as a whole it begins at one of three places of a group of bytes. The first group mixes it with
            // what is before it, the last one with what is after it.
            for (before, from) in [("", 0), ("?", 4), ("??", 4)] {
                let whole = Zeroizing::new(BASE64_STANDARD.encode([before, text].concat()));
                let own = whole.get(from..whole.len().saturating_sub(4)).unwrap_or_default();
                add(own, SHORTEST_IN_BASE64);
                add(&own.replace('+', "-").replace('/', "_"), SHORTEST_IN_BASE64);
            }
        }
        Self(beginnings)
    }

    /// Whether the text has one of them in it.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|beginning| text.contains(beginning.as_str()))
    }
}

/// The service's `Message`. If a signature does not match, the service repeats the text that was signed, with the key's id and the token
/// in it, so that message is replaced as a whole.
pub(super) fn message(code: &str, text: &str, hidden: &Hidden) -> String {
    let echoes = ["signaturedoesnotmatch", "incompletesignature", "invalidaccesskey", "invalidsecuritytoken"];
    let code = code.to_ascii_lowercase();
    if echoes.iter().any(|echo| code.starts_with(echo)) {
        return "the service does not accept the key, the token or the signature".to_owned();
    }
    plain_text(text, hidden)
}

/// The text without control characters, addresses and keys, at most 256 bytes.
pub(super) fn plain_text(text: &str, hidden: &Hidden) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let shown = words.map(|word| match () {
        () if hidden.is_in(word) => "(hidden)",
        () if is_address(word) => "(address)",
        () => word,
    });
    cut(&shown.collect::<Vec<_>>().join(" "), LONGEST_MESSAGE).to_owned()
}

/// Whether a word may be a pre-signed address, or the rest of one.
fn is_address(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let query = lower.split_once('?').is_some_and(|(_, query)| query.contains('='));
    query
        || ["://", "signature=", "accesskeyid=", "accesskeyid%3d", "securitytoken=", "security-token"]
            .iter()
            .any(|part| lower.contains(part))
}

/// The longest beginning of at most `limit` bytes that ends between two characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_the_service_repeats_is_not_shown() {
        let credentials = Credentials {
            access_key_id: "LTAI5tKeyOfOurs".into(),
            access_key_secret: "secret/+=of-ours".into(),
            security_token: Some("CAIS-token-of-ours".into()),
            expires_at: None,
        };
        let hidden = Hidden::of(&credentials);
        for (code, text, shown) in [
            (
                "SignatureDoesNotMatch",
                "server string to sign is: POST\\n/\\nAccessKeyId LTAIother",
                "the service does not accept the key, the token or the signature",
            ),
            ("InvalidAccessKeyId.NotFound", "LTAIother is not found", "the service does not accept the key, the token or the signature"),
            ("SignatureNonceUsed", "Specified signature nonce was used already.", "Specified signature nonce was used already."),
            ("X", "user LTAI5tKeyOfOurs, with [secret/+=of-ours] and CAIS-token-of-ours!", "user (hidden) with (hidden) and (hidden)"),
            ("X", "see\r\n https://oss.example/x?Signature=abc\u{7}now", "see (address) now"),
            ("X", "see oss.example/x.xb?Expires=1&Signature=abc now", "see (address) now"),
            ("X", "torn &Signature=abc%3D now", "torn (address) now"),
            ("X", "is that so? a=b", "is that so? a=b"),
            ("X", "  \u{1b}[31mred\u{0}text ", "[31mred text"),
        ] {
            assert_eq!(message(code, text, &hidden), shown);
        }
    }

    #[test]
    fn a_key_is_not_shown_in_another_form_or_cut_off() {
        let hidden = Hidden::all(["secret/+=of-the-test", "four", "abc"]);
        let base64 = |text: &str| BASE64_STANDARD.encode(text);
        for text in [
            "secret/+=of-",
            "x=secret%2F%2B%3Dof-the",
            "x%3Dsecret%252F%252B%253D",
            &base64("secret/+=of-the-test"),
            &base64("u:secret/+=of-the-test")[..18],
            &format!("Basic_{}", base64("user:secret/+=of-the-test")),
            "a-four-b",
        ] {
            assert_eq!(plain_text(&format!("see {text} now"), &hidden), "see (hidden) now", "{text}");
        }
        for text in ["secret/+=of", "abc", &base64("four"), "secret"] {
            assert_eq!(plain_text(text, &hidden), text);
        }
    }

    #[test]
    fn messages_are_cut_between_characters() {
        assert_eq!(plain_text(&"é".repeat(200), &Hidden::NOTHING).len(), 256);
        assert_eq!(plain_text(&format!("a{}", "é".repeat(200)), &Hidden::NOTHING).len(), 255);
        assert_eq!((cut("é", 1), cut("", 5), cut("abc", 2)), ("", "", "ab"));
    }
}
