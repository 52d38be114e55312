use jiff::SignedDuration;

use super::{BackupMethod, BackupStrategy, BackupType, DeletionPolicy, RdsBackupSpec, Span};

/// The most letters that the id of an instance or of a resource group has in the CRD.
const LONGEST_ID: usize = 64;

impl RdsBackupSpec {
    /// `queueTimeout`, or its default of 2 hours; the default also for one that cannot be read.
    pub fn queue_timeout(&self) -> SignedDuration {
        self.queue_timeout.as_ref().and_then(|span| span.get().ok()).unwrap_or(SignedDuration::from_hours(2))
    }

    /// Whether the backup set is deleted with the object.
    pub fn deletes_set(&self) -> bool {
        self.deletion_policy == Some(DeletionPolicy::Delete)
    }

    /// `cleanupDeadline`, or its default of 8 days; the default also for one that cannot be read.
    pub fn cleanup_deadline(&self) -> SignedDuration {
        self.cleanup_deadline.as_ref().and_then(|span| span.get().ok()).unwrap_or(SignedDuration::from_hours(192))
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
            resource_group_id,
            queue_timeout,
            timeout,
            retry,
            not_after: _,
            ttl,
            deletion_policy,
            cleanup_deadline,
        } = self;

        let has_the_length_of_an_id = |id: &str| (1..=LONGEST_ID).contains(&id.len());
        if !has_the_length_of_an_id(db_instance_id) || !db_instance_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err("dbInstanceId: write the id of the instance, for example rm-uf6wjk5xxxx".into());
        }
        let is_of_an_id = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if resource_group_id.as_ref().is_some_and(|id| !has_the_length_of_an_id(id) || !id.bytes().all(is_of_an_id)) {
            return Err("resourceGroupId: write the id of the resource group, for example rg-acfmy5xxxx, or remove it".into());
        }
        let single_databases = *strategy == Some(BackupStrategy::Db);
        if single_databases == databases.is_empty() {
            return Err("databases and strategy: db belong together: give both, or neither".into());
        }
        let is_no_name = |name: &String| {
            name.is_empty() || name.chars().count() > 128 || name.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control())
        };
        if databases.len() > 100 || databases.iter().any(is_no_name) {
            return Err(
                "databases: write at most 100 names, each of at most 128 characters and without commas, blanks and control characters"
                    .into(),
            );
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
        if *deletion_policy == Some(DeletionPolicy::Delete) && *method == Some(BackupMethod::Logical) {
            return Err("the service never deletes a logical backup set on request: remove deletionPolicy or set it to Retain".into());
        }
        let length = |span: &Option<Span>| span.as_ref().and_then(|span| span.get().ok());
        if length(ttl).zip(length(timeout)).is_some_and(|(ttl, timeout)| ttl < timeout) {
            return Err("ttl is shorter than timeout: write a longer ttl".into());
        }
        let backoff = retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        let spans = [
            ("queueTimeout", queue_timeout.as_ref()),
            ("timeout", timeout.as_ref()),
            ("retry.backoff", backoff),
            ("ttl", ttl.as_ref()),
            ("cleanupDeadline", cleanup_deadline.as_ref()),
        ];
        spans
            .into_iter()
            .filter_map(|(field, span)| Some((field, span?)))
            .try_for_each(|(field, span): (&str, &Span)| span.get().map(drop).map_err(|error| format!("{field}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_and_no_name_is_refused_also_without_the_rules_of_the_crd() {
        let long = |letters: usize| "a".repeat(letters);
        let check = |fields: serde_json::Value| {
            let mut spec = serde_json::json!({ "dbInstanceId": "rm-1", "method": "Logical" });
            spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            serde_json::from_value::<RdsBackupSpec>(spec).unwrap().check()
        };
        let group = |id: &str| check(serde_json::json!({ "resourceGroupId": id }));
        for id in ["../rg-1", "rg-1&Action=DeleteBackup", "rg\n1", "rg 1", "", "rg-\u{430}", &long(65)] {
            assert!(group(id).is_err_and(|error| error.starts_with("resourceGroupId: ")), "{id:?}");
        }
        assert_eq!((group("rg-acfmy5xxxx"), group(&long(64))), (Ok(()), Ok(())));
        let databases = |names: &[&str]| check(serde_json::json!({ "strategy": "db", "databases": names }));
        for name in ["*\0", "a\u{7f}", "a\u{85}b", "a b", "a,b", "", &long(129)] {
            assert!(databases(&[name]).is_err_and(|error| error.starts_with("databases: ")), "{name:?}");
        }
        assert!(databases(&["a"; 101]).is_err());
        assert_eq!((databases(&["a"; 100]), databases(&["шоп-1", &long(128)])), (Ok(()), Ok(())));
        for id in ["", "rm 1", "rm-1/../rm-2", &long(65)] {
            assert!(check(serde_json::json!({ "dbInstanceId": id })).is_err(), "{id:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_also_without_the_rules_of_the_crd() {
        let check = |fields: serde_json::Value| {
            let mut spec = serde_json::json!({ "dbInstanceId": "rm-1" });
            spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            serde_json::from_value::<RdsBackupSpec>(spec).unwrap().check()
        };
        for (fields, words) in [
            (serde_json::json!({ "ttl": "1h", "timeout": "2h" }), "write a longer ttl"),
            (serde_json::json!({ "deletionPolicy": "Delete", "method": "Logical" }), "set it to Retain"),
        ] {
            assert!(check(fields.clone()).is_err_and(|error| error.contains(words)), "{fields}");
        }
        assert_eq!(check(serde_json::json!({ "ttl": "2h", "timeout": "2h", "deletionPolicy": "Delete" })), Ok(()));
    }
}
