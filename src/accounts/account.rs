use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    allow::AllowedRegions,
    cloud_counts::CloudCounts,
    credentials::{CredentialsError, Source},
    error::AccountError,
    key_state::{KeyFacts, KeyState},
    settings::{AccountSettings, Protocol, Submissions},
};
use crate::{
    api::RdsBackupSpec,
    clock::Clock,
    entropy::Entropy,
    rds::{self, Admission, Client, ClientOptions},
    rpc::{self, Credentials, HttpTransport},
};

/// All accounts of the configuration.
pub struct Accounts {
    accounts: BTreeMap<String, Arc<Account>>,
    paused: bool,
    deps: ClientDeps,
    cloud_counts: CloudCounts,
}

/// What the metrics say of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFacts {
    /// Its name.
    pub name: String,
    /// Whether new attempts are paused, for this account or for all.
    pub paused: bool,
    /// Its access key; none before it was read.
    pub key: Option<KeyFacts>,
    /// Its clients, by the label of their region.
    pub clients: Vec<ClientFacts>,
}

/// What the metrics say of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientFacts {
    /// Its region, or `other` for all clients whose regions are neither known nor the account's own.
    pub region: String,
    /// How far the service's clock is ahead of ours, at most; none before its first answer.
    pub clock_offset: Option<SignedDuration>,
    /// How long its calls have waited for the limits so far.
    pub waited_for_limits: Duration,
}

/// The dependencies of every client.
#[derive(Clone)]
pub struct ClientDeps {
    /// The clock of this machine.
    pub clock: Clock,
    /// The source of nonces.
    pub entropy: Entropy,
    /// How requests are sent to the cloud; `None` means over the network.
    pub transport: Option<Arc<dyn HttpTransport>>,
}

/// One account: its settings, its credentials, and a client for each region that was used.
pub struct Account {
    name: String,
    /// Its part of the configuration.
    pub settings: AccountSettings,
    source: Source,
    key: Arc<KeyState>,
    paused: bool,
    clients: Mutex<HashMap<String, Arc<Client>>>,
    callers: Arc<Semaphore>,
}

/// How many objects of one account call the service at a time, over all regions; a client admits 8 of them. Each account has its own, so
/// one whose endpoints hang takes no place of another.
pub const MOST_CALLERS: usize = 16;

/// The pause after which one asks again that finds no place among the callers of its account.
const CALLERS_PAUSE: Duration = Duration::from_secs(2);

/// How many accounts' credentials are read at a time: one whose source does not answer holds up few others, and the sources of hundreds are
/// not all asked in one second.
const READ_AT_A_TIME: usize = 16;

/// The label of every region that is neither known nor the account's own.
const OTHER_REGION: &str = "other";

/// A place among the callers of an account, for as long as it is held.
#[derive(Debug)]
pub struct Admitted {
    _of_the_account: OwnedSemaphorePermit,
    _of_the_client: Admission,
}

/// The right to act in one region for one object.
#[derive(Clone)]
pub struct Access {
    /// The account.
    pub account: Arc<Account>,
    /// Its client for the region. All objects of the account and region share it, and its limits.
    pub client: Arc<Client>,
    /// The region.
    pub region_id: String,
    /// The regions that the allow-list opens to the object.
    pub regions: AllowedRegions,
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
                (
                    name.clone(),
                    Arc::new(Account {
                        name,
                        settings,
                        source,
                        key: Arc::default(),
                        paused,
                        clients: Mutex::default(),
                        callers: Arc::new(Semaphore::new(MOST_CALLERS)),
                    }),
                )
            })
            .collect();
        Self { accounts, paused, deps, cloud_counts: CloudCounts::default() }
    }

    /// The credentials of each account, or why there are none. The reason holds no part of a credential.
    pub async fn credentials(&self) -> Vec<(&str, Result<Credentials, CredentialsError>)> {
        let accounts: Vec<(&String, &Arc<Account>)> = self.accounts.iter().collect();
        let mut all = Vec::with_capacity(accounts.len());
        for some in accounts.chunks(READ_AT_A_TIME) {
            all.extend(join_all(some.iter().map(|(name, account)| read(name, (*account).clone()))).await);
        }
        all
    }

    /// The account that this object may use, checked against the allow-list. `recorded` is the region in the object's status: it was fixed
    /// when the object was admitted, and does not move with the configuration.
    pub fn access(&self, namespace: &str, spec: &RdsBackupSpec, recorded: Option<&str>) -> Result<Access, AccountError> {
        let account = self
            .accounts
            .get(&spec.account)
            .ok_or_else(|| AccountError::Unknown { name: spec.account.chars().take(63).collect(), nearest: self.nearest(&spec.account) })?;
        let region = recorded.or(spec.region_id.as_deref()).unwrap_or(&account.settings.region_id);
        let regions = AllowedRegions::of(&account.settings.allow, namespace, &spec.db_instance_id);
        if !regions.allow(Some(region)) {
            return Err(AccountError::NotAllowed {
                account: account.name.clone(),
                namespace: namespace.to_owned(),
                instance: spec.db_instance_id.clone(),
                region: region.to_owned(),
            });
        }
        let client = account.client(region, &self.deps, &self.cloud_counts)?;
        Ok(Access { account: account.clone(), client, region_id: region.to_owned(), regions })
    }

    /// The account whose name differs least, by a third of its letters at most.
    fn nearest(&self, name: &str) -> Option<String> {
        let distances = self.accounts.keys().map(|known| (strsim::osa_distance(name, known), known));
        let (distance, nearest) = distances.min()?;
        (distance <= 1 + nearest.chars().count() / 3).then(|| nearest.clone())
    }

    /// Whether an object of this namespace may use the instance, under any account and in any region.
    pub fn opens(&self, namespace: &str, instance: &str) -> bool {
        self.accounts.values().any(|account| account.settings.allow.iter().any(|rule| rule.opens(namespace, instance)))
    }

    /// The waits of an account's submission protocol; the defaults if the account is unknown.
    pub fn protocol(&self, name: &str) -> Protocol {
        self.accounts.get(name).map_or_else(Protocol::default, |account| account.settings.protocol.clone())
    }

    /// Every account, and its clients that were used, for the metrics.
    pub fn facts(&self) -> Vec<AccountFacts> {
        self.accounts.values().map(|account| account.facts()).collect()
    }

    /// What became of the calls of all clients.
    pub fn cloud_counts(&self) -> &CloudCounts {
        &self.cloud_counts
    }

    /// The names of all accounts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    /// How many accounts there are.
    pub fn count(&self) -> usize {
        self.accounts.len()
    }

    /// Whether the configuration pauses every account.
    pub fn paused(&self) -> bool {
        self.paused
    }
}

async fn read(name: &str, account: Arc<Account>) -> (&str, Result<Credentials, CredentialsError>) {
    (name, account.credentials().await)
}

impl Access {
    /// Admits one more caller.
    ///
    /// # Errors
    /// There are enough callers. The error is the time after which to ask again.
    pub fn admit(&self) -> Result<Admitted, Duration> {
        let of_the_client = self.client.admit()?;
        let of_the_account = self.account.callers.clone().try_acquire_owned().map_err(|_| CALLERS_PAUSE)?;
        Ok(Admitted { _of_the_account: of_the_account, _of_the_client: of_the_client })
    }
}

impl Account {
    /// Whether new attempts are paused, for this account or for all.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// The credentials, at most 60 s old.
    pub async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let found = self.source.get().await;
        self.key.read(&found);
        found
    }

    /// The credentials to use instead of those that the service refused; none if they are still the same, or cannot be read. The key may
    /// have been rotated while the operator used the old one, so this reads it again, however recently it was read.
    pub async fn instead_of(&self, refused: &Credentials) -> Option<Credentials> {
        self.source.forget(refused).await;
        self.credentials().await.ok().filter(|found| !found.is(refused))
    }

    fn facts(&self) -> AccountFacts {
        let mut by_label = BTreeMap::<&str, ClientFacts>::new();
        for (region, client) in self.clients.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let label = self.region_label(region);
            let none = || ClientFacts { region: label.to_owned(), clock_offset: None, waited_for_limits: Duration::ZERO };
            let facts = by_label.entry(label).or_insert_with(none);
            facts.clock_offset =
                facts.clock_offset.into_iter().chain(client.known_clock_offset()).max_by_key(|offset| offset.unsigned_abs());
            facts.waited_for_limits = facts.waited_for_limits.saturating_add(client.waited_for_limits());
        }
        AccountFacts { name: self.name.clone(), paused: self.paused, key: self.key.facts(), clients: by_label.into_values().collect() }
    }

    /// The region as a label of series. Beside an endpoint of its own an account takes any text that looks like a region, and a tenant writes
    /// it: `other` stands for all that are neither known nor the account's own.
    fn region_label(&self, region: &str) -> &str {
        let known = rds::hosts().regions.iter().map(|known| known.id).find(|known| *known == region);
        let own = Some(self.settings.region_id.as_str()).filter(|own| *own == region);
        known.or(own).unwrap_or(OTHER_REGION)
    }

    fn client(&self, region: &str, deps: &ClientDeps, counts: &CloudCounts) -> Result<Arc<Client>, AccountError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return Ok(client.clone());
        }
        let endpoint = self.settings.endpoint_of(region)?;
        let ClientDeps { clock, entropy, transport } = deps.clone();
        let rpc = rpc::ClientOptions {
            signature: self.settings.signature.to_client(),
            transport,
            counts: Some(counts.of(&self.name, self.region_label(region), self.key.clone())),
            ..rpc::ClientOptions::new(endpoint, clock, Arc::new(move || entropy.nonce()))
        };
        let client = Client::new(ClientOptions { rpc, region_id: Some(region.to_owned()), limits: self.settings.limits.to_client() })
            .map_err(|source| AccountError::Client { account: self.name.clone(), source })?;
        let client = Arc::new(client);
        clients.insert(region.to_owned(), client.clone());
        Ok(client)
    }
}
