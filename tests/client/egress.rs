//! By which way requests leave: through a proxy that sees nothing of them, with an authority of one's own, and to no address inside.

#![expect(clippy::disallowed_methods, reason = "the servers of a test end with its runtime")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rds_backup_operator::{
    accounts::{Accounts, ClientDeps, Source, Submissions},
    api::RdsBackupSpec,
    clock::Clock,
    config::Config,
    entropy::Entropy,
    rds::{Client, ClientOptions, CreateBackup, CreateOutcome, InstanceId, Limits, Rejection},
    rpc::{self, Authorities, Credentials, Egress, Endpoint, Proxy, Reach, Stamp},
};
use rds_backup_sandbox::rds::{self as simulated, Catalogue, Key, Options, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

const KEY: &str = "key-of-the-test";
const SECRET: &str = "secret-of-the-test";

/// A name that no resolver knows (RFC 2606), so that only a proxy reaches it.
const HOST: &str = "rds.egress.example";

/// The simulated service behind TLS, with certificates of an authority that no system trusts.
struct Service {
    endpoint: simulated::Endpoint,
    tls: SocketAddr,
    authority: String,
}

impl Service {
    async fn start() -> Self {
        let settings = Settings { latency: Duration::ZERO, ..Settings::default() };
        let options = Options { keys: vec![Key::new(KEY, SECRET)], catalogue: Catalogue::default(), settings, ..Options::default() };
        let endpoint = simulated::Endpoint::start(options).await.expect("it starts");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let (tls, plain) = (listener.local_addr().expect("an address"), endpoint.addr());
        let (authority, config) = certificates();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut upstream = TcpStream::connect(plain).await.expect("the endpoint listens");
                    let _ = copy_bidirectional(&mut stream, &mut upstream).await;
                });
            }
        });
        Self { endpoint, tls, authority }
    }

    fn client(&self, host: &str, egress: Egress) -> Client {
        let endpoint = Endpoint::parse(&format!("https://{host}:{}", self.tls.port())).expect("an endpoint");
        let entropy = Entropy::system();
        let rpc = rpc::ClientOptions {
            call_timeout: Duration::from_secs(10),
            egress,
            ..rpc::ClientOptions::new(endpoint, Clock::system(), Arc::new(move || entropy.nonce()))
        };
        let limits = Limits { create_per_second: 1000, describe_per_second: 1000 };
        Client::new(ClientOptions { rpc, limits, region_id: Some("cn-hangzhou".into()) }).expect("a client")
    }

    fn trusted(&self) -> Authorities {
        Authorities::from_pem(&self.authority).expect("an authority")
    }

    fn requests(&self) -> usize {
        self.endpoint.calls().len()
    }
}

/// An authority in PEM form, and a server with certificates of it for both names.
fn certificates() -> (String, ServerConfig) {
    let (key, mut params) = (KeyPair::generate().expect("a key"), CertificateParams::new(Vec::new()).expect("no names"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let names = vec![HOST.to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names).expect("names").signed_by(&key, &issuer).expect("a certificate");
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server");
    (authority, config)
}

/// What a proxy was asked for, and what it saw pass to the server.
#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    passed: Vec<u8>,
}

/// A proxy that leads every tunnel to `to`, or answers with `status` instead.
async fn proxy(to: SocketAddr, status: u16) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::<Mutex<Seen>>::default();
    let note = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, to, status, note.clone()));
        }
    });
    (url, seen)
}

async fn serve(mut stream: TcpStream, to: SocketAddr, status: u16, seen: Arc<Mutex<Seen>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    seen.lock().expect("no thread panics with it").heads.push(String::from_utf8_lossy(&head).into_owned());
    let answer = format!("HTTP/1.1 {status} as asked for\r\n\r\n");
    if stream.write_all(answer.as_bytes()).await.is_err() || status != 200 {
        return;
    }
    let mut server = TcpStream::connect(to).await.expect("the server listens");
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (stream.split(), server.split());
    let there = async {
        let mut bytes = vec![0; 4096];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            seen.lock().expect("no thread panics with it").passed.extend_from_slice(&bytes[..read]);
            if to_server.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::select! { () = there => {}, () = back => {} }
}

async fn create(client: &Client) -> CreateOutcome {
    let credentials =
        Credentials { access_key_id: KEY.into(), access_key_secret: SECRET.to_owned().into(), security_token: None, expires_at: None };
    let request = CreateBackup {
        instance: InstanceId::new("rm-mysql-orders"),
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    };
    let stamp = Stamp { nonce: Entropy::system().nonce(), timestamp: client.now() };
    client.create_backup(&credentials, &request, &stamp).await
}

async fn why_not_sent(client: &Client) -> String {
    match create(client).await {
        CreateOutcome::Rejected(Rejection::NotSent { why }) => why,
        other => panic!("{other:?}"),
    }
}

fn through(url: &str, not_for: &[&str]) -> Option<Proxy> {
    Some(Proxy::new(url, &not_for.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("a proxy"))
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_of_the_request() {
    let service = Service::start().await;
    let (url, seen) = proxy(service.tls, 200).await;
    let egress = Egress { proxy: through(&url, &[]), authorities: service.trusted(), reach: Reach::Public };
    let outcome = create(&service.client(HOST, egress)).await;
    assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
    assert_eq!(service.requests(), 1);
    let seen = seen.lock().expect("no thread panics with it");
    let [head] = seen.heads.as_slice() else { panic!("{:?}", seen.heads) };
    assert!(head.starts_with(&format!("CONNECT {HOST}:{} HTTP/1.1\r\n", service.tls.port())), "{head}");
    let is_in = |text: &str| seen.passed.windows(text.len()).any(|part| part == text.as_bytes()) || head.contains(text);
    assert!(seen.passed.len() > 500, "the request passed here");
    for secret in [KEY, "CreateBackup", "rm-mysql-orders", "Signature"] {
        assert!(!is_in(secret), "the proxy saw {secret}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_has_passed_on_nothing() {
    let service = Service::start().await;
    for (status, expected) in [(403, "unsuccessful"), (407, "proxy authorization required"), (502, "unsuccessful")] {
        let (url, seen) = proxy(service.tls, status).await;
        let egress = Egress { proxy: through(&url, &[]), authorities: service.trusted(), reach: Reach::Public };
        let why = why_not_sent(&service.client(HOST, egress)).await;
        assert!(why.contains(&format!("through the proxy {url}: ")) && why.contains(expected), "{status}: {why}");
        assert_eq!(seen.lock().expect("no thread panics with it").heads.len(), 1, "it is asked once");
    }
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port").local_addr().expect("an address");
    let egress = Egress { proxy: through(&format!("http://{closed}"), &[]), authorities: service.trusted(), reach: Reach::Public };
    let why = why_not_sent(&service.client(HOST, egress)).await;
    assert!(why.contains("Connection refused"), "{why}");
    assert_eq!(service.requests(), 0);
}

#[tokio::test]
async fn a_host_that_needs_no_proxy_is_called_without_it() {
    let service = Service::start().await;
    let (url, seen) = proxy(service.tls, 200).await;
    for (not_for, tunnels) in [(["localhost"].as_slice(), 0), (&[], 1)] {
        let egress = Egress { proxy: through(&url, not_for), authorities: service.trusted(), reach: Reach::Any };
        let outcome = create(&service.client("localhost", egress)).await;
        assert!(!matches!(outcome, CreateOutcome::Rejected(Rejection::NotSent { .. })), "{outcome:?}");
        assert_eq!(seen.lock().expect("no thread panics with it").heads.len(), tunnels, "{not_for:?}");
    }
}

#[tokio::test]
async fn only_the_accounts_own_authority_is_trusted_beside_those_of_the_system() {
    let service = Service::start().await;
    let (url, _) = proxy(service.tls, 200).await;
    let (another, _) = certificates();
    for authorities in [Authorities::default(), Authorities::from_pem(&another).expect("an authority")] {
        let egress = Egress { proxy: through(&url, &[]), authorities, reach: Reach::Public };
        let why = why_not_sent(&service.client(HOST, egress)).await;
        assert!(why.contains("certificate"), "{why}");
    }
    assert_eq!(service.requests(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_called() {
    let service = Service::start().await;
    for reach in [Reach::Public, Reach::Private] {
        let egress = Egress { proxy: None, authorities: service.trusted(), reach };
        let why = why_not_sent(&service.client("localhost", egress)).await;
        assert!(why.contains("localhost leads to ") && why.contains(", this machine, to which the account sends nothing"), "{why}");
    }
    assert_eq!(service.requests(), 0);
    let egress = Egress { proxy: None, authorities: service.trusted(), reach: Reach::Any };
    let outcome = create(&service.client("localhost", egress)).await;
    assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
}

/// The client of an account whose configuration has these lines besides its region, credentials and allow-list.
fn client_of(account: &str) -> Client {
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let common =
        "regionId: cn-hangzhou\ncredentials: { type: Auto }\nallow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]";
    let text = format!("accounts:\n  default:\n{}{}", indented(common), indented(account));
    let settings: BTreeMap<_, _> = Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).accounts;
    let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::system(), transport: None };
    let accounts = Accounts::new(settings, Submissions::Enabled, |_, _| Source::environment(|_| None), deps);
    let spec: RdsBackupSpec = serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-mysql-orders" })).expect("a spec");
    accounts.access("team-a", &spec, None).unwrap_or_else(|error| panic!("{error:?}")).client
}

#[tokio::test]
async fn the_keys_of_an_account_decide() {
    let service = Service::start().await;
    let (url, seen) = proxy(service.tls, 200).await;
    let port = service.tls.port();
    let ca: String = service.authority.lines().map(|line| format!("  {line}\n")).collect();
    let all = format!("endpoint: https://{HOST}:{port}\nproxy: {{ url: \"{url}\" }}\nca: |\n{ca}");
    let outcome = create(&client_of(&all)).await;
    assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
    assert_eq!(seen.lock().expect("no thread panics with it").heads.len(), 1);
    // An endpoint allows its host wherever it is, and no proxy means none.
    let direct = format!("endpoint: https://localhost:{port}\nca: |\n{ca}");
    let outcome = create(&client_of(&direct)).await;
    assert!(!matches!(outcome, CreateOutcome::Rejected(Rejection::NotSent { .. })), "{outcome:?}");
    assert_eq!(seen.lock().expect("no thread panics with it").heads.len(), 1);
    let why = why_not_sent(&client_of(&format!("endpoint: https://localhost:{port}"))).await;
    assert!(why.contains("certificate"), "{why}");
}
