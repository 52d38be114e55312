use std::{collections::BTreeMap, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::{Resource, core::Request};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, de};
use tokio::{sync::Mutex, time::Instant};

use super::{
    error::CredentialsError,
    parts::{self, PartError},
};
use crate::{controller::error_text, rpc::Credentials};

/// How old credentials may be: after this time at the latest, the operator uses a rotated Secret.
const LONGEST_USE: Duration = Duration::from_secs(60);

/// How long the operator remembers that a Secret is missing, so that a hundred waiting objects cost one request. It is less than the
/// shortest pause below: an object that comes back after that pause must not get the old answer.
const LACK_REMEMBERED: Duration = Duration::from_secs(4);

/// For all attempts of one read together.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A read that fails is repeated after 0.25, 0.5 and 1 s: a single refusal by the API server must not cost a poll.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MORE_ATTEMPTS: usize = 3;

/// If all attempts fail, the pause before the next read is half of the time since the first failure, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Reads a Secret of one namespace by GET, when it is used. The operator never lists or watches Secrets.
pub struct SecretReader {
    client: kube::Client,
    namespace: String,
    name: String,
    last: Mutex<Option<LastRead>>,
}

/// The newest read.
struct LastRead {
    at: Instant,
    /// When the API server began to fail; none if it answered.
    failing_since: Option<Instant>,
    result: Result<Credentials, CredentialsError>,
}

impl SecretReader {
    pub(super) fn new(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), name: name.to_owned(), last: Mutex::default() }
    }

    /// The credentials, at most 60 s old. Callers that come at the same time share one read.
    pub(super) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let (namespace, name) = (&self.namespace, &self.name);
        let mut last = self.last.lock().await;
        if let Some(LastRead { at, result, .. }) = &*last {
            let fresh = if result.is_ok() { LONGEST_USE } else { LACK_REMEMBERED };
            if at.elapsed() < fresh {
                return result.clone();
            }
        }
        // If the last read is long ago, it says nothing about how long the API server has been failing.
        let recent = last.as_ref().filter(|last| last.at.elapsed() < 2 * LONGEST_PAUSE);
        let failing_since = recent.and_then(|last| last.failing_since).unwrap_or_else(Instant::now);
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(MORE_ATTEMPTS);
        let attempts = (|| self.read()).retry(pauses).when(ReadError::may_pass);
        let unreadable =
            |why| CredentialsError::Unreadable { namespace: namespace.clone(), name: name.clone(), why, again_in: pause(failing_since) };
        let result = match tokio::time::timeout(READ_TIMEOUT, attempts).await {
            Ok(Ok(secret)) => self.parse(&secret),
            Ok(Err(ReadError::Missing)) => Err(CredentialsError::Missing { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(ReadError::Forbidden)) => Err(CredentialsError::Forbidden { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(ReadError::Unreadable(why))) => Err(unreadable(why)),
            Err(_) => Err(unreadable("there is no answer within 10 s".to_owned())),
        };
        let failing_since = matches!(result, Err(CredentialsError::Unreadable { .. })).then_some(failing_since);
        // The age counts from the answer. Counted from the request, a read that took 10 s would be old at once, and each caller that waited
        // for it would read again.
        *last = Some(LastRead { at: Instant::now(), failing_since, result: result.clone() });
        result
    }

    /// Makes the next read ask the API server, if `refused` is what was read last.
    pub(super) async fn forget(&self, refused: &Credentials) {
        let mut last = self.last.lock().await;
        if last.as_ref().is_some_and(|read| read.result.as_ref().is_ok_and(|known| known.is(refused))) {
            *last = None;
        }
    }

    /// Reads the Secret once, as text: kube would write an answer that is no Secret to the log, and a part of it into its error.
    async fn read(&self) -> Result<SecretData, ReadError> {
        let secrets = Request::new(Secret::url_path(&(), Some(&self.namespace)));
        let request = secrets.get(&self.name, &Default::default()).map_err(|error| ReadError::Unreadable(error.to_string()))?;
        let text = Zeroizing::new(self.client.request_text(request).await.map_err(|error| ReadError::of(&error))?);
        serde_json::from_str(&text).map_err(|_| ReadError::Unreadable("its answer is no Secret".to_owned()))
    }

    fn parse(&self, secret: &SecretData) -> Result<Credentials, CredentialsError> {
        let lookup = |name: &'static str| secret.data.as_ref()?.get(name).map(|bytes| bytes.0.clone());
        parts::credentials(["accessKeyId", "accessKeySecret", "securityToken"], lookup).map_err(|error| {
            let (PartError::Missing(key) | PartError::Unusable(key)) = error;
            CredentialsError::Incomplete { namespace: self.namespace.clone(), name: self.name.clone(), key }
        })
    }
}

/// How long to wait before the next read of a Secret, if the API server has been failing since then.
fn pause(failing_since: Instant) -> SignedDuration {
    let pause = (failing_since.elapsed() / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    SignedDuration::try_from(pause).unwrap_or(SignedDuration::from_secs(60))
}

/// Why a read gave no Secret. No variant holds any part of an answer that may be one.
#[derive(Debug)]
enum ReadError {
    Missing,
    Forbidden,
    Unreadable(String),
}

impl ReadError {
    fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::Missing,
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden,
            // kube makes a status of an answer that is none, with the whole answer in it: it may be a part of the Secret.
            kube::Error::Api(status) if status.reason == "Failed to parse error data" => {
                Self::Unreadable(format!("it answers {} with what is no Status", status.code))
            }
            error => Self::Unreadable(error_text(error)),
        }
    }

    fn may_pass(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }
}

/// What is read of a Secret.
#[derive(Deserialize)]
struct SecretData {
    data: Option<BTreeMap<String, Bytes>>,
}

/// A value of a Secret.
struct Bytes(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        BASE64_STANDARD.decode(text.as_bytes()).map(|bytes| Self(bytes.into())).map_err(|_| de::Error::custom("it is no base64"))
    }
}
