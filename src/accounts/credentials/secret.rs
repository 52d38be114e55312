use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
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
    api: Api<Secret>,
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
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned(), name: name.to_owned(), last: Mutex::default() }
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
        let attempts = (|| self.api.get_opt(name)).retry(pauses).when(|error| !is_forbidden(error));
        let unreadable =
            |why| CredentialsError::Unreadable { namespace: namespace.clone(), name: name.clone(), why, again_in: pause(failing_since) };
        let result = match tokio::time::timeout(READ_TIMEOUT, attempts).await {
            Ok(Ok(Some(secret))) => self.parse(&secret),
            Ok(Ok(None)) => Err(CredentialsError::Missing { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(error)) if is_forbidden(&error) => Err(CredentialsError::Forbidden { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(error)) => Err(unreadable(error_text(&error))),
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

    fn parse(&self, secret: &Secret) -> Result<Credentials, CredentialsError> {
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

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
