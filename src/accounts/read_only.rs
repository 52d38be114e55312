//! An administrator's view of one account: listings that no object of Kubernetes asks for. Nothing but reads leaves through it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{account::Connection, credentials::CredentialsError, error::AccountError};
use crate::{
    rds::{Answer, CallError, Client, ErrorClass, ErrorKind, InstanceId, ListedInstance, Permit, SetList, SetQuery},
    rpc::Credentials,
};

/// A call that finds a pause, a fault that passes or no connection is made so often altogether: a listing of 200 instances must not end
/// because one answer was lost.
const MOST_ATTEMPTS: u32 = 5;

/// The pause before the second attempt, where the service names none. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The right to read whatever an account has in one region. A CreateBackup or a DeleteBackup cannot leave through its client.
pub struct ReadOnlyAccess {
    account: String,
    connection: Arc<Connection>,
    client: Client,
    region_id: String,
}

/// Why an account cannot be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadOnlyError {
    /// The configuration has no account of this name.
    #[error("--account {name}: the configuration has no such account; it has {}", known.join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that it has.
        known: Vec<String>,
    },
    /// Each namespace has a key of its own.
    #[error(
        "--account {account}: its credentials are of type TenantSecret, so it has no key of its own that could list its instances: name an account with credentials of another type"
    )]
    OfTenants {
        /// The account.
        account: String,
    },
    /// The region leads to no host, or the client could not be built.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// Why a listing has no result. It names the right that is missing, where one is.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// There is no key.
    #[error("account {account}: {source}")]
    Credentials {
        /// The account.
        account: String,
        /// Why there is none.
        source: CredentialsError,
    },
    /// The key may not make the call.
    #[error(
        "the access key of account {account} may not call rds:{action} in region {region}: attach a policy with that action to its RAM user or role (deploy/ram/coverage.json). The service says: {problem}"
    )]
    Forbidden {
        /// The account.
        account: String,
        /// The call, as RAM policies name it after `rds:`.
        action: &'static str,
        /// The region.
        region: String,
        /// The service's words.
        problem: String,
    },
    /// The call has no result.
    #[error("{action} of account {account} in region {region}: {problem}")]
    Call {
        /// The account.
        account: String,
        /// The call.
        action: &'static str,
        /// The region.
        region: String,
        /// Why.
        problem: CallError,
    },
}

/// Reads may leave, and nothing else, whatever the configuration says of the account.
struct ReadsOnly;

impl Permit for ReadsOnly {
    fn reads(&self) -> bool {
        true
    }

    fn creates(&self) -> bool {
        false
    }
}

impl ReadOnlyAccess {
    pub(super) fn new(account: &str, connection: Arc<Connection>, client: &Client, region_id: String) -> Self {
        Self { account: account.to_owned(), connection, client: client.under("", Arc::new(ReadsOnly)), region_id }
    }

    /// The name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region.
    pub fn region_id(&self) -> &str {
        &self.region_id
    }

    /// DescribeDBInstances: the instances of the region that have all of these tags, in the order of their ids. One listing for each tag:
    /// the service does not publish whether several tags in one request narrow it or widen it.
    ///
    /// # Errors
    /// The listing may not be whole, or has no result.
    pub async fn instances(&self, tags: &[(String, String)]) -> Result<Vec<ListedInstance>, ReadFailure> {
        let mut found = self.with_tag(tags.first().cloned()).await?;
        for tag in tags.iter().skip(1) {
            let also: BTreeSet<InstanceId> = self.with_tag(Some(tag.clone())).await?.into_iter().map(|listed| listed.instance.id).collect();
            found.retain(|listed| also.contains(&listed.instance.id));
        }
        Ok(found)
    }

    async fn with_tag(&self, tag: Option<(String, String)>) -> Result<Vec<ListedInstance>, ReadFailure> {
        let call = move |client: Client, credentials: Credentials| {
            let tag = tag.clone();
            async move {
                let tag = tag.as_ref().map(|(key, value)| (key.as_str(), value.as_str()));
                client.describe_instances(&credentials, tag).await
            }
        };
        self.read("DescribeDBInstances", call).await
    }

    /// DescribeBackups, all pages.
    ///
    /// # Errors
    /// The listing may not be whole, or has no result.
    pub async fn sets(&self, query: &SetQuery) -> Result<SetList, ReadFailure> {
        let query = query.clone();
        let call = move |client: Client, credentials: Credentials| {
            let query = query.clone();
            async move { client.describe_backups(&credentials, &query).await }
        };
        self.read("DescribeBackups", call).await
    }

    /// Makes a call until it has a result, or an error that no repetition cures. A refused key is read anew once: it may have been rotated.
    // The calls own what they need: a future of a closure that borrows cannot be given to a task.
    async fn read<T, F: Future<Output = Result<Answer<T>, CallError>>>(
        &self,
        action: &'static str,
        call: impl Fn(Client, Credentials) -> F,
    ) -> Result<T, ReadFailure> {
        let no_key = |source| ReadFailure::Credentials { account: self.account.clone(), source };
        let mut credentials = self.connection.credentials().await.map_err(no_key)?;
        let mut renewed = false;
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            let error = match call(self.client.clone(), credentials.clone()).await {
                Ok(answer) => return Ok(answer.value),
                Err(error) => error,
            };
            let refused = matches!(&error, CallError::Api(error) if error.refuses_credentials());
            if refused && !renewed {
                renewed = true;
                if let Some(found) = self.connection.instead_of(&credentials).await {
                    credentials = found;
                    continue;
                }
            }
            match wait_of(&error).filter(|_| attempt < MOST_ATTEMPTS) {
                Some(asked) => tokio::time::sleep(asked.max(pause)).await,
                None => return Err(self.failure(action, error)),
            }
            (attempt, pause) = (attempt + 1, pause.saturating_mul(2));
        }
    }

    fn failure(&self, action: &'static str, error: CallError) -> ReadFailure {
        let (account, region) = (self.account.clone(), self.region_id.clone());
        match error {
            CallError::Api(error) if error.kind() == ErrorKind::AccessDenied => {
                ReadFailure::Forbidden { account, action, region, problem: error.to_string() }
            }
            problem => ReadFailure::Call { account, action, region, problem },
        }
    }
}

/// How long to wait before the call is made again, at least; none for an error that does not pass.
fn wait_of(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Paused { wait } => Some(*wait),
        CallError::Api(error) if error.kind() == ErrorKind::Throttled || error.meaning().class == ErrorClass::Retry => {
            Some(error.retry_after.unwrap_or_default())
        }
        CallError::NotSent { .. } | CallError::Lost { .. } => Some(Duration::ZERO),
        CallError::Api(_) | CallError::Unusable { .. } | CallError::Withdrawn | CallError::NoInstance => None,
    }
}

#[cfg(test)]
mod tests;
