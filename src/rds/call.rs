//! What the calls take and give.

use jiff::Timestamp;

use super::{ApiError, BackupId, InstanceId, JobId};

/// The nonce and the signed time of one request. The service refuses a nonce that it has seen, and a time older than 15 minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `x-acs-signature-nonce`
    pub nonce: String,
    /// `x-acs-date`, to the second: fractions are cut off.
    pub timestamp: Timestamp,
}

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
    /// `BackupMode=Manual`
    pub manual_only: bool,
    /// `StartTime`; rounded down to the minute.
    pub from: Option<Timestamp>,
    /// `EndTime`; rounded up to the minute. Where only `from` is given it is an hour from now: whether the service compares starts or ends
    /// is not documented, and a request that is more than 15 minutes off is refused, so nothing that exists is later.
    pub to: Option<Timestamp>,
}
