//! The promise on which the protocol depends: one call is one request, whatever the network and the server do, and an unknown outcome is
//! never taken for a refusal. The server here is a bare socket that counts.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rds_backup_operator::{
    clock::Clock,
    entropy::Entropy,
    rds::{CallError, Client, ClientOptions, CreateBackup, CreateOutcome, InstanceId, JobId, Rejection, SetQuery, Unknown},
    rpc::{self, Credentials, Endpoint, Stamp},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const ACCEPTED: &str = r#"{"RequestId":"REQ-1","BackupJobId":"11291454"}"#;

/// The server's reaction to a request, after it has read all of it.
#[derive(Clone)]
enum Act {
    /// Answers, and keeps the connection for the next request.
    Answer(String),
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
    /// Answers this much, and closes.
    Torn(String),
    /// Answers with a body without end.
    Flood,
    /// Answers a byte at a time.
    Trickle,
    /// Does nothing more.
    Hold,
}

/// A server that reacts to one request after another; the last reaction is repeated for ever.
struct Server {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, connections, written) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, accepted, sent) = (requests.clone(), connections.clone(), written.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::Relaxed);
                open.spawn(serve(stream, acts.clone(), seen.clone(), sent.clone()));
            }
        });
        Self { addr, requests, connections, written, _tasks: tasks }
    }

    fn client(&self) -> Client {
        client(&format!("http://{}", self.addr))
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// CreateBackup, then enough time for a second request to arrive if anything sends one.
    async fn create(&self) -> CreateOutcome {
        let outcome = tokio::time::timeout(Duration::from_secs(20), create(&self.client())).await.expect("the call ends by itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
        outcome
    }
}

async fn serve(mut stream: TcpStream, acts: Vec<Act>, requests: Arc<Mutex<Vec<String>>>, written: Arc<AtomicU64>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let act = {
            let mut requests = requests.lock().unwrap();
            requests.push(String::from_utf8(head).unwrap());
            acts.get(requests.len() - 1).or(acts.last()).cloned().unwrap()
        };
        match act {
            Act::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Act::Close => return,
            Act::Reset => return stream.set_zero_linger().unwrap(),
            Act::Torn(answer) => return stream.write_all(answer.as_bytes()).await.unwrap(),
            Act::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n").await.unwrap();
                let chunk = vec![b'x'; 64 * 1024];
                while stream.write_all(&chunk).await.is_ok() {
                    written.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
                return;
            }
            Act::Trickle => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                return;
            }
            Act::Hold => std::future::pending().await,
        }
    }
}

fn answer(status: &str, body: &str) -> Act {
    Act::Answer(format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

fn api_error(status: &str, code: &str) -> Act {
    answer(status, &format!(r#"{{"RequestId":"REQ-1","Code":"{code}","Message":"words"}}"#))
}

fn client(url: &str) -> Client {
    client_that_waits(url, Duration::from_secs(1))
}

fn client_that_waits(url: &str, call_timeout: Duration) -> Client {
    let entropy = Entropy::system();
    let rpc = rpc::ClientOptions {
        connect_timeout: Duration::from_millis(700),
        call_timeout,
        ..rpc::ClientOptions::new(Endpoint::parse(url).unwrap(), Clock::system(), Arc::new(move || entropy.nonce()))
    };
    Client::new(ClientOptions::new(rpc)).unwrap()
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "key-of-the-test".into(),
        access_key_secret: "secret-of-the-test".into(),
        security_token: Some("token-of-the-test".into()),
        expires_at: None,
    }
}

fn request() -> CreateBackup {
    CreateBackup {
        instance: InstanceId::new("rm-1"),
        method: Some("Logical".into()),
        strategy: Some("db".into()),
        databases: vec!["a b".into(), "ç".into()],
        backup_type: None,
        retention_days: Some(-1),
        resource_group_id: None,
    }
}

fn stamp() -> Stamp {
    Stamp { nonce: "nonce-of-the-test".into(), timestamp: "2026-01-02T03:04:05.678Z".parse().unwrap() }
}

async fn create(client: &Client) -> CreateOutcome {
    client.create_backup(&credentials(), &request(), &stamp()).await
}

fn lost(outcome: CreateOutcome) -> String {
    match outcome {
        CreateOutcome::Unknown(Unknown { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

fn not_sent(outcome: CreateOutcome) -> String {
    match outcome {
        CreateOutcome::Rejected(Rejection::NotSent { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_accepted_request_is_sent_once_with_the_given_nonce_and_time() {
    let server = Server::start(vec![answer("200 OK", ACCEPTED)]).await;
    let outcome = server.create().await;
    assert_eq!(outcome, CreateOutcome::Accepted { job_id: JobId::new("11291454"), request_id: Some("REQ-1".into()) });
    assert_eq!(server.requests(), 1);
    let request = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    let line = "post /?backupmethod=logical&backupretentionperiod=-1&backupstrategy=db&dbinstanceid=rm-1&dbname=a%20b%2c%c3%a7 http/1.1";
    assert_eq!(request.lines().next(), Some(line));
    for header in [
        &format!("host: {}", server.addr),
        "x-acs-action: createbackup",
        "x-acs-version: 2014-08-15",
        "x-acs-date: 2026-01-02t03:04:05z",
        "x-acs-signature-nonce: nonce-of-the-test",
        "x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-security-token: token-of-the-test",
        "content-length: 0",
    ] {
        assert_eq!(request.lines().filter(|line| *line == header).count(), 1, "{header}\n{request}");
    }
    let signed = "signedheaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,signature=";
    assert!(request.contains(signed), "{request}");
    assert!(!request.contains("secret-of-the-test"));
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_was_read_means_unknown() {
    for act in [Act::Close, Act::Reset] {
        let server = Server::start(vec![act, answer("200 OK", ACCEPTED)]).await;
        lost(server.create().await);
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn no_connection_is_used_twice_so_none_can_close_under_a_request() {
    let server = Server::start(vec![answer("200 OK", ACCEPTED), Act::Close, answer("200 OK", ACCEPTED)]).await;
    let client = server.client();
    assert!(matches!(create(&client).await, CreateOutcome::Accepted { .. }));
    lost(create(&client).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((server.requests(), server.connections.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn nothing_is_repeated_and_no_redirect_is_followed() {
    let elsewhere = Server::start(vec![answer("200 OK", ACCEPTED)]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let redirect = format!("HTTP/1.1 {status}\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.addr);
        let server = Server::start(vec![Act::Answer(redirect), answer("200 OK", ACCEPTED)]).await;
        lost(server.create().await);
        assert_eq!((server.requests(), elsewhere.requests()), (1, 0), "{status}");
    }
    for status in [
        "401 Unauthorized",
        "407 Proxy Authentication Required",
        "408 Request Timeout",
        "425 Too Early",
        "429 Too Many Requests",
        "503 Service Unavailable",
    ] {
        let busy = format!("HTTP/1.1 {status}\r\nretry-after: 0\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
        let server = Server::start(vec![Act::Answer(busy), answer("200 OK", ACCEPTED)]).await;
        let why = lost(server.create().await);
        assert!(why.contains(&status[..3]), "{why}");
        assert_eq!(server.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn codes_decide_whether_it_was_refused() {
    for (status, code, refused) in [
        ("400 Bad Request", "InvalidBackupMethod.ValueNotSupport", true),
        ("403 Forbidden", "Forbidden.RAM", true),
        ("400 Bad Request", "Throttling.User", true),
        ("503 Service Unavailable", "Throttling.Api", true),
        ("404 Not Found", "InvalidAccessKeyId.NotFound", true),
        ("400 Bad Request", "InvalidTimeStamp.Expired", true),
        ("400 Bad Request", "SignatureNonceUsed", false),
        ("400 Bad Request", "BackupJobExists", false),
        ("400 Bad Request", "InternalFailure", false),
        ("500 Internal Server Error", "InternalError", false),
        ("502 Bad Gateway", "InvalidParameter", false),
        ("502 Bad Gateway", "Throttling.Api", false),
        ("400 Bad Request", "ConcurrentTaskExceeded", false),
        ("400 Bad Request", "Order.SystemError", false),
        ("400 Bad Request", "SomethingNew", false),
        ("200 OK", "Forbidden.RAM", false),
    ] {
        let server = Server::start(vec![api_error(status, code)]).await;
        match server.create().await {
            CreateOutcome::Rejected(Rejection::Api(error)) => assert!(refused && error.code == code, "{status} {code}"),
            CreateOutcome::Unknown(Unknown { api: Some(error), .. }) => assert!(!refused && error.code == code, "{status} {code}"),
            other => panic!("{status} {code}: {other:?}"),
        }
        assert_eq!(server.requests(), 1, "{status} {code}");
    }
    // A proxy in front of the service may have forwarded the request before it answered.
    let server = Server::start(vec![answer("403 Forbidden", r#"{"Code":"Forbidden.RAM","Message":"a firewall's"}"#)]).await;
    let outcome = server.create().await;
    assert!(matches!(&outcome, CreateOutcome::Unknown(Unknown { api: Some(error), .. }) if error.code == "Forbidden.RAM"), "{outcome:?}");
}

#[tokio::test]
async fn what_is_no_answer_means_unknown() {
    let html = "<html>https://oss.example/?Signature=canary</html>";
    let page = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{html}", html.len());
    let deep = "[".repeat(100_000);
    for (name, act) in [
        ("a page", Act::Answer(page("200 OK"))),
        ("a gateway's page", Act::Answer(page("502 Bad Gateway"))),
        ("JSON that is cut", answer("200 OK", r#"{"RequestId":"REQ-1","BackupJobId":"112"#)),
        ("a body that is cut", Act::Torn("HTTP/1.1 200 OK\r\ncontent-length: 46\r\n\r\n{\"RequestId\":\"REQ-1\"".into())),
        ("a head that is cut", Act::Torn("HTTP/1.1 200 OK\r\ncontent-le".into())),
        ("no HTTP", Act::Torn("220 mail.example ESMTP\r\n".into())),
        ("nesting", answer("200 OK", &deep)),
        ("nothing", answer("200 OK", "")),
        ("no content", Act::Answer("HTTP/1.1 204 No Content\r\n\r\n".into())),
        ("another answer", answer("200 OK", r#"{"RequestId":"REQ-1","Items":{"BackupJob":[]}}"#)),
        ("no id", answer("200 OK", r#"{"RequestId":"REQ-1","BackupJobId":null}"#)),
        ("an error without a code", answer("400 Bad Request", r#"{"RequestId":"REQ-1"}"#)),
    ] {
        let server = Server::start(vec![act.clone(), answer("200 OK", ACCEPTED)]).await;
        let why = lost(server.create().await);
        assert!(!why.contains("canary") && !why.contains(&server.addr.to_string()), "{name}: {why}");
        assert_eq!(server.requests(), 1, "{name}");

        let server = Server::start(vec![act]).await;
        let read = server.client().describe_backup_tasks(&credentials(), &InstanceId::new("rm-1"), None).await;
        match (name, read) {
            ("another answer", Ok(answer)) => assert!(answer.value.is_empty()),
            (_, Err(CallError::Lost { why })) => assert!(!why.contains("canary"), "{name}: {why}"),
            (_, read) => panic!("{name}: {read:?}"),
        }
    }
}

#[tokio::test]
async fn a_list_of_other_rows_is_no_empty_list() {
    // What is not used is not kept, and must not look as if nothing had been there: "no backup" can start a second one.
    for body in [
        r#"{"RequestId":"REQ-1","TotalRecordCount":1,"Items":{"Sets":[{"BackupId":7}]}}"#,
        "<DescribeBackupsResponse><RequestId>REQ-1</RequestId><Items><Sets><BackupId>7</BackupId></Sets></Items></DescribeBackupsResponse>",
        "<DescribeBackupsResponse><RequestId>REQ-1</RequestId><Listed><Backup><BackupId>7</BackupId></Backup></Listed></DescribeBackupsResponse>",
    ] {
        let server = Server::start(vec![answer("200 OK", body)]).await;
        let read = server.client().describe_backups(&credentials(), &SetQuery::of(InstanceId::new("rm-1"))).await;
        assert!(matches!(read, Err(CallError::Lost { .. })), "{body}: {read:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let server = Server::start(vec![Act::Flood]).await;
    let why = lost(server.create().await);
    assert!(why.contains("1048576"), "{why}");
    // The bytes that the client did not read are in the buffers of the two sockets, a few MiB each.
    let written = server.written.load(Ordering::Relaxed);
    assert!(written < 32 * 1024 * 1024, "{written} of 1 GiB were taken");
}

#[tokio::test]
async fn a_listing_that_is_too_large_is_asked_for_in_smaller_pages_and_nothing_else_is_asked_for_again() {
    // Not the addresses but what is used is too large here.
    let large = format!(r#"{{"RequestId":"REQ-1","Items":{{"Backup":[{{"BackupId":1,"Checksum":"{}"}}]}}}}"#, "x".repeat(1024 * 1024));
    let small = r#"{"RequestId":"REQ-1","TotalRecordCount":1,"Items":{"Backup":[{"BackupId":7}]}}"#;
    for (too_large, sizes) in [(0, vec![100]), (1, vec![100, 50]), (2, vec![100, 50, 30]), (3, vec![100, 50, 30])] {
        let mut acts = vec![answer("200 OK", &large); too_large];
        acts.push(answer("200 OK", small));
        let server = Server::start(acts).await;
        let client = client_that_waits(&format!("http://{}", server.addr), Duration::from_secs(20));
        let read = client.describe_backups(&credentials(), &SetQuery::of(InstanceId::new("rm-1"))).await;
        match read {
            Ok(answer) => assert!(too_large < 3 && answer.value.sets.len() == 1),
            Err(CallError::Lost { why }) => assert!(too_large == 3 && why.contains("1048576"), "{why}"),
            Err(error) => panic!("{error:?}"),
        }
        let asked: Vec<String> = server.requests.lock().unwrap().clone();
        let with = |size: &u32| format!("PageSize={size}");
        assert_eq!(asked.len(), sizes.len(), "{asked:?}");
        assert!(asked.iter().zip(&sizes).all(|(request, size)| request.contains(&with(size))), "{asked:?}");
    }
    for act in [answer("200 OK", &large), answer("400 Bad Request", &large)] {
        let server = Server::start(vec![act, answer("200 OK", ACCEPTED)]).await;
        lost(server.create().await);
        assert_eq!(server.requests(), 1);
        let read = server.client().describe_backup_tasks(&credentials(), &InstanceId::new("rm-1"), None).await;
        assert!(read.is_err() && server.requests() == 2, "{read:?}");
    }
}

#[tokio::test]
async fn silence_and_slowness_end_with_the_call_timeout() {
    for act in [Act::Hold, Act::Trickle] {
        let server = Server::start(vec![act]).await;
        let begun = tokio::time::Instant::now();
        let why = lost(server.create().await);
        assert!(why.contains("within 1 s"), "{why}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let why = not_sent(create(&client(&format!("http://{free}"))).await);
    assert!(why.contains("refused"), "{why}");
    let read = client(&format!("http://{free}")).describe_instance(&credentials(), &InstanceId::new("rm-1")).await;
    assert!(matches!(read, Err(CallError::NotSent { .. })), "{read:?}");
    not_sent(create(&client("https://nowhere.invalid")).await);
}

#[tokio::test]
async fn without_tls_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = client(&url);
    let ((mut stream, _), outcome) = tokio::join!(
        async {
            let (mut stream, peer) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await.unwrap();
            (stream, peer)
        },
        create(&client)
    );
    not_sent(outcome);
    let mut seen = Vec::new();
    let _ = stream.read_to_end(&mut seen).await;
    assert!(!seen.is_empty() && !String::from_utf8_lossy(&seen).contains("rm-1"), "only a ClientHello");
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_not_sent_and_not_shown() {
    let server = Server::start(vec![answer("200 OK", ACCEPTED)]).await;
    let credentials = Credentials { security_token: Some("token\nof-the-test".into()), ..credentials() };
    let outcome = server.client().create_backup(&credentials, &request(), &stamp()).await;
    let CreateOutcome::Rejected(Rejection::Unusable { why }) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("x-acs-security-token") && !why.contains("of-the-test"), "{why}");
    assert_eq!(server.requests(), 0);
}
