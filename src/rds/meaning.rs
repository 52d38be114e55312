//! The meanings that an error can have.

use std::fmt;

use serde::Deserialize;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum ErrorKind {
    /// No such instance in this region, or not of this account.
    InstanceNotFound,
    /// No such region, or not at this host; or the region closes.
    RegionUnavailable,
    /// What answers is not ApsaraDB RDS, or not as this client asks.
    WrongEndpoint,
    /// The engine or the disk of the instance does not allow this kind of backup.
    UnsupportedMethod,
    /// The role, class or version of the instance allows no backup at all, or the set may not be deleted.
    UnsupportedInstance,
    /// The request itself is wrong.
    InvalidParameter,
    /// The RAM user or role may not do this.
    AccessDenied,
    /// The service does not allow it here, whatever RAM says, and does not publish why.
    DeniedByService,
    /// The KMS key that encrypts the instance cannot be used.
    EncryptionKey,
    /// The access key, its secret or its token is wrong.
    InvalidCredentials,
    /// The token has ended. There may be a new one already: credentials are read again within a minute.
    TokenExpired,
    /// The cloud account is blocked: billing, identity, risk control.
    AccountProblem,
    /// Another backup job runs on the instance. An earlier copy of this very request may have started it.
    BackupJobExists,
    /// The instance is in a state, or a lock, that passes.
    InstanceNotReady,
    /// A database of the request does not exist, or is in a state that passes: the service has one code for both.
    DatabaseNotReady,
    /// The backups of the day are used up.
    DailyLimit,
    /// Too many calls.
    Throttled,
    /// The request's time is too far from the service's.
    ClockSkew,
    /// The service has seen the nonce before: the network delivered a copy of this request earlier.
    NonceUsed,
    /// The service failed, and may have done something before.
    ServiceFault,
    /// A code that is not in our table.
    Unrecognised,
}

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// The author of the object or of the configuration.
    Config,
    /// The owner of the cloud account: permissions, keys, billing.
    Account,
    /// No one: a fault of the service or the network, which passes.
    Retry,
    /// No one: the instance is busy or in a state that passes.
    Wait,
    /// No one: the service's limit of backups per day.
    Quota,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "config",
            Self::Account => "account",
            Self::Retry => "retry",
            Self::Wait => "wait",
            Self::Quota => "quota",
        })
    }
}

/// Whether a CreateBackup that was answered with an error made a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Created {
    /// The request made none.
    Nothing,
    /// It may have made one. In doubt this is the answer, because a second backup is worse than a late one.
    Unknown,
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Its subject.
    pub kind: ErrorKind,
    /// Who has to act on it.
    pub class: ErrorClass,
    /// What it says about the backup.
    pub created: Created,
    /// What to do, as a sentence without its full stop.
    pub cure: &'static str,
}
