//! The pages of the API's documentation, one test for each. The client sends the request of the page, with both signatures; it reads the
//! sample answers, in JSON and in XML; it knows the errors by their exact codes. The facts of the pages are data in `tests/fixtures/pages`.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rds_backup_operator::{
    clock::Clock,
    entropy::Entropy,
    rds::{
        ApiError, BackupId, BackupSet, CallError, Client, ClientOptions, CreateBackup, CreateOutcome, Created, InstanceId, JobId, Limits,
        Mode, ModeFilter, PageSize, Rejection, SetDetails, SetQuery, SetStatus, StatusFilter, TypeFilter, Unknown, published_errors,
    },
    rpc::{self, Credentials, Endpoint, SignatureVersion, Stamp},
};
use serde::Deserialize;
use serde_json::{Value, json};

const REQUEST_ID: &str = "1A6D328C-84B8-40DC-BF49-6C73984D7494";

/// The facts of a page.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Page {
    operation: String,
    #[serde(rename = "page")]
    _page: String,
    /// The parameters of its table, with their examples.
    parameters: BTreeMap<String, String>,
    sample_request: Option<BTreeMap<String, String>>,
    sample_answers: Vec<Sample>,
    errors: Vec<Row>,
}

#[derive(Deserialize)]
struct Sample {
    format: String,
    body: String,
}

#[derive(Deserialize)]
struct Row {
    status: u16,
    code: String,
    message: String,
}

fn page(text: &str) -> Page {
    serde_json::from_str(text).expect("a page")
}

/// The parameters of a request: those of its query, or those of its form.
type Parameters = BTreeMap<String, String>;

/// A server that gives one prepared answer to each request, and returns the requests.
struct Server {
    url: String,
    answers: mpsc::Sender<(u16, String)>,
    requests: mpsc::Receiver<(BTreeMap<String, String>, Parameters)>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (answers, next) = mpsc::channel::<(u16, String)>();
        let (sender, requests) = mpsc::channel();
        // Ends when the test drops its end of the channel.
        thread::spawn(move || {
            for (status, body) in next {
                let (mut stream, _) = listener.accept().expect("a connection");
                let request = read(&mut stream);
                let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).expect("the client reads");
                sender.send(request).expect("the test is there");
            }
        });
        Self { url, answers, requests }
    }

    fn answer(&self, status: u16, body: &str) {
        self.answers.send((status, body.to_owned())).expect("the server is there");
    }

    /// The next request's headers and parameters.
    fn request(&self) -> (BTreeMap<String, String>, Parameters) {
        self.requests.recv_timeout(Duration::from_secs(10)).expect("a request came")
    }
}

fn read(stream: &mut TcpStream) -> (BTreeMap<String, String>, Parameters) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut buffer).expect("a request");
        bytes.extend_from_slice(&buffer[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a request line");
    assert!(head.starts_with("POST /"), "{head}");
    let query = target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let headers: BTreeMap<_, _> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
    while bytes.len() < end + 4 + length {
        let count = stream.read(&mut buffer).expect("the body");
        bytes.extend_from_slice(&buffer[..count]);
    }
    let body = String::from_utf8(bytes[end + 4..].to_vec()).expect("text");
    assert!(query.is_empty() || body.is_empty(), "parameters stand in one place: {query} {body}");
    (headers, parameters(&format!("{query}{body}")))
}

fn parameters(text: &str) -> Parameters {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs: Vec<_> =
        pairs.map(|pair| pair.split_once('=').expect("a pair")).map(|(name, value)| (decode(name), decode(value))).collect();
    let count = pairs.len();
    let map: Parameters = pairs.into_iter().collect();
    assert_eq!(map.len(), count, "no name comes twice");
    map
}

/// A client and the server that records what it sends.
struct World {
    server: Server,
    client: Client,
    signature: SignatureVersion,
}

impl World {
    fn new(signature: SignatureVersion) -> Self {
        let server = Server::start();
        let entropy = Entropy::system();
        let endpoint = Endpoint::parse(&server.url).expect("loopback");
        let rpc = rpc::ClientOptions { signature, ..rpc::ClientOptions::new(endpoint, Clock::system(), Arc::new(move || entropy.nonce())) };
        let limits = Limits { create_per_second: 100_000, describe_per_second: 100_000 };
        let options = ClientOptions { limits, ..ClientOptions::new(rpc) };
        Self { server, client: Client::new(options).expect("a client"), signature }
    }

    async fn create(&self, request: &CreateBackup, status: u16, answer: &str) -> CreateOutcome {
        self.server.answer(status, answer);
        let stamp = Stamp { nonce: Entropy::system().nonce(), timestamp: self.client.now() };
        self.client.create_backup(&credentials(), request, &stamp).await
    }

    /// Checks the parameters that every request has, and returns the others: those of the action.
    fn sent(&self, action: &str) -> Parameters {
        let (headers, mut parameters) = self.server.request();
        let expected = Some(action.to_owned());
        match self.signature {
            SignatureVersion::V3 => {
                assert_eq!((headers.get("x-acs-action").cloned(), headers["x-acs-version"].as_str()), (expected, "2014-08-15"));
                assert!(headers["authorization"].starts_with("ACS3-HMAC-SHA256 Credential=key-of-the-test,SignedHeaders="));
            }
            SignatureVersion::V1 => {
                let mut take = |name: &str| parameters.remove(name);
                assert_eq!((take("Action"), take("Version")), (expected, Some("2014-08-15".to_owned())));
                assert_eq!((take("Format"), take("AccessKeyId")), (Some("JSON".to_owned()), Some("key-of-the-test".to_owned())));
                assert_eq!((take("SignatureMethod"), take("SignatureVersion")), (Some("HMAC-SHA1".to_owned()), Some("1.0".to_owned())));
                for name in ["Timestamp", "SignatureNonce", "Signature"] {
                    assert!(take(name).is_some_and(|value| !value.is_empty()), "{name}");
                }
            }
        }
        parameters
    }
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "key-of-the-test".into(),
        access_key_secret: "secret-of-the-test".to_owned().into(),
        security_token: None,
        expires_at: None,
    }
}

/// The request with these parameters. Every parameter of the page must have a field in it.
fn request(parameters: &Parameters) -> CreateBackup {
    let mut left = parameters.clone();
    let mut take = |name: &str| left.remove(name);
    let request = CreateBackup {
        instance: InstanceId::new(take("DBInstanceId").unwrap_or_else(|| "rm-uf6wjk5****".to_owned())),
        method: take("BackupMethod"),
        strategy: take("BackupStrategy"),
        databases: take("DBName").into_iter().collect(),
        backup_type: take("BackupType"),
        retention_days: take("BackupRetentionPeriod").map(|days| days.parse().expect("a number")),
        resource_group_id: take("ResourceGroupId"),
    };
    assert_eq!(left, Parameters::new(), "parameters of the page that the client cannot send");
    request
}

const BOTH: [SignatureVersion; 2] = [SignatureVersion::V3, SignatureVersion::V1];

/// The page's sample as it is, and the same facts in the other of JSON and XML.
fn answers(page: &Page) -> Vec<(String, String)> {
    let mut answers: Vec<_> = page.sample_answers.iter().map(|sample| (sample.format.clone(), sample.body.clone())).collect();
    if !answers.iter().any(|(format, _)| format == "XML") {
        let body: Value = serde_json::from_str(&answers[0].1).expect("JSON");
        answers.push(("XML".to_owned(), xml(&format!("{}Response", page.operation), &body)));
    }
    answers
}

fn xml(name: &str, value: &Value) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    match value {
        Value::Array(items) => items.iter().map(|item| xml(name, item)).collect(),
        Value::Object(fields) => {
            format!("<{name}>{}</{name}>", fields.iter().map(|(name, value)| xml(name, value)).collect::<String>())
        }
        Value::String(text) => format!("<{name}>{}</{name}>", escaped(text)),
        other => format!("<{name}>{other}</{name}>"),
    }
}

/// Requests, answers and errors of a CreateBackup page.
async fn create_backup(page: Page, job: &str, rows: usize) {
    assert_eq!(page.operation, "CreateBackup");
    for signature in BOTH {
        let world = World::new(signature);
        for parameters in [Some(&page.parameters), page.sample_request.as_ref()].into_iter().flatten() {
            for (format, body) in answers(&page) {
                let outcome = world.create(&request(parameters), 200, &body).await;
                let request_id = Some("2C125605-266F-41CA-8AC5-3A643D4F42C5".to_owned());
                assert_eq!(outcome, CreateOutcome::Accepted { job_id: JobId::new(job), request_id }, "{format}: {body}");
                let mut expected = parameters.clone();
                expected.entry("DBInstanceId".to_owned()).or_insert_with(|| "rm-uf6wjk5****".to_owned());
                assert_eq!(world.sent("CreateBackup"), expected);
            }
        }
    }
    assert_eq!(page.errors.len(), rows);
    let world = World::new(SignatureVersion::V3);
    for (error, body) in errors(&page) {
        let outcome = world.create(&request(&page.parameters), error.http_status, &body).await;
        world.sent("CreateBackup");
        match error.meaning().created {
            Created::Nothing => assert_eq!(outcome, CreateOutcome::Rejected(Rejection::Api(error)), "{body}"),
            Created::Unknown => {
                let CreateOutcome::Unknown(Unknown { api, .. }) = outcome else { panic!("{body}: {outcome:?}") };
                assert_eq!(api, Some(error), "{body}");
            }
        }
    }
}

/// Checks every row of the page: the table knows its exact code, and the client reads the error from the wire, in JSON and in XML.
fn errors(page: &Page) -> Vec<(ApiError, String)> {
    let both = |row: &Row| {
        let known = |published: &&rds_backup_operator::rds::PublishedError| {
            published.code == row.code && published.operations.split(',').any(|operation| operation == page.operation)
        };
        let published = published_errors().iter().find(known).unwrap_or_else(|| panic!("{} is not in the table", row.code));
        let statuses = published.http_status.split('/').map(|status| status.parse::<u16>().ok()).collect::<Vec<_>>();
        assert!(statuses.contains(&Some(row.status)), "{} comes with {}", row.code, row.status);
        let error = ApiError {
            code: row.code.clone(),
            message: row.message.clone(),
            request_id: Some(REQUEST_ID.to_owned()),
            http_status: row.status,
            retry_after: None,
            action: ["CreateBackup", "DescribeBackups"].into_iter().find(|action| *action == page.operation),
        };
        if row.status < 500 {
            assert_eq!(error.meaning(), published.meaning, "{}", row.code);
        }
        let body = json!({ "RequestId": REQUEST_ID, "HostId": "rds.aliyuncs.com", "Code": row.code, "Message": row.message });
        [(error.clone(), body.to_string()), (error, xml("Error", &body))]
    };
    page.errors.iter().flat_map(both).collect()
}

#[tokio::test]
async fn create_backup_of_2026() {
    create_backup(page(include_str!("../fixtures/pages/create-backup-2026-06.json")), "507****", 74).await;
}

#[tokio::test]
async fn create_backup_of_2023() {
    // The page has no parameters: every request has the instance.
    let page = page(include_str!("../fixtures/pages/create-backup-2023-05.json"));
    assert_eq!(page.parameters, Parameters::new());
    create_backup(page, "5073731", 15).await;
}

#[tokio::test]
async fn create_backup_of_the_older_gateway() {
    let page = page(include_str!("../fixtures/pages/create-backup-rpc.json"));
    let formats: Vec<_> = page.sample_answers.iter().map(|sample| sample.format.as_str()).collect();
    assert_eq!((formats, page.sample_request.is_some()), (vec!["JSON", "XML"], true));
    create_backup(page, "5073731", 1).await;
}

#[tokio::test]
async fn create_backup_of_2024() {
    create_backup(page(include_str!("../fixtures/pages/create-backup-2024-08.json")), "507****", 75).await;
}

/// The query of the page's examples.
fn query(parameters: &Parameters) -> SetQuery {
    let mut left = parameters.clone();
    let mut take = |name: &str| left.remove(name).unwrap_or_else(|| panic!("{name}"));
    // The page writes minutes; a Timestamp needs seconds.
    let time = |text: String| Some(text.replace('Z', ":00Z").parse().expect("a time"));
    let query = SetQuery {
        instance: InstanceId::new(take("DBInstanceId")),
        backup_id: Some(BackupId::new(take("BackupId"))),
        status: (take("BackupStatus") == "Success").then_some(StatusFilter::Success),
        mode: (take("BackupMode") == "Automated").then_some(ModeFilter::Automated),
        backup_type: (take("BackupType") == "FullBackup").then_some(TypeFilter::FullBackup),
        from: time(take("StartTime")),
        to: time(take("EndTime")),
        page_size: if take("PageSize") == "30" { PageSize::Thirty } else { PageSize::Hundred },
    };
    assert_eq!(take("PageNumber"), "1", "the client counts the pages itself");
    assert_eq!(left, Parameters::new(), "parameters of the page that the client cannot send");
    query
}

/// The sample's one set, every field of it but the addresses.
fn sample_set() -> BackupSet {
    let time = |text: &str| Some(text.parse().expect("a time"));
    let text = |text: &str| Some(text.to_owned());
    BackupSet {
        status: SetStatus::Success,
        mode: Mode::Automated,
        by_user: false,
        method: text("Physical"),
        backup_type: text("FullBackup"),
        started_at: time("2019-02-03T12:20:00Z"),
        ended_at: time("2019-02-13T12:20:00Z"),
        size_bytes: Some(2_167_808),
        available: Some(true),
        consistent_time: time("2019-12-16T14:34:16Z"),
        expires_at: time("2025-06-17T12:10:23Z"),
        checksum: text("1835830439****"),
        details: Box::new(SetDetails {
            instance: Some(InstanceId::new("rm-uf6wjk5****")),
            engine: text("MySQL"),
            engine_version: text("8.0"),
            host_instance: text("5882781"),
            copy_only: Some(false),
            encryption: text("{}"),
            archived: Some(false),
            deletable: Some(false),
        }),
        ..BackupSet::new(BackupId::new("321020562"))
    }
}

/// The sample counts 100 sets and shows one: these are the other 99.
fn rest_of_the_sample() -> String {
    let sets: Vec<_> = (0..99).map(|id| json!({ "BackupId": id.to_string() })).collect();
    json!({ "Items": { "Backup": sets }, "TotalRecordCount": "100", "PageNumber": "2", "PageRecordCount": "99" }).to_string()
}

#[tokio::test]
async fn describe_backups_of_2026() {
    let page = page(include_str!("../fixtures/pages/describe-backups-2026-04.json"));
    assert_eq!(page.operation, "DescribeBackups");
    let query = query(&page.parameters);
    for signature in BOTH {
        let world = World::new(signature);
        for (format, body) in answers(&page) {
            world.server.answer(200, &body);
            world.server.answer(200, &rest_of_the_sample());
            let list = world.client.describe_backups(&credentials(), &query).await.expect("the sample is read").value;
            assert_eq!((list.sets.len(), list.snapshot_bytes), (100, Some(0)), "{format}");
            assert_eq!(list.sets[0], sample_set(), "{format}");
            assert_eq!(world.sent("DescribeBackups"), page.parameters);
            let second: Parameters = page.parameters.clone().into_iter().chain([("PageNumber".to_owned(), "2".to_owned())]).collect();
            assert_eq!(world.sent("DescribeBackups"), second);
        }
    }
    assert_eq!(page.errors.len(), 70);
    let world = World::new(SignatureVersion::V3);
    for (error, body) in errors(&page) {
        world.server.answer(error.http_status, &body);
        let read = world.client.describe_backups(&credentials(), &query).await;
        world.sent("DescribeBackups");
        assert_eq!(read.unwrap_err(), CallError::Api(error), "{body}");
    }
}
