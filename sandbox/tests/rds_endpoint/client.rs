//! A raw client: its own signer, one connection per request, and a plain word for every way in which an answer can fail to come.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request before it is signed.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub headers: BTreeMap<String, String>,
    pub query: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn new(addr: SocketAddr, action: &str, parameters: &[(&str, &str)], nonce: &str, date: Timestamp) -> Self {
        let headers = [
            ("host", addr.to_string()),
            ("x-acs-action", action.to_owned()),
            ("x-acs-version", "2014-08-15".to_owned()),
            ("x-acs-date", date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("x-acs-signature-nonce", nonce.to_owned()),
            ("x-acs-content-sha256", sha256("")),
        ];
        Self {
            method: "POST".to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            query: parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            body: String::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with a body, and the hash that belongs to it.
    pub fn with_body(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self.header("x-acs-content-sha256", &sha256(body)) }
    }

    pub fn query_text(&self) -> String {
        self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
    }

    /// The `Authorization` header. Every header that is there is signed.
    pub fn authorization(&self, id: &str, secret: &str) -> String {
        let names = self.headers.keys().map(String::as_str).collect::<Vec<_>>().join(";");
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let canonical = format!("{}\n/\n{}\n{headers}\n{names}\n{}", self.method, self.query_text(), sha256(&self.body));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("ACS3-HMAC-SHA256\n{}", sha256(&canonical)).as_bytes());
        format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={}", hex(&mac.finalize().into_bytes()))
    }

    /// The request's bytes.
    pub fn signed(&self, id: &str, secret: &str) -> String {
        let authorization = self.authorization(id, secret);
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (method, query, body) = (&self.method, self.query_text(), &self.body);
        let length = body.len();
        format!(
            "{method} /?{query} HTTP/1.1\r\n{headers}authorization: {authorization}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// `OK`, or status and code.
    pub fn verdict(&self) -> String {
        match self.json()["Code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => "OK".to_owned(),
        }
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Closed,
    Reset,
    TimedOut,
}

/// Sends the bytes and reads until the connection ends.
pub async fn send(addr: SocketAddr, bytes: &str, patience: Duration) -> Result<Response, Lost> {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.map_err(|_| Lost::Reset)?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            Ok(0) => Err(Lost::Closed),
            Ok(_) => Ok(parse(&answer)),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Lost::Reset),
            Err(error) => panic!("{error}"),
        }
    };
    tokio::time::timeout(patience, exchange).await.unwrap_or(Err(Lost::TimedOut))
}

fn parse(answer: &[u8]) -> Response {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Response { status, headers: headers.collect(), body: answer[end + 4..].to_vec() }
}

pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_signer_of_these_tests_agrees_with_the_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/acs3-vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let map = |value: &Value| value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    for vector in vectors["vectors"].as_array().unwrap() {
        let request = Request {
            method: text(&vector["method"]),
            headers: map(&vector["headers"]),
            query: map(&vector["query"]),
            body: text(&vector["body"]),
        };
        let made = request.authorization(&text(&vector["access_key_id"]), &text(&vector["access_key_secret"]));
        assert_eq!(made, text(&vector["authorization"]), "{}", vector["name"]);
    }
}
