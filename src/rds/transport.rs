//! One HTTP request, one answer, nothing by itself: no retry, no redirect, no proxy, no connection that was used before.

use std::{error::Error as _, time::Duration};

use jiff::Timestamp;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

/// The longest answer that is read, bytes. A full page of sets has 100 KiB.
const LARGEST_BODY: usize = 1024 * 1024;

/// What came back, whatever it is.
pub(super) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// `Date`: the service's clock, to the second.
    pub date: Option<Timestamp>,
    /// `x-acs-retry-after`, milliseconds.
    pub retry_after: Option<Duration>,
}

/// Why nothing came back.
pub(super) enum Failure {
    /// The connection was never there, so nothing was sent.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

pub(super) struct Transport {
    http: reqwest::Client,
    call_timeout: Duration,
}

impl Transport {
    pub fn new(connect_timeout: Duration, call_timeout: Duration) -> Result<Self, reqwest::Error> {
        // reqwest panics without one; another part of the process may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            // A server that closes a kept connection after reading a request would get it again from hyper's pool, and what reqwest calls
            // safe to retry is not for us to leave to it.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(connect_timeout)
            .timeout(call_timeout)
            .user_agent(concat!("rds-backup-operator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, call_timeout })
    }

    /// Sends a request with an empty body.
    pub async fn post(&self, url: Url, headers: &[(String, String)]) -> Result<Reply, Failure> {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Failure::NotSent("a header's name cannot be sent".to_owned()))?;
            // The value may be a signature or a token: it is not in the error.
            let mut value = HeaderValue::from_str(value).map_err(|_| Failure::NotSent(format!("the value of {name} cannot be sent in a header")))?;
            value.set_sensitive(true);
            sent.insert(name, value);
        }
        let call = async {
            let mut response = self.http.request(Method::POST, url).headers(sent).send().await.map_err(|error| self.failure(&error))?;
            let status = response.status().as_u16();
            let date = header(&response, "date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
            let retry_after = header(&response, "x-acs-retry-after").and_then(|millis| millis.trim().parse().ok()).map(Duration::from_millis);
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
                if body.len() + chunk.len() > LARGEST_BODY {
                    return Err(Failure::Lost(format!("the answer is larger than {LARGEST_BODY} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Reply { status, body, date, retry_after })
        };
        // The client's own timeout covers the same; this one does not depend on how it counts.
        match tokio::time::timeout(self.call_timeout + Duration::from_secs(1), call).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Lost(self.no_answer())),
        }
    }

    fn no_answer(&self) -> String {
        format!("no whole answer within {} s", self.call_timeout.as_secs_f32())
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        // An error of connecting comes before any byte of the request: every call has a connection of its own.
        if error.is_connect() || error.is_builder() {
            return Failure::NotSent(innermost(error));
        }
        if error.is_timeout() {
            return Failure::Lost(self.no_answer());
        }
        Failure::Lost(innermost(error))
    }
}

/// The last cause: "Connection refused" rather than "error sending request for url (...)", and without the address, which holds the request.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.source().is_none() { "the connection failed".to_owned() } else { super::error::safe_message("", &cause.to_string()) }
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
