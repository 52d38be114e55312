//! All accounts of the configuration that is in force, and what is allowed to objects at this moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use futures::future::join_all;
use tokio::sync::watch;

use super::{
    account::{Access, Account, AccountFacts, ClientDeps, Connection},
    allow::AllowedRegions,
    cloud_counts::CallDurations,
    credentials::{CredentialsError, Source},
    error::AccountError,
    settings::{AccountSettings, Submissions},
    waits::Protocol,
};
use crate::{api::RdsBackupSpec, rds::Permit, rpc::Credentials};

/// How many accounts' credentials are read at a time: one whose source does not answer holds up few others, and the sources of hundreds are
/// not all asked in one second.
const READ_AT_A_TIME: usize = 16;

/// All accounts of the configuration.
pub struct Accounts {
    current: Arc<RwLock<Current>>,
    sources: Box<dyn Fn(&AccountSettings) -> Source + Send + Sync>,
    deps: ClientDeps,
    durations: CallDurations,
    /// How often the accounts were replaced.
    replaced: watch::Sender<u64>,
}

/// What is in force.
struct Current {
    accounts: BTreeMap<String, Arc<Account>>,
    /// The id of the next connection.
    next_connection: u64,
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
        sources: impl Fn(&AccountSettings) -> Source + Send + Sync + 'static,
        deps: ClientDeps,
    ) -> Self {
        let none = Current { accounts: BTreeMap::new(), next_connection: 0 };
        let (current, _) = none.followed_by(settings, submissions, &sources);
        Self {
            current: Arc::new(RwLock::new(current)),
            sources: Box::new(sources),
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
            let (next, changes) = current.followed_by(settings, submissions, &self.sources);
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

    /// The credentials of each account, or why there are none. The reason holds no part of a credential.
    pub async fn credentials(&self) -> Vec<(String, Result<Credentials, CredentialsError>)> {
        let accounts: Vec<Arc<Account>> = self.read().accounts.values().cloned().collect();
        let mut all = Vec::with_capacity(accounts.len());
        for some in accounts.chunks(READ_AT_A_TIME) {
            all.extend(join_all(some.iter().map(|account| async { (account.name.clone(), account.credentials().await) })).await);
        }
        all
    }

    /// The account that this object may use, checked against the allow-list. `recorded` is the region in the object's status: it was fixed
    /// when the object was admitted, and does not move with the configuration.
    pub fn access(&self, namespace: &str, spec: &RdsBackupSpec, recorded: Option<&str>) -> Result<Access, AccountError> {
        let (account, region, regions) = self.read().allowed(namespace, spec, recorded)?;
        let permit = StillAllowed {
            current: self.current.clone(),
            connection: account.connection.clone(),
            account: spec.account.clone(),
            namespace: namespace.to_owned(),
            instance: spec.db_instance_id.clone(),
            regions: regions.clone(),
        };
        let client = account.client(&region, &self.deps, &self.durations)?.under(namespace, Arc::new(permit));
        Ok(Access { account, client, region_id: region, regions, namespace: namespace.to_owned() })
    }

    /// Whether the object may use its account, and the account is not paused.
    pub fn admit(&self, namespace: &str, spec: &RdsBackupSpec, recorded: Option<&str>) -> bool {
        let usable = |(account, region, _): (Arc<Account>, String, AllowedRegions)| {
            !account.paused() && account.settings.endpoint_of(&region).is_ok()
        };
        self.read().allowed(namespace, spec, recorded).is_ok_and(usable)
    }

    /// Whether an object of this namespace may use the instance, under any account and in any region.
    pub fn opens(&self, namespace: &str, instance: &str) -> bool {
        self.read().accounts.values().any(|account| account.settings.allow.iter().any(|rule| rule.opens(namespace, instance)))
    }

    /// The waits of an account's submission protocol; the defaults if the account is unknown.
    pub fn protocol(&self, name: &str) -> Protocol {
        self.read().accounts.get(name).map_or_else(Protocol::default, |account| account.settings.protocol.clone())
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

    /// How many accounts there are.
    pub fn count(&self) -> usize {
        self.read().accounts.len()
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
        sources: impl Fn(&AccountSettings) -> Source,
    ) -> (Self, AccountChanges) {
        let all_paused = submissions == Submissions::Paused;
        let mut next = Self { accounts: BTreeMap::new(), next_connection: self.next_connection };
        let mut changes = AccountChanges::default();
        for (name, settings) in settings {
            let paused = all_paused || settings.submissions == Submissions::Paused;
            let before = self.accounts.get(&name);
            let account = match before {
                Some(before) if before.settings == settings && before.paused() == paused => before.clone(),
                _ => {
                    if before.is_some() { &mut changes.changed } else { &mut changes.added }.push(name.clone());
                    let id = next.next_connection;
                    next.next_connection = id.saturating_add(1);
                    Arc::new(Account::after(before, name.clone(), settings, paused, id, &sources))
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
        spec: &RdsBackupSpec,
        recorded: Option<&str>,
    ) -> Result<(Arc<Account>, String, AllowedRegions), AccountError> {
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
        let same = Arc::ptr_eq(&account.connection, &self.connection)
            && AllowedRegions::of(&account.settings.allow, &self.namespace, &self.instance) == self.regions;
        same.then(|| account.clone())
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
