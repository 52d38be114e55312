use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use super::{
    allow::AllowRule,
    coverage_settings::CoverageSettings,
    credentials_settings::CredentialsSettings,
    egress::{self, ProxySettings},
    waits::{Audit, Expiry, Poll, Protocol, RawProtocol},
};
use crate::{
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
    /// How often it looks whether sets are still there.
    pub audit: Audit,
    /// Whether, and how often, its instances are counted that no schedule names.
    pub coverage: Option<CoverageSettings>,
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
    /// `EcsRamRole`, or `Auto` with a profile of that mode.
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
    /// How often the operator looks whether the backup sets of succeeded RdsBackups are still there and usable.
    #[serde(default)]
    audit: Audit,
    /// Whether the operator counts the instances of the account that no schedule names.
    #[serde(default)]
    #[schemars(with = "CoverageSettings")]
    coverage: Option<CoverageSettings>,
    /// How requests are signed.
    #[serde(default)]
    #[schemars(extend("default" = "V3"))]
    signature: Signature,
    /// The objects that may use the account. An object must match all three lists of one rule. An empty list allows none. The list is
    /// checked at every use.
    allow: Vec<AllowRule>,
    /// How many calls the account makes per second and region, or with `TenantSecret` each namespace of it. Halved for a minute when the service
    /// complains. Namespaces that wait for the same limit take turns.
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
        let RawAccount {
            proxy, ca, allow_private_addresses, protocol, poll, audit, coverage, signature, allow, limits, submissions, ..
        } = raw;
        if network.is_some() && endpoint.is_some() {
            return Err("network and endpoint exclude each other: endpoint already says which host it is".to_owned());
        }
        if credentials.needs_sts() && endpoint.is_some() && sts_endpoint.is_none() {
            return Err("stsEndpoint: beside endpoint it must say where the account's temporary keys come from, for example \
                        https://sts.private.example"
                .to_owned());
        }
        if sts_endpoint.is_some() && !credentials.may_need_sts() {
            return Err("stsEndpoint: only for credentials of type RRSA, AssumeRole and Auto, which are exchanged there".to_owned());
        }
        if metadata_endpoint.is_some() && !matches!(credentials, CredentialsSettings::EcsRamRole { .. } | CredentialsSettings::Auto {}) {
            return Err("metadataEndpoint: only for credentials of type EcsRamRole, or Auto with a profile of that mode".to_owned());
        }
        if coverage.is_some() && credentials.is_of_tenants() {
            return Err("coverage: not with credentials of type TenantSecret: the account has no key of its own that lists its instances"
                .to_owned());
        }
        let network = network.unwrap_or_default();
        let egress = egress::of(
            proxy.as_ref(),
            ca.as_deref(),
            egress::reach(endpoint.is_some(), network == Network::Vpc, allow_private_addresses)?,
        )?;
        let by_hand = endpoint.as_deref().is_some_and(|url| Endpoint::parse(url).is_ok_and(|endpoint| !endpoint.is_loopback()));
        // A service at an address that an administrator gave may accept requests of any age. Then no lost request is ever proven dead.
        let unsaid = if by_hand { Expiry::Never } else { Protocol::default().request_expiry };
        let protocol = protocol.or_defaults(unsaid);
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
            audit,
            coverage,
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

    /// Whether its key, or the key that it assumes its role with, is in a Secret of the operator's namespace.
    pub fn reads_a_secret(&self) -> bool {
        matches!(self.credentials, CredentialsSettings::Secret { .. }) || self.base.as_ref().is_some_and(|base| base.reads_a_secret())
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
            audit: _,
            coverage: _,
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

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("a limit is 1 or more; to stop submissions set submissions: Paused")),
        Some(limit) if limit > 1000 => Err(de::Error::custom("a limit is 1000 or less; the service publishes 50 creates per second")),
        limit => Ok(limit),
    }
}
