//! The operator's health and metrics server, from outside.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer of the health and metrics server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What the operator logs once it listens.
const SERVING: &str = "serving health and metrics";

/// Where it listens, if its log says so by now: as JSON or as text, with colours or without.
pub(super) fn address_in(log: &str) -> Option<SocketAddr> {
    log.lines().filter(|line| line.contains(SERVING)).find_map(|line| match serde_json::from_str::<Value>(line) {
        Ok(line) => [&line["address"], &line["fields"]["address"]].into_iter().find_map(Value::as_str)?.parse().ok(),
        Err(_) => {
            let line = without_colours(line);
            let (_, address) = line.split_once("address=")?;
            address.split_whitespace().next()?.trim_matches('"').parse().ok()
        }
    })
}

/// Without what is between an escape character and the letter that ends its sequence.
fn without_colours(text: &str) -> String {
    let mut escaped = false;
    let keep = |c: &char| {
        let keep = !escaped && *c != '\u{1b}';
        escaped = if escaped { !c.is_ascii_alphabetic() } else { *c == '\u{1b}' };
        keep
    };
    text.chars().filter(keep).collect()
}

/// `GET`, by hand: a request to a server on the same machine is not worth an HTTP client. HTTP/1.0, so that the answer ends with the
/// connection and is never in chunks.
pub(super) async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
    };
    tokio::time::timeout(Duration::from_secs(10), exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_every_format_of_the_log() {
        let text = "2026-03-04T12:00:00Z  INFO serving health and metrics address=127.0.0.1:4001";
        let coloured = "\u{1b}[2m2026\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m serving health and metrics \u{1b}[3maddress\u{1b}[0m\u{1b}[2m=\u{1b}[0m127.0.0.1:4002";
        let flat = r#"{"level":"INFO","message":"serving health and metrics","address":"127.0.0.1:4003","target":"x"}"#;
        let nested = r#"{"level":"INFO","fields":{"message":"serving health and metrics","address":"127.0.0.1:4004"}}"#;
        for (line, port) in [(text, 4001), (coloured, 4002), (flat, 4003), (nested, 4004)] {
            let log = format!("something address=127.0.0.1:1 else\n{line}\nmore\n");
            assert_eq!(address_in(&log).map(|address| address.port()), Some(port), "{line}");
        }
        assert_eq!(address_in("starting\n"), None);
        assert_eq!(address_in(r#"{"message":"serving health and metr"#), None, "a line that is still being written");
    }

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nnot\r\n\r\nyet").expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (503, "not\r\n\r\nyet"));
        for broken in ["", "HTTP/1.1 200 OK", "SSH-2.0\r\n\r\n", "HTTP/1.1\r\n\r\n"] {
            assert!(parse(broken).is_none(), "{broken:?}");
        }
    }
}
