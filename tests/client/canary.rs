//! The canary in the client: a server that repeats everything that it is sent, and a process that panics with keys and signed requests in its
//! hands. Neither an error nor the output of the panic shows a secret, in any form.

use std::{
    collections::BTreeSet,
    error::Error,
    process::Command,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use jiff::Timestamp;
use rds_backup_operator::{
    clock::Clock,
    config::Config,
    no_answer::NoAnswer,
    rds::{self, CreateBackup, InstanceId, JobId, Limits, SetQuery},
    rpc::{
        ClientOptions, Credentials, DocumentClient, Endpoint, Failure, HttpRequest, HttpResponse, HttpTransport, SignatureVersion, Stamp,
    },
    sts,
};
use rds_backup_sandbox::marks::{FORMS, Marks};
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::task::JoinSet;

const ID: &str = "LTAI5tCanaryIdOfTheTest";
const SECRET: &str = "canary/secret+=of-the-test";
const TOKEN: &str = "CAIS/canary+token=of-the-test";
const OIDC: &str = "eyJ/canary.oidc+token=.of-the-test";
const PATH: &str = "canary/path+ticket=of-the-test";
const PRESIGNED: &str = "Signature=canary/presigned+of-the-test";

fn planted() -> Marks {
    let mut marks = Marks::new();
    for (name, secret) in [
        ("the key's id", ID),
        ("the key's secret", SECRET),
        ("the security token", TOKEN),
        ("the OIDC token", OIDC),
        ("the path of a CredentialsURI", PATH),
        ("a pre-signed address", PRESIGNED),
    ] {
        marks.plant(name, secret);
    }
    marks
}

fn credentials() -> Credentials {
    Credentials { access_key_id: ID.into(), access_key_secret: SECRET.into(), security_token: Some(TOKEN.into()), expires_at: None }
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// An error of the service, with this code and status.
    Refused(&'static str, u16),
    /// The key is its code and its request id.
    CodeOfTheKey,
    Xml,
    Page(u16),
    Torn,
    /// A document with a key, which fits no call but those of STS.
    Key,
    NoConnection,
    NoAnswer,
    /// It panics with the request in its hands.
    Panic,
}

const SHAPES: [Shape; 15] = [
    Shape::Refused("OperationDenied", 403),
    Shape::Refused("SignatureDoesNotMatch", 400),
    Shape::Refused("InvalidAccessKeyId.NotFound", 404),
    Shape::Refused("InvalidSecurityToken.Malformed", 400),
    Shape::Refused("InvalidParameter.RoleArn", 400),
    Shape::Refused("AuthenticationFail.OIDCToken.Invalid", 401),
    Shape::Refused("SomethingNew", 200),
    Shape::Refused("InternalError", 500),
    Shape::CodeOfTheKey,
    Shape::Xml,
    Shape::Page(502),
    Shape::Torn,
    Shape::Key,
    Shape::NoConnection,
    Shape::NoAnswer,
];

/// Answers each request in one shape, and repeats the request in it.
struct Repeating {
    shape: Shape,
    /// What was repeated.
    echoes: Mutex<Vec<String>>,
    answers: Mutex<Vec<HttpResponse>>,
}

impl Repeating {
    fn new(shape: Shape) -> Arc<Self> {
        Arc::new(Self { shape, echoes: Mutex::default(), answers: Mutex::default() })
    }
}

fn at() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// What a call proves itself with.
fn own(request: &HttpRequest) -> &'static [&'static str] {
    if request.body.contains("OIDCToken=") { &[OIDC] } else { &[ID, SECRET, TOKEN] }
}

/// Everything that was sent, as it is and in base64, and all that the server knows besides.
fn echo(request: &HttpRequest) -> String {
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
    let sent = format!("{} {} {}", request.url, headers.join(" "), request.body);
    let known = own(request).iter().map(|text| format!("{} {text} {}", &text[..14], BASE64_STANDARD.encode(format!("x:{text}"))));
    let known: Vec<String> = known.collect();
    format!("{} {sent} {} https://oss.example/b?Expires=1&{PRESIGNED}", known.join(" "), BASE64_STANDARD.encode(&sent))
}

impl HttpTransport for Repeating {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        let echo = echo(&request);
        self.echoes.lock().expect("whole").push(echo.clone());
        let (status, body) = match self.shape {
            Shape::Refused(code, status) => (status, json!({ "RequestId": "R-1", "Code": code, "Message": echo }).to_string()),
            Shape::CodeOfTheKey => {
                let code = if own(&request).contains(&ID) { ID } else { "SomethingNew" };
                (400, json!({ "RequestId": code, "Code": code, "Message": echo }).to_string())
            }
            Shape::Xml => {
                let text = echo.replace('&', "&amp;").replace('<', "&lt;");
                (403, format!("<Error><RequestId>R-1</RequestId><Code>SomethingNew</Code><Message>{text}</Message></Error>"))
            }
            Shape::Page(status) => (status, format!("<html><body>{echo}</body></html>")),
            Shape::Torn => (200, format!("{{\"RequestId\":\"R-1\",\"Items\":\"{}", echo.replace('"', ""))),
            Shape::Key => {
                let key = json!({ "AccessKeyId": ID, "AccessKeySecret": SECRET, "SecurityToken": TOKEN, "Expiration": "soon" });
                (200, json!({ "RequestId": "R-1", "Credentials": key, "Message": echo }).to_string())
            }
            Shape::NoConnection => {
                let failure = Failure::NotSent { why: "connection refused".to_owned(), cause: NoAnswer::Refused };
                return Box::pin(std::future::ready(Err(failure)));
            }
            Shape::NoAnswer => {
                let failure = Failure::Lost { why: "connection reset by peer".to_owned(), cause: NoAnswer::Reset };
                return Box::pin(std::future::ready(Err(failure)));
            }
            Shape::Panic => panic!("with a request in its hands: {request:?}"),
        };
        let answer = HttpResponse { status, headers: HeaderMap::new(), body: body.into_bytes(), received: at() };
        self.answers.lock().expect("whole").push(answer.clone());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

struct Clients {
    rds: rds::Client,
    sts: sts::Client,
}

fn clients(transport: &Arc<Repeating>, signature: SignatureVersion) -> Clients {
    let options = |host: &str| ClientOptions {
        signature,
        transport: Some(transport.clone()),
        ..ClientOptions::new(Endpoint::parse(host).expect("an address"), Clock::new(at), Arc::new(|| "nonce-of-the-test".to_owned()))
    };
    let limits = Limits { create_per_second: 1000, describe_per_second: 1000 };
    let rds = rds::Client::new(rds::ClientOptions { rpc: options("https://rds.example"), limits, region_id: None }).expect("a client");
    Clients { rds, sts: sts::Client::new(options("https://sts.example")).expect("a client") }
}

fn request() -> CreateBackup {
    CreateBackup {
        instance: InstanceId::new("rm-1"),
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    }
}

/// An error as a log, a person and a debugger see it, with all that is behind it.
fn shown<'a>(error: &'a (dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source());
    chain.map(|error| format!("{error} {error:?} {error:#?}")).collect::<Vec<_>>().join(" <- ")
}

fn session() -> sts::Session {
    sts::Session { name: "s".to_owned(), duration_seconds: 3600, policy: None }
}

/// What every call of both clients says, as text.
async fn outcomes(Clients { rds, sts }: &Clients) -> Vec<String> {
    let (key, id) = (credentials(), InstanceId::new("rm-1"));
    let stamp = Stamp { nonce: "nonce-of-the-test".to_owned(), timestamp: at() };
    let oidc = OIDC.to_owned().into();
    let session = session();
    let with_oidc = sts::AssumeRoleWithOidc {
        role_arn: "acs:ram::1:role/r",
        provider_arn: "acs:ram::1:oidc-provider/p",
        token: &oidc,
        session: &session,
    };
    let with_key = sts::AssumeRole { role_arn: "acs:ram::1:role/r", session: &session, external_id: None };
    let call = |result: Option<rds::CallError>| result.map_or_else(String::new, |error| shown(&error));
    vec![
        format!("{:#?}", rds.create_backup(&key, &request(), &stamp).await),
        call(rds.describe_instance(&key, &id).await.err()),
        call(rds.describe_backup_tasks(&key, &id, Some(&JobId::new("1"))).await.err()),
        call(rds.describe_backups(&key, &SetQuery::of(id.clone())).await.err()),
        format!("{:#?}", sts.assume_role_with_oidc(&with_oidc).await.err()),
        format!("{:#?}", sts.assume_role(&key, &with_key).await.err()),
    ]
}

#[tokio::test]
async fn no_error_shows_what_a_server_repeats() {
    let marks = planted();
    let (mut errors, mut bytes, mut echoed) = (0, 0, BTreeSet::new());
    for signature in [SignatureVersion::V1, SignatureVersion::V3] {
        for shape in SHAPES {
            let transport = Repeating::new(shape);
            let outcomes = outcomes(&clients(&transport, signature)).await;
            for text in &outcomes {
                let hits = marks.search(&format!("{shape:?}"), text.as_bytes());
                assert!(hits.is_empty(), "{hits:#?} in {text}");
                errors += usize::from(!text.is_empty());
                bytes += text.len();
            }
            let echoes = transport.echoes.lock().expect("whole");
            assert_eq!(echoes.len(), outcomes.len(), "each call is made once: {shape:?}");
            let found = echoes.iter().flat_map(|echo| marks.search("the echo", echo.as_bytes()));
            echoed.extend(found.map(|hit| (hit.mark, hit.form)));
        }
    }
    println!(
        "canary (errors): {} marks in {FORMS} forms, {errors} errors of 6 calls and {} answers, {bytes} bytes searched; hits: 0",
        marks.planted(),
        SHAPES.len() * 2
    );
    assert!(errors >= 6 * 2 * (SHAPES.len() - 1), "{errors}");
    for mark in ["the key's id", "the key's secret", "the security token", "the OIDC token"] {
        assert!(["plain", "base64"].iter().all(|form| echoed.contains(&(mark.to_owned(), *form))), "{mark}: {echoed:?}");
    }
}

/// The process of the next test. It panics with the request of each call in its hands, and then with everything else that it has.
#[tokio::test]
#[ignore = "it panics: a_panic_shows_no_secret runs it and reads what it prints"]
async fn panics_with_everything_in_its_hands() {
    for signature in [SignatureVersion::V1, SignatureVersion::V3] {
        let transport = Repeating::new(Shape::Panic);
        let Clients { rds, sts } = clients(&transport, signature);
        let (key, oidc) = (credentials(), secrecy::SecretString::from(OIDC));
        let stamp = Stamp { nonce: "nonce-of-the-test".to_owned(), timestamp: at() };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { _ = rds.create_backup(&key, &request(), &stamp).await });
        tasks.spawn(async move {
            let session = session();
            let request = sts::AssumeRoleWithOidc { role_arn: "r", provider_arn: "p", token: &oidc, session: &session };
            _ = sts.assume_role_with_oidc(&request).await;
        });
        while let Some(ended) = tasks.join_next().await {
            assert!(ended.is_err_and(|error| error.is_panic()));
        }
    }
    let transport = Repeating::new(Shape::Key);
    let clients = clients(&transport, SignatureVersion::V3);
    let outcomes = outcomes(&clients).await;
    let address = format!("https://keys.example/{PATH}");
    let config =
        format!("accounts: {{ a: {{ regionId: cn-hangzhou, credentials: {{ type: CredentialsURI, uri: '{address}' }}, allow: [] }} }}");
    let config = Config::parse(&config).expect("a configuration");
    let documents =
        DocumentClient::new(true, Clock::new(at), Default::default(), Default::default(), Default::default(), Some(transport.clone()));
    let header = ("x-aliyun-ecs-metadata-token", TOKEN);
    let lost = documents.expect("a client").get(address.parse().expect("an address"), Some(header)).await.err();
    let answers = transport.answers.lock().expect("whole").clone();
    let everything = (credentials(), secrecy::SecretString::from(OIDC), clients.rds, clients.sts, outcomes, config, lost, answers);
    panic!("the last panic: {everything:?}");
}

#[test]
fn a_panic_shows_no_secret() {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--ignored", "--exact", "canary::panics_with_everything_in_its_hands", "--nocapture"]).env("RUST_BACKTRACE", "full");
    let output = command.output().expect("its output");
    assert!(!output.status.success(), "it panics");
    let text = [output.stdout, output.stderr].concat();
    let hits = planted().search("the output of a panic", &text);
    let shown = String::from_utf8_lossy(&text);
    assert!(hits.is_empty(), "{hits:#?} in {shown}");
    let count = |what: &str| shown.matches(what).count();
    println!(
        "canary (panics): {} marks in {FORMS} forms, {} panics with a full backtrace, {} bytes searched; hits: 0",
        planted().planted(),
        count("panicked at"),
        text.len()
    );
    assert_eq!((count("panicked at"), count("with a request in its hands: HttpRequest(POST")), (5, 4), "{shown}");
    for told in
        ["the last panic: (Credentials(..)", "HttpResponse(200, ", "rds_backup_operator::rpc::client::", "credentials: CredentialsUri"]
    {
        assert!(shown.contains(told), "{told} is not in {shown}");
    }
}
