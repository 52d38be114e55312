//! Signatures of version 1 (RPC, HMAC-SHA1): <https://help.aliyun.com/document_detail/315526.html>. Newer pages call it "V2 request
//! structure and signature"; the parameter itself says `SignatureVersion=1.0`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, zeroize::Zeroizing};
use sha1::Sha1;

use super::request::{Pairs, Signed, Unsigned, canonical_query, encode, pair, with_room};

/// Between the parameters and the signature.
const SIGNATURE: &str = "&Signature=";

/// All parameters and the signature travel in a form body.
pub(super) fn sign(unsigned: &Unsigned<'_>) -> Signed {
    let Unsigned { action, version, params, host, nonce, date, credentials } = unsigned;
    let mut params = Pairs::new(params.to_vec());
    params.extend([
        pair("Action", action),
        pair("Version", version),
        pair("Format", "JSON"),
        pair("AccessKeyId", &credentials.access_key_id),
        pair("SignatureMethod", "HMAC-SHA1"),
        pair("SignatureVersion", "1.0"),
        pair("SignatureNonce", nonce),
        pair("Timestamp", date),
    ]);
    params.extend(credentials.security_token.as_ref().map(|token| pair("SecurityToken", token.expose_secret())));
    let query = canonical_query(&params);
    let signature = signature("POST", &query, credentials.access_key_secret.expose_secret());
    let headers = vec![pair("host", host), pair("content-type", "application/x-www-form-urlencoded")];
    let signature = encode(&signature);
    let mut body = with_room(query.len() + SIGNATURE.len() + signature.len());
    for part in [query.as_str(), SIGNATURE, &signature] {
        body.push_str(part);
    }
    Signed { query: None, headers: headers.into(), body }
}

/// Base64 of HMAC-SHA1 over the method and the canonical query.
fn signature(method: &str, canonical_query: &str, secret: &str) -> String {
    // HMAC takes keys of any length. The error exists for other MACs.
    let mut key = with_room(secret.len() + 1);
    key.push_str(secret);
    key.push('&');
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(string_to_sign(method, canonical_query).as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn string_to_sign(method: &str, canonical_query: &str) -> Zeroizing<String> {
    let encoded = encode(canonical_query);
    let mut text = with_room(method.len() + "&%2F&".len() + encoded.len());
    for part in [method, "&%2F&", &encoded] {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::{super::vectors::*, *};
    use crate::rpc::Credentials;

    #[test]
    fn the_published_vectors_are_reproduced() {
        let vectors = vectors("v1");
        assert_eq!(vectors.len(), 13);
        let methods = |method: &str| vectors.iter().filter(|vector| vector["method"] == method).count();
        assert!(methods("GET") >= 5 && methods("POST") >= 5, "both methods are covered");
        for vector in &vectors {
            let name = text(vector, "name");
            let (method, query) = (text(vector, "method"), canonical_query(&pairs(vector, "params")));
            assert_eq!(*query, text(vector, "canonical_query"), "{name}");
            assert_eq!(*string_to_sign(&method, &query), text(vector, "string_to_sign"), "{name}");
            let signature = signature(&method, &query, &text(vector, "access_key_secret"));
            assert_eq!(signature, text(vector, "signature"), "{name}");
            assert_eq!(*encode(&signature), text(vector, "signature_percent_encoded"), "{name}");
        }
    }

    #[test]
    fn the_signatures_of_the_official_client_are_reproduced() {
        let captures = captures("HMAC-SHA1");
        assert_eq!(captures.len(), 2);
        for capture in captures {
            let (sent, signed): (Vec<_>, Vec<_>) = pairs(&capture, "query").into_iter().partition(|(name, _)| name == "Signature");
            assert_eq!(signature(&text(&capture, "method"), &canonical_query(&signed), CAPTURED_SECRET), sent[0].1);
        }
    }

    #[test]
    fn a_request_carries_everything_in_its_body() {
        let credentials = Credentials {
            access_key_id: CAPTURED_ID.into(),
            access_key_secret: SecretString::from(CAPTURED_SECRET),
            security_token: Some(SecretString::from("token+/=")),
            expires_at: None,
        };
        let params = [pair("DBInstanceId", "rm-1"), pair("DBName", "a b")];
        let unsigned = Unsigned {
            action: "CreateBackup",
            version: "2014-08-15",
            params: &params,
            host: "127.0.0.1:1",
            nonce: "n",
            date: "2026-01-02T03:04:05Z",
            credentials: &credentials,
        };
        let Signed { query, headers, body } = sign(&unsigned);
        assert_eq!(query, None, "nothing for the logs of proxies");
        assert_eq!(*headers, [pair("host", "127.0.0.1:1"), pair("content-type", "application/x-www-form-urlencoded")]);
        let (signed, signature) = body.rsplit_once("&Signature=").expect("it is signed");
        assert_eq!(
            signed,
            format!(
                "AccessKeyId={CAPTURED_ID}&Action=CreateBackup&DBInstanceId=rm-1&DBName=a%20b&Format=JSON&SecurityToken=token%2B%2F%3D&\
                 SignatureMethod=HMAC-SHA1&SignatureNonce=n&SignatureVersion=1.0&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2014-08-15"
            )
        );
        assert_eq!(signature, *encode(&super::signature("POST", signed, CAPTURED_SECRET)));
    }
}
