use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RdsBackupStatus, Span, Time};

/// One wanted backup of one ApsaraDB RDS instance.
///
/// `queueTimeout`, `timeout`, `retry`, `ttl`, `deletionPolicy` and `cleanupDeadline` can be changed. The other fields cannot: delete the object and
/// create another.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "rdsbackup.io",
    version = "v1alpha1",
    kind = "RdsBackup",
    plural = "rdsbackups",
    namespaced,
    status = "RdsBackupStatus",
    shortname = "rdsb",
    category = "rds-backup",
    selectable = ".spec.dbInstanceId",
    doc = "One wanted backup of one ApsaraDB RDS instance: requested once, followed to its end, and kept as the record of the backup.",
    derive = "PartialEq",
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.dbInstanceId"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Method", type_ = "string", json_path = ".status.effective.method"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Origin", type_ = "string", json_path = ".status.origin"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "BackupId", type_ = "string", json_path = ".status.backupId", priority = "1"),
    printcolumn(name = "JobId", type_ = "string", json_path = ".status.backupJobId", priority = "1"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.startedAt", priority = "1"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration", priority = "1"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresAt", priority = "1"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = "1"
    ),
    validation = Rule::new("self.spec.dbInstanceId == oldSelf.spec.dbInstanceId")
        .message("dbInstanceId cannot be changed: create another RdsBackup for another instance")
        .field_path(".spec.dbInstanceId"),
    validation = Rule::new("self.spec.account == oldSelf.spec.account")
        .message("account cannot be changed: delete this RdsBackup and create another")
        .field_path(".spec.account"),
    validation = Rule::new("has(self.spec.regionId) == has(oldSelf.spec.regionId) && (!has(self.spec.regionId) || self.spec.regionId == oldSelf.spec.regionId)")
        .message("regionId cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.regionId"),
    validation = Rule::new("has(self.spec.method) == has(oldSelf.spec.method) && (!has(self.spec.method) || self.spec.method == oldSelf.spec.method)")
        .message("method cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.method"),
    validation = Rule::new("has(self.spec.strategy) == has(oldSelf.spec.strategy) && (!has(self.spec.strategy) || self.spec.strategy == oldSelf.spec.strategy)")
        .message("strategy cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.strategy"),
    validation = Rule::new("has(self.spec.databases) == has(oldSelf.spec.databases) && (!has(self.spec.databases) || self.spec.databases == oldSelf.spec.databases)")
        .message("databases cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.databases"),
    validation = Rule::new("has(self.spec.type) == has(oldSelf.spec.type) && (!has(self.spec.type) || self.spec.type == oldSelf.spec.type)")
        .message("type cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.type"),
    validation = Rule::new("has(self.spec.retentionDays) == has(oldSelf.spec.retentionDays) && (!has(self.spec.retentionDays) || self.spec.retentionDays == oldSelf.spec.retentionDays)")
        .message("retentionDays cannot be added, changed or removed: it is given to the service when the backup starts")
        .field_path(".spec.retentionDays"),
    validation = Rule::new("has(self.spec.resourceGroupId) == has(oldSelf.spec.resourceGroupId) && (!has(self.spec.resourceGroupId) || self.spec.resourceGroupId == oldSelf.spec.resourceGroupId)")
        .message("resourceGroupId cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.resourceGroupId"),
    validation = Rule::new("has(self.spec.notAfter) == has(oldSelf.spec.notAfter) && (!has(self.spec.notAfter) || self.spec.notAfter == oldSelf.spec.notAfter)")
        .message("notAfter cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.notAfter"),
    validation = Rule::new("has(self.spec.existingBackupId) == has(oldSelf.spec.existingBackupId) && (!has(self.spec.existingBackupId) || self.spec.existingBackupId == oldSelf.spec.existingBackupId)")
        .message("existingBackupId cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.existingBackupId"),
    validation = Rule::new("has(self.spec.reuseIfNewerThan) == has(oldSelf.spec.reuseIfNewerThan) && (!has(self.spec.reuseIfNewerThan) || self.spec.reuseIfNewerThan == oldSelf.spec.reuseIfNewerThan)")
        .message("reuseIfNewerThan cannot be added, changed or removed: delete this RdsBackup and create another")
        .field_path(".spec.reuseIfNewerThan")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.databases) == (has(self.strategy) && self.strategy == 'db')")
    .message("databases and strategy: db belong together: give both to back up single databases, or neither for the whole instance"))]
#[x_kube(validation = Rule::new("!has(self.strategy) || self.strategy != 'db' || (has(self.method) && self.method == 'Logical') || (has(self.type) && self.type == 'FullBackup')")
    .message("strategy: db needs method: Logical (MySQL on local disks), or method: Physical with type: FullBackup (SQL Server)"))]
#[x_kube(validation = Rule::new("!has(self.type) || !has(self.method) || self.method == 'Physical'")
    .message("type exists only for physical backups (SQL Server): set method: Physical or remove type"))]
#[x_kube(validation = Rule::new("!has(self.method) || self.method != 'Snapshot' || !has(self.strategy)")
    .message("a snapshot holds the whole instance: remove strategy and databases, or choose another method"))]
#[x_kube(validation = Rule::new("!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.method) || self.method != 'Logical'")
    .message("the service never deletes a logical backup set on request: remove deletionPolicy or set it to Retain; retentionDays says how long the service keeps the set"))]
#[x_kube(validation = Rule::new("!has(self.ttl) || !has(self.timeout) || duration(self.ttl) >= duration(self.timeout)")
    .message("ttl is shorter than timeout: the object would be gone before anybody could look at a backup that took its time; write a longer ttl"))]
#[x_kube(validation = Rule::new("!has(self.existingBackupId) || !(has(self.method) || has(self.strategy) || has(self.databases) || has(self.type) || has(self.retentionDays) || has(self.resourceGroupId) || has(self.notAfter) || has(self.timeout) || has(self.retry) || has(self.reuseIfNewerThan))")
    .message("existingBackupId takes in a backup set that is there: remove method, strategy, databases, type, retentionDays, resourceGroupId, notAfter, timeout, retry and reuseIfNewerThan, which are for a new backup"))]
#[x_kube(validation = Rule::new("!has(self.existingBackupId) || !has(self.deletionPolicy) || self.deletionPolicy != 'Delete'")
    .message("the operator deletes no backup set that it did not make: remove deletionPolicy or existingBackupId"))]
#[x_kube(validation = Rule::new("!has(self.reuseIfNewerThan) || !has(self.retentionDays) || self.retentionDays < 0 || duration(self.reuseIfNewerThan).getSeconds() <= self.retentionDays * 86400")
    .message("reuseIfNewerThan is longer than retentionDays: the set of so old a backup is gone; write a shorter reuseIfNewerThan"))]
pub struct RdsBackupSpec {
    /// The instance to back up (`DBInstanceId`), for example `rm-uf6wjk5xxxx`. Cannot be changed.
    #[schemars(length(min = 3, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z][a-z0-9-]*[a-z0-9]$')")
        .message("dbInstanceId is made of lower-case letters, digits and hyphens, for example rm-uf6wjk5xxxx"))]
    pub db_instance_id: String,

    /// The region of the instance, for example `cn-hangzhou`. Default: the region of the account. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 3, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2,3}(-[a-z0-9]+)+$')").message("regionId looks like cn-hangzhou or ap-southeast-1"))]
    pub region_id: Option<String>,

    /// The name of an account in the operator's configuration, where an administrator sets its credentials and limits. Cannot be changed.
    #[serde(default = "default_account")]
    #[schemars(length(min = 1, max = 63))]
    pub account: String,

    /// How the backup is made. Default: Physical, the service's default. MySQL on local disks: Physical or Logical; on cloud disks: only
    /// Snapshot. PostgreSQL and SQL Server: Physical, or Snapshot on cloud disks. MariaDB: only Physical (the service makes a snapshot). A
    /// method that the instance does not allow fails with reason UnsupportedMethod before a backup is requested. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BackupMethod")]
    pub method: Option<BackupMethod>,

    /// Whether the whole instance is backed up (`instance`) or only the listed `databases` (`db`). For logical backups of MySQL and full
    /// backups of SQL Server. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BackupStrategy")]
    pub strategy: Option<BackupStrategy>,

    /// The databases to back up: only and always with `strategy: db`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128), regex(pattern = r"^[^,\s\x00-\x1f\x7f]+$")))]
    pub databases: Vec<String>,

    /// SQL Server only: `FullBackup`, or `Auto` to let the service choose between a full and an incremental backup (the service's default).
    /// Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    #[schemars(with = "BackupType")]
    pub backup_type: Option<BackupType>,

    /// How many days the service keeps the backup set: 7 to 730, or -1 to keep it long term. For MySQL, and for full backups of single
    /// databases of SQL Server. Default: the retention of the instance's backup policy. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = -1, max = 730))]
    #[x_kube(validation = Rule::new("self == -1 || self >= 7").message("retentionDays is 7 to 730, or -1 to keep the backup set long term"))]
    pub retention_days: Option<i32>,

    /// The resource group of the instance (`rg-...`). Newer versions of the service have no such parameter, so it is sent only when it is
    /// set. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub resource_group_id: Option<String>,

    /// The longest wait until the service accepts the backup. Causes of a wait: a busy instance, a quota, throttling, or an error that a
    /// person must correct first (Stalled). Default 2h; without a value here, the wait for the next day is added where the instance has
    /// used up the 20 backups of the day. Then the object is Failed with reason QueueTimeout. The deadline is not applied while the outcome
    /// of a request is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub queue_timeout: Option<Span>,

    /// The longest time from the moment when the job's id is known to the end of the job. Default 24h (backups of 16 hours have been seen).
    /// Then the object is Failed with reason Timeout. The job itself goes on: the service has no call that stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub timeout: Option<Span>,

    /// Whether another job is started after one that failed. Default: no. For a backup of a schedule, none is started that would begin, or
    /// would wait, later than half a minute before the next start of the schedule, or before a blackout of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RetrySpec")]
    pub retry: Option<RetrySpec>,

    /// No backup is requested for the object after this time, if none was by then: it is Failed with reason Expired. A schedule sets it on
    /// each of its backups, to the start plus `queueTimeout`, so that a copy that is restored without its status makes no other backup. The
    /// clock is the API server's. An object that has begun to wait by then ends by `queueTimeout`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub not_after: Option<Time>,

    /// An existing backup set (`BackupId`) of the instance, of any origin: no backup is made, and the object becomes the record of that set.
    /// It is Succeeded when the service lists the set as usable, with `origin: Existing`, and its set is looked at daily like any other. The
    /// operator never deletes the set. A set that the service does not list is looked for until `queueTimeout`. `rds-backup-operator
    /// orphans` prints an RdsBackup for each set that none records. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub existing_backup_id: Option<String>,

    /// A backup that is there is enough if it is this young: no other is made, and this object is Succeeded with `origin: Reused`, the set of
    /// that backup, and its name in `reusedFrom`. For gates before a deployment that are applied often. The age counts from the start of the
    /// backup to now; for a backup that was under way when this object was created, to that creation. It must be an RdsBackup of the same
    /// namespace, instance, account, method and databases that has succeeded, not one of an `existingBackupId`, and the service must list its
    /// set as usable at that moment. While a backup of the instance is under way, this object waits for it first. Not longer than
    /// `retentionDays`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub reuse_if_newer_than: Option<Span>,

    /// How long this object stays after its end: then it is deleted, and its backup set stays. For backups that nobody keeps in a repository.
    /// The newest usable backup of an instance stays until another has succeeded. The condition `TtlIgnored` says why an object stays: one with
    /// the annotation `rdsbackup.io/hold: "true"`, one that a GitOps tool tracks, and one whose set would be deleted with it. Not shorter than
    /// `timeout` where both are given. Default: it stays. Can be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub ttl: Option<Span>,

    /// What happens to the backup set when this object is deleted. Default `Retain`: nothing. With `Delete`, the object stays, with a
    /// finalizer, until the service has deleted the set. For most sets the service never does that on request: the condition
    /// `DeletionSupported` says it from the end of the backup on, and then the object goes and the set stays. A set that was found after a
    /// lost answer (`origin: Adopted`), of another backup (`Reused`) or that another RdsBackup names, and that of an object with the
    /// annotation `rdsbackup.io/hold: "true"`, is not deleted. Can be changed at any time: `Retain` lets go of an object that is being
    /// deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// The longest time from the deletion of this object to the moment when it is gone, with `deletionPolicy: Delete`. If the set could not
    /// be deleted by then, the object goes and the set stays. Default 192h: the service deletes no set that is younger than 7 days. Can be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub cleanup_deadline: Option<Span>,
}

fn default_account() -> String {
    "default".to_owned()
}

/// What happens to a backup set when its RdsBackup is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Nothing: the service keeps it for as long as it would anyway.
    #[default]
    Retain,
    /// The service is asked to delete it.
    Delete,
}

/// A new run after a job that the service reports as failed. There is none after a timeout: that job may still be running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetrySpec {
    /// How many more runs are allowed, at most 10. The service allows 20 backups per instance and day.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub limit: i32,
    /// The wait between the failed job and the next run. Default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub backoff: Option<Span>,
}

/// How a backup is made (`BackupMethod`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupMethod {
    /// The files of the instance.
    Physical,
    /// The contents, as statements: MySQL on local disks.
    Logical,
    /// The cloud disks.
    Snapshot,
}

impl BackupMethod {
    /// As it is written on the wire and in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Physical => "Physical",
            Self::Logical => "Logical",
            Self::Snapshot => "Snapshot",
        }
    }
}

/// The whole instance or single databases (`BackupStrategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackupStrategy {
    /// The whole instance.
    Instance,
    /// The listed databases.
    Db,
}

impl BackupStrategy {
    /// As it is written on the wire and in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Db => "db",
        }
    }
}

/// Full or incremental (`BackupType` of SQL Server).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupType {
    /// The service chooses.
    Auto,
    /// Always a full backup.
    FullBackup,
}

impl BackupType {
    /// As it is written on the wire and in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::FullBackup => "FullBackup",
        }
    }
}
