//! Where an account's access key comes from: `credentials`.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::rpc::Endpoint;

/// Where an account's access key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum CredentialsSettings {
    /// The first of these that is there, as the official clients have it: the key in `ALIBABA_CLOUD_ACCESS_KEY_ID`,
    /// `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary keys, `ALIBABA_CLOUD_SECURITY_TOKEN`; the variables of `RRSA`; the profile
    /// `ALIBABA_CLOUD_PROFILE`, else the current one, of the CLI's file (`ALIBABA_CLOUD_CONFIG_FILE`, else `~/.aliyun/config.json`); the
    /// profile `ALIBABA_CLOUD_PROFILE`, else `default`, of `ALIBABA_CLOUD_CREDENTIALS_FILE`, else `~/.alibabacloud/credentials` or
    /// `credentials.ini` beside it. The metadata service is not asked. Once one is found and fails, no other is used in its place.
    Auto {},
    /// A Secret in the operator's namespace with the keys `accessKeyId`, `accessKeySecret` and, for temporary keys, `securityToken`. The
    /// operator reads it when it is used: it uses a rotated key within 60 s, and at once if the service refuses the old one.
    Secret {
        /// The name of the Secret. The operator's Role must name it too. The chart does that by itself.
        name: String,
    },
    /// A Secret of this name in the namespace of the RdsBackup itself, with the same keys as with `Secret`: each team brings its own. A
    /// namespace without it waits, and never gets another key. Namespaces share neither keys nor limits.
    TenantSecret {
        /// The name of the Secret, the same in every namespace. The operator needs get on it there; the chart grants it.
        name: String,
    },
    /// RAM Roles for Service Accounts: the token of the operator's ServiceAccount, exchanged for temporary keys of a RAM role, which are
    /// renewed before they end. Role, provider and token file are in `ALIBABA_CLOUD_ROLE_ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and
    /// `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, which the webhook of ACK sets.
    #[serde(rename = "RRSA", rename_all = "camelCase")]
    Rrsa {
        /// The name of the sessions in the cloud's audit log. Default: `ALIBABA_CLOUD_ROLE_SESSION_NAME`, else `rds-backup-operator`.
        #[serde(default, deserialize_with = "session_name")]
        #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9.@_-]{2,64}$"))]
        session_name: Option<String>,
        /// How long its keys live, in seconds: 900 up to the longest session of the role. Default: 3600.
        #[serde(default, deserialize_with = "duration_seconds")]
        #[schemars(with = "u32", range(min = 900, max = 43200), extend("default" = 3600))]
        duration_seconds: Option<u32>,
        /// A policy of RAM, as JSON of at most 2048 characters: its keys may do what both it and the role allow.
        #[serde(default, deserialize_with = "policy")]
        #[schemars(with = "String", length(max = 2048))]
        policy: Option<String>,
    },
    /// A RAM role, of this cloud account or of another, that is assumed with the key of another account of this file. Its temporary keys
    /// are renewed before they end.
    #[serde(rename_all = "camelCase")]
    AssumeRole {
        /// The role, for example `acs:ram::1234567890123456:role/backup`. Its trust policy names the user or role whose key is used.
        #[serde(deserialize_with = "role_arn")]
        #[schemars(regex(pattern = r"^acs:ram::[0-9]+:role/[A-Za-z0-9._-]+$"))]
        role_arn: String,
        /// What the role's trust policy may ask for: 2 to 1224 characters.
        #[serde(default, deserialize_with = "external_id")]
        #[schemars(with = "String", length(min = 2, max = 1224))]
        external_id: Option<String>,
        /// The name of the sessions in the cloud's audit log. Default: `ALIBABA_CLOUD_ROLE_SESSION_NAME`, else `rds-backup-operator`.
        #[serde(default, deserialize_with = "session_name")]
        #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9.@_-]{2,64}$"))]
        session_name: Option<String>,
        /// How long its keys live, in seconds: 900 up to the longest session of the role. Default: 3600.
        #[serde(default, deserialize_with = "duration_seconds")]
        #[schemars(with = "u32", range(min = 900, max = 43200), extend("default" = 3600))]
        duration_seconds: Option<u32>,
        /// A policy of RAM, as JSON of at most 2048 characters: its keys may do what both it and the role allow.
        #[serde(default, deserialize_with = "policy")]
        #[schemars(with = "String", length(max = 2048))]
        policy: Option<String>,
        /// The name of the account whose key is used. It may assume a role itself, with at most 3 roles in a row. An account that is only
        /// there for this has an empty `allow`.
        from: String,
    },
    /// The RAM role of the ECS instance that the operator runs on: its temporary keys are read from the metadata service, version 2, and
    /// renewed before they end. Every pod of the node that reaches the service has the role, so `RRSA` is safer.
    #[serde(rename_all = "camelCase")]
    EcsRamRole {
        /// The role. Default: `ALIBABA_CLOUD_ECS_METADATA`, else the one that the service names.
        #[serde(default, deserialize_with = "role_name")]
        #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
        role_name: Option<String>,
        /// Whether version 1 of the service is used where version 2 gives no token. `ALIBABA_CLOUD_IMDSV1_DISABLED=true` forbids it.
        #[serde(default)]
        allow_imds_v1: bool,
    },
    /// A server that hands out temporary keys as a JSON document with `AccessKeyId`, `AccessKeySecret`, `SecurityToken` and `Expiration`.
    /// They are renewed before they end.
    #[serde(rename = "CredentialsURI")]
    CredentialsUri {
        /// The address of the document: https, or http on loopback. Only its host is ever shown.
        uri: CredentialsUri,
    },
}

/// The address of a document with a key. Path and query may be secret, so it shows its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialsUri(Url);

impl CredentialsUri {
    /// As a message may name it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The whole of it.
    pub fn url(&self) -> Url {
        self.0.clone()
    }
}

impl fmt::Debug for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialsUri({})", self.host())
    }
}

impl JsonSchema for CredentialsUri {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CredentialsUri".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^https?://" })
    }
}

impl<'de> Deserialize<'de> for CredentialsUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not repeated: it may hold a secret.
        let wrong = || {
            de::Error::custom("credentials.uri is an address that begins with https:// (http:// on loopback), without user and fragment")
        };
        let url = Url::parse(&String::deserialize(deserializer)?).map_err(|_| wrong())?;
        let mut host = url.clone();
        host.set_path("");
        host.set_query(None);
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !is_plain || Endpoint::parse(host.as_str()).is_err() {
            return Err(wrong());
        }
        Ok(Self(url))
    }
}

impl CredentialsSettings {
    /// Whether its keys may come from STS.
    pub(super) fn may_need_sts(&self) -> bool {
        matches!(self, Self::Auto {}) || self.needs_sts()
    }

    /// Whether each namespace has a key of its own.
    pub(super) fn is_of_tenants(&self) -> bool {
        matches!(self, Self::TenantSecret { .. })
    }

    /// Whether its keys come from STS.
    pub(super) fn needs_sts(&self) -> bool {
        match self {
            Self::Auto {} | Self::Secret { .. } | Self::TenantSecret { .. } | Self::EcsRamRole { .. } | Self::CredentialsUri { .. } => {
                false
            }
            Self::Rrsa { .. } | Self::AssumeRole { .. } => true,
        }
    }
}

impl fmt::Display for CredentialsSettings {
    /// As messages name it: with it a reader finds the key that the service refuses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto {} => f.write_str("the operator's environment, or a profile that is mounted into it (Auto)"),
            Self::Secret { name } => write!(f, "the Secret {name} in the operator's namespace"),
            Self::TenantSecret { name } => write!(f, "the Secret {name} in the namespace of the RdsBackup"),
            Self::Rrsa { .. } => f.write_str("the role of the operator's ServiceAccount (RRSA)"),
            Self::AssumeRole { role_arn, from, .. } => write!(f, "the role {role_arn}, assumed with the key of account {from}"),
            Self::EcsRamRole { role_name: Some(role), .. } => write!(f, "the role {role} of the operator's node (EcsRamRole)"),
            Self::EcsRamRole { .. } => f.write_str("the role of the operator's node (EcsRamRole)"),
            Self::CredentialsUri { uri } => write!(f, "the server {} (CredentialsURI)", uri.host()),
        }
    }
}

fn session_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if !is_session_name(&name) => Err(de::Error::custom("a session's name has 2 to 64 letters, digits and . @ _ -")),
        name => Ok(name),
    }
}

fn duration_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(seconds) if !is_duration(seconds) => {
            Err(de::Error::custom("durationSeconds: 900 to 43200, and no more than the longest session of the role"))
        }
        seconds => Ok(seconds),
    }
}

fn policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(policy) if !is_policy(&policy) => Err(de::Error::custom("policy: a JSON object of at most 2048 characters")),
        policy => Ok(policy),
    }
}

fn role_arn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_role_arn(&text) { Ok(text) } else { Err(de::Error::custom("roleArn: it looks like acs:ram::1234567890123456:role/backup")) }
}

fn role_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if !is_role_name(&name) => Err(de::Error::custom("roleName: 1 to 64 letters, digits and . _ -")),
        name => Ok(name),
    }
}

fn external_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(id) if !is_external_id(&id) => Err(de::Error::custom("externalId: 2 to 1224 characters")),
        id => Ok(id),
    }
}

/// Whether it is the ARN of a RAM role.
pub(super) fn is_role_arn(text: &str) -> bool {
    let parts = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    parts.is_some_and(|(account, role)| !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()) && is_name(role))
}

/// Whether it can be the name of a RAM role.
pub(super) fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether STS takes it as `ExternalId`.
pub(super) fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
}

/// Whether STS can take it as `DurationSeconds`: some role allows it.
pub(super) fn is_duration(seconds: u32) -> bool {
    (900..=43_200).contains(&seconds)
}

/// Whether STS can take it as `Policy`.
pub(super) fn is_policy(text: &str) -> bool {
    text.chars().count() <= 2048 && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

/// Whether STS takes it as `RoleSessionName`.
pub(super) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@_-".contains(&byte))
}
