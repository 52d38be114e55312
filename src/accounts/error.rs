use crate::{
    api::Reason,
    rpc::{ClientError, RegionError},
};

/// Why an account cannot be used. An administrator or the author of the object has to act on each of these, so each is Stalled.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The configuration has no account of this name.
    #[error(
        "account {name:?} is not in the operator's configuration, which has: {known}. Correct spec.account, or ask an administrator to add it"
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names in the configuration.
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
    /// The region does not lead to a host.
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
