//! What a valid spec asks for.

use jiff::SignedDuration;

use crate::{
    api::{BackupMethod, BackupStrategy, BackupType, RdsBackupSpec, Span},
    rds::{BackupId, CreateBackup, InstanceId},
};

/// What a valid spec asks for. After it nothing reads the raw spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedSpec {
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
    /// The set that is taken in; then nothing is requested.
    pub existing: Option<BackupId>,
    /// How young a backup that is there must be to be enough.
    pub reuse_if_newer_than: Option<SignedDuration>,
}

impl ValidatedSpec {
    /// Checks the spec; the error says which field is wrong and what to write instead.
    pub fn from_spec(spec: &RdsBackupSpec) -> Result<Self, String> {
        spec.check()?;
        Ok(Self::as_sent(spec))
    }

    /// What a request asked for that may have left. The rules are not checked: they may be stricter now than they were then.
    pub fn as_sent(spec: &RdsBackupSpec) -> Self {
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
            queue_timeout: _,
            timeout,
            retry,
            not_after: _,
            existing_backup_id,
            reuse_if_newer_than,
            ttl: _,
            deletion_policy: _,
            cleanup_deadline: _,
        } = spec;
        // The service takes a strategy only with these two, and refuses others for it. Without one it backs up the whole instance.
        let takes_strategy = *method == Some(BackupMethod::Logical) || *backup_type == Some(BackupType::FullBackup);
        let strategy = strategy.filter(|strategy| *strategy == BackupStrategy::Db || takes_strategy);
        let retry_backoff = retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        Self {
            request: CreateBackup {
                instance: InstanceId::new(db_instance_id),
                method: method.map(|method| method.as_str().to_owned()),
                strategy: strategy.map(|strategy| strategy.as_str().to_owned()),
                databases: databases.clone(),
                backup_type: backup_type.map(|kind| kind.as_str().to_owned()),
                retention_days: retention_days.map(i64::from),
                resource_group_id: resource_group_id.clone(),
            },
            queue_timeout: queue_timeout(spec),
            timeout: span(timeout.as_ref(), SignedDuration::from_hours(24)),
            retry_limit: retry.as_ref().map_or(0, |retry| retry.limit.clamp(0, 10)),
            retry_backoff: span(retry_backoff, SignedDuration::from_mins(5)),
            existing: existing_backup_id.as_ref().map(BackupId::new),
            reuse_if_newer_than: reuse_if_newer_than.as_ref().and_then(|age| age.get().ok()),
        }
    }
}

/// `spec.queueTimeout`, also of a spec that is wrong otherwise.
pub(super) fn queue_timeout(spec: &RdsBackupSpec) -> SignedDuration {
    spec.queue_timeout()
}

fn span(given: Option<&Span>, default: SignedDuration) -> SignedDuration {
    given.and_then(|span| span.get().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strategy_is_sent_where_the_service_takes_one() {
        for (fields, sent) in [
            (r#""strategy":"instance""#, None),
            (r#""strategy":"instance","method":"Physical""#, None),
            (r#""strategy":"instance","method":"Logical""#, Some("instance")),
            (r#""strategy":"instance","method":"Physical","type":"FullBackup""#, Some("instance")),
            (r#""strategy":"instance","method":"Physical","type":"Auto""#, None),
            (r#""strategy":"db","method":"Logical","databases":["a"]"#, Some("db")),
            (r#""method":"Logical""#, None),
        ] {
            let spec: RdsBackupSpec = serde_json::from_str(&format!(r#"{{"dbInstanceId":"rm-1",{fields}}}"#)).unwrap();
            let request = ValidatedSpec::from_spec(&spec).unwrap().request;
            assert_eq!(request.strategy.as_deref(), sent, "{fields}");
        }
    }
}
