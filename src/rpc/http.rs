//! What goes to the service and what comes back, below all meaning: an HTTP request, an HTTP response, and the way between them.

use std::fmt;

use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::{Method, header::HeaderMap};
use url::Url;

use crate::no_answer::NoAnswer;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request was not sent.
    NotSent {
        /// Why, as text.
        why: String,
        /// Why, for the metrics.
        cause: NoAnswer,
    },
    /// The request was not sent: no request can carry these credentials, or they have ended.
    Unusable(String),
    /// The request may have arrived.
    Lost {
        /// Why, as text.
        why: String,
        /// Why, for the metrics.
        cause: NoAnswer,
    },
    /// The request arrived, and its answer is a document that is larger than is kept of one.
    TooLarge(String),
}

/// A request: a signed one, which is always a POST, or one for a document. Its `Debug` shows where it goes and nothing of what it holds:
/// key, token and signature are in headers, query or body, and the path of a document may be secret.
#[derive(Clone)]
pub struct HttpRequest {
    /// POST for every call of an API.
    pub method: Method,
    /// With the signed query, if the signature version signs a query.
    pub url: Url,
    /// All of them are sensitive.
    pub headers: HeaderMap,
    /// Empty if everything is in the query.
    pub body: String,
    /// The names of the members of the answer's document that are used, at any depth. A transport may leave out the values of all others:
    /// they can be large, and secrets.
    pub used: Vec<&'static str>,
}

/// An answer, from the service or from anything in front of it. Its `Debug` does not show the body: it may be a key, and it may hold
/// pre-signed addresses.
#[derive(Clone)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The client reads `Date` and `x-acs-retry-after`.
    pub headers: HeaderMap,
    /// At most 1 MiB, without what is not used.
    pub body: Vec<u8>,
    /// When the head of the answer arrived, by our clock.
    pub received: Timestamp,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, headers, body, used: _ } = self;
        let names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
        write!(f, "HttpRequest({method} {}, headers {names:?}, {} bytes)", url.host_str().unwrap_or_default(), body.len())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers: _, body, received } = self;
        write!(f, "HttpResponse({status}, {} bytes, at {received})", body.len())
    }
}

/// Sends a request to the service, once, and brings back its answer. The operator uses the network; tests use a transport of their own. The
/// client bounds the time of every call, so a transport need not.
pub trait HttpTransport: Send + Sync {
    /// Sends one request.
    ///
    /// # Errors
    /// [`Failure::NotSent`] only if no byte of the request left this process.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>>;
}
