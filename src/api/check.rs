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

    /// Checks the spec. The error names each field that is wrong and the cure, separated by `; `: who corrects one is not told the next only
    /// then.
    ///
    /// The CRD states the same rules. They are checked again because an older CRD may still be installed, and because a schedule's template
    /// becomes an RdsBackup only at its next slot: a mistake would be reported too late.
    pub fn check(&self) -> Result<(), String> {
        let wrong: Vec<String> = self.wrong_ids().chain(self.wrong_kind()).chain(self.wrong_origin()).chain(self.wrong_times()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    /// What is no id, and no name.
    fn wrong_ids(&self) -> impl Iterator<Item = String> {
        let has_the_length_of_an_id = |id: &str| (1..=LONGEST_ID).contains(&id.len());
        let is_id = |id: &str, others: &str| {
            has_the_length_of_an_id(id) && id.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
        };
        let is_no_name = |name: &String| {
            name.is_empty() || name.chars().count() > 128 || name.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control())
        };
        let group = self.resource_group_id.as_ref().is_some_and(|id| !is_id(id, "-_"));
        let existing = self.existing_backup_id.as_ref().is_some_and(|id| !is_id(id, "-"));
        let names = self.databases.len() > 100 || self.databases.iter().any(is_no_name);
        [
            (!is_id(&self.db_instance_id, "-"), "dbInstanceId: write the id of the instance, for example rm-uf6wjk5xxxx"),
            (group, "resourceGroupId: write the id of the resource group, for example rg-acfmy5xxxx, or remove it"),
            (names, "databases: write at most 100 names, each of at most 128 characters and without commas, blanks and control characters"),
            (existing, "existingBackupId: write the id of the backup set, for example 321020562, or remove it"),
        ]
        .into_iter()
        .filter(|(is_wrong, _)| *is_wrong)
        .map(|(_, message)| message.to_owned())
    }

    /// What method, strategy, type, databases and retention do not allow of each other.
    fn wrong_kind(&self) -> impl Iterator<Item = String> {
        let Self { method, strategy, databases, backup_type, retention_days, deletion_policy, .. } = self;
        let single_databases = *strategy == Some(BackupStrategy::Db);
        let full = *backup_type == Some(BackupType::FullBackup);
        [
            (single_databases == databases.is_empty(), "databases and strategy: db belong together: give both, or neither"),
            (
                single_databases && *method != Some(BackupMethod::Logical) && !full,
                "strategy: db needs method: Logical, or method: Physical with type: FullBackup",
            ),
            (
                backup_type.is_some() && !matches!(method, None | Some(BackupMethod::Physical)),
                "type exists only for physical backups: set method: Physical or remove type",
            ),
            (
                strategy.is_some() && *method == Some(BackupMethod::Snapshot),
                "a snapshot holds the whole instance: remove strategy and databases",
            ),
            (retention_days.is_some_and(|days| days != -1 && !(7..=730).contains(&days)), "retentionDays is 7 to 730, or -1"),
            (
                *deletion_policy == Some(DeletionPolicy::Delete) && *method == Some(BackupMethod::Logical),
                "the service never deletes a logical backup set on request: remove deletionPolicy or set it to Retain",
            ),
        ]
        .into_iter()
        .filter(|(is_wrong, _)| *is_wrong)
        .map(|(_, message)| message.to_owned())
    }

    /// What does not go with a set that is there.
    fn wrong_origin(&self) -> impl Iterator<Item = String> {
        let Self {
            db_instance_id: _,
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
            not_after,
            existing_backup_id,
            reuse_if_newer_than,
            ttl: _,
            deletion_policy: _,
            cleanup_deadline: _,
        } = self;
        let of_a_new_backup = [
            ("method", method.is_some()),
            ("strategy", strategy.is_some()),
            ("databases", !databases.is_empty()),
            ("type", backup_type.is_some()),
            ("retentionDays", retention_days.is_some()),
            ("resourceGroupId", resource_group_id.is_some()),
            ("notAfter", not_after.is_some()),
            ("timeout", timeout.is_some()),
            ("retry", retry.is_some()),
            ("reuseIfNewerThan", reuse_if_newer_than.is_some()),
        ];
        let is_existing = existing_backup_id.is_some();
        let set: Vec<&str> = of_a_new_backup.into_iter().filter(|(_, is_set)| *is_set).map(|(field, _)| field).collect();
        let of_new = (is_existing && !set.is_empty()).then(|| {
            format!("existingBackupId takes in a backup set that is there: remove {}, which are for a new backup", set.join(", "))
        });
        let deletes = (is_existing && self.deletes_set())
            .then(|| "the operator deletes no backup set that it did not make: remove deletionPolicy or existingBackupId".to_owned());
        of_new.into_iter().chain(deletes)
    }

    /// Lengths of time that cannot be read, or do not go together.
    fn wrong_times(&self) -> impl Iterator<Item = String> {
        let backoff = self.retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        let spans = [
            ("queueTimeout", self.queue_timeout.as_ref()),
            ("timeout", self.timeout.as_ref()),
            ("retry.backoff", backoff),
            ("ttl", self.ttl.as_ref()),
            ("cleanupDeadline", self.cleanup_deadline.as_ref()),
            ("reuseIfNewerThan", self.reuse_if_newer_than.as_ref()),
        ];
        let unreadable: Vec<String> =
            spans.into_iter().filter_map(|(field, span)| span?.get().err().map(|error| format!("{field}: {error}"))).collect();
        let length = |span: &Option<Span>| span.as_ref().and_then(|span| span.get().ok());
        let is_short = length(&self.ttl).zip(length(&self.timeout)).is_some_and(|(ttl, timeout)| ttl < timeout);
        let kept = self.retention_days.filter(|days| *days > 0).map(|days| SignedDuration::from_hours(i64::from(days).saturating_mul(24)));
        let is_old = length(&self.reuse_if_newer_than).zip(kept).is_some_and(|(age, kept)| age > kept);
        let short = is_short.then(|| "ttl is shorter than timeout: write a longer ttl".to_owned());
        let old = is_old.then(|| "reuseIfNewerThan is longer than retentionDays: write a shorter reuseIfNewerThan".to_owned());
        short.into_iter().chain(old).chain(unreadable)
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
            (serde_json::json!({ "existingBackupId": "1", "method": "Logical", "retry": {} }), "remove method, retry, which"),
            (serde_json::json!({ "existingBackupId": "1", "deletionPolicy": "Delete" }), "did not make: remove deletionPolicy"),
            (serde_json::json!({ "existingBackupId": "1,2" }), "existingBackupId: write the id"),
            (serde_json::json!({ "reuseIfNewerThan": "169h", "retentionDays": 7 }), "write a shorter reuseIfNewerThan"),
            (serde_json::json!({ "reuseIfNewerThan": "soon" }), "reuseIfNewerThan: "),
        ] {
            assert!(check(fields.clone()).is_err_and(|error| error.contains(words)), "{fields}");
        }
        assert_eq!(check(serde_json::json!({ "ttl": "2h", "timeout": "2h", "deletionPolicy": "Delete" })), Ok(()));
        assert_eq!(check(serde_json::json!({ "existingBackupId": "321020562", "queueTimeout": "5m", "ttl": "2h" })), Ok(()));
        assert_eq!(check(serde_json::json!({ "reuseIfNewerThan": "168h", "retentionDays": 7 })), Ok(()));
    }

    #[test]
    fn all_that_is_wrong_with_an_object_is_said_at_once() {
        let spec = serde_json::json!({
            "dbInstanceId": "rm 1", "strategy": "db", "type": "FullBackup", "method": "Logical", "retentionDays": 1, "timeout": "x", "ttl": "y"
        });
        let wrong = serde_json::from_value::<RdsBackupSpec>(spec).unwrap().check().unwrap_err();
        let places: Vec<Option<usize>> = ["dbInstanceId: ", "databases and", "type exists", "retentionDays is", "timeout: ", "ttl: "]
            .map(|field| wrong.find(field))
            .into();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{wrong}");
    }
}
