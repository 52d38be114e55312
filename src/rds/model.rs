//! The service's answers, as the client returns them.

use jiff::{Timestamp, civil::Weekday};

use super::ids::{BackupId, InstanceId, JobId};

/// The service makes so many manual backup sets of an instance a day.
pub const SETS_A_DAY: usize = 20;

/// The database engine of an instance (`Engine`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `MySQL`
    MySql,
    /// `PostgreSQL`
    PostgreSql,
    /// `SQLServer`
    SqlServer,
    /// `MariaDB`
    MariaDb,
    /// Any other engine, as the service spells it.
    Other(String),
}

impl Engine {
    /// As the service spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::MySql => "MySQL",
            Self::PostgreSql => "PostgreSQL",
            Self::SqlServer => "SQLServer",
            Self::MariaDb => "MariaDB",
            Self::Other(name) => name,
        }
    }
}

/// One instance, from DescribeDBInstanceAttribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `DBInstanceId`
    pub id: InstanceId,
    /// `Engine`
    pub engine: Engine,
    /// `EngineVersion`
    pub engine_version: Option<String>,
    /// `DBInstanceStatus` as the service spells it, for example `Running`. Compare with [`Instance::is_running`].
    pub status: String,
    /// `DBInstanceStorageType`, for example `local_ssd` or `cloud_essd`.
    pub storage_type: Option<String>,
    /// `DBInstanceType`: `Primary`, `Readonly`, `Guard` or `Temp`.
    pub instance_type: Option<String>,
    /// `MasterInstanceId`, of an instance that belongs to a primary.
    pub primary_id: Option<InstanceId>,
    /// `LockMode`: `Unlock` is the only mode in which nothing is locked.
    pub lock_mode: Option<String>,
    /// `Category`: the edition, for example `HighAvailability` or `Basic`.
    pub category: Option<String>,
    /// `RegionId`
    pub region_id: Option<String>,
}

impl Instance {
    /// Whether the service accepts a backup now. An instance stays `Running` during a backup.
    pub fn is_running(&self) -> bool {
        self.status.eq_ignore_ascii_case("running")
    }

    /// Its kind of disk. The possible backup methods depend on it.
    pub fn disk(&self) -> Disk {
        let Some(disk) = self.storage_type.as_deref().map(str::to_ascii_lowercase) else { return Disk::Unknown };
        match () {
            () if disk.starts_with("local") || disk == "ephemeral_ssd" => Disk::Local,
            () if disk.starts_with("cloud_") || disk.starts_with("general_") => Disk::Cloud,
            () => Disk::Unknown,
        }
    }
}

/// A kind of disk, by `DBInstanceStorageType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// In the host: `local_ssd`, `ephemeral_ssd`. No snapshots.
    Local,
    /// `cloud_ssd`, `cloud_essd`, `cloud_essd2`, `cloud_essd3`, `general_essd`.
    Cloud,
    /// Missing, or not documented.
    Unknown,
}

/// How an instance backs itself up, from DescribeBackupPolicy: which sets may be deleted, and when it makes its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupPolicy {
    /// `BackupRetentionPeriod`, days: how long sets are kept.
    pub retention_days: Option<u32>,
    /// `EnableBackupLog`, else `BackupLog`: whether logs are backed up too. `None` when the service did not say.
    pub log_backup: Option<bool>,
    /// `LogBackupRetentionPeriod`, days: how long logs are kept.
    pub log_retention_days: Option<u32>,
    /// `PreferredBackupTime` and `PreferredBackupPeriod`: when the instance makes its own backups. None where one of them is missing or
    /// cannot be read.
    pub window: Option<BackupWindow>,
}

/// When an instance makes its own backups, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupWindow {
    /// The days of the week on which it begins, Monday first, each once; never empty.
    pub days: Vec<Weekday>,
    /// When it begins, minutes of the day.
    pub from: u16,
    /// When it ends, minutes of the day; not after `from` where that is on the next day, never equal to it.
    pub to: u16,
}

/// The state of a job (`BackupStatus` of a task). The service's seven states become five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// `NoStart`: accepted or scheduled, and not begun. It may stay so for ever.
    NotStarted,
    /// `Checking`, `Preparing`, `Waiting`, `Uploading`: begun and not ended.
    Active,
    /// `Finished`
    Finished,
    /// `Failed`
    Failed,
    /// A state that the documentation does not name. It is treated as not ended.
    Unknown,
}

/// How a backup was requested (`JobMode`, `BackupMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By hand or through the API.
    Manual,
    /// By the instance's own backup policy.
    Automated,
    /// Missing or not documented.
    Unknown,
}

/// What began a job (`TaskAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// `TempBackupTask`: a request by hand or through the API, like the operator's.
    OnDemand,
    /// `NormalBackupTask`: the instance's own backup policy.
    Scheduled,
    /// Missing or not documented: the job may be the operator's own.
    Unknown,
}

/// One backup job, from DescribeBackupTasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupTask {
    /// `BackupJobId`
    pub job_id: JobId,
    /// `BackupStatus`, else `BackupProgressStatus`
    pub state: JobState,
    /// `Process`, percent, clamped to 0..=100 (the service really says 125).
    pub progress: Option<u8>,
    /// `JobMode`
    pub mode: Mode,
    /// `TaskAction`
    pub action: TaskAction,
    /// `BackupId`: answered only if the job is finished and was requested by its id.
    pub backup_id: Option<BackupId>,
}

/// Whether a backup set can be trusted (`BackupStatus` of a set).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetStatus {
    /// `Success`
    Success,
    /// `Failed`
    Failed,
    /// A status that the documentation does not name. It is treated as not finished.
    Unknown,
}

/// What a set holds of tables (`MetaStatus`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetaStatus {
    /// `OK`: databases and tables can be restored one by one. Also a value that the documentation does not name.
    #[default]
    Ok,
    /// `LARGE`: too many tables, so single ones cannot be restored.
    Large,
    /// `EMPTY`: the set holds nothing. Seen of a job that failed.
    Empty,
}

/// The answer to a DescribeBackups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetList {
    /// `Items.Backup`, over all pages.
    pub sets: Vec<BackupSet>,
    /// `TotalEcsSnapshotSize`, bytes: the size of all snapshots of the instance together.
    pub snapshot_bytes: Option<i64>,
}

/// One backup set, from DescribeBackups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSet {
    /// `BackupId`
    pub backup_id: BackupId,
    /// `BackupStatus`
    pub status: SetStatus,
    /// `BackupMode`
    pub mode: Mode,
    /// Whether `BackupInitiator` is not `System`. One that is missing or not documented may be the operator's own.
    pub by_user: bool,
    /// `BackupMethod` as the service spells it: `Physical`, `Logical` or `Snapshot`.
    pub method: Option<String>,
    /// `BackupType` as the service spells it: `FullBackup` or `IncrementalBackup`.
    pub backup_type: Option<String>,
    /// `BackupStartTime`
    pub started_at: Option<Timestamp>,
    /// `BackupEndTime`
    pub ended_at: Option<Timestamp>,
    /// `BackupSize`, bytes.
    pub size_bytes: Option<i64>,
    /// `IsAvail`: 1 is usable. `None` when the service did not say.
    pub available: Option<bool>,
    /// `MetaStatus`
    pub meta: MetaStatus,
    /// `ConsistentTime`: documented for MySQL 5.6 only, as the instant to which the set restores. 0 on the wire means none.
    pub consistent_time: Option<Timestamp>,
    /// `ExpectExpireTime`
    pub expires_at: Option<Timestamp>,
    /// `Checksum`, CRC-64.
    pub checksum: Option<String>,
    /// What nothing is decided by.
    pub details: Box<SetDetails>,
}

impl BackupSet {
    /// A set of which nothing but its id is known.
    pub fn new(backup_id: BackupId) -> Self {
        Self {
            backup_id,
            status: SetStatus::Unknown,
            mode: Mode::Unknown,
            by_user: true,
            method: None,
            backup_type: None,
            started_at: None,
            ended_at: None,
            size_bytes: None,
            available: None,
            meta: MetaStatus::Ok,
            consistent_time: None,
            expires_at: None,
            checksum: None,
            details: Box::default(),
        }
    }

    /// Why a set that the service calls a success cannot be restored, as far as the service tells; none where it can.
    pub fn unusable(&self) -> Option<&'static str> {
        match (self.available, self.meta, self.size_bytes) {
            (None, ..) => Some("the service does not say that it is available"),
            (Some(false), ..) => Some("the service marks it as not available"),
            (Some(true), MetaStatus::Empty, _) => Some("the service says that it is empty"),
            (Some(true), MetaStatus::Ok | MetaStatus::Large, Some(0)) => Some("its size is 0"),
            (Some(true), MetaStatus::Ok | MetaStatus::Large, _) => None,
        }
    }

    /// The set without its details: what is kept while an object waits.
    #[must_use]
    pub fn without_details(self) -> Self {
        Self { details: Box::default(), ..self }
    }
}

/// The fields of a backup set that describe it and decide nothing here. Its download addresses are not among them: they are pre-signed,
/// which makes them secrets, and they are most of what a listing weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDetails {
    /// `DBInstanceId`
    pub instance: Option<InstanceId>,
    /// `Engine`
    pub engine: Option<String>,
    /// `EngineVersion`
    pub engine_version: Option<String>,
    /// `HostInstanceID`: the node that the set was taken from.
    pub host_instance: Option<String>,
    /// `CopyOnlyBackup`, SQL Server: whether only full backups are supported.
    pub copy_only: Option<bool>,
    /// `Encryption`: JSON, as text.
    pub encryption: Option<String>,
    /// Whether `StorageClass` is 1: the set is archived. `None` when the service did not say.
    pub archived: Option<bool>,
    /// Whether `StoreStatus` is `Enabled`: the service would delete it. `None` when the service did not say.
    pub deletable: Option<bool>,
}
