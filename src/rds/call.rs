//! The arguments and the results of the calls.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    error::ApiError,
    ids::{BackupId, InstanceId, JobId},
};

/// A CreateBackup request. The client checks none of it; the service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBackup {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupMethod`
    pub method: Option<String>,
    /// `BackupStrategy`
    pub strategy: Option<String>,
    /// `DBName`: sent as one text, joined by commas. The service refuses an array.
    pub databases: Vec<String>,
    /// `BackupType`
    pub backup_type: Option<String>,
    /// `BackupRetentionPeriod`, days; -1 keeps the set.
    pub retention_days: Option<i64>,
    /// `ResourceGroupId`
    pub resource_group_id: Option<String>,
}

impl CreateBackup {
    /// The method that the service uses where none is given.
    pub const DEFAULT_METHOD: &str = "Physical";
}

/// The outcome of one CreateBackup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The service began a job.
    Accepted {
        /// The job.
        job_id: JobId,
        /// `RequestId`
        request_id: Option<String>,
    },
    /// This request began no job, and it never will.
    Rejected(Rejection),
    /// This request may have begun a job, or may still begin one.
    Unknown(Unknown),
}

/// What became of a set that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetDeletion {
    /// The service deleted it.
    Deleted,
    /// The service knows no such set.
    WasGone,
}

/// Why a request began no job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The service refused.
    Api(ApiError),
    /// The request was not sent.
    NotSent {
        /// Why.
        why: String,
    },
    /// The request was not sent: no request can carry the credentials, or they have ended.
    Unusable {
        /// Why. It holds no part of the credentials.
        why: String,
    },
    /// The request was not sent: the account's limit of calls, or a pause that the service asked for.
    Paused {
        /// How long that lasts, at least.
        wait: Duration,
    },
    /// The request was not sent: what the client was given out for was taken back meanwhile ([`super::Permit`]).
    Withdrawn,
}

/// Why the outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Why, as text.
    pub why: String,
    /// The service's error, if it answered with one that proves nothing.
    pub api: Option<ApiError>,
}

/// An answer, with its request id and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer itself.
    pub value: T,
    /// `RequestId`; of a listing, its last page's.
    pub request_id: Option<String>,
    /// The service's time when it answered, by its `Date` if that can be believed; of a listing, its first page's: the listing has
    /// everything that was listed then.
    pub service_time: Option<Timestamp>,
}

/// The sets that DescribeBackups is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetQuery {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupId`: only this set.
    pub backup_id: Option<BackupId>,
    /// `BackupStatus`
    pub status: Option<StatusFilter>,
    /// `BackupMode`
    pub mode: Option<ModeFilter>,
    /// `BackupType`
    pub backup_type: Option<TypeFilter>,
    /// `StartTime`; rounded down to the minute.
    pub from: Option<Timestamp>,
    /// `EndTime`; rounded up to the minute. If only `from` is given, it is an hour from now. The documentation does not say whether the
    /// service compares starts or ends, but our idea of its time is at most 15 minutes off, so no set is later than that.
    pub to: Option<Timestamp>,
    /// `PageSize`: how many sets one call brings, if they are not too large together.
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

/// How the sets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// `Success`
    Success,
    /// `Failed`
    Failed,
}

/// How the sets were requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeFilter {
    /// `Manual`: by hand or through the API.
    Manual,
    /// `Automated`: by the instance's own backup policy.
    Automated,
}

/// The type of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// `FullBackup`
    FullBackup,
    /// `IncrementalBackup`
    IncrementalBackup,
}

/// The page sizes that the service accepts.
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
    /// The next smaller size.
    pub(super) fn smaller(self) -> Option<Self> {
        match self {
            Self::Hundred => Some(Self::Fifty),
            Self::Fifty => Some(Self::Thirty),
            Self::Thirty => None,
        }
    }

    /// How many rows a page has at most.
    pub fn rows(self) -> usize {
        match self {
            Self::Thirty => 30,
            Self::Fifty => 50,
            Self::Hundred => 100,
        }
    }
}
