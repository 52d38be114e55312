//! Takes another configuration while the operator runs: nothing is restarted, and what did not change goes on as it was.

use std::{collections::BTreeMap, sync::Arc};

use tracing::warn;

use crate::{
    accounts::{AccountChanges, AccountSettings},
    backup,
    config::Config,
    metrics::ConfigState,
};

/// What a running operator takes another configuration with.
#[derive(Clone)]
pub struct Live {
    backups: Arc<backup::Context>,
    state: Arc<ConfigState>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The accounts that it concerns.
    pub accounts: AccountChanges,
    /// How many unfinished RdsBackups name one of them: they are decided anew now.
    pub woken: usize,
}

impl Live {
    pub(super) fn new(backups: Arc<backup::Context>, state: Arc<ConfigState>) -> Self {
        Self { backups, state }
    }

    /// Puts a checked configuration in force. When this returns nothing leaves any more that it does not allow.
    pub fn take(&self, config: Config) -> Taken {
        // Taken apart without `..`: a new setting does not compile until somebody has decided how it changes while the operator runs.
        let Config { submissions, accounts: settings, metrics } = config;
        let Self { backups, state } = self;
        let by_name = settings.clone();
        let accounts = backups.accounts.replace(settings, submissions);
        warn_of_unusable(&by_name, |name| accounts.concern(name));
        backups.counts.accounts_are(backups.accounts.names());
        state.taken(metrics, backups.clock.now());
        let woken = backups.decide_again_where(|object| accounts.concern(&object.spec.account));
        Taken { accounts, woken }
    }

    /// The file has the configuration again that is in force.
    pub(super) fn restore(&self) {
        self.state.restored();
    }

    /// The file has no valid configuration: the one that is in force stays.
    pub(super) fn reject(&self) {
        self.state.rejected();
    }
}

/// An account with an empty allow-list is valid, but most likely a mistake.
pub(super) fn warn_of_unusable(accounts: &BTreeMap<String, AccountSettings>, concerns: impl Fn(&str) -> bool) {
    for (name, settings) in accounts {
        if settings.allow.is_empty() && concerns(name) {
            warn!(account = name.as_str(), "the account's allow-list is empty: no namespace may use the account");
        }
    }
}
