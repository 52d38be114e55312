use crate::{
    api::Reason,
    rpc::{ClientError, RegionError},
};

/// Why an account cannot be used. An administrator or the author of the object has to act on each of these, so each is Stalled.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The configuration has no account of this name.
    #[error(
        "account {name:?} is not in the operator's configuration{}. Correct spec.account, or ask an administrator to add it", suggested(nearest.as_deref())
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The name in the configuration that differs least, where it is alike: the other tenants' accounts are not told.
        nearest: Option<String>,
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
    /// A rule of the account's allow-list asks for labels of the namespace, and they are not known.
    #[error(
        "account {account:?} allows namespaces by their labels, and the labels of namespace {namespace:?} cannot be read: {why}. Nothing is sent until they can be"
    )]
    LabelsUnread {
        /// The account.
        account: String,
        /// The object's namespace.
        namespace: String,
        /// Why not.
        why: String,
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

fn suggested(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; the nearest is {name:?}"))
}

impl AccountError {
    /// The reason that the object shows.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unknown { .. } => Reason::AccountNotFound,
            Self::NotAllowed { .. } | Self::LabelsUnread { .. } => Reason::NotAllowed,
            Self::Region(_) | Self::Client { .. } => Reason::InvalidSpec,
        }
    }
}
