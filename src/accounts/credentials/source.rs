use std::sync::Arc;

use super::{
    environment,
    error::CredentialsError,
    refresh::{RefreshCount, Refresher},
    secret::SecretReader,
};
use crate::rpc::Credentials;

/// The source of one account's credentials.
#[expect(clippy::large_enum_variant, reason = "there is one for each account")]
pub enum Source {
    /// Credentials that were read once.
    Fixed(Result<Credentials, CredentialsError>),
    /// A Secret, read when it is used.
    Secret(SecretReader),
    /// Keys that end, renewed before they do. Accounts with the same source share one.
    Refreshed(Arc<Refresher>),
}

impl Source {
    /// A Secret.
    pub fn secret(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self::Secret(SecretReader::new(client, namespace, name))
    }

    /// The operator's environment, of which `lookup` reads one variable. It is read once, now.
    pub fn environment(lookup: impl Fn(&'static str) -> Option<String>) -> Self {
        Self::Fixed(environment::read(lookup))
    }

    /// The credentials: of a Secret at most 60 s old, and never ones that have ended.
    pub(in crate::accounts) async fn get(&self) -> Result<Credentials, CredentialsError> {
        match self {
            Self::Fixed(credentials) => credentials.clone(),
            Self::Secret(reader) => reader.get().await,
            Self::Refreshed(refresher) => refresher.get().await,
        }
    }

    /// What became of the exchanges for them; nothing of keys that need none.
    pub(in crate::accounts) fn refreshes(&self) -> Vec<RefreshCount> {
        match self {
            Self::Fixed(_) | Self::Secret(_) => Vec::new(),
            Self::Refreshed(refresher) => refresher.counts(),
        }
    }

    /// Makes the next [`Source::get`] read again, if `refused` is what was read last. If not, another caller has done so already.
    pub(in crate::accounts) async fn forget(&self, refused: &Credentials) {
        match self {
            Self::Fixed(_) => {}
            Self::Secret(reader) => reader.forget(refused).await,
            Self::Refreshed(refresher) => refresher.forget(refused).await,
        }
    }
}
