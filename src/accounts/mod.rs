//! From an account's name to a client that may act: who is allowed, with which credentials, at what pace.
//! The allow-list is checked at every use, and nobody ever falls through to credentials that were not given to them.

mod allow;
mod credentials;
mod settings;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

pub use allow::AllowRule;
pub use credentials::{CredentialsError, Source};
pub use settings::{AccountSettings, CredentialsSettings, Expiry, LimitSettings, Network, Poll, Protocol, Signature, Submissions};

use crate::{
    api::{RdsBackupSpec, Reason},
    clock::Clock,
    entropy::Entropy,
    rds::{Client, ClientOptions},
    rpc::{self, ClientError, Credentials, HttpTransport, RegionError},
};

/// Why an account cannot be used. Each is for an administrator or the author of the object, so each is Stalled.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such name in the configuration.
    #[error(
        "account {name:?} is not in the operator's configuration, which has: {known}. Correct spec.account, or ask an administrator to add it"
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// No rule of the account's allow-list matches.
    #[error(
        "account {account:?} does not allow namespace {namespace:?} to use instance {instance:?} in region {region:?}. Ask an administrator to add it to the account's allow-list"
    )]
    NotAllowed {
        /// The account.
        account: String,
        /// The object's namespace.
        namespace: String,
        /// The instance.
        instance: String,
        /// The region.
        region: String,
    },
    /// The region is not one.
    #[error("regionId: {0}")]
    Region(#[from] RegionError),
    /// The client could not be built.
    #[error("the client of account {account:?} cannot be built: {source}")]
    Client {
        /// The account.
        account: String,
        /// Why.
        source: ClientError,
    },
}

impl AccountError {
    /// The reason that the object shows.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unknown { .. } => Reason::AccountNotFound,
            Self::NotAllowed { .. } => Reason::NotAllowed,
            Self::Region(_) | Self::Client { .. } => Reason::InvalidSpec,
        }
    }
}

/// All accounts of the configuration.
pub struct Accounts {
    accounts: BTreeMap<String, Arc<Account>>,
    paused: bool,
    deps: ClientDeps,
}

/// What every client is made with.
#[derive(Clone)]
pub struct ClientDeps {
    /// The time.
    pub clock: Clock,
    /// The dice.
    pub entropy: Entropy,
    /// What carries requests to the cloud; none stands for sockets.
    pub transport: Option<Arc<dyn HttpTransport>>,
}

/// One account: its settings, its credentials, and a client for each region that was used.
pub struct Account {
    name: String,
    /// What the configuration says.
    pub settings: AccountSettings,
    source: Source,
    paused: bool,
    clients: Mutex<HashMap<String, Arc<Client>>>,
}

/// The right to act in one region for one object.
#[derive(Clone)]
pub struct Access {
    /// The account.
    pub account: Arc<Account>,
    /// Its client for the region; shared by all objects of the account and region, as its limits are.
    pub client: Arc<Client>,
    /// The region that is asked.
    pub region_id: String,
}

impl Accounts {
    /// Takes the accounts of a checked configuration.
    pub fn new(
        settings: BTreeMap<String, AccountSettings>,
        submissions: Submissions,
        sources: impl Fn(&AccountSettings) -> Source,
        deps: ClientDeps,
    ) -> Self {
        let paused = submissions == Submissions::Paused;
        let accounts = settings
            .into_iter()
            .map(|(name, settings)| {
                let source = sources(&settings);
                let paused = paused || settings.submissions == Submissions::Paused;
                (name.clone(), Arc::new(Account { name, settings, source, paused, clients: Mutex::default() }))
            })
            .collect();
        Self { accounts, paused, deps }
    }

    /// The accounts whose credentials cannot be used now, with the reason. Nothing of a credential is in it.
    pub async fn without_credentials(&self) -> Vec<(&str, CredentialsError)> {
        let mut without = Vec::new();
        for (name, account) in &self.accounts {
            if let Err(error) = account.source.get().await {
                without.push((name.as_str(), error));
            }
        }
        without
    }

    /// The account that this object may use, checked against the allow-list.
    pub fn access(&self, namespace: &str, spec: &RdsBackupSpec) -> Result<Access, AccountError> {
        let account = self.accounts.get(&spec.account).ok_or_else(|| AccountError::Unknown {
            name: spec.account.chars().take(63).collect(),
            known: self.accounts.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let region = spec.region_id.as_deref().unwrap_or(&account.settings.region_id);
        if !account.settings.allow.iter().any(|rule| rule.allows(namespace, &spec.db_instance_id, region)) {
            return Err(AccountError::NotAllowed {
                account: account.name.clone(),
                namespace: namespace.to_owned(),
                instance: spec.db_instance_id.clone(),
                region: region.to_owned(),
            });
        }
        let client = account.client(region, &self.deps)?;
        Ok(Access { account: account.clone(), client, region_id: region.to_owned() })
    }

    /// What an account's protocol waits for before a hindered intent stops holding its instance; the default's where the account is unknown.
    pub fn protocol(&self, name: &str) -> Protocol {
        self.accounts.get(name).map_or_else(Protocol::default, |account| account.settings.protocol.clone())
    }

    /// Every client that was used, with its account's name and region, for the metrics.
    pub fn clients(&self) -> Vec<(String, String, Arc<Client>)> {
        let mut all = Vec::new();
        for (name, account) in &self.accounts {
            let clients = account.clients.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(clients.iter().map(|(region, client)| (name.clone(), region.clone(), client.clone())));
        }
        all
    }

    /// Whether the configuration pauses every account.
    pub fn paused(&self) -> bool {
        self.paused
    }
}

impl Account {
    /// Whether new attempts are paused, here or for every account.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// The credentials, at most 60 s old.
    pub async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.source.get().await
    }

    /// What stands in the place of credentials that the service refused; none if they are still the same, or there are none. They are read anew
    /// however fresh they are: they may have been rotated a moment ago.
    pub async fn instead_of(&self, refused: &Credentials) -> Option<Credentials> {
        self.source.forget(refused).await;
        self.credentials().await.ok().filter(|found| !found.is(refused))
    }

    fn client(&self, region: &str, deps: &ClientDeps) -> Result<Arc<Client>, AccountError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return Ok(client.clone());
        }
        let endpoint = self.settings.endpoint_of(region)?;
        let ClientDeps { clock, entropy, transport } = deps.clone();
        let rpc = rpc::ClientOptions {
            signature: self.settings.signature.to_client(),
            transport,
            ..rpc::ClientOptions::new(endpoint, clock, Arc::new(move || entropy.nonce()))
        };
        let client = Client::new(ClientOptions { rpc, region_id: Some(region.to_owned()), limits: self.settings.limits.to_client() })
            .map_err(|source| AccountError::Client { account: self.name.clone(), source })?;
        let client = Arc::new(client);
        clients.insert(region.to_owned(), client.clone());
        Ok(client)
    }
}
