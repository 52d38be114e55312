//! The names of the operator's objects in the cluster.

/// The operator's namespace, as `deploy/install/` makes it.
pub const NAMESPACE: &str = "rds-backup-system";
/// The operator's ServiceAccount, as `deploy/install/` makes it.
pub const SERVICE_ACCOUNT: &str = "rds-backup-operator";
/// The Secret that the account `default` reads, and that the role of `deploy/install/` names.
pub const SECRET: &str = "rds-access-key";
