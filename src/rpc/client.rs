//! One call: one request, signed and sent once, and the answer to it.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Method,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::zeroize::Zeroize;
use tokio::time::Instant;
use tracing::debug;

use super::{
    calls::{CallCounts, CallOutcome},
    clock_offset::ClockOffset,
    credentials::Credentials,
    egress::Egress,
    endpoint::Endpoint,
    http::{Failure, HttpRequest, HttpResponse, HttpTransport},
    redact::Hidden,
    reqwest_transport::ReqwestTransport,
    response::{self, Response, ServiceError},
    sign::{SignatureVersion, Signed, Unsigned, sign, without_signature},
};
use crate::{clock::Clock, no_answer::NoAnswer, time::SaturatingTime};

/// The API of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// The product's name, for the log.
    pub product: &'static str,
    /// The version that its requests name, for example `2014-08-15`.
    pub version: &'static str,
    /// The names of the members that are read of its answers, at any depth, besides those that all products' answers have.
    pub used: &'static [&'static str],
}

/// The nonce and the signed time of one request. The service refuses a nonce that it has seen, and a time older than 15 minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `x-acs-signature-nonce`
    pub nonce: String,
    /// `x-acs-date`, to the second: fractions are cut off.
    pub timestamp: Timestamp,
}

/// How a client is made.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// How requests are signed.
    pub signature: SignatureVersion,
    /// The clock of this machine.
    pub clock: Clock,
    /// Nonces, for requests whose caller does not choose one.
    pub nonce_source: Arc<dyn Fn() -> String + Send + Sync>,
    /// The longest time to connect; default 5 s.
    pub connect_timeout: Duration,
    /// The longest time of a whole call, including connecting and reading the answer's body; default 30 s.
    pub call_timeout: Duration,
    /// By which way requests leave; default: directly, to addresses of the internet.
    pub egress: Egress,
    /// How requests are sent; default: over the network.
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Who is told what became of each call; default: nobody.
    pub counts: Option<Arc<dyn CallCounts>>,
}

impl ClientOptions {
    /// The defaults, for an endpoint.
    pub fn new(endpoint: Endpoint, clock: Clock, nonce_source: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        let (connect_timeout, call_timeout) = (Duration::from_secs(5), Duration::from_secs(30));
        Self {
            endpoint,
            signature: SignatureVersion::default(),
            clock,
            nonce_source,
            connect_timeout,
            call_timeout,
            egress: Egress::default(),
            transport: None,
            counts: None,
        }
    }
}

/// Why a client cannot be made. The usual cause is a system without CA certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientError(pub(super) String);

/// A client of one product at one endpoint. All its calls share what is known of the service's clock.
pub struct Client {
    api: Api,
    options: ClientOptions,
    transport: Arc<dyn HttpTransport>,
    clock_offset: ClockOffset,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.options.endpoint)
    }
}

impl Client {
    /// Sets up a client. It sends nothing.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(api: Api, options: ClientOptions) -> Result<Self, ClientError> {
        let ClientOptions { endpoint, clock, connect_timeout, egress, transport, .. } = &options;
        let transport = match transport {
            Some(transport) => transport.clone(),
            None => Arc::new(ReqwestTransport::new(endpoint.is_encrypted(), clock.clone(), *connect_timeout, egress).map_err(ClientError)?),
        };
        Ok(Self { api, options, transport, clock_offset: ClockOffset::new() })
    }

    /// How far the service's clock is ahead of ours, by its answers. Zero while they differ by less than 2 s, and before the first answer.
    pub fn clock_offset(&self) -> SignedDuration {
        self.clock_offset.get().unwrap_or(SignedDuration::ZERO)
    }

    /// The same; none before the first answer.
    pub fn known_clock_offset(&self) -> Option<SignedDuration> {
        self.clock_offset.get()
    }

    /// The service's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.options.clock.now().plus(self.clock_offset())
    }

    /// Where the service is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.options.endpoint
    }

    /// A new nonce and the present time.
    pub fn stamp(&self) -> Stamp {
        Stamp { nonce: (self.options.nonce_source)(), timestamp: self.now() }
    }

    /// Signs and sends one request, once, with exactly this nonce and time.
    ///
    /// # Errors
    /// There is no answer. An error that the service answers is in the [`Response`].
    pub async fn call(
        &self,
        action: &'static str,
        params: &[(String, String)],
        credentials: &Credentials,
        stamp: &Stamp,
    ) -> Result<Response, Failure> {
        // The service would refuse the key, and the refusal would look like a wrong key.
        if let Some(end) = credentials.ended_at(self.now()) {
            return Err(Failure::Unusable(format!("the temporary access key ended at {end}")));
        }
        let date = seconds(stamp.timestamp);
        let host = self.options.endpoint.host_header();
        let version = self.api.version;
        let unsigned = Unsigned { action, version, params, host: &host, nonce: &stamp.nonce, date: &date, credentials };
        self.exchange(action, sign(self.options.signature, &unsigned), &Hidden::of(credentials)).await
    }

    /// Sends one request without a signature, once: one of its parameters is its proof. `secrets` are not shown in the message of an error.
    ///
    /// # Errors
    /// There is no answer. An error that the service answers is in the [`Response`].
    pub async fn call_without_signature(
        &self,
        action: &'static str,
        params: &[(String, String)],
        secrets: &[&str],
    ) -> Result<Response, Failure> {
        let (host, date) = (self.options.endpoint.host_header(), seconds(self.now()));
        let request = without_signature(action, self.api.version, params, &host, &date);
        self.exchange(action, request, &Hidden::all(secrets.iter().copied())).await
    }

    /// Sends one request, once, and reads its answer.
    async fn exchange(&self, action: &'static str, request: Signed, hidden: &Hidden) -> Result<Response, Failure> {
        let product = self.api.product;
        let sent = self.options.clock.now();
        let began = Instant::now();
        let answer = self.post(request).await;
        let took = began.elapsed();
        let elapsed_ms = self.options.clock.now().duration_since(sent).as_millis();
        let mut answer = answer.inspect_err(|failure| {
            match failure {
                Failure::NotSent { why, .. } | Failure::Unusable(why) => debug!(product, action, elapsed_ms, why, "not sent"),
                Failure::Lost { why, .. } | Failure::TooLarge(why) => debug!(product, action, elapsed_ms, why, "no answer"),
            }
            self.count(action, CallOutcome::of_failure(failure), took);
        })?;
        let mut response = Response::read_hiding(action, &answer, hidden);
        // It may be a key of STS.
        answer.body.zeroize();
        self.count(action, CallOutcome::of_response(&response), took);
        let code = response.error.as_ref().map(|error| error.code.as_str());
        debug!(product, action, elapsed_ms, http_status = response.status, code, request_id = response.request_id, "answered");
        // Only an answer with a request id is the service's own; a proxy's page shows the proxy's clock.
        if let (Some(date), Some(_)) = (response.date, &response.request_id) {
            let time_refused = response.error.as_ref().is_some_and(ServiceError::refuses_the_time);
            response.service_time = self.clock_offset.service_time(sent, answer.received, date, time_refused);
        }
        Ok(response)
    }

    fn count(&self, action: &'static str, outcome: CallOutcome<'_>, took: Duration) {
        if let Some(counts) = &self.options.counts {
            counts.called(action, outcome, took);
        }
    }

    async fn post(&self, Signed { query, headers, mut body }: Signed) -> Result<HttpResponse, Failure> {
        let url = self.options.endpoint.with_query(query.as_ref().map(|query| query.as_str()));
        // hyper leaves this header out if there is no body, and gateways answer a POST without it with 411.
        let mut sent = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(body.len()))]);
        for (name, value) in headers.iter() {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Failure::NotSent { why: "a header's name cannot be sent".to_owned(), cause: NoAnswer::Other })?;
            // The value may be a signature or a token: the error does not show it.
            let mut value =
                HeaderValue::from_str(value).map_err(|_| Failure::Unusable(format!("the value of {name} cannot be sent in a header")))?;
            value.set_sensitive(true);
            sent.insert(name, value);
        }
        let used = response::USED.iter().chain(self.api.used).copied().collect();
        let call_timeout = self.options.call_timeout;
        let body = std::mem::take(&mut *body);
        let answer = self.transport.send(HttpRequest { method: Method::POST, url, headers: sent, body, used });
        tokio::time::timeout(call_timeout, answer).await.map_err(|_| Failure::Lost {
            why: format!("no whole answer within {} s", call_timeout.as_secs_f32()),
            cause: NoAnswer::Timeout,
        })?
    }
}

/// The time as requests carry it: fractions of a second are cut off.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::BoxFuture;

    use super::*;

    /// Answers every request with an empty document, and counts them.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl HttpTransport for Counting {
        fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let answer = HttpResponse { status: 200, headers: HeaderMap::new(), body: b"{}".to_vec(), received: Timestamp::UNIX_EPOCH };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    #[tokio::test]
    async fn a_temporary_key_that_has_ended_is_not_used() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let transport = Arc::new(Counting::default());
        let options = ClientOptions {
            transport: Some(transport.clone()),
            ..ClientOptions::new(Endpoint::parse("https://sts.example").unwrap(), Clock::new(move || now), Arc::new(|| "nonce".to_owned()))
        };
        let client = Client::new(Api { product: "Sts", version: "2015-04-01", used: &[] }, options).unwrap();
        let call = async |expires_at: Option<&str>| {
            let credentials = Credentials {
                access_key_id: "STS.key-of-the-test".into(),
                access_key_secret: "secret-of-the-test".to_owned().into(),
                security_token: Some("token-of-the-test".to_owned().into()),
                expires_at: expires_at.map(|end| end.parse().unwrap()),
            };
            client.call("AssumeRole", &[], &credentials, &client.stamp()).await.err()
        };
        let ended = |end: &str| Some(Failure::Unusable(format!("the temporary access key ended at {end}")));
        assert_eq!(call(Some("2026-03-01T11:59:59Z")).await, ended("2026-03-01T11:59:59Z"));
        assert_eq!(call(Some("2026-03-01T12:00:00Z")).await, ended("2026-03-01T12:00:00Z"), "it is valid until its end, not at it");
        assert_eq!(transport.0.load(Ordering::Relaxed), 0);
        assert_eq!((call(Some("2026-03-01T12:00:01Z")).await, call(None).await), (None, None));
        assert_eq!(transport.0.load(Ordering::Relaxed), 2);
    }
}
