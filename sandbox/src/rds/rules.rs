//! Which backup of which instance may be asked for. Codes and texts are the documented ones.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Engine, InstanceSpec};
use super::error::ApiError;

/// `BackupMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Logical,
    Physical,
    Snapshot,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Logical => "Logical",
            Self::Physical => "Physical",
            Self::Snapshot => "Snapshot",
        }
    }
}

/// `BackupType` of SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackupType {
    Auto,
    Full,
}

/// What a CreateBackup asks for, read from its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) method: Method,
    /// Whether `BackupStrategy` was sent at all.
    pub(super) strategy: bool,
    /// The databases of the strategy `db`; the whole instance if there are none.
    pub(super) databases: Vec<String>,
    pub(super) backup_type: Option<BackupType>,
    pub(super) retention: Option<i32>,
}

/// Reads the parameters, and refuses values that no instance would take.
pub(super) fn wanted(parameters: &BTreeMap<String, String>) -> Result<Wanted, ApiError> {
    let value = |name: &str| parameters.get(name).map(String::as_str);
    let method = match value("BackupMethod") {
        // An absent method is the documented default, which a cloud disk of MySQL refuses like the word itself.
        None | Some("Physical") => Method::Physical,
        Some("Logical") => Method::Logical,
        Some("Snapshot") => Method::Snapshot,
        Some(_) => return Err(method_not_supported()),
    };
    let backup_type = match value("BackupType") {
        None => None,
        Some("Auto") => Some(BackupType::Auto),
        Some("FullBackup") => Some(BackupType::Full),
        Some(_) => return Err(type_not_supported()),
    };
    let databases = match (value("BackupStrategy"), value("DBName")) {
        (None | Some("instance"), None) => Vec::new(),
        (Some("db"), Some(names)) => database_names(names)?,
        (Some("db"), None) => return Err(ApiError::missing("DBName")),
        (None | Some("instance"), Some(_)) => return Err(ApiError::invalid("DBName")),
        (Some(_), _) => return Err(ApiError::invalid("BackupStrategy")),
    };
    let retention = match value("BackupRetentionPeriod").map(str::parse::<i32>) {
        None => None,
        Some(Ok(days)) if days == -1 || (7..=730).contains(&days) => Some(days),
        Some(_) => return Err(ApiError::invalid("BackupRetentionPeriod")),
    };
    Ok(Wanted { method, strategy: value("BackupStrategy").is_some(), databases, backup_type, retention })
}

/// One text with commas. The old rule of sixteen lower-case characters is not enforced: real names are longer today.
fn database_names(list: &str) -> Result<Vec<String>, ApiError> {
    let well_formed = |name: &&str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(inner)
    };
    let names: Vec<&str> = list.split(',').collect();
    let distinct = names.iter().collect::<BTreeSet<_>>().len() == names.len();
    if !distinct || !names.iter().all(well_formed) {
        return Err(ApiError::new(400, "InvalidDBName.Format", "Specified DB name is not valid."));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Whether the instance's kind allows it, whatever state it is in.
pub(super) fn check_kind(spec: &InstanceSpec, wanted: &Wanted) -> Result<(), ApiError> {
    match spec.kind.as_str() {
        "Primary" => {}
        "Readonly" => return Err(read_only()),
        _ => {
            let message = "Current DB Instance character_type does not support this operation.";
            return Err(ApiError::new(403, "IncorrectDBInstanceCharacterType", message));
        }
    }
    let allowed = match (spec.engine, wanted.method) {
        // A logical backup dumps databases: without any there is nothing to dump.
        (Engine::MySQL, Method::Logical) => spec.local_disk() && !spec.databases.is_empty(),
        (Engine::MySQL, Method::Physical) => spec.local_disk(),
        (Engine::MySQL | Engine::PostgreSQL | Engine::SQLServer, Method::Snapshot) => !spec.local_disk(),
        (Engine::PostgreSQL | Engine::SQLServer | Engine::MariaDB, Method::Physical) => true,
        (Engine::PostgreSQL | Engine::SQLServer | Engine::MariaDB, Method::Logical) => false,
        // It makes snapshots and nothing else, but only under the name of Physical.
        (Engine::MariaDB, Method::Snapshot) => false,
    };
    if !allowed {
        return Err(method_not_supported());
    }
    if wanted.backup_type.is_some() && (spec.engine, wanted.method) != (Engine::SQLServer, Method::Physical) {
        return Err(type_not_supported());
    }
    let full_of_sql_server = spec.engine == Engine::SQLServer && wanted.backup_type == Some(BackupType::Full);
    let single_databases = full_of_sql_server || wanted.method == Method::Logical;
    if (!wanted.databases.is_empty() && !single_databases) || (wanted.strategy && wanted.method == Method::Snapshot) {
        return Err(ApiError::invalid("BackupStrategy"));
    }
    let retention = match spec.engine {
        Engine::MySQL => true,
        Engine::SQLServer => full_of_sql_server && !wanted.databases.is_empty(),
        Engine::PostgreSQL | Engine::MariaDB => false,
    };
    if wanted.retention.is_some() && !retention {
        return Err(ApiError::invalid("BackupRetentionPeriod"));
    }
    Ok(())
}

/// Whether the instance's state allows it now.
pub(super) fn check_state(spec: &InstanceSpec, wanted: &Wanted) -> Result<(), ApiError> {
    if spec.status != "Running" {
        return Err(ApiError::new(403, "IncorrectDBInstanceState", "Current DB instance state does not support this operation."));
    }
    if spec.lock_mode != "Unlock" {
        let message = "The Current DB instance lock mode does not support this operation.";
        return Err(ApiError::new(400, "IncorrectDBInstanceLockMode.ValueNotSupported", message));
    }
    if wanted.databases.iter().any(|name| !spec.databases.contains(name)) {
        return Err(ApiError::new(404, "InvalidDB.NotFound", "Specified db does not exist or DB status does not support this operation."));
    }
    Ok(())
}

/// What the list will say of the set.
pub(super) fn listed_method(engine: Engine, method: Method) -> Method {
    if engine == Engine::MariaDB { Method::Snapshot } else { method }
}

pub(super) fn read_only() -> ApiError {
    ApiError::new(400, "ReadDBInstanceNotSupport", "The operation is not permitted due to type of the instance.")
}

fn method_not_supported() -> ApiError {
    ApiError::new(400, "InvalidBackupMethod.ValueNotSupport", "The specified parameter \"BackupMethod\" is not valid.")
}

fn type_not_supported() -> ApiError {
    ApiError::new(400, "BackupType.NotSupport", "the specified backup type not support")
}

#[cfg(test)]
mod tests;
