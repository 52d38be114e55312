use jiff::SignedDuration;

use super::{BackupMethod, BackupStrategy, BackupType, RdsBackupSpec, Span};

impl RdsBackupSpec {
    /// `queueTimeout`, or its default of 2 hours; the default also for one that cannot be read.
    pub fn queue_timeout(&self) -> SignedDuration {
        self.queue_timeout.as_ref().and_then(|span| span.get().ok()).unwrap_or(SignedDuration::from_hours(2))
    }

    /// Checks the spec. The error names the field and the cure.
    ///
    /// The CRD states the same rules. They are checked again because an older CRD may still be installed, and because a schedule's template
    /// becomes an RdsBackup only at its next slot: a mistake would be reported too late.
    pub fn check(&self) -> Result<(), String> {
        let Self {
            db_instance_id,
            region_id: _,
            account: _,
            method,
            strategy,
            databases,
            backup_type,
            retention_days,
            resource_group_id: _,
            queue_timeout,
            timeout,
            retry,
            not_after: _,
        } = self;

        if db_instance_id.is_empty() || !db_instance_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err("dbInstanceId: write the id of the instance, for example rm-uf6wjk5xxxx".into());
        }
        let single_databases = *strategy == Some(BackupStrategy::Db);
        if single_databases == databases.is_empty() {
            return Err("databases and strategy: db belong together: give both, or neither".into());
        }
        if databases.iter().any(|name| name.is_empty() || name.contains(|c: char| c == ',' || c.is_whitespace())) {
            return Err("databases: write one name per item, without commas and blanks".into());
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
        let backoff = retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        let spans = [("queueTimeout", queue_timeout.as_ref()), ("timeout", timeout.as_ref()), ("retry.backoff", backoff)];
        spans
            .into_iter()
            .filter_map(|(field, span)| Some((field, span?)))
            .try_for_each(|(field, span): (&str, &Span)| span.get().map(drop).map_err(|error| format!("{field}: {error}")))
    }
}
