//! One HTTP request, one answer, nothing by itself: no retry, no redirect, no proxy, no connection that was used before.

use std::{error::Error as _, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::{
    Method,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::redact::{self, Hidden};
use crate::clock::Clock;

/// The longest answer that is read, bytes. A full page of sets has about 300 KiB, most of it download addresses.
const LARGEST_BODY: usize = 1024 * 1024;

/// What came back, whatever it is.
pub(crate) struct Reply {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection, so nothing was sent.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

/// A signed request as it leaves: a POST.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// With the signed query, where the signature is one of a query.
    pub url: Url,
    /// All of them are sensitive.
    pub headers: HeaderMap,
    /// Empty where everything is in the query.
    pub body: String,
}

/// An answer as it arrived, of whatever kind.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The HTTP status.
    pub status: u16,
    /// `Date` and `x-acs-retry-after` are read.
    pub headers: HeaderMap,
    /// As far as it is read at all: at most 1 MiB.
    pub body: Vec<u8>,
    /// When its head was there, by our clock.
    pub received: Timestamp,
}

/// What carries a request to the service, once, and brings back its answer: sockets, or a test's own. The time of a call is bounded by
/// whoever asks, so that it is bounded for every one of them.
pub trait Carrier: Send + Sync {
    /// Carries one request.
    fn carry(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Failure>>;
}

/// Makes requests of what was signed, and reads from an answer what HTTP says about it.
pub(crate) struct Transport {
    carrier: Arc<dyn Carrier>,
    call_timeout: Duration,
}

/// HTTP/1.1 over a connection of its own for each call.
pub(crate) struct Sockets {
    http: reqwest::Client,
    clock: Clock,
    connect_timeout: Duration,
}

impl Transport {
    pub fn new(carrier: Arc<dyn Carrier>, call_timeout: Duration) -> Self {
        Self { carrier, call_timeout }
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
        let answer = self.carrier.carry(Outgoing { url, headers: sent, body });
        let Incoming { status, headers, body, received } = tokio::time::timeout(self.call_timeout, answer)
            .await
            .map_err(|_| Failure::Lost(format!("no whole answer within {} s", self.call_timeout.as_secs_f32())))??;
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let date = header("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let retry_after = header("x-acs-retry-after").and_then(|millis| millis.trim().parse().ok()).map(Duration::from_millis);
        Ok(Reply { status, body, date, received, retry_after })
    }
}

impl Sockets {
    /// The error is in words that hold no address.
    pub fn new(encrypted: bool, clock: Clock, connect_timeout: Duration) -> Result<Self, String> {
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
            .user_agent(concat!("rds-backup-operator/", env!("CARGO_PKG_VERSION")));
        if !encrypted {
            // Without the system's certificates a client cannot even be built; plain http on loopback needs none.
            builder = builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>());
        }
        let http = builder.build().map_err(|error| innermost(&error))?;
        Ok(Self { http, clock, connect_timeout })
    }

    async fn send(&self, Outgoing { url, headers, body }: Outgoing) -> Result<Incoming, Failure> {
        let mut response =
            self.http.request(Method::POST, url).headers(headers).body(body).send().await.map_err(|error| self.failure(&error))?;
        let received = self.clock.now();
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Failure::Lost(format!("status {status} with more than {LARGEST_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Incoming { status, headers, body, received })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        // Connecting covers the name, TCP and TLS, and comes before any byte of the request: every call has a connection of its own.
        if error.is_connect() || error.is_builder() {
            let seconds = self.connect_timeout.as_secs_f32();
            return Failure::NotSent(if error.is_timeout() { format!("no connection within {seconds} s") } else { innermost(error) });
        }
        Failure::Lost(innermost(error))
    }
}

impl Carrier for Sockets {
    fn carry(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Failure>> {
        Box::pin(self.send(request))
    }
}

/// The last cause: "Connection refused" rather than "error sending request for url (...)", and without the address, which holds the
/// request.
fn innermost(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "the connection failed".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    redact::words(&cause.to_string(), &Hidden::NOTHING)
}
