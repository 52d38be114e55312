use super::*;
use crate::rds::auth::nonces::Nonces;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../tests/fixtures/acs3-vectors.json");

fn fields(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    value.as_object().into_iter().flatten().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect()
}

/// A request as the vector says it stood on the wire.
fn request(vector: &Value) -> RawRequest {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let query = vector["query"].as_object().unwrap();
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value.as_str().unwrap()))).collect();
    let mut headers = fields(&vector["headers"]);
    if let Some(authorization) = vector["authorization"].as_str() {
        headers.push(("authorization".into(), authorization.into()));
    }
    RawRequest {
        method: vector["method"].as_str().unwrap().into(),
        path: "/".into(),
        query: query.join("&"),
        headers,
        body: vector["body"].as_str().unwrap_or_default().into(),
    }
}

fn vectors(kind: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(VECTORS).unwrap()[kind].as_array().unwrap().clone()
}

fn key_of(vector: &Value, request: &RawRequest) -> Key {
    let key = Key::new(&claimed_key(request), vector["access_key_secret"].as_str().unwrap());
    Key { token: request.header("x-acs-security-token").map(str::to_owned), ..key }
}

fn judge(request: &RawRequest, key: Key) -> Result<Verified, String> {
    let now = request.header("x-acs-date").unwrap().parse().unwrap();
    judge_at(request, key, now)
}

fn judge_at(request: &RawRequest, key: Key, now: Timestamp) -> Result<Verified, String> {
    verify(request, &[key], Duration::from_secs(900), now).map_err(|error| format!("{} {}", error.status, error.code))
}

/// The plainest of the vectors, and its key.
fn plain() -> (RawRequest, Key) {
    let vector = vectors("vectors").into_iter().find(|vector| vector["name"] == "gen-CreateBackup-minimal").unwrap();
    let request = request(&vector);
    let key = key_of(&vector, &request);
    (request, key)
}

fn set(request: &mut RawRequest, name: &str, value: &str) {
    request.headers.retain(|(found, _)| found != name);
    request.headers.push((name.into(), value.into()));
}

#[test]
fn every_published_vector_is_accepted() {
    assert_eq!((vectors("vectors").len(), vectors("captures").len()), (10, 2), "a vector that is left out judges nothing");
    for vector in vectors("vectors") {
        let request = request(&vector);
        let signed = vector["signed_headers"].as_str().unwrap();
        let canonical = acs3::canonical_request(&request, signed);
        assert_eq!(canonical, vector["canonical_request"].as_str().unwrap(), "{}", vector["name"]);
        assert_eq!(acs3::string_to_sign(&canonical), vector["string_to_sign"].as_str().unwrap(), "{}", vector["name"]);
        assert!(judge(&request, key_of(&vector, &request)).is_ok(), "{}", vector["name"]);
    }
}

#[test]
fn what_the_official_client_put_on_the_wire_is_accepted() {
    for capture in vectors("captures") {
        let request = request(&capture);
        assert!(judge(&request, key_of(&capture, &request)).is_ok(), "{capture}");
    }
}

#[test]
fn a_header_that_comes_twice_is_signed_sorted_and_joined() {
    let header = |value: &str| ("x-acs-test".to_owned(), value.to_owned());
    let (method, path, query) = ("GET".into(), "/".into(), "test=ok&empty".into());
    let request = RawRequest { method, path, query, headers: vec![header("https"), header("  http ")], body: Vec::new() };
    let canonical = acs3::canonical_request(&request, "x-acs-test");
    assert!(canonical.starts_with("GET\n/\nempty=&test=ok\nx-acs-test:http,https\n\nx-acs-test\n"), "{canonical}");
}

#[test]
fn an_altered_request_is_refused() {
    type Alteration = fn(&mut RawRequest);
    let alterations: [(&str, Alteration); 7] = [
        ("400 SignatureDoesNotMatch", |request| request.method = "GET".into()),
        ("400 SignatureDoesNotMatch", |request| request.query = "DBInstanceId=rm-other".into()),
        ("400 SignatureDoesNotMatch", |request| request.query += "&BackupMethod=Logical"),
        ("400 SignatureDoesNotMatch", |request| request.body = b"x".into()),
        ("400 SignatureDoesNotMatch", |request| set(request, "host", "rds.example")),
        ("400 SignatureDoesNotMatch", |request| set(request, "x-acs-action", "DescribeBackups")),
        ("400 SignatureDoesNotMatch", |request| set(request, "x-acs-signature-nonce", "another")),
    ];
    for (expected, alter) in alterations {
        let (mut request, key) = plain();
        alter(&mut request);
        assert_eq!(judge(&request, key), Err(expected.to_owned()), "{request:?}");
    }
}

#[test]
fn every_header_of_the_service_has_to_be_signed() {
    let (mut request, key) = plain();
    set(&mut request, "x-acs-extra", "1");
    assert_eq!(judge(&request, key.clone()), Err("400 IncompleteSignature".into()));
    let (mut request, _) = plain();
    let without_host = request.header("authorization").unwrap().replace("host;", "");
    set(&mut request, "authorization", &without_host);
    assert_eq!(judge(&request, key.clone()), Err("400 IncompleteSignature".into()));
    // What proxies add and change does not.
    let (mut request, _) = plain();
    set(&mut request, "user-agent", "changed");
    assert!(judge(&request, key).is_ok());
}

#[test]
fn an_authorization_that_is_not_well_formed_is_refused() {
    let (request, key) = plain();
    let good = request.header("authorization").unwrap().to_owned();
    for bad in [
        String::new(),
        good.replace(',', ", "),
        good.replace("ACS3-HMAC-SHA256", "ACS3-HMAC-SM3"),
        good.replace("host;x-acs-action", "x-acs-action;host"),
        good.replace("Credential=", "credential="),
        good.replace("host;", "host;x-acs-absent;"),
    ] {
        let (mut request, _) = plain();
        set(&mut request, "authorization", &bad);
        assert_eq!(judge(&request, key.clone()), Err("400 IncompleteSignature".into()), "{bad}");
    }
    let (mut request, _) = plain();
    let upper = good.rsplit_once('=').map(|(head, signature)| format!("{head}={}", signature.to_uppercase())).unwrap();
    set(&mut request, "authorization", &upper);
    assert_eq!(judge(&request, key), Err("400 SignatureDoesNotMatch".into()), "the signature is written in lower case");
}

#[test]
fn a_header_that_is_missing_is_named() {
    let required = ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"];
    for name in required {
        let (mut request, key) = plain();
        request.headers.retain(|(found, _)| found != name);
        let without = request.header("authorization").unwrap().replace(&format!("{name};"), "");
        set(&mut request, "authorization", &without);
        let error = verify(&request, &[key], Duration::from_secs(900), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!((error.code.as_str(), error.message.contains(name)), ("MissingParameter", true), "{name}");
    }
}

#[test]
fn a_request_expires_on_both_sides_of_the_clock() {
    let (request, key) = plain();
    let signed: Timestamp = request.header("x-acs-date").unwrap().parse().unwrap();
    let after = |seconds| judge_at(&request, key.clone(), signed + jiff::SignedDuration::from_secs(seconds)).err();
    let expired = Some("400 InvalidTimeStamp.Expired".to_owned());
    assert_eq!([-901, -900, 0, 900, 901].map(after), [expired.clone(), None, None, None, expired]);
}

#[test]
fn a_date_has_one_form() {
    for date in ["2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05+00:00", "2026-01-02 03:04:05Z", "2026-01-02T03:04Z", "Fri, 02 Jan 2026"] {
        let (mut request, key) = plain();
        set(&mut request, "x-acs-date", date);
        assert_eq!(judge_at(&request, key, Timestamp::UNIX_EPOCH), Err("400 InvalidTimeStamp.Format".into()), "{date}");
    }
}

#[test]
fn a_wrong_secret_is_told_what_was_to_be_signed() {
    let (request, key) = plain();
    let now = request.header("x-acs-date").unwrap().parse().unwrap();
    let error = verify(&request, &[Key { secret: "wrong".into(), ..key }], Duration::from_secs(900), now).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (400, "SignatureDoesNotMatch"));
    let text = acs3::string_to_sign(&acs3::canonical_request(
        &request,
        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
    ));
    assert!(error.message.contains(&text), "{}", error.message);
}

#[test]
fn an_unknown_key_is_not_found() {
    let (request, key) = plain();
    assert_eq!(judge(&request, Key { id: "another".into(), ..key }), Err("404 InvalidAccessKeyId.NotFound".into()));
}

#[test]
fn a_token_belongs_to_its_key() {
    let key = Key::new("k", "s");
    let temporary = Key::new("STS.k", "s");
    let code = |key: &Key, sent| check_token(key, sent).map_err(|error| error.code);
    assert_eq!(code(&key, None), Ok(()));
    assert_eq!(code(&key, Some("t")), Err("InvalidSecurityToken.MismatchWithAccessKey".into()));
    assert_eq!(code(&temporary, None), Err("MissingSecurityToken".into()));
    assert_eq!(code(&temporary.clone().token("t"), Some("t")), Ok(()));
    assert_eq!(code(&temporary.clone().token("t"), Some("u")), Err("InvalidSecurityToken.Malformed".into()));
    assert_eq!(code(&temporary.token("t"), Some("")), Err("MissingSecurityToken".into()));
}

#[test]
fn a_nonce_is_used_once_within_its_retention() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut nonces = Nonces::default();
    let mut consume = |key, nonce, second| nonces.consume(key, nonce, Duration::from_secs(10), at(second)).is_ok();
    assert!(consume("a", "1", 0));
    assert!(!consume("a", "1", 9), "within the retention");
    assert!(consume("a", "2", 9), "another nonce");
    assert!(consume("b", "1", 9), "another key");
    assert!(consume("a", "1", 10), "forgotten");
}

#[test]
fn a_key_keeps_its_secret_when_it_is_printed() {
    let printed = format!("{:?}", Key::new("id", "hidden-secret").token("hidden-token"));
    assert!(printed.contains("id") && !printed.contains("hidden"), "{printed}");
}
