//! From the settings of an account to the source of its credentials.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use url::Url;

use super::{
    assume_role::AssumedRole,
    credentials_uri::CredentialsUri,
    ecs_ram_role::{self, EcsRamRole},
    error::{CredentialsError, NotGiven},
    refresh::{Refresher, TemporarySource},
    rrsa::Rrsa,
    source::Source,
};
use crate::{
    accounts::{
        account::ClientDeps,
        credentials_settings::{CredentialsSettings, is_session_name},
        settings::AccountSettings,
    },
    api::Reason,
    rpc::{self, DocumentClient, Egress, Endpoint, EndpointError, Network, Reach, RegionError},
    sts,
};

/// Where the name of STS may lead. The webhook of ACK names hosts in the region's own network, whatever network the account has.
fn sts_reach(account: &AccountSettings) -> Reach {
    if account.sts_endpoint.is_some() { Reach::Any } else { Reach::Private }
}

/// The longest time to connect to STS, and of a whole exchange.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for the metadata service, which is on the node itself.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const METADATA_CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// The name of sessions that an administrator gave none: the cloud's audit log shows it.
const SESSION_NAME: &str = "rds-backup-operator";

/// Reads a variable of the operator's environment.
type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What sources are made of.
pub struct Sources {
    client: kube::Client,
    namespace: String,
    variable: Box<Variable>,
    deps: ClientDeps,
    /// Those that are in use: 200 accounts that assume their roles with the key of one account share its keys.
    shared: Mutex<Vec<(AccountSettings, Weak<Refresher>)>>,
}

impl Sources {
    /// `namespace`: the operator's own. `variable` reads the operator's environment.
    pub fn new(
        client: kube::Client,
        namespace: &str,
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        deps: ClientDeps,
    ) -> Self {
        Self { client, namespace: namespace.to_owned(), variable: Box::new(variable), deps, shared: Mutex::default() }
    }

    /// The source of an account, or of one namespace of it where each has its own.
    pub fn of(&self, account: &AccountSettings, tenant: Option<&str>) -> Source {
        match &account.credentials {
            CredentialsSettings::Auto {} => Source::environment(|name| (self.variable)(name)),
            CredentialsSettings::Secret { name } => Source::secret(self.client.clone(), &self.namespace, name),
            // In the tenant's own namespace, and nowhere else.
            CredentialsSettings::TenantSecret { name } => match tenant {
                Some(namespace) => Source::secret(self.client.clone(), namespace, name),
                None => Source::Fixed(Err(wrong("TenantSecret", "it is read for one namespace at a time"))),
            },
            CredentialsSettings::Rrsa { session_name } => self.refreshed(account, || {
                let sts = self.sts(account, "RRSA")?;
                Ok(Box::new(Rrsa::new(|name| (self.variable)(name), self.session_name(session_name.as_deref()), sts)?))
            }),
            CredentialsSettings::AssumeRole { role_arn, external_id, session_name, from } => self.refreshed(account, || {
                let sts = self.sts(account, "AssumeRole")?;
                let Some(base) = &account.base else {
                    let why = format!("AssumeRole (role {role_arn}): the configuration has no account {from}");
                    return Err(NotGiven::new(Reason::InvalidCredentials, why).into());
                };
                let session_name = self.session_name(session_name.as_deref());
                Ok(Box::new(AssumedRole::new(role_arn, external_id.as_deref(), session_name, from, self.of(base, None), sts)))
            }),
            CredentialsSettings::EcsRamRole { role_name, allow_imds_v1 } => self.refreshed(account, || {
                let disabled = |name: &str| (self.variable)(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
                if disabled("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
                    let why = "EcsRamRole: ALIBABA_CLOUD_ECS_METADATA_DISABLED of the operator's environment forbids it. Remove it, or give \
                               the account credentials of another type";
                    return Err(NotGiven::new(Reason::NotAllowed, why.to_owned()).into());
                }
                let url = account.metadata_endpoint.as_deref().unwrap_or(ecs_ram_role::ENDPOINT);
                let url = Url::parse(url).map_err(|_| wrong("EcsRamRole", "metadataEndpoint is not a URL"))?;
                let http = self.documents(account, &url, METADATA_CONNECT_TIMEOUT, METADATA_CALL_TIMEOUT, "EcsRamRole")?;
                let role = role_name.clone().or_else(|| (self.variable)("ALIBABA_CLOUD_ECS_METADATA"));
                let v1 = *allow_imds_v1 && !disabled("ALIBABA_CLOUD_IMDSV1_DISABLED");
                Ok(Box::new(EcsRamRole::new(url, role, v1, http)))
            }),
            CredentialsSettings::CredentialsUri { uri } => self.refreshed(account, || {
                let http = self.documents(account, &uri.url(), CONNECT_TIMEOUT, CALL_TIMEOUT, "CredentialsURI")?;
                Ok(Box::new(CredentialsUri::new(uri, http)))
            }),
        }
    }

    /// The source of another account with the same settings, if one is in use, else a new one.
    fn refreshed(&self, account: &AccountSettings, source: impl FnOnce() -> Result<Box<dyn TemporarySource>, CredentialsError>) -> Source {
        let known = |shared: &[(AccountSettings, Weak<Refresher>)]| {
            shared.iter().find(|(other, _)| other.has_the_keys_of(account)).and_then(|(_, refresher)| refresher.upgrade())
        };
        let found = known(&self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(refresher) = found {
            return Source::Refreshed(refresher);
        }
        // Not under the lock: it may need another one of the list.
        let refresher = match source() {
            Ok(source) => Arc::new(Refresher::new(source, self.deps.entropy.clone())),
            Err(error) => return Source::Fixed(Err(error)),
        };
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, refresher)| refresher.strong_count() > 0);
        shared.push((account.clone(), Arc::downgrade(&refresher)));
        Source::Refreshed(refresher)
    }

    /// The setting, else the variable of the official clients, else our own name.
    fn session_name(&self, set: Option<&str>) -> String {
        let variable = || (self.variable)("ALIBABA_CLOUD_ROLE_SESSION_NAME").filter(|name| is_session_name(name));
        set.map(str::to_owned).or_else(variable).unwrap_or_else(|| SESSION_NAME.to_owned())
    }

    fn documents(
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

    fn sts(&self, account: &AccountSettings, source: &str) -> Result<sts::Client, CredentialsError> {
        let endpoint = self.sts_endpoint(account).map_err(|error| wrong(source, &error.to_string()))?;
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

    /// The account's own address; else what the webhook of ACK injected; else the host of a region: the injected one or the account's. It
    /// is the host in the region's own network if the account or the webhook says so.
    fn sts_endpoint(&self, account: &AccountSettings) -> Result<Endpoint, StsEndpointError> {
        if let Some(url) = &account.sts_endpoint {
            return Ok(Endpoint::parse(url)?);
        }
        if let Some(host) = (self.variable)(STS_ENDPOINT) {
            let url = if host.contains("://") { host } else { format!("https://{host}") };
            return Endpoint::parse(&url).map_err(StsEndpointError::OfTheEnvironment);
        }
        let region = (self.variable)("ALIBABA_CLOUD_STS_REGION").unwrap_or_else(|| account.region_id.clone());
        let by_variable = (self.variable)("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let network = if by_variable { Network::Vpc } else { account.network.to_client() };
        Ok(sts::endpoint(&region, network)?)
    }
}

fn wrong(source: &str, why: &str) -> CredentialsError {
    NotGiven::new(Reason::InvalidCredentials, format!("{source}: {why}")).into()
}

const STS_ENDPOINT: &str = "ALIBABA_CLOUD_STS_ENDPOINT";

/// Why it is not known where STS is.
#[derive(Debug, thiserror::Error)]
enum StsEndpointError {
    #[error("stsEndpoint: {0}")]
    OfTheAccount(#[from] EndpointError),
    #[error("{STS_ENDPOINT} of the operator's environment: {0}. Correct it, or set the account's stsEndpoint")]
    OfTheEnvironment(EndpointError),
    #[error("ALIBABA_CLOUD_STS_REGION of the operator's environment: {0}")]
    Region(#[from] RegionError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, config::Config, entropy::Entropy};

    fn sources(variables: &'static [(&'static str, &'static str)]) -> Sources {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nothing is asked"))
        });
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::new(|| 0), transport: None };
        Sources::new(kube::Client::new(service, "ops"), "ops", variable, deps)
    }

    fn account(more: &str) -> AccountSettings {
        let text = format!("accounts: {{ a: {{ regionId: cn-hangzhou, credentials: {{ type: RRSA }}, allow: []{more} }} }}");
        Config::parse(&text).unwrap().accounts["a"].clone()
    }

    #[tokio::test]
    async fn sts_is_where_the_account_says_then_where_the_webhook_says_then_by_region_and_network() {
        let at = |variables: &'static [(&'static str, &'static str)], more: &str| {
            sources(variables).sts_endpoint(&account(more)).map(|endpoint| endpoint.to_string()).map_err(|error| error.to_string())
        };
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
    }

    #[tokio::test]
    async fn rrsa_without_its_variables_says_which_is_missing() {
        for (variables, missing) in [
            (&[][..], "ALIBABA_CLOUD_ROLE_ARN"),
            (&[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r")][..], "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
            (
                &[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"), ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p")][..],
                "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            ),
        ] {
            let error = sources(variables).of(&account(""), None).get().await.unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidCredentials);
            assert!(error.to_string().contains(&format!("has no {missing}. On ACK")), "{error}");
        }
    }
}
