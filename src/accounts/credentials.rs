use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::{api::Reason, rds::Credentials};

/// How old read credentials may be: a rotated Secret is used after this at the latest.
const LONGEST_USE: SignedDuration = SignedDuration::from_secs(60);

/// How long the lack of a Secret is remembered, so that a hundred waiting objects ask once.
const LACK_REMEMBERED: SignedDuration = SignedDuration::from_secs(5);

const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// The API server did not answer.
    #[error("the Secret {name} cannot be read now: {why}")]
    Unreadable {
        /// The Secret's name.
        name: String,
        /// Why.
        why: String,
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
        /// What was read last, and when.
        last: Mutex<Option<(Timestamp, Result<Credentials, CredentialsError>)>>,
    },
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
            })
        };
        Self::Fixed(read())
    }

    /// The credentials, at most 60 s old. One read serves all who ask at the same time.
    pub(super) async fn get(&self, now: Timestamp) -> Result<Credentials, CredentialsError> {
        let (api, namespace, name, last) = match self {
            Self::Fixed(credentials) => return credentials.clone(),
            Self::Secret { api, namespace, name, last } => (api, namespace, name, last),
        };
        let mut last = last.lock().await;
        if let Some((at, credentials)) = &*last {
            let fresh = if credentials.is_ok() { LONGEST_USE } else { LACK_REMEMBERED };
            let age = now.duration_since(*at);
            // A clock that was set back makes ages negative: then it is read again.
            if age >= SignedDuration::ZERO && age < fresh {
                return credentials.clone();
            }
        }
        let read = match tokio::time::timeout(READ_TIMEOUT, api.get_opt(name)).await {
            Ok(Ok(Some(secret))) => from_secret(namespace, name, &secret),
            Ok(Ok(None)) => Err(CredentialsError::Missing { namespace: namespace.clone(), name: name.clone() }),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                Err(CredentialsError::Forbidden { namespace: namespace.clone(), name: name.clone() })
            }
            Ok(Err(error)) => Err(CredentialsError::Unreadable { name: name.clone(), why: error.to_string() }),
            Err(_) => Err(CredentialsError::Unreadable { name: name.clone(), why: "no answer within 10 s".to_owned() }),
        };
        *last = Some((now, read.clone()));
        read
    }
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
    })
}
