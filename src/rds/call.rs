//! What the calls take and give.

use jiff::Timestamp;

use super::{
    error::ApiError,
    ids::{BackupId, InstanceId, JobId},
};

/// A CreateBackup request. The service checks everything but the presence of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBackup {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupMethod`
    pub method: Option<String>,
    /// `BackupStrategy`
    pub strategy: Option<String>,
    /// `DBName`: one text, joined by commas; an array is refused.
    pub databases: Vec<String>,
    /// `BackupType`
    pub backup_type: Option<String>,
    /// `BackupRetentionPeriod`, days; -1 keeps the set.
    pub retention_days: Option<i64>,
    /// `ResourceGroupId`
    pub resource_group_id: Option<String>,
}

/// What is known after one CreateBackup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A job was begun.
    Accepted {
        /// The job.
        job_id: JobId,
        /// `RequestId`
        request_id: Option<String>,
    },
    /// Surely nothing was begun, and nothing will be.
    Rejected(Rejection),
    /// A job may have been begun, or may yet be.
    Unknown(Unknown),
}

/// Why nothing was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The service refused.
    Api(ApiError),
    /// The request never left.
    NotSent {
        /// Why.
        why: String,
    },
}

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// In words.
    pub why: String,
    /// The service's error, where it answered one that proves nothing.
    pub api: Option<ApiError>,
}

/// An answer, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// `RequestId`; of a listing, its last page's.
    pub request_id: Option<String>,
    /// The service's time when it answered, by its `Date`; of a listing, its first page's: whatever was listed at that time is in it.
    pub service_time: Option<Timestamp>,
}

/// Which sets DescribeBackups is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetQuery {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupId`: this one only.
    pub backup_id: Option<BackupId>,
    /// `BackupStatus`
    pub status: Option<StatusFilter>,
    /// `BackupMode`
    pub mode: Option<ModeFilter>,
    /// `BackupType`
    pub backup_type: Option<TypeFilter>,
    /// `StartTime`; rounded down to the minute.
    pub from: Option<Timestamp>,
    /// `EndTime`; rounded up to the minute. Where only `from` is given it is an hour from now: whether the service compares starts or ends
    /// is not documented, and a request that is more than 15 minutes off is refused, so nothing that exists is later.
    pub to: Option<Timestamp>,
    /// `PageSize`: how many sets one call brings.
    pub page_size: PageSize,
}

impl SetQuery {
    /// All sets of an instance.
    pub fn of(instance: InstanceId) -> Self {
        Self {
            instance,
            backup_id: None,
            status: None,
            mode: None,
            backup_type: None,
            from: None,
            to: None,
            page_size: PageSize::default(),
        }
    }
}

/// Sets that ended this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// `Success`
    Success,
    /// `Failed`
    Failed,
}

/// Sets that were asked for this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeFilter {
    /// `Manual`: by hand or through the API.
    Manual,
    /// `Automated`: by the instance's own backup policy.
    Automated,
}

/// Sets of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// `FullBackup`
    FullBackup,
    /// `IncrementalBackup`
    IncrementalBackup,
}

/// The page sizes that the service knows; it refuses all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageSize {
    /// 30, the service's default.
    Thirty,
    /// 50
    Fifty,
    /// 100: the fewest calls, and this client's default.
    #[default]
    Hundred,
}

impl StatusFilter {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failed => "Failed",
        }
    }
}

impl ModeFilter {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "Manual",
            Self::Automated => "Automated",
        }
    }
}

impl TypeFilter {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::FullBackup => "FullBackup",
            Self::IncrementalBackup => "IncrementalBackup",
        }
    }
}

impl PageSize {
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Thirty => 30,
            Self::Fifty => 50,
            Self::Hundred => 100,
        }
    }
}
