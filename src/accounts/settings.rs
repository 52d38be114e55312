use std::fmt;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::{
    allow::AllowRule,
    egress::{self, ProxySettings},
};
use crate::{
    api::Span,
    rds,
    rpc::{self, Egress, Endpoint, RegionError, check_region},
};

/// One account of the configuration file. Unknown keys and wrong values are refused with their line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawAccount")]
pub struct AccountSettings {
    /// The region of objects that name none.
    pub region_id: String,
    /// Where the access key comes from.
    pub credentials: CredentialsSettings,
    /// Which of the region's hosts is used.
    pub network: Network,
    /// An address of the service other than the region's: private clouds, simulated endpoints. https; plain http only on loopback.
    pub endpoint: Option<String>,
    /// By which way requests leave.
    pub egress: Egress,
    /// An address of STS other than the region's.
    pub sts_endpoint: Option<String>,
    /// An address of the metadata service other than the node's.
    pub metadata_endpoint: Option<String>,
    /// What the submission protocol waits for.
    pub protocol: Protocol,
    /// How often the operator asks about jobs.
    pub poll: Poll,
    /// How requests are signed.
    pub signature: Signature,
    /// The objects that may use the account. An empty list allows none.
    pub allow: Vec<AllowRule>,
    /// How many calls the account makes per second and region.
    pub limits: LimitSettings,
    /// Whether new attempts are opened for this account's objects.
    pub submissions: Submissions,
    /// The account with whose key this one assumes its role, if it does: see [`super::resolve_bases`].
    pub base: Option<Box<AccountSettings>>,
}

/// An account that objects can name.
// The account as it is in the file. The default of a missing key can depend on the other keys. These comments, and those of the types
// below, are the users' reference.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Account")]
struct RawAccount {
    /// The region of objects that name none, for example `cn-hangzhou`. The regions whose hosts are known are in `src/rds/regions.tsv`; any
    /// other needs `endpoint`.
    #[serde(deserialize_with = "region")]
    region_id: String,
    /// Where the access key comes from.
    credentials: CredentialsSettings,
    /// Which of the region's two hosts is used.
    #[serde(default)]
    #[schemars(with = "Network", extend("default" = "Public"))]
    network: Option<Network>,
    /// An address of the service other than the region's: https, or http on loopback. For private clouds. It serves every region of the
    /// account, also ones that the operator does not know. Where it names another machine, `protocol.requestExpiry` is `Never` unless it is
    /// set. Not together with `network`.
    #[serde(default, deserialize_with = "endpoint")]
    #[schemars(with = "String")]
    endpoint: Option<String>,
    /// A proxy for all requests of the account. The environment (`HTTPS_PROXY`) is not asked.
    #[serde(default)]
    #[schemars(with = "ProxySettings")]
    proxy: Option<ProxySettings>,
    /// Certificates of authorities in PEM form, which are trusted beside those of the system: of a private cloud, or of a proxy that opens TLS.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<String>,
    /// Whether the service's name may lead to an address of a private network. True where `network` is `Vpc` or `endpoint` is set. A host of the
    /// internet that leads to the machine itself, to its metadata service or to a link-local address is never called.
    #[serde(default)]
    #[schemars(with = "bool")]
    allow_private_addresses: Option<bool>,
    /// An address of the Security Token Service other than the region's: https, or http on loopback. For `credentials` that are exchanged
    /// there. Required for them beside `endpoint`.
    #[serde(default, deserialize_with = "endpoint")]
    #[schemars(with = "String")]
    sts_endpoint: Option<String>,
    /// An address of the metadata service other than that of every node: https, or http on loopback. For `credentials` of type
    /// `EcsRamRole`.
    #[serde(default, deserialize_with = "endpoint")]
    #[schemars(with = "String")]
    metadata_endpoint: Option<String>,
    /// What the submission protocol waits for. The defaults are the service's documented figures.
    #[serde(default)]
    protocol: RawProtocol,
    /// How often the operator asks about jobs and lost requests: first after `first`, then after half of the time elapsed, at least `min`,
    /// at most `max`.
    #[serde(default)]
    poll: Poll,
    /// How requests are signed.
    #[serde(default)]
    #[schemars(extend("default" = "V3"))]
    signature: Signature,
    /// The objects that may use the account. An object must match all three lists of one rule. An empty list allows none. The list is
    /// checked at every use.
    allow: Vec<AllowRule>,
    /// How many calls the account makes per second and region. Halved for a minute when the service complains.
    #[serde(default)]
    limits: LimitSettings,
    /// Whether new requests are sent for this account.
    #[serde(default)]
    #[schemars(extend("default" = "Enabled"))]
    submissions: Submissions,
}

impl JsonSchema for AccountSettings {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawAccount::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawAccount::json_schema(generator)
    }
}

impl TryFrom<RawAccount> for AccountSettings {
    type Error = String;

    fn try_from(raw: RawAccount) -> Result<Self, String> {
        let RawAccount { region_id, credentials, network, endpoint, sts_endpoint, metadata_endpoint, .. } = raw;
        let RawAccount { proxy, ca, allow_private_addresses, protocol, poll, signature, allow, limits, submissions, .. } = raw;
        if network.is_some() && endpoint.is_some() {
            return Err("network and endpoint exclude each other: endpoint already says which host it is".to_owned());
        }
        if credentials.needs_sts() && endpoint.is_some() && sts_endpoint.is_none() {
            return Err("stsEndpoint: beside endpoint it must say where the account's temporary keys come from, for example \
                        https://sts.private.example"
                .to_owned());
        }
        if sts_endpoint.is_some() && !credentials.needs_sts() {
            return Err("stsEndpoint: only for credentials of type RRSA and AssumeRole, which are exchanged there".to_owned());
        }
        if metadata_endpoint.is_some() && !matches!(credentials, CredentialsSettings::EcsRamRole { .. }) {
            return Err("metadataEndpoint: only for credentials of type EcsRamRole, which ask there".to_owned());
        }
        let network = network.unwrap_or_default();
        let egress = egress::of(
            proxy.as_ref(),
            ca.as_deref(),
            egress::reach(endpoint.is_some(), network == Network::Vpc, allow_private_addresses)?,
        )?;
        let by_hand = endpoint.as_deref().is_some_and(|url| Endpoint::parse(url).is_ok_and(|endpoint| !endpoint.is_loopback()));
        let default = Protocol::default();
        // A service at an address that an administrator gave may accept requests of any age. Then no lost request is ever proven dead.
        let unsaid = if by_hand { Expiry::Never } else { default.request_expiry };
        let protocol = Protocol {
            request_expiry: protocol.request_expiry.unwrap_or(unsaid),
            clock_skew: protocol.clock_skew.map_or(default.clock_skew, |span| span.0),
            listing_lag: protocol.listing_lag.map_or(default.listing_lag, |span| span.0),
        };
        let settings = Self {
            region_id,
            credentials,
            network,
            endpoint,
            egress,
            sts_endpoint,
            metadata_endpoint,
            protocol,
            poll,
            signature,
            allow,
            limits,
            submissions,
            base: None,
        };
        settings.endpoint_of(&settings.region_id).map_err(|error| format!("regionId: {error}"))?;
        Ok(settings)
    }
}

impl AccountSettings {
    /// Whether the keys of the other account are those of this one: they have the same source, asked at the same place.
    pub(super) fn has_the_keys_of(&self, other: &Self) -> bool {
        let source = |account: &Self| {
            let Self { credentials, region_id, network, sts_endpoint, metadata_endpoint, signature, egress, .. } = account;
            let hosts = (region_id.clone(), *network, sts_endpoint.clone(), metadata_endpoint.clone());
            (credentials.clone(), hosts, *signature, egress.clone())
        };
        let same_base = match (&self.base, &other.base) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.has_the_keys_of(theirs),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same_base && source(self) == source(other)
    }

    /// Where the service is for a region. An address in the configuration serves every region of the account, also one that is not in the
    /// table of regions.
    pub fn endpoint_of(&self, region: &str) -> Result<Endpoint, RegionError> {
        check_region(region)?;
        match &self.endpoint {
            Some(url) => Ok(Endpoint::parse(url)?),
            None => rds::hosts().endpoint(region, self.network.to_client()),
        }
    }

    /// Whether the service is reached in the same way with these settings as with `other`: with the same key, at the same hosts, at the same
    /// pace. The rest says who may use the account, and when.
    pub(super) fn connects_like(&self, other: &Self) -> bool {
        // Taken apart without `..`: a new setting does not compile until somebody has decided on which side it is.
        let Self {
            region_id,
            credentials: _,
            network,
            endpoint,
            sts_endpoint: _,
            metadata_endpoint: _,
            egress,
            protocol: _,
            poll: _,
            signature,
            allow: _,
            limits,
            submissions: _,
            base: _,
        } = self;
        self.has_the_keys_of(other)
            && (region_id, network, endpoint, egress, signature, limits)
                == (&other.region_id, &other.network, &other.endpoint, &other.egress, &other.signature, &other.limits)
    }
}

/// Which of the region's hosts is used (`network`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Network {
    /// The one on the internet.
    #[default]
    Public,
    /// The one in the region's own network.
    Vpc,
}

impl Network {
    /// As the client takes it.
    pub fn to_client(self) -> rpc::Network {
        match self {
            Self::Public => rpc::Network::Public,
            Self::Vpc => rpc::Network::Vpc,
        }
    }
}

/// Whether new attempts are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Submissions {
    /// New attempts are opened.
    #[default]
    Enabled,
    /// The operator follows running jobs, looks for lost ones and adopts them, and sends nothing new.
    Paused,
}

/// Where an account's access key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum CredentialsSettings {
    /// The operator's environment: `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary keys,
    /// `ALIBABA_CLOUD_SECURITY_TOKEN`.
    Auto {},
    /// A Secret in the operator's namespace with the keys `accessKeyId`, `accessKeySecret` and, for temporary keys, `securityToken`. The
    /// operator reads it when it is used: it uses a rotated key within 60 s, and at once if the service refuses the old one.
    Secret {
        /// The name of the Secret. The operator's Role must name it too. The chart does that by itself.
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
    /// Whether its keys come from STS.
    fn needs_sts(&self) -> bool {
        match self {
            Self::Auto {} | Self::Secret { .. } | Self::EcsRamRole { .. } | Self::CredentialsUri { .. } => false,
            Self::Rrsa { .. } | Self::AssumeRole { .. } => true,
        }
    }
}

impl fmt::Display for CredentialsSettings {
    /// As messages name it: with it a reader finds the key that the service refuses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto {} => f.write_str("the operator's environment, which is read when the operator starts"),
            Self::Secret { name } => write!(f, "the Secret {name} in the operator's namespace"),
            Self::Rrsa { .. } => f.write_str("the role of the operator's ServiceAccount (RRSA)"),
            Self::AssumeRole { role_arn, from, .. } => write!(f, "the role {role_arn}, assumed with the key of account {from}"),
            Self::EcsRamRole { role_name: Some(role), .. } => write!(f, "the role {role} of the operator's node (EcsRamRole)"),
            Self::EcsRamRole { .. } => f.write_str("the role of the operator's node (EcsRamRole)"),
            Self::CredentialsUri { uri } => write!(f, "the server {} (CredentialsURI)", uri.host()),
        }
    }
}

/// How requests are signed (`signature`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Signature {
    /// RPC with HMAC-SHA1, for private clouds and old gateways. Its requests travel in form bodies, because key and token are parameters
    /// there, and never as a GET, because any proxy may repeat a GET.
    V1,
    /// ACS3-HMAC-SHA256.
    #[default]
    V3,
}

impl Signature {
    /// As the client takes it.
    pub fn to_client(self) -> rpc::SignatureVersion {
        match self {
            Self::V1 => rpc::SignatureVersion::V1,
            Self::V3 => rpc::SignatureVersion::V3,
        }
    }
}

/// What the submission protocol waits for (`protocol`). The defaults are the service's documented figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// How old a signed request may be when the service still accepts it; default 15m.
    pub request_expiry: Expiry,
    /// How far the service's clocks may differ from each other; default 2m.
    pub clock_skew: SignedDuration,
    /// How long a backup set may be missing from the list after its job has ended; default 10m.
    pub listing_lag: SignedDuration,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            request_expiry: Expiry::After(SignedDuration::from_mins(15)),
            clock_skew: SignedDuration::from_mins(2),
            listing_lag: SignedDuration::from_mins(10),
        }
    }
}

impl Protocol {
    /// How long after its signed time an intent that cannot be resolved stops holding its instance: the sum of the three, by default 27
    /// min.
    pub fn release_after(&self) -> SignedDuration {
        let expiry = match self.request_expiry {
            Expiry::After(expiry) => expiry,
            Expiry::Never => SignedDuration::from_mins(15),
        };
        expiry.saturating_add(self.clock_skew).saturating_add(self.listing_lag)
    }
}

/// What the submission protocol waits for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Protocol")]
struct RawProtocol {
    /// How old a signed request may be when the service still accepts it. `Never`: that is not known, so after a lost answer the operator
    /// sends nothing more. `Never` is the default if `endpoint` names another machine.
    #[serde(default)]
    #[schemars(with = "Expiry", extend("default" = "15m"))]
    request_expiry: Option<Expiry>,
    /// How far the service's clocks may differ.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "2m"))]
    clock_skew: Option<Time>,
    /// How long a backup set may be missing from the list after its job has ended. Too short a lag can make a second backup.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "10m"))]
    listing_lag: Option<Time>,
}

/// When the service stops accepting a signed request (`protocol.requestExpiry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// This long after its signed time.
    After(SignedDuration),
    /// Never, or it is not known: after an unknown outcome no other attempt is opened.
    Never,
}

impl JsonSchema for Expiry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expiry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "Never" }, Span::plain_schema()] })
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "Never" {
            return Ok(Self::Never);
        }
        Span::new(text).get().map(Self::After).map_err(|error| de::Error::custom(format!("{error}; or Never")))
    }
}

/// How often the operator asks about jobs and lost requests (`poll`): first after `first`, then after half of the time elapsed, between
/// `min` and `max`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "RawPoll")]
pub struct Poll {
    /// The pause before the first question; default 15s.
    pub first: SignedDuration,
    /// The shortest pause; default 10s.
    pub min: SignedDuration,
    /// The longest pause; default 2m.
    pub max: SignedDuration,
}

impl Default for Poll {
    fn default() -> Self {
        RawPoll::default().into()
    }
}

impl Poll {
    /// The pause after a question that is asked `elapsed` after the beginning: about 21 calls in 30 minutes with the defaults.
    pub fn after(&self, elapsed: SignedDuration) -> SignedDuration {
        (elapsed / 2).min(self.max).max(self.min)
    }
}

/// How often the operator asks about jobs and lost requests.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Poll")]
struct RawPoll {
    /// The pause before the first question.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "15s"))]
    first: Option<Time>,
    /// The shortest pause.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "10s"))]
    min: Option<Time>,
    /// The longest pause.
    #[serde(default)]
    #[schemars(with = "Time", extend("default" = "2m"))]
    max: Option<Time>,
}

impl From<RawPoll> for Poll {
    fn from(RawPoll { first, min, max }: RawPoll) -> Self {
        let seconds = |given: Option<Time>, default: i64| given.map_or(SignedDuration::from_secs(default), |time| time.0);
        Self { first: seconds(first, 15), min: seconds(min, 10), max: seconds(max, 120) }
    }
}

/// How many calls an account makes per second and region (`limits`).
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitSettings {
    /// CreateBackup. The service publishes 50, shared with the console and every other client of the account.
    #[serde(default, deserialize_with = "positive")]
    #[schemars(with = "u32", range(min = 1, max = 1000), extend("default" = 5))]
    pub create_per_second: Option<u32>,
    /// Every read. The service publishes no figure for DescribeBackupTasks; 10 is the commonest.
    #[serde(default, deserialize_with = "positive")]
    #[schemars(with = "u32", range(min = 1, max = 1000), extend("default" = 10))]
    pub describe_per_second: Option<u32>,
}

impl LimitSettings {
    /// As the client takes them.
    pub fn to_client(&self) -> rds::Limits {
        let default = rds::Limits::default();
        rds::Limits {
            create_per_second: self.create_per_second.unwrap_or(default.create_per_second),
            describe_per_second: self.describe_per_second.unwrap_or(default.describe_per_second),
        }
    }
}

/// A length of time in the configuration.
struct Time(SignedDuration);

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Span::plain_schema()
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Span::new(String::deserialize(deserializer)?).get().map(Self).map_err(de::Error::custom)
    }
}

fn region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_region(&text).map_err(de::Error::custom)?;
    Ok(text)
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    Endpoint::parse(&text).map_err(de::Error::custom)?;
    Ok(Some(text))
}

fn session_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if !is_session_name(&name) => Err(de::Error::custom("a session's name has 2 to 64 letters, digits and . @ _ -")),
        name => Ok(name),
    }
}

fn role_arn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parts = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    let name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match parts {
        Some((account, role)) if !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()) && name(role) => Ok(text),
        _ => Err(de::Error::custom("roleArn: it looks like acs:ram::1234567890123456:role/backup")),
    }
}

fn role_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let is_name =
        |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if !is_name(&name) => Err(de::Error::custom("roleName: 1 to 64 letters, digits and . _ -")),
        name => Ok(name),
    }
}

fn external_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(id) if !(2..=1224).contains(&id.len()) => Err(de::Error::custom("externalId: 2 to 1224 characters")),
        id => Ok(id),
    }
}

/// Whether STS takes it as `RoleSessionName`.
pub(super) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@_-".contains(&byte))
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("a limit is 1 or more; to stop submissions set submissions: Paused")),
        Some(limit) if limit > 1000 => Err(de::Error::custom("a limit is 1000 or less; the service publishes 50 creates per second")),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_follow_half_of_the_time_elapsed() {
        let poll = Poll::default();
        for (elapsed, pause) in [(0, 10), (15, 10), (60, 30), (200, 100), (3600, 120)] {
            assert_eq!(poll.after(SignedDuration::from_secs(elapsed)), SignedDuration::from_secs(pause), "{elapsed}");
        }
    }
}
