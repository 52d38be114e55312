use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;
use tokio::{sync::Mutex, time::Instant};

use crate::{api::Reason, cluster::words, rpc::Credentials};

/// How old read credentials may be: a rotated Secret is used after this at the latest.
const LONGEST_USE: Duration = Duration::from_secs(60);

/// How long the lack of a Secret is remembered, so that a hundred waiting objects ask once. Less than the shortest pause below, or who comes
/// back after it would hear the old answer.
const LACK_REMEMBERED: Duration = Duration::from_secs(4);

/// For all tries of one read together.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A read that the API server did not serve is tried again after 0.25, 0.5 and 1 s: one refusal out of many must not cost a poll.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MORE_TRIES: usize = 3;

/// One that failed at all of these is read again after half of the time that it could not be read, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why there are no credentials. No variant holds any part of them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It does not exist yet.
    #[error(
        "the Secret {name} with the account's access key does not exist in namespace {namespace}. Create it with the keys accessKeyId and accessKeySecret; it is looked for every minute"
    )]
    Missing {
        /// The operator's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
    },
    /// It exists, and a key is not usable.
    #[error(
        "the Secret {name} in namespace {namespace} has no usable key {key}. Give it the keys accessKeyId and accessKeySecret, and securityToken for temporary keys"
    )]
    Incomplete {
        /// The operator's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key that is missing, empty or not text.
        key: &'static str,
    },
    /// The environment has none.
    #[error("the operator's environment has no {0}. Set it, or give the account credentials of type Secret")]
    NotInEnvironment(&'static str),
    /// The operator may not read it.
    #[error("the operator may not read the Secret {name} in namespace {namespace}. Grant its ServiceAccount get on that Secret")]
    Forbidden {
        /// The operator's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
    },
    /// The API server did not answer, or with an error.
    #[error("the API server cannot hand out the Secret {name} in namespace {namespace} now: {why}. It is tried again")]
    Unreadable {
        /// The operator's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// Why.
        why: String,
        /// When to try again: the longer it lasts, the later.
        again_in: SignedDuration,
    },
}

impl CredentialsError {
    /// The reason that the object shows.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::CredentialsNotFound,
            Self::Incomplete { .. } | Self::NotInEnvironment(_) => Reason::InvalidCredentials,
            Self::Forbidden { .. } => Reason::AccessDenied,
            Self::Unreadable { .. } => Reason::CredentialsNotFound,
        }
    }

    /// When to read again where it is the API server's trouble: it passes by itself, and nobody has to change anything.
    pub fn again_in(&self) -> Option<SignedDuration> {
        match self {
            Self::Unreadable { again_in, .. } => Some(*again_in),
            Self::Missing { .. } | Self::Incomplete { .. } | Self::NotInEnvironment(_) | Self::Forbidden { .. } => None,
        }
    }
}

/// Where one account's credentials are read.
#[expect(clippy::large_enum_variant, reason = "there is one for each account")]
pub enum Source {
    /// Read once, from the environment.
    Fixed(Result<Credentials, CredentialsError>),
    /// Read by GET when used; never listed, never watched.
    Secret {
        /// The Secrets of the operator's namespace.
        api: Api<Secret>,
        /// That namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// What was read last.
        last: Mutex<Option<Read>>,
    },
}

/// What a read of a Secret came to.
pub struct Read {
    at: Instant,
    /// Since when the API server has not served any.
    failing_since: Option<Instant>,
    result: Result<Credentials, CredentialsError>,
}

impl Source {
    /// A Secret of the operator's namespace.
    pub fn secret(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self::Secret {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            last: Mutex::default(),
        }
    }

    /// The environment, through `lookup` so that it is read in one place.
    pub fn environment(lookup: impl Fn(&'static str) -> Option<String>) -> Self {
        let get = |key: &'static str| lookup(key).filter(|value| !value.is_empty());
        let required = |key: &'static str| get(key).ok_or(CredentialsError::NotInEnvironment(key));
        let read = || {
            Ok(Credentials {
                access_key_id: required("ALIBABA_CLOUD_ACCESS_KEY_ID")?,
                access_key_secret: SecretString::from(required("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?),
                security_token: get("ALIBABA_CLOUD_SECURITY_TOKEN").map(SecretString::from),
                expires_at: None,
            })
        };
        Self::Fixed(read())
    }

    /// The credentials, at most 60 s old. One read serves all who ask at the same time.
    pub(in crate::accounts) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let (api, namespace, name, last) = match self {
            Self::Fixed(credentials) => return credentials.clone(),
            Self::Secret { api, namespace, name, last } => (api, namespace, name, last),
        };
        let mut last = last.lock().await;
        if let Some(Read { at, result, .. }) = &*last {
            let fresh = if result.is_ok() { LONGEST_USE } else { LACK_REMEMBERED };
            if at.elapsed() < fresh {
                return result.clone();
            }
        }
        // Of a failure that nobody has followed up it is not known how long it lasted.
        let recent = last.as_ref().filter(|last| last.at.elapsed() < 2 * LONGEST_PAUSE);
        let failing_since = recent.and_then(|last| last.failing_since).unwrap_or_else(Instant::now);
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(MORE_TRIES);
        let tries = (|| api.get_opt(name)).retry(pauses).when(|error| !is_forbidden(error));
        let unreadable =
            |why| CredentialsError::Unreadable { namespace: namespace.clone(), name: name.clone(), why, again_in: pause(failing_since) };
        let result = match tokio::time::timeout(READ_TIMEOUT, tries).await {
            Ok(Ok(Some(secret))) => from_secret(namespace, name, &secret),
            Ok(Ok(None)) => Err(CredentialsError::Missing { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(error)) if is_forbidden(&error) => Err(CredentialsError::Forbidden { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(error)) => Err(unreadable(words(&error))),
            Err(_) => Err(unreadable("there is no answer within 10 s".to_owned())),
        };
        let failing_since = matches!(result, Err(CredentialsError::Unreadable { .. })).then_some(failing_since);
        // Its age counts from the answer: a read that took 10 s would be old at once, and each of those who waited for it would make its own.
        *last = Some(Read { at: Instant::now(), failing_since, result: result.clone() });
        result
    }

    /// What was read is read anew when it is asked for, if it is `refused`; not if somebody else has done so meanwhile.
    pub(in crate::accounts) async fn forget(&self, refused: &Credentials) {
        let Self::Secret { last, .. } = self else { return };
        let mut last = last.lock().await;
        if last.as_ref().is_some_and(|read| read.result.as_ref().is_ok_and(|known| known.is(refused))) {
            *last = None;
        }
    }
}

/// How long to wait with the next read of a Secret that the API server has not served since then.
fn pause(failing_since: Instant) -> SignedDuration {
    let pause = (failing_since.elapsed() / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    SignedDuration::try_from(pause).unwrap_or(SignedDuration::from_secs(60))
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

fn from_secret(namespace: &str, name: &str, secret: &Secret) -> Result<Credentials, CredentialsError> {
    // Editors and `echo` leave a newline at the end; no access key has blanks.
    let get = |key: &'static str| {
        let bytes = secret.data.as_ref()?.get(key)?;
        let text = std::str::from_utf8(&bytes.0).ok()?.trim();
        (!text.is_empty() && text.len() <= 8192 && !text.chars().any(char::is_control)).then(|| text.to_owned())
    };
    let required = |key: &'static str| {
        get(key).ok_or_else(|| CredentialsError::Incomplete { namespace: namespace.to_owned(), name: name.to_owned(), key })
    };
    Ok(Credentials {
        access_key_id: required("accessKeyId")?,
        access_key_secret: SecretString::from(required("accessKeySecret")?),
        security_token: get("securityToken").map(SecretString::from),
        expires_at: None,
    })
}
