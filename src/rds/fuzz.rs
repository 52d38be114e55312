//! Property tests of both decoders, of the reading of answers and of the meanings of errors. Whatever the bytes are: there is no panic, the
//! texts that are kept are short, and none of them has our key in it.

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*};
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::{
    codes::{error_families, published_errors},
    error::ApiError,
    ids::InstanceId,
    instance_list::read_page,
    meaning::ErrorKind,
    wire,
};
use crate::rpc::{Credentials, HttpResponse, Response};

/// Cases of each property. A debug build takes about 10 s for all of them.
const CASES: u32 = 5_000;

const ACTIONS: [&str; 5] = ["CreateBackup", "DescribeBackups", "DescribeBackupTasks", "DescribeDBInstanceAttribute", "DescribeDBInstances"];

/// Names that the client reads, and one that it does not.
const NAMES: [&str; 28] = [
    "Items",
    "Backup",
    "BackupJob",
    "DBInstanceAttribute",
    "DBInstance",
    "DBInstanceId",
    "RequestId",
    "HostId",
    "Code",
    "Message",
    "BackupJobId",
    "BackupId",
    "BackupStatus",
    "BackupProgressStatus",
    "Process",
    "JobMode",
    "TaskAction",
    "BackupMode",
    "BackupInitiator",
    "BackupStartTime",
    "ConsistentTime",
    "BackupSize",
    "IsAvail",
    "TotalRecordCount",
    "BackupDownloadLinkByDB",
    "BackupDownloadURL",
    "DBInstanceStatus",
    "Novelty",
];

const SECRET: &str = "secret/+=of-the-test";

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "LTAIkeyofthetest".into(),
        access_key_secret: SECRET.to_owned().into(),
        security_token: Some("token-of-the-test".to_owned().into()),
        expires_at: None,
    }
}

/// Scalars as gateways write them, and worse.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[0-9]{1,30}".prop_map(Value::from),
        "[A-Za-z.]{0,200}".prop_map(Value::from),
        "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z".prop_map(Value::from),
        prop::sample::select(vec!["null", "", "Success", "Failed", "finished", "Manual", "TempBackupTask", "Forbidden.RAM", "200", "OK"])
            .prop_map(Value::from),
        Just(json!(format!("see https://oss.example/x?Signature={SECRET} and LTAIkeyofthetest token-of-the-test"))),
    ]
}

/// Documents that have the service's names in any form.
fn document() -> impl Strategy<Value = Value> {
    let leaf = scalar();
    let tree = leaf.prop_recursive(6, 60, 5, |inner| {
        let fields = vec((prop::sample::select(NAMES.to_vec()), inner.clone()), 0..6);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()),
        ]
    });
    vec((prop::sample::select(NAMES.to_vec()), tree), 0..6)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into())
}

/// Published codes, nearly published ones, and any text.
fn code() -> impl Strategy<Value = String> {
    let published = || prop::sample::select(published_errors().iter().map(|row| row.code).collect::<Vec<_>>());
    prop_oneof![
        "[ -~]{0,60}",
        published().prop_map(str::to_owned),
        (published(), "[ -~]{1,6}").prop_map(|(code, more)| format!("{code}{more}")),
        (published(), 0usize..20).prop_map(|(code, cut)| code.chars().take(cut).collect()),
    ]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The document as XML. This shares no code with the decoder.
fn xml(name: &str, value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().map(|value| xml(name, value)).collect(),
        Value::Object(fields) => {
            format!("<{name}>{}</{name}>", fields.iter().map(|(name, value)| xml(name, value)).collect::<String>())
        }
        Value::String(text) => format!("<{name}>{}</{name}>", escaped(text)),
        Value::Null => format!("<{name}/>"),
        other => format!("<{name}>{other}</{name}>"),
    }
}

/// The answer, as the client reads it.
fn response(action: &str, status: u16, bytes: &[u8]) -> Response {
    let answer = HttpResponse { status, headers: HeaderMap::new(), body: bytes.to_vec(), received: Timestamp::UNIX_EPOCH };
    Response::read(action, &answer, &credentials())
}

/// Reads an answer in every way that the client does.
fn read(action: &'static str, status: u16, bytes: &[u8]) {
    let Response { body: Some(body), error, request_id, .. } = response(action, status, bytes) else { return };
    let error = error.map(ApiError::from);
    let job = wire::job_id(&body);
    let tasks = wire::tasks(&body, &InstanceId::new("rm-1"));
    // The results are not looked at, but reading must not panic.
    let _ = wire::sets(&body, &InstanceId::new("rm-1"));
    let _ = wire::instance(&body, &InstanceId::new("rm-1"));
    let _ = read_page(&body, "cn-hangzhou");

    if let Some(error) = &error {
        assert!(error.code.len() <= 128 && error.message.len() <= 256, "{error:?}");
        // A server fault proves nothing, whatever its code, unless it is throttling with 503.
        let throttled = status == 503 && error.kind() == ErrorKind::Throttled;
        assert!(status < 500 || !error.proves_nothing_was_created() || throttled);
    }
    assert!(request_id.is_none_or(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')));
    assert!(job.is_none_or(|id| !id.as_str().is_empty() && id.as_str().len() <= 64));
    for task in tasks.iter().flatten() {
        assert!(task.progress.is_none_or(|percent| percent <= 100));
    }
    let shown = format!("{error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("LTAIkeyofthetest") && !shown.contains("token-of-the-test"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(action in prop::sample::select(ACTIONS.to_vec()), status in 100u16..600, bytes in vec(any::<u8>(), 0..600)) {
        read(action, status, &bytes);
    }

    #[test]
    fn any_document_in_json(action in prop::sample::select(ACTIONS.to_vec()), status in 100u16..600, document in document(), cut in 0usize..4000, flip in any::<(u16, u8)>()) {
        let whole = document.to_string().into_bytes();
        read(action, status, &whole);
        read(action, status, &whole[..cut.min(whole.len())]);
        let mut flipped = whole;
        let at = usize::from(flip.0) % flipped.len();
        flipped[at] ^= flip.1;
        read(action, status, &flipped);
    }

    #[test]
    fn any_document_in_xml(action in prop::sample::select(ACTIONS.to_vec()), status in 100u16..600, document in document(), is_error in any::<bool>(), cut in 0usize..4000, flip in any::<(u16, u8)>()) {
        let root = if is_error { "Error".to_owned() } else { format!("{action}Response") };
        let whole = xml(&root, &document).into_bytes();
        read(action, status, &whole);
        read(action, status, &whole[..cut.min(whole.len())]);
        let mut flipped = whole;
        let at = usize::from(flip.0) % flipped.len();
        flipped[at] ^= flip.1;
        read(action, status, &flipped);
    }

    /// A document that has a JSON form and an XML form reads the same from both.
    #[test]
    fn both_decoders_agree(
        action in prop::sample::select(ACTIONS.to_vec()),
        head in vec((prop::sample::select(NAMES[6..].to_vec()), "[ -~é中]{0,30}"), 1..5),
        rows in vec(vec((prop::sample::select(NAMES[6..].to_vec()), "[ -~é中]{0,30}"), 1..6), 2..6),
    ) {
        let object = |fields: Vec<(&str, String)>| fields.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect::<Map<_, _>>();
        let mut document = object(head);
        document.insert("Items".to_owned(), json!({ "Backup": rows.into_iter().map(object).collect::<Vec<_>>() }));
        let document = Value::from(document);
        let as_xml = format!("<?xml version=\"1.0\"?>\n{}", xml(&format!("{action}Response"), &document));
        prop_assert_eq!(response(action, 200, as_xml.as_bytes()).body, Some(document.clone()));
        prop_assert_eq!(response(action, 200, document.to_string().as_bytes()).body, Some(document));
    }

    /// Every code has a meaning, and only a known code proves anything.
    #[test]
    fn any_code(code in code(), http_status in prop_oneof![any::<u16>(), 400u16..600]) {
        let error = ApiError { http_status, ..ApiError::of_code(code.clone()) };
        let kind = error.kind();
        let upper = ApiError { code: code.to_ascii_uppercase(), ..error.clone() };
        prop_assert_eq!(kind, upper.kind(), "case does not matter");
        if error.proves_nothing_was_created() {
            let begins = |with: &str| code.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
            let known = published_errors().iter().any(|row| row.code.eq_ignore_ascii_case(&code));
            prop_assert!(known || error_families().iter().any(|(beginning, _)| begins(beginning)), "{}", code);
            prop_assert!(http_status < 500 || http_status == 503 && begins("Throttling") || http_status == 503 && begins("Rejected.Throttling"));
        }
    }

    /// Our key, its secret and its token are not shown, whatever the text around them is.
    #[test]
    fn any_message(code in "[A-Za-z.]{1,30}", before in ".{0,60}", after in ".{0,60}", which in 0usize..3, in_xml in any::<bool>()) {
        let key = ["LTAIkeyofthetest", SECRET, "token-of-the-test"][which];
        let message = format!("{before}{key}{after}");
        let document = json!({ "Code": format!("X{code}"), "Message": message });
        let bytes = if in_xml { xml("Error", &document) } else { document.to_string() };
        // Some texts cannot be in XML: then there is no answer.
        let response = response("CreateBackup", 400, bytes.as_bytes());
        if response.body.is_some() {
            let error = response.error.expect("it has a code");
            prop_assert!(!error.message.contains(key), "{}", error.message);
        }
    }
}
