//! The clients with which sources ask, and where each asks: as the account says, else as the operator's environment does.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{
    ecs_ram_role::{self, EcsRamRole},
    error::{CredentialsError, NotGiven},
    profile::StsPlace,
};
use crate::{
    accounts::{account::ClientDeps, credentials_settings::is_session_name, settings::AccountSettings},
    api::Reason,
    rpc::{self, DocumentClient, Egress, Endpoint, EndpointError, Network, Reach, RegionError},
    sts,
};

/// The longest time to connect to STS, and of a whole exchange.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for the metadata service, which is on the node itself.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const METADATA_CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a key of a role is asked for unless it is said: an hour, which every role allows.
const DURATION_SECONDS: u32 = 3600;

/// The name of sessions that an administrator gave none: the cloud's audit log shows it.
const SESSION_NAME: &str = "rds-backup-operator";

const STS_ENDPOINT: &str = "ALIBABA_CLOUD_STS_ENDPOINT";

/// Reads a variable of the operator's environment.
type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What clients are made of.
#[derive(Clone)]
pub(super) struct SourceClients {
    variable: Arc<Variable>,
    pub deps: ClientDeps,
}

impl SourceClients {
    pub fn new(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static, deps: ClientDeps) -> Self {
        Self { variable: Arc::new(variable), deps }
    }

    /// A variable of the operator's environment; none if it is empty.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Whether the variable is `true`.
    pub fn is_set(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// What is asked for a session: the settings, else the variable of the official clients for its name, else our own.
    pub fn session(&self, name: Option<&str>, duration_seconds: Option<u32>, policy: Option<&str>) -> sts::Session {
        let variable = || self.variable("ALIBABA_CLOUD_ROLE_SESSION_NAME").filter(|name| is_session_name(name));
        sts::Session {
            name: name.map(str::to_owned).or_else(variable).unwrap_or_else(|| SESSION_NAME.to_owned()),
            duration_seconds: duration_seconds.unwrap_or(DURATION_SECONDS),
            policy: policy.map(str::to_owned),
        }
    }

    /// The metadata service, of which the key of this role is wanted.
    pub fn node(&self, account: &AccountSettings, role: Option<String>, allow_imds_v1: bool) -> Result<EcsRamRole, CredentialsError> {
        if self.is_set("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
            let why = "EcsRamRole: ALIBABA_CLOUD_ECS_METADATA_DISABLED of the operator's environment forbids it. Remove it, or give \
                       the account credentials of another type";
            return Err(NotGiven::new(Reason::NotAllowed, why.to_owned()).into());
        }
        let url = account.metadata_endpoint.as_deref().unwrap_or(ecs_ram_role::ENDPOINT);
        let url = Url::parse(url).map_err(|_| wrong("EcsRamRole", "metadataEndpoint is not a URL"))?;
        let http = self.documents(account, &url, METADATA_CONNECT_TIMEOUT, METADATA_CALL_TIMEOUT, "EcsRamRole")?;
        let role = role.or_else(|| self.variable("ALIBABA_CLOUD_ECS_METADATA"));
        let v1 = allow_imds_v1 && !self.is_set("ALIBABA_CLOUD_IMDSV1_DISABLED");
        Ok(EcsRamRole::new(url, role, v1, http))
    }

    /// A client for documents.
    pub fn documents(
        &self,
        account: &AccountSettings,
        url: &Url,
        connect: Duration,
        call: Duration,
        source: &str,
    ) -> Result<DocumentClient, CredentialsError> {
        let ClientDeps { clock, entropy: _, transport } = self.deps.clone();
        let authorities = account.egress.authorities.clone();
        let client = DocumentClient::new(url.scheme() == "https", clock, connect, call, authorities, transport);
        client.map_err(|error| wrong(source, &error.to_string()))
    }

    /// A client of STS.
    pub fn sts(&self, account: &AccountSettings, place: &StsPlace, source: &str) -> Result<sts::Client, CredentialsError> {
        let endpoint = self.sts_endpoint(account, place).map_err(|error| wrong(source, &error.to_string()))?;
        let ClientDeps { clock, entropy, transport } = self.deps.clone();
        let options = rpc::ClientOptions {
            signature: account.signature.to_client(),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            egress: Egress { reach: sts_reach(account), ..account.egress.clone() },
            transport,
            ..rpc::ClientOptions::new(endpoint, clock, Arc::new(move || entropy.nonce()))
        };
        sts::Client::new(options).map_err(|error| wrong(source, &error.to_string()))
    }

    /// The account's own address; else what the webhook of ACK injected; else the host of a region: that of the profile, the injected one
    /// or the account's. It is the host in the region's own network if the account, the profile or the webhook says so.
    fn sts_endpoint(&self, account: &AccountSettings, place: &StsPlace) -> Result<Endpoint, StsEndpointError> {
        if let Some(url) = &account.sts_endpoint {
            return Ok(Endpoint::parse(url)?);
        }
        if account.endpoint.is_some() {
            return Err(StsEndpointError::BesideEndpoint);
        }
        if let Some(host) = self.variable(STS_ENDPOINT) {
            let url = if host.contains("://") { host } else { format!("https://{host}") };
            return Endpoint::parse(&url).map_err(StsEndpointError::OfTheEnvironment);
        }
        let by_place = place.vpc || self.is_set("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
        let network = if by_place { Network::Vpc } else { account.network.to_client() };
        if let Some(region) = &place.region {
            return sts::endpoint(region, network).map_err(StsEndpointError::OfTheProfile);
        }
        let region = self.variable("ALIBABA_CLOUD_STS_REGION").unwrap_or_else(|| account.region_id.clone());
        Ok(sts::endpoint(&region, network)?)
    }
}

/// Where the name of STS may lead. The webhook of ACK names hosts in the region's own network, whatever network the account has.
fn sts_reach(account: &AccountSettings) -> Reach {
    if account.sts_endpoint.is_some() { Reach::Any } else { Reach::Private }
}

/// A source that cannot be made.
pub(super) fn wrong(source: &str, why: &str) -> CredentialsError {
    NotGiven::new(Reason::InvalidCredentials, format!("{source}: {why}")).into()
}

/// Why it is not known where STS is.
#[derive(Debug, thiserror::Error)]
enum StsEndpointError {
    #[error("stsEndpoint: {0}")]
    OfTheAccount(#[from] EndpointError),
    #[error("the account has an endpoint and no stsEndpoint. Set it, to say where temporary keys come from")]
    BesideEndpoint,
    #[error("{STS_ENDPOINT} of the operator's environment: {0}. Correct it, or set the account's stsEndpoint")]
    OfTheEnvironment(EndpointError),
    #[error("sts_region of the profile: {0}")]
    OfTheProfile(RegionError),
    #[error("ALIBABA_CLOUD_STS_REGION of the operator's environment: {0}")]
    Region(#[from] RegionError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, config::Config, entropy::Entropy};

    #[tokio::test]
    async fn sts_is_where_the_account_says_then_where_the_webhook_says_then_by_region_and_network() {
        let account = |more: &str| {
            let text = format!("accounts: {{ a: {{ regionId: cn-hangzhou, credentials: {{ type: Auto }}, allow: []{more} }} }}");
            Config::parse(&text).unwrap().accounts["a"].clone()
        };
        let in_place = |variables: &'static [(&'static str, &'static str)], more: &str, place: &StsPlace| {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::new(|| 0), transport: None };
            let endpoint = SourceClients::new(variable, deps).sts_endpoint(&account(more), place);
            endpoint.map(|endpoint| endpoint.to_string()).map_err(|error| error.to_string())
        };
        let at = |variables, more: &str| in_place(variables, more, &StsPlace::default());
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(at(&[], ""), good("https://sts.cn-hangzhou.aliyuncs.com"));
        assert_eq!(at(&[], ", network: Vpc"), good("https://sts-vpc.cn-hangzhou.aliyuncs.com"));
        let injected = &[("ALIBABA_CLOUD_STS_REGION", "cn-beijing"), ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "True")];
        assert_eq!(at(injected, ""), good("https://sts-vpc.cn-beijing.aliyuncs.com"));
        let named = &[("ALIBABA_CLOUD_STS_ENDPOINT", "sts-vpc.cn-x.example"), ("ALIBABA_CLOUD_STS_REGION", "cn-beijing")];
        assert_eq!(at(named, ""), good("https://sts-vpc.cn-x.example"));
        assert_eq!(at(named, ", stsEndpoint: 'http://127.0.0.1:7'"), good("http://127.0.0.1:7"));
        let wrong = at(&[("ALIBABA_CLOUD_STS_ENDPOINT", "http://sts.example")], "").unwrap_err();
        assert!(wrong.contains("ALIBABA_CLOUD_STS_ENDPOINT") && wrong.contains("https"), "{wrong}");
        let wrong = at(&[("ALIBABA_CLOUD_STS_REGION", "nowhere")], "").unwrap_err();
        assert!(wrong.contains("ALIBABA_CLOUD_STS_REGION") && wrong.contains("nowhere"), "{wrong}");

        let shenzhen = StsPlace { region: Some("cn-shenzhen".into()), vpc: true };
        assert_eq!(in_place(injected, "", &shenzhen), good("https://sts-vpc.cn-shenzhen.aliyuncs.com"));
        let nowhere = StsPlace { region: Some("no/where".into()), vpc: false };
        assert!(in_place(&[], "", &nowhere).unwrap_err().starts_with("sts_region of the profile"));
        // A key of a private cloud is not asked of the public one.
        assert!(at(named, ", endpoint: 'https://rds.private.example'").unwrap_err().contains("no stsEndpoint"));
    }
}
