//! All accounts of the configuration that is in force, and what is allowed to objects at this moment.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use tokio::sync::watch;

use super::{
    account::{Access, Account, AccountFacts, ClientDeps, Connection},
    allow::AllowedRegions,
    cloud_counts::CallDurations,
    coverage_settings::CoverageSettings,
    credentials::{CredentialsError, Source},
    error::AccountError,
    labels::{Labels, NamespaceLabels},
    read_only::{ReadOnlyAccess, ReadOnlyError},
    settings::{AccountSettings, Submissions},
    waits::{Audit, Protocol},
};
use crate::{api::RdsBackupSpec, rds::Permit, rpc::Credentials};

/// How many accounts' credentials are read at a time: one whose source does not answer holds up few others, and the sources of hundreds are
/// not all asked in one second.
const READ_AT_A_TIME: usize = 16;

/// Of the keys of namespaces so many are read in one round of [`Accounts::credentials`]; the next round goes on behind them. An object that
/// waits for its key looks for it every minute by itself.
const TENANTS_A_ROUND: usize = 32;

/// As so many accounts counts one of which each namespace has its own key: that many of its namespaces can call the service at a time without
/// holding up the objects of other accounts.
const TENANTS_AT_A_TIME: usize = 16;

/// Says where the credentials of an account come from, or of one namespace of it where each has its own.
type SourceOf = dyn Fn(&AccountSettings, Option<&str>) -> Source + Send + Sync;

/// All accounts of the configuration.
pub struct Accounts {
    current: Arc<RwLock<Current>>,
    sources: Box<SourceOf>,
    /// The id of the next connection.
    next_connection: AtomicU64,
    /// Where the next round of keys of namespaces begins.
    next_round: AtomicUsize,
    /// What the API server says of the namespaces.
    labels: NamespaceLabels,
    deps: ClientDeps,
    durations: CallDurations,
    /// How often the accounts were replaced.
    replaced: watch::Sender<u64>,
}

/// What is in force.
struct Current {
    accounts: BTreeMap<String, Arc<Account>>,
}

/// A key that was looked for.
pub struct CheckedKey {
    /// The account.
    pub account: String,
    /// The namespace whose key it is; none where the account's objects share one.
    pub namespace: Option<String>,
    /// The key, or why there is none. The reason holds no part of a credential.
    pub found: Result<Credentials, CredentialsError>,
}

impl CheckedKey {
    /// As messages name it.
    pub fn name(&self) -> String {
        name_of_key(&self.account, self.namespace.as_deref().unwrap_or_default())
    }
}

fn name_of_key(account: &str, namespace: &str) -> String {
    if namespace.is_empty() { account.to_owned() } else { format!("{account} for namespace {namespace}") }
}

/// What another configuration changed, by the names of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChanges {
    /// Those that were not there before.
    pub added: Vec<String>,
    /// Those of which a setting changed, or that `submissions` of the whole configuration pauses or no longer pauses.
    pub changed: Vec<String>,
    /// Those that are no longer there.
    pub removed: Vec<String>,
}

impl AccountChanges {
    /// Whether the account was added, changed or removed.
    pub fn concern(&self, account: &str) -> bool {
        [&self.added, &self.changed, &self.removed].into_iter().flatten().any(|name| name == account)
    }

    /// Whether no account was.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Accounts {
    /// Takes the accounts of a checked configuration. `sources` says where the credentials of an account come from; it is asked again for
    /// accounts that are added or changed later.
    pub fn new(
        settings: BTreeMap<String, AccountSettings>,
        submissions: Submissions,
        sources: impl Fn(&AccountSettings, Option<&str>) -> Source + Send + Sync + 'static,
        deps: ClientDeps,
    ) -> Self {
        let none = Current { accounts: BTreeMap::new() };
        let next_connection = AtomicU64::default();
        let (current, _) = none.followed_by(settings, submissions, &sources, &next_connection);
        Self {
            current: Arc::new(RwLock::new(current)),
            sources: Box::new(sources),
            next_connection,
            next_round: AtomicUsize::default(),
            labels: NamespaceLabels::default(),
            deps,
            durations: CallDurations::default(),
            replaced: watch::Sender::new(0),
        }
    }

    /// Takes those of another checked configuration in their place. From here on nothing leaves that they do not allow: also not what was
    /// decided before and waits for the limits. A request that has left is not called back. An account keeps its clients, its credentials
    /// and its pace unless the settings changed that they are made of.
    pub fn replace(&self, settings: BTreeMap<String, AccountSettings>, submissions: Submissions) -> AccountChanges {
        let changes = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            let (next, changes) = current.followed_by(settings, submissions, &self.sources, &self.next_connection);
            *current = next;
            changes
        };
        self.replaced.send_modify(|count| *count = count.saturating_add(1));
        changes
    }

    /// Sees every [`Accounts::replace`] after this call.
    pub fn replacements(&self) -> watch::Receiver<u64> {
        self.replaced.subscribe()
    }

    /// The key of each account, and of 32 namespaces that have their own: with each call the next ones.
    pub async fn credentials(&self) -> Vec<CheckedKey> {
        let (shared, mut own): (Vec<_>, Vec<_>) = self.connections().into_iter().partition(|(_, namespace, _)| namespace.is_empty());
        if own.len() > TENANTS_A_ROUND {
            let first = self.next_round.fetch_add(TENANTS_A_ROUND, Ordering::Relaxed) % own.len();
            own.rotate_left(first);
            own.truncate(TENANTS_A_ROUND);
        }
        let wanted: Vec<_> = shared.into_iter().chain(own).collect();
        let mut all = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(READ_AT_A_TIME) {
            let read = some.iter().map(|(account, namespace, connection)| async {
                let namespace = Some(namespace.clone()).filter(|namespace| !namespace.is_empty());
                CheckedKey { account: account.clone(), namespace, found: connection.credentials().await }
            });
            all.extend(join_all(read).await);
        }
        all
    }

    /// The names of all keys that are looked for, as [`CheckedKey::name`] has them.
    pub fn names_of_keys(&self) -> Vec<String> {
        self.connections().into_iter().map(|(account, namespace, _)| name_of_key(&account, &namespace)).collect()
    }

    /// The connections of all accounts: account, namespace, connection.
    fn connections(&self) -> Vec<(String, String, Arc<Connection>)> {
        let accounts: Vec<Arc<Account>> = self.read().accounts.values().cloned().collect();
        let of_account = |account: Arc<Account>| {
            account.all_connections().into_iter().map(move |(namespace, connection)| (account.name.clone(), namespace, connection))
        };
        accounts.into_iter().flat_map(of_account).collect()
    }

    /// Frees what is remembered of namespaces that `keep` does not name.
    pub fn forget_namespaces(&self, keep: impl Fn(&str) -> bool) {
        self.labels.sweep(&keep);
        for account in self.read().accounts.values() {
            account.sweep(&keep);
        }
    }

    /// Whether the allow-list of the account asks for labels of namespaces.
    pub fn asks_for_labels(&self, account: &str) -> bool {
        let asks = |account: &Arc<Account>| account.settings.allow.iter().any(|rule| rule.namespace_selector.is_some());
        self.read().accounts.get(account).is_some_and(asks)
    }

    /// Where the labels of namespaces are noted when they are read.
    pub fn labels(&self) -> &NamespaceLabels {
        &self.labels
    }

    /// The account that this object may use, checked against the allow-list. `recorded` is the region in the object's status: it was fixed
    /// when the object was admitted, and does not move with the configuration.
    pub fn access(&self, namespace: &str, spec: &RdsBackupSpec, recorded: Option<&str>) -> Result<Access, AccountError> {
        let (account, region, regions) = self.read().allowed(namespace, &self.labels.of(namespace), spec, recorded)?;
        let id = || self.next_connection.fetch_add(1, Ordering::Relaxed);
        let connection = account.connection(namespace, id, || (self.sources)(&account.settings, Some(namespace)));
        let permit = StillAllowed {
            current: self.current.clone(),
            labels: self.labels.clone(),
            connection: connection.clone(),
            account: spec.account.clone(),
            namespace: namespace.to_owned(),
            instance: spec.db_instance_id.clone(),
            regions: regions.clone(),
        };
        let client = account.client(&connection, &region, &self.deps, &self.durations)?.under(namespace, Arc::new(permit));
        Ok(Access { account, connection, client, region_id: region, regions, namespace: namespace.to_owned() })
    }

    /// An administrator's view of the whole account in one region, the account's own by default: for listings that no object asks for. No
    /// allow-list is asked, because whoever has the configuration and its key has the account; nothing but reads leaves through it.
    ///
    /// # Errors
    /// There is no such account, it has no key of its own, or the region leads to no host.
    pub fn read_only(&self, name: &str, region: Option<&str>) -> Result<ReadOnlyAccess, ReadOnlyError> {
        let account = self.read().accounts.get(name).cloned();
        let account = account.ok_or_else(|| ReadOnlyError::Unknown { name: name.to_owned(), known: self.names() })?;
        if account.settings.credentials.is_of_tenants() {
            return Err(ReadOnlyError::OfTenants { account: account.name.clone() });
        }
        let region = region.unwrap_or(&account.settings.region_id).to_owned();
        let id = || self.next_connection.fetch_add(1, Ordering::Relaxed);
        let connection = account.connection("", id, || (self.sources)(&account.settings, None));
        let client = account.client(&connection, &region, &self.deps, &self.durations)?;
        Ok(ReadOnlyAccess::new(name, connection, &client, region))
    }

    /// Whether the object may use its account, and the account is not paused.
    pub fn admit(&self, namespace: &str, spec: &RdsBackupSpec, recorded: Option<&str>) -> bool {
        let usable = |(account, region, _): (Arc<Account>, String, AllowedRegions)| {
            !account.paused() && account.settings.endpoint_of(&region).is_ok()
        };
        self.read().allowed(namespace, &self.labels.of(namespace), spec, recorded).is_ok_and(usable)
    }

    /// Whether an object of this namespace may use the instance, under any account and in any region, if the labels of the namespace are as
    /// the rules want them.
    pub fn opens(&self, namespace: &str, instance: &str) -> bool {
        self.read().accounts.values().any(|account| account.settings.allow.iter().any(|rule| rule.may_open(namespace, instance)))
    }

    /// The waits of an account's submission protocol; the defaults if the account is unknown.
    pub fn protocol(&self, name: &str) -> Protocol {
        self.read().accounts.get(name).map_or_else(Protocol::default, |account| account.settings.protocol.clone())
    }

    /// How often the sets of an account are looked at; the defaults if the account is unknown.
    pub fn audit(&self, name: &str) -> Audit {
        self.read().accounts.get(name).map_or_else(Audit::default, |account| account.settings.audit.clone())
    }

    /// The accounts whose instances are counted, with their region and what they ask for.
    pub fn coverage(&self) -> Vec<(String, String, CoverageSettings)> {
        let of =
            |account: &Arc<Account>| Some((account.name.clone(), account.settings.region_id.clone(), account.settings.coverage.clone()?));
        self.read().accounts.values().filter_map(of).collect()
    }

    /// Every account, and its clients that were used, for the metrics.
    pub fn facts(&self) -> Vec<AccountFacts> {
        self.read().accounts.values().map(|account| account.facts()).collect()
    }

    /// How long the calls of all clients took.
    pub fn call_durations(&self) -> &CallDurations {
        &self.durations
    }

    /// The names of all accounts.
    pub fn names(&self) -> Vec<String> {
        self.read().accounts.keys().cloned().collect()
    }

    /// As how many accounts they count that call the service at the same time.
    pub fn count(&self) -> usize {
        let weight = |account: &Arc<Account>| if account.settings.credentials.is_of_tenants() { TENANTS_AT_A_TIME } else { 1 };
        self.read().accounts.values().map(weight).sum()
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// What follows it with these settings, and what that changes.
    fn followed_by(
        &self,
        settings: BTreeMap<String, AccountSettings>,
        submissions: Submissions,
        sources: impl Fn(&AccountSettings, Option<&str>) -> Source,
        next_connection: &AtomicU64,
    ) -> (Self, AccountChanges) {
        let all_paused = submissions == Submissions::Paused;
        let mut next = Self { accounts: BTreeMap::new() };
        let mut changes = AccountChanges::default();
        for (name, settings) in settings {
            let paused = all_paused || settings.submissions == Submissions::Paused;
            let before = self.accounts.get(&name);
            let account = match before {
                Some(before) if before.settings == settings && before.paused() == paused => before.clone(),
                _ => {
                    if before.is_some() { &mut changes.changed } else { &mut changes.added }.push(name.clone());
                    let id = next_connection.fetch_add(1, Ordering::Relaxed);
                    Arc::new(Account::after(before, name.clone(), settings, paused, id, |settings| sources(settings, None)))
                }
            };
            next.accounts.insert(name, account);
        }
        changes.removed = self.accounts.keys().filter(|name| !next.accounts.contains_key(*name)).cloned().collect();
        (next, changes)
    }

    /// The account that the object may use, the region that is asked, and the regions that the allow-list opens to the object.
    fn allowed(
        &self,
        namespace: &str,
        labels: &Result<Arc<Labels>, String>,
        spec: &RdsBackupSpec,
        recorded: Option<&str>,
    ) -> Result<(Arc<Account>, String, AllowedRegions), AccountError> {
        let account = self
            .accounts
            .get(&spec.account)
            .ok_or_else(|| AccountError::Unknown { name: spec.account.chars().take(63).collect(), nearest: self.nearest(&spec.account) })?;
        let region = recorded.or(spec.region_id.as_deref()).unwrap_or(&account.settings.region_id);
        let (rules, instance) = (&account.settings.allow, spec.db_instance_id.as_str());
        let regions = AllowedRegions::of(rules, namespace, labels.as_deref().ok(), instance);
        if !regions.allow(Some(region)) {
            if let Err(why) = labels
                && AllowedRegions::at_most(rules, namespace, instance).allow(Some(region))
            {
                return Err(AccountError::LabelsUnread {
                    account: account.name.clone(),
                    namespace: namespace.to_owned(),
                    why: why.clone(),
                });
            }
            return Err(AccountError::NotAllowed {
                account: account.name.clone(),
                namespace: namespace.to_owned(),
                instance: spec.db_instance_id.clone(),
                region: region.to_owned(),
            });
        }
        Ok((account.clone(), region.to_owned(), regions))
    }

    /// The account whose name differs least, by a third of its letters at most.
    fn nearest(&self, name: &str) -> Option<String> {
        let distances = self.accounts.keys().map(|known| (strsim::osa_distance(name, known), known));
        let (distance, nearest) = distances.min()?;
        (distance <= 1 + nearest.chars().count() / 3).then(|| nearest.clone())
    }
}

/// What an [`Access`] was given out for.
struct StillAllowed {
    current: Arc<RwLock<Current>>,
    labels: NamespaceLabels,
    connection: Arc<Connection>,
    account: String,
    namespace: String,
    instance: String,
    regions: AllowedRegions,
}

impl StillAllowed {
    /// The account as it is now, where it has the same connection and opens the same regions to the object. With others everything has to
    /// be decided anew, also what they happen to allow.
    fn unchanged(&self) -> Option<Arc<Account>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let account = current.accounts.get(&self.account)?;
        let labels = self.labels.of(&self.namespace);
        let regions = AllowedRegions::of(&account.settings.allow, &self.namespace, labels.as_deref().ok(), &self.instance);
        let same = account.known_connection(&self.namespace).is_some_and(|known| Arc::ptr_eq(&known, &self.connection));
        (same && regions == self.regions).then(|| account.clone())
    }
}

impl Permit for StillAllowed {
    fn reads(&self) -> bool {
        self.unchanged().is_some()
    }

    fn creates(&self) -> bool {
        self.unchanged().is_some_and(|account| !account.paused())
    }
}

#[cfg(test)]
mod tests;
