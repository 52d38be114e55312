//! A document that is fetched from an address without a signature: of a node's metadata service, or of a server that hands out keys. One
//! request, never repeated; no redirect is followed and no proxy asked.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Method,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use url::Url;

use super::{
    client::ClientError,
    clock_offset::ClockOffset,
    egress::{Authorities, Egress, Reach},
    http::{Failure, HttpRequest, HttpResponse, HttpTransport},
    reqwest_transport::ReqwestTransport,
};
use crate::{clock::Clock, no_answer::NoAnswer, time::SaturatingTime};

/// The members that are read of a document: a key and what is said beside it.
const USED: &[&str] = &["Code", "AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"];

/// Fetches documents from one server, and knows its clock.
pub struct DocumentClient {
    transport: Arc<dyn HttpTransport>,
    clock: Clock,
    clock_offset: ClockOffset,
    call_timeout: Duration,
}

/// What was answered. It has no `Debug`: it may be a key.
pub struct Document {
    /// The HTTP status.
    pub status: u16,
    body: Zeroizing<Vec<u8>>,
}

impl Document {
    /// The body as one word, such as a name or a token: white space around it is cut off. None if it is empty, longer than 4,096 bytes, or
    /// no word.
    pub fn word(&self) -> Option<&str> {
        let word = std::str::from_utf8(&self.body).ok()?.trim();
        let is_word = (1..=4096).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
        is_word.then_some(word)
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl DocumentClient {
    /// Sets up a client for addresses that are encrypted or not. An administrator named them, or they are the metadata service's own: they may
    /// be anywhere, and no proxy is asked. It sends nothing.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(
        encrypted: bool,
        clock: Clock,
        connect_timeout: Duration,
        call_timeout: Duration,
        authorities: Authorities,
        transport: Option<Arc<dyn HttpTransport>>,
    ) -> Result<Self, ClientError> {
        let egress = Egress { proxy: None, authorities, reach: Reach::Any };
        let transport = match transport {
            Some(transport) => transport,
            None => Arc::new(ReqwestTransport::new(encrypted, clock.clone(), connect_timeout, &egress).map_err(ClientError)?),
        };
        Ok(Self { transport, clock, clock_offset: ClockOffset::new(), call_timeout })
    }

    /// The server's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.clock.now().plus(self.clock_offset.get().unwrap_or(SignedDuration::ZERO))
    }

    /// GET.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn get(&self, url: Url, header: Option<(&'static str, &str)>) -> Result<Document, Failure> {
        self.fetch(Method::GET, url, header).await
    }

    /// PUT without a body.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn put(&self, url: Url, header: Option<(&'static str, &str)>) -> Result<Document, Failure> {
        self.fetch(Method::PUT, url, header).await
    }

    async fn fetch(&self, method: Method, url: Url, header: Option<(&'static str, &str)>) -> Result<Document, Failure> {
        let mut headers = HeaderMap::new();
        if method == Method::PUT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        if let Some((name, value)) = header {
            let mut value =
                HeaderValue::from_str(value).map_err(|_| Failure::Unusable(format!("the value of {name} cannot be sent in a header")))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let sent = self.clock.now();
        let answer = self.transport.send(HttpRequest { method, url, headers, body: String::new(), used: USED.to_vec() });
        let answer = tokio::time::timeout(self.call_timeout, answer).await.map_err(|_| Failure::Lost {
            why: format!("no whole answer within {} s", self.call_timeout.as_secs_f32()),
            cause: NoAnswer::Timeout,
        })?;
        let HttpResponse { status, headers, body, received } = answer?;
        let date = headers.get("date").and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok());
        if let Some(date) = date {
            self.clock_offset.service_time(sent, received, date.timestamp(), false);
        }
        Ok(Document { status, body: body.into() })
    }
}
