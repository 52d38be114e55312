//! One account: its part of the configuration, and the connection to the service that all its objects share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    allow::AllowedRegions,
    cloud_counts::{CallCount, CallDurations, Calls},
    credentials::{CredentialsError, RefreshCount, Source},
    error::AccountError,
    key_state::{KeyFacts, KeyState},
    settings::AccountSettings,
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    rds::{self, Client, ClientOptions},
    rpc::{self, Credentials, HttpTransport, Place, Places},
};

/// What the metrics say of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFacts {
    /// Its name.
    pub name: String,
    /// Whether new attempts are paused, for this account or for all.
    pub paused: bool,
    /// Its access keys that were read: one, with an empty namespace; or with `TenantSecret` that of each namespace.
    pub keys: Vec<(String, KeyFacts)>,
    /// What became of the exchanges for its key, if it is one that is exchanged.
    pub refreshes: Vec<RefreshCount>,
    /// Its clients, by the label of their region.
    pub clients: Vec<ClientFacts>,
    /// Its calls.
    pub calls: Vec<CallCount>,
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

/// One account as the configuration has it at a moment. A later one of the same name shares what it can.
pub struct Account {
    pub(super) name: String,
    /// Its part of the configuration.
    pub settings: AccountSettings,
    paused: bool,
    connections: Connections,
    /// Its calls since the process started, over all connections of the name.
    calls: Calls,
}

/// The connections of an account.
#[derive(Clone)]
enum Connections {
    /// All its objects share this one.
    Shared(Arc<Connection>),
    /// Each namespace has one of its own, from its first use on: tenants share no key, no client and no limit.
    OfNamespaces(Arc<Mutex<BTreeMap<String, Arc<Connection>>>>),
}

/// What an account calls the service with: its credentials, and a client for each region that was used. It lives for as long as the
/// settings stay that it is made of, so that a longer allow-list starts no rate, no clock offset and no key anew.
pub(super) struct Connection {
    /// Another one for each connection of the process.
    id: u64,
    source: Source,
    key: Arc<KeyState>,
    clients: Mutex<HashMap<String, Client>>,
    callers: Places,
}

/// How many objects of one account call the service at a time, over all regions; a client admits 8 of them. Each account has its own, so
/// one whose endpoints hang takes no place of another.
pub const MOST_CALLERS: usize = 16;

/// How far apart those ask again that find no place among the callers of their account, over all its regions: its callers are more than two
/// regions' then, and each region goes on with 5 of them a second at the usual limits.
const CALLERS_APART: Duration = Duration::from_millis(50);

/// The label of every region that is neither known nor the account's own.
const OTHER_REGION: &str = "other";

/// A place among the callers of an account, for as long as it is held.
#[derive(Debug)]
pub struct Admitted {
    _of_the_account: Place,
    _of_the_client: Place,
}

/// The right to act in one region for one object.
#[derive(Clone)]
pub struct Access {
    /// The account.
    pub account: Arc<Account>,
    pub(super) connection: Arc<Connection>,
    /// Its client for the region, which sends only while the configuration still gives the right. All objects of the account and region
    /// share its limits.
    pub client: Client,
    /// The region.
    pub region_id: String,
    /// The regions that the allow-list opens to the object.
    pub regions: AllowedRegions,
    /// The object's namespace.
    pub(super) namespace: String,
}

impl Access {
    /// Which connection it has: another number, another endpoint, key or pace. What was read with one proves nothing for another.
    pub fn connection_id(&self) -> u64 {
        self.connection.id
    }

    /// The credentials, at most 60 s old.
    pub async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.connection.credentials().await
    }

    /// The credentials to use instead of those that the service refused; none if they are still the same, or cannot be read. The key may
    /// have been rotated while the operator used the old one, so this reads it again, however recently it was read.
    pub async fn instead_of(&self, refused: &Credentials) -> Option<Credentials> {
        self.connection.instead_of(refused).await
    }

    /// Admits one more caller. The namespaces of the account take turns.
    ///
    /// # Errors
    /// There are enough callers, or it is another namespace's turn. The error is the time after which to ask again.
    pub fn admit(&self) -> Result<Admitted, Duration> {
        let of_the_client = self.client.admit()?;
        match self.connection.callers.take(&self.namespace, CALLERS_APART, None) {
            Ok(of_the_account) => Ok(Admitted { _of_the_account: of_the_account, _of_the_client: of_the_client }),
            Err(wait) => {
                of_the_client.give_back();
                Err(wait)
            }
        }
    }
}

impl Connection {
    /// The credentials, at most 60 s old.
    pub async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let found = self.source.get().await;
        self.key.read(&found);
        found
    }

    /// See [`Access::instead_of`].
    pub(super) async fn instead_of(&self, refused: &Credentials) -> Option<Credentials> {
        self.source.forget(refused).await;
        self.credentials().await.ok().filter(|found| !found.is(refused))
    }
}

impl Account {
    /// The account after a change of the configuration, or at the start. It keeps the connection of the one `before` it unless the settings
    /// changed that a connection is made of; then it gets one with this `id`, whose credentials come from `source`. Where each namespace has
    /// its own, none is made yet.
    pub(super) fn after(
        before: Option<&Arc<Self>>,
        name: String,
        settings: AccountSettings,
        paused: bool,
        id: u64,
        source: impl FnOnce(&AccountSettings) -> Source,
    ) -> Self {
        let kept = before.filter(|before| before.settings.connects_like(&settings)).map(|before| before.connections.clone());
        let connections = kept.unwrap_or_else(|| match settings.credentials.is_of_tenants() {
            true => Connections::OfNamespaces(Arc::default()),
            false => Connections::Shared(Arc::new(Connection::new(id, source(&settings)))),
        });
        let calls = before.map(|before| before.calls.clone()).unwrap_or_default();
        Self { name, settings, paused, connections, calls }
    }

    /// Whether new attempts are paused, for this account or for all.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// The connection that serves the namespace; none where that has one of its own and it was never used.
    pub(super) fn known_connection(&self, namespace: &str) -> Option<Arc<Connection>> {
        match &self.connections {
            Connections::Shared(connection) => Some(connection.clone()),
            Connections::OfNamespaces(connections) => locked(connections).get(namespace).cloned(),
        }
    }

    /// The connection that serves the namespace. One of its own that was never used is made with this `id`.
    pub(super) fn connection(&self, namespace: &str, id: impl FnOnce() -> u64, source: impl FnOnce() -> Source) -> Arc<Connection> {
        match &self.connections {
            Connections::Shared(connection) => connection.clone(),
            Connections::OfNamespaces(connections) => {
                let make = || Arc::new(Connection::new(id(), source()));
                locked(connections).entry(namespace.to_owned()).or_insert_with(make).clone()
            }
        }
    }

    /// All connections, each with its namespace; that of a shared one is empty.
    pub(super) fn all_connections(&self) -> Vec<(String, Arc<Connection>)> {
        match &self.connections {
            Connections::Shared(connection) => vec![(String::new(), connection.clone())],
            Connections::OfNamespaces(connections) => {
                locked(connections).iter().map(|(namespace, connection)| (namespace.clone(), connection.clone())).collect()
            }
        }
    }

    /// Forgets the connections of namespaces that `keep` does not name.
    pub(super) fn sweep(&self, keep: impl Fn(&str) -> bool) {
        if let Connections::OfNamespaces(connections) = &self.connections {
            locked(connections).retain(|namespace, _| keep(namespace));
        }
    }

    pub(super) fn facts(&self) -> AccountFacts {
        let connections = self.all_connections();
        let mut by_label = BTreeMap::<&str, ClientFacts>::new();
        for (_, connection) in &connections {
            for (region, client) in locked(&connection.clients).iter() {
                let label = self.region_label(region);
                let none = || ClientFacts { region: label.to_owned(), clock_offset: None, waited_for_limits: Duration::ZERO };
                let facts = by_label.entry(label).or_insert_with(none);
                facts.clock_offset =
                    facts.clock_offset.into_iter().chain(client.known_clock_offset()).max_by_key(|offset| offset.unsigned_abs());
                facts.waited_for_limits = facts.waited_for_limits.saturating_add(client.waited_for_limits());
            }
        }
        AccountFacts {
            name: self.name.clone(),
            paused: self.paused,
            refreshes: connections.iter().flat_map(|(_, connection)| connection.source.refreshes()).collect(),
            keys: connections.into_iter().filter_map(|(namespace, connection)| Some((namespace, connection.key.facts()?))).collect(),
            clients: by_label.into_values().collect(),
            calls: self.calls.counts(),
        }
    }

    /// The region as a label of series. Beside an endpoint of its own an account takes any text that looks like a region, and a tenant writes
    /// it: `other` stands for all that are neither known nor the account's own.
    fn region_label(&self, region: &str) -> &str {
        let known = rds::hosts().regions.iter().map(|known| known.id).find(|known| *known == region);
        let own = Some(self.settings.region_id.as_str()).filter(|own| *own == region);
        known.or(own).unwrap_or(OTHER_REGION)
    }

    /// The client of a connection for a region.
    pub(super) fn client(
        &self,
        connection: &Connection,
        region: &str,
        deps: &ClientDeps,
        durations: &CallDurations,
    ) -> Result<Client, AccountError> {
        let mut clients = locked(&connection.clients);
        if let Some(client) = clients.get(region) {
            return Ok(client.clone());
        }
        let endpoint = self.settings.endpoint_of(region)?;
        let ClientDeps { clock, entropy, transport } = deps.clone();
        let rpc = rpc::ClientOptions {
            signature: self.settings.signature.to_client(),
            egress: self.settings.egress.clone(),
            transport,
            counts: Some(self.calls.of_client(self.region_label(region), durations, connection.key.clone())),
            ..rpc::ClientOptions::new(endpoint, clock, Arc::new(move || entropy.nonce()))
        };
        let client = Client::new(ClientOptions { rpc, region_id: Some(region.to_owned()), limits: self.settings.limits.to_client() })
            .map_err(|source| AccountError::Client { account: self.name.clone(), source })?;
        clients.insert(region.to_owned(), client.clone());
        Ok(client)
    }
}

impl Connection {
    fn new(id: u64, source: Source) -> Self {
        Self { id, source, key: Arc::default(), clients: Mutex::default(), callers: Places::new(MOST_CALLERS) }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
