//! One HTTP request, one answer: no retry, no redirect, no proxy but the account's own, no connection that was used before.

use std::{error::Error as _, time::Duration};

use futures::future::BoxFuture;

use super::{
    body::{Body, LARGEST_KEPT, LARGEST_READ, TooLarge},
    egress::Egress,
    http::{Failure, HttpRequest, HttpResponse, HttpTransport},
    redact::{self, Hidden},
};
use crate::{clock::Clock, no_answer::NoAnswer};

/// HTTP/1.1, with a new connection for each call.
pub(super) struct ReqwestTransport {
    http: reqwest::Client,
    clock: Clock,
    connect_timeout: Duration,
    /// The address of the account's proxy, for errors.
    proxy: Option<String>,
}

impl ReqwestTransport {
    /// The error is text that holds no address.
    pub fn new(encrypted: bool, clock: Clock, connect_timeout: Duration, egress: &Egress) -> Result<Self, String> {
        // reqwest panics without a provider of cryptography. If another part of the process has chosen one, it stays.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = reqwest::Client::builder()
            // The service may have accepted a request whose connection breaks, so neither reqwest nor hyper may send it again. reqwest
            // repeats a request that a server refused before it read it; hyper repeats on a kept connection that turned out closed, so
            // no connection is kept.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            // A redirect would carry the signed request to a host that the answer names.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy of the environment would see the request, and could repeat it by its own rules.
            .no_proxy()
            .http1_only()
            .connect_timeout(connect_timeout)
            .user_agent(concat!("rds-backup-operator/", env!("CARGO_PKG_VERSION")));
        if !encrypted {
            // reqwest cannot build a client without the system's certificates; plain http on loopback needs none.
            builder = builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>());
        }
        let http = egress.apply(builder).and_then(reqwest::ClientBuilder::build).map_err(|error| innermost(&error))?;
        let proxy = egress.proxy.as_ref().filter(|_| encrypted).map(ToString::to_string);
        Ok(Self { http, clock, connect_timeout, proxy })
    }

    async fn request(&self, HttpRequest { method, url, headers, body, used }: HttpRequest) -> Result<HttpResponse, Failure> {
        let mut response = self.http.request(method, url).headers(headers).body(body).send().await.map_err(|error| self.failure(&error))?;
        let received = self.clock.now();
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Body::new(&used);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            body.take(&chunk).map_err(|too_large| match too_large {
                TooLarge::Document => Failure::TooLarge(format!(
                    "status {status} with more than {LARGEST_READ} bytes, or more than {LARGEST_KEPT} of those that are used"
                )),
                TooLarge::Other => Failure::Lost {
                    why: format!("status {status} with more than {LARGEST_KEPT} bytes that are no document"),
                    cause: NoAnswer::Other,
                },
            })?;
        }
        Ok(HttpResponse { status, headers, body: body.into_bytes(), received })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let cause = if error.is_timeout() { NoAnswer::Timeout } else { NoAnswer::of(error) };
        // Connecting covers DNS, TCP and TLS, and comes before any byte of the request: every call has a new connection.
        if error.is_connect() || error.is_builder() {
            let seconds = self.connect_timeout.as_secs_f32();
            let why = if error.is_timeout() { format!("no connection within {seconds} s") } else { innermost(error) };
            let why = match &self.proxy {
                Some(proxy) => format!("through the proxy {proxy}: {why}"),
                None => why,
            };
            return Failure::NotSent { why, cause };
        }
        Failure::Lost { why: innermost(error), cause }
    }
}

impl HttpTransport for ReqwestTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        Box::pin(self.request(request))
    }
}

/// The last cause: "Connection refused" rather than "error sending request for url (...)". It is shown without the address, because the
/// address holds the request.
fn innermost(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "the connection failed".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    redact::plain_text(&cause.to_string(), &Hidden::NOTHING)
}
