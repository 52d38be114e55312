//! What a valid spec asks for.

use jiff::SignedDuration;

use crate::{
    api::{BackupMethod, BackupStrategy, BackupType, RdsBackupSpec, Span},
    rds::{CreateBackup, InstanceId},
};

/// What a valid spec asks for. After it nothing reads the raw spec.
///
/// The CRD states the same rules; they are checked again because an older CRD may still be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The one request that makes the backup.
    pub request: CreateBackup,
    /// `spec.queueTimeout`, or 2 hours.
    pub queue_timeout: SignedDuration,
    /// `spec.timeout`, or 24 hours: backups of 16 hours have been seen.
    pub timeout: SignedDuration,
    /// How many runs may follow a failed one.
    pub retry_limit: i32,
    /// The wait between a failed job and the next run.
    pub retry_backoff: SignedDuration,
}

impl Plan {
    /// Checks the spec; the error says which field is wrong and what to write instead.
    pub fn from_spec(spec: &RdsBackupSpec) -> Result<Self, String> {
        let RdsBackupSpec {
            db_instance_id,
            region_id: _,
            account: _,
            method,
            strategy,
            databases,
            backup_type,
            retention_days,
            resource_group_id,
            queue_timeout,
            timeout,
            retry,
        } = spec;

        if db_instance_id.is_empty() || !db_instance_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err("dbInstanceId: write the id of the instance, for example rm-uf6wjk5xxxx".into());
        }
        let single_databases = *strategy == Some(BackupStrategy::Db);
        if single_databases == databases.is_empty() {
            return Err("databases and strategy: db belong together: give both, or neither".into());
        }
        if databases.iter().any(|name| name.is_empty() || name.contains(|c: char| c == ',' || c.is_whitespace())) {
            return Err("databases: each name stands alone, without commas and blanks".into());
        }
        let full = *backup_type == Some(BackupType::FullBackup);
        if single_databases && *method != Some(BackupMethod::Logical) && !full {
            return Err("strategy: db needs method: Logical, or method: Physical with type: FullBackup".into());
        }
        if backup_type.is_some() && !matches!(method, None | Some(BackupMethod::Physical)) {
            return Err("type exists only for physical backups: set method: Physical or remove type".into());
        }
        if strategy.is_some() && *method == Some(BackupMethod::Snapshot) {
            return Err("a snapshot holds the whole instance: remove strategy and databases".into());
        }
        if retention_days.is_some_and(|days| days != -1 && !(7..=730).contains(&days)) {
            return Err("retentionDays is 7 to 730, or -1".into());
        }
        let span = |field: &str, span: &Option<Span>, default: SignedDuration| match span {
            Some(span) => span.get().map_err(|error| format!("{field}: {error}")),
            None => Ok(default),
        };
        Ok(Self {
            request: CreateBackup {
                instance: InstanceId::new(db_instance_id),
                method: method.map(|method| method.as_str().to_owned()),
                strategy: strategy.map(|strategy| strategy.as_str().to_owned()),
                databases: databases.clone(),
                backup_type: backup_type.map(|kind| kind.as_str().to_owned()),
                retention_days: retention_days.map(i64::from),
                resource_group_id: resource_group_id.clone(),
            },
            queue_timeout: span("queueTimeout", queue_timeout, SignedDuration::from_hours(2))?,
            timeout: span("timeout", timeout, SignedDuration::from_hours(24))?,
            retry_limit: retry.as_ref().map_or(0, |retry| retry.limit.clamp(0, 10)),
            retry_backoff: match retry {
                Some(retry) => span("retry.backoff", &retry.backoff, SignedDuration::from_mins(5))?,
                None => SignedDuration::from_mins(5),
            },
        })
    }
}
