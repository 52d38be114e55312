//! One HTTP request, one answer, nothing by itself: no retry, no redirect, no proxy, no connection that was used before.

use std::{error::Error as _, time::Duration};

use jiff::Timestamp;
use reqwest::{
    Method,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::clean::{self, Hidden};
use crate::clock::Clock;

/// The longest answer that is read, bytes. A full page of sets has about 300 KiB, most of it download addresses.
const LARGEST_BODY: usize = 1024 * 1024;

/// What came back, whatever it is.
pub(super) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// `Date`: the service's clock, to the second.
    pub date: Option<Timestamp>,
    /// When the answer's head was there, by our clock.
    pub received: Timestamp,
    /// `x-acs-retry-after`, milliseconds.
    pub retry_after: Option<Duration>,
}

/// Why nothing came back.
pub(super) enum Failure {
    /// There was no connection, so nothing was sent.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

pub(super) struct Transport {
    http: reqwest::Client,
    clock: Clock,
    connect_timeout: Duration,
    call_timeout: Duration,
}

impl Transport {
    /// The error is in words that hold no address.
    pub fn new(encrypted: bool, clock: Clock, connect_timeout: Duration, call_timeout: Duration) -> Result<Self, String> {
        // reqwest panics without one. If another part of the process has chosen one, it stays.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = reqwest::Client::builder()
            // A request whose connection breaks may have been accepted, so neither reqwest nor hyper may send it again. reqwest repeats
            // what a server refused to begin with; hyper repeats on a kept connection that turned out closed, so none is kept.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            // A redirect would carry the signed request to a host that somebody else names.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy of the environment would see it too, and repeat it by rules of its own.
            .no_proxy()
            .http1_only()
            .connect_timeout(connect_timeout)
            .timeout(call_timeout)
            .user_agent(concat!("rds-backup-operator/", env!("CARGO_PKG_VERSION")));
        if !encrypted {
            // Without the system's certificates a client cannot even be built; plain http on loopback needs none.
            builder = builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>());
        }
        let http = builder.build().map_err(|error| innermost(&error))?;
        Ok(Self { http, clock, connect_timeout, call_timeout })
    }

    /// Sends a request, once.
    pub async fn post(&self, url: Url, headers: &[(String, String)], body: String) -> Result<Reply, Failure> {
        // hyper leaves this out where there is no body, and gateways answer a POST without it with 411.
        let mut sent = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(body.len()))]);
        for (name, value) in headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| Failure::NotSent("a header's name cannot be sent".to_owned()))?;
            // The value may be a signature or a token: it is not in the error.
            let mut value =
                HeaderValue::from_str(value).map_err(|_| Failure::NotSent(format!("the value of {name} cannot be sent in a header")))?;
            value.set_sensitive(true);
            sent.insert(name, value);
        }
        let mut response =
            self.http.request(Method::POST, url).headers(sent).body(body).send().await.map_err(|error| self.failure(&error))?;
        let received = self.clock.now();
        let status = response.status().as_u16();
        let date = header(&response, "date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let retry_after = header(&response, "x-acs-retry-after").and_then(|millis| millis.trim().parse().ok()).map(Duration::from_millis);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Failure::Lost(format!("status {status} with more than {LARGEST_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body, date, received, retry_after })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let timed_out = error.is_timeout();
        // Connecting covers the name, TCP and TLS, and comes before any byte of the request: every call has a connection of its own.
        if error.is_connect() || error.is_builder() {
            let seconds = self.connect_timeout.as_secs_f32();
            return Failure::NotSent(if timed_out { format!("no connection within {seconds} s") } else { innermost(error) });
        }
        Failure::Lost(if timed_out { format!("no whole answer within {} s", self.call_timeout.as_secs_f32()) } else { innermost(error) })
    }
}

/// The last cause: "Connection refused" rather than "error sending request for url (...)", and without the address, which holds the
/// request.
fn innermost(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "the connection failed".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    clean::words(&cause.to_string(), &Hidden::NOTHING)
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
