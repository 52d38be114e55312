//! The OIDC providers and roles that there are.

use std::time::Duration;

use super::token::Issuer;

/// An OIDC provider of the cloud account.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its ARN.
    pub arn: String,
    /// Whose tokens it takes.
    pub issuer: Issuer,
    /// Its client ids: for which audiences a token may be.
    pub audiences: Vec<String>,
}

/// A RAM role.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Who may assume it.
    pub trust: Vec<Trust>,
    /// The longest session.
    pub longest_session: Duration,
}

impl Role {
    /// A role whose sessions last an hour at most.
    pub fn new(arn: &str, trust: Vec<Trust>) -> Self {
        Self { arn: arn.to_owned(), trust, longest_session: Duration::from_secs(3600) }
    }
}

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// A ServiceAccount, by a token of a provider.
    ServiceAccount {
        /// The provider's ARN.
        provider: String,
        /// `sub`
        subject: String,
    },
    /// Whoever has this access key, or a key of this role.
    Principal {
        /// The id of an access key, or the ARN of a role.
        principal: String,
        /// `ExternalId` that must be sent.
        external_id: Option<String>,
    },
}
