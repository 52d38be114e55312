use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::rds::auth::key::Key;
use crate::rds::auth::verify::{Verified, verify};

const VECTORS: &str = include_str!("../../../../tests/fixtures/rpc1-vectors.json");

fn vectors(kind: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(VECTORS).unwrap()[kind].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn written(parameters: &[(&str, &str)]) -> String {
    parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn parameters<'v>(vector: &'v Value, place: &str) -> Vec<(&'v str, &'v str)> {
    vector[place].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// The request of the vector, with the part of its parameters for which `in_body` is true in a form.
fn request(vector: &Value, in_body: fn(&str) -> bool) -> RawRequest {
    let mut all = parameters(vector, "params");
    all.push(("Signature", text(&vector["signature"])));
    let (body, query): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| in_body(name));
    let form = || ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    RawRequest {
        method: text(&vector["method"]).to_owned(),
        path: "/".to_owned(),
        query: written(&query),
        headers: (!body.is_empty()).then(form).into_iter().collect(),
        body: written(&body).into_bytes(),
    }
}

fn judge(request: &RawRequest, secret: &str) -> Result<Verified, String> {
    let mut key = Key::new(&request.parameter("AccessKeyId").unwrap_or_default(), secret);
    key.token = request.parameter("SecurityToken");
    let now = request.parameter("Timestamp").and_then(|date| date.parse().ok()).unwrap_or_default();
    verify(request, &[key], Duration::from_secs(900), now).map_err(|error| format!("{} {}", error.status, error.code))
}

/// Those with everything that a whole request has.
fn whole() -> Vec<Value> {
    vectors("vectors").into_iter().filter(|vector| vector["params"]["AccessKeyId"].is_string()).collect()
}

#[test]
fn every_published_vector_is_reproduced() {
    let vectors = vectors("vectors");
    assert_eq!(vectors.len(), 13);
    for vector in vectors {
        let name = &vector["name"];
        let request = RawRequest { query: written(&parameters(&vector, "params")), ..RawRequest::default() };
        let query = canonical_query(&request);
        assert_eq!(query, text(&vector["canonical_query"]), "{name}");
        let to_sign = string_to_sign(text(&vector["method"]), &query);
        assert_eq!(to_sign, text(&vector["string_to_sign"]), "{name}");
        let made = mac(text(&vector["access_key_secret"]), &to_sign).finalize().into_bytes();
        assert_eq!(BASE64_STANDARD.encode(made), text(&vector["signature"]), "{name}");
    }
}

#[test]
fn whole_requests_are_accepted_in_query_form_and_both() {
    let vectors = whole();
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        let splits: &[fn(&str) -> bool] = match text(&vector["method"]) {
            "GET" => &[|_| false],
            _ => &[|_| false, |_| true, |name| name.starts_with('D'), |name| name == "Signature"],
        };
        for in_body in splits {
            let judged = judge(&request(&vector, *in_body), text(&vector["access_key_secret"]));
            assert!(judged.is_ok(), "{}: {judged:?}", vector["name"]);
        }
    }
}

#[test]
fn what_the_official_client_put_on_the_wire_is_accepted() {
    let captures = vectors("captures");
    assert_eq!(captures.len(), 2);
    for capture in captures {
        let query = written(&parameters(&capture, "query"));
        let request = RawRequest { method: text(&capture["method"]).to_owned(), path: "/".to_owned(), query, ..RawRequest::default() };
        let judged = judge(&request, "testAccessKeySecret/+=0001");
        assert_eq!(judged.map(|verified| verified.nonce), Ok("e2e-nonce-0001".to_owned()));
    }
}

#[test]
fn an_altered_request_is_refused() {
    type Alteration = fn(&mut RawRequest);
    let vector = vectors("vectors").into_iter().find(|vector| vector["name"] == "gen-CreateBackup-minimal-POST").unwrap();
    let secret = text(&vector["access_key_secret"]);
    let alterations: [Alteration; 6] = [
        |request| request.method = "GET".to_owned(),
        |request| request.query = request.query.replace("DBInstanceId=rm-", "DBInstanceId=rx-"),
        |request| request.query += "&BackupMethod=Logical",
        |request| request.query += "&Empty=",
        |request| request.query = request.query.replace("Action=CreateBackup", "Action=DescribeBackups"),
        |request| {
            request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            request.body = b"DBName=other".to_vec();
        },
    ];
    for alter in alterations {
        let whole = request(&vector, |_| false);
        assert!(judge(&whole, secret).is_ok());
        let mut altered = whole.clone();
        alter(&mut altered);
        assert_ne!((&altered.method, &altered.query, &altered.body), (&whole.method, &whole.query, &whole.body));
        assert_eq!(judge(&altered, secret).err().as_deref(), Some("400 SignatureDoesNotMatch"), "{altered:?}");
    }
    assert_eq!(judge(&request(&vector, |_| false), "wrong").err().as_deref(), Some("400 SignatureDoesNotMatch"));
}

#[test]
fn what_is_missing_is_named() {
    let vector = whole().remove(0);
    for name in ["Action", "Version", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp", "AccessKeyId"] {
        let mut request = request(&vector, |_| false);
        request.query = request.query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect::<Vec<_>>().join("&");
        let error = read(&request).err().unwrap();
        assert!(error.code == "MissingParameter" && error.message.contains(name), "{name}: {error}");
    }
}

#[test]
fn other_methods_of_signing_are_refused() {
    let vector = whole().remove(0);
    for (from, to) in [("HMAC-SHA1", "HMAC-SHA256"), ("SignatureVersion=1.0", "SignatureVersion=2.0")] {
        let mut request = request(&vector, |_| false);
        request.query = request.query.replace(from, to);
        assert_eq!(judge(&request, "any").err().as_deref(), Some("400 InvalidParameter"), "{to}");
    }
    let mut request = request(&vector, |_| false);
    request.query = request.query.split('&').filter(|pair| !pair.starts_with("Signature=")).collect::<Vec<_>>().join("&");
    assert_eq!(judge(&request, "any").err().as_deref(), Some("400 IncompleteSignature"));
}
