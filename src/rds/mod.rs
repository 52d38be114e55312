//! The client of the RDS API (version 2014-08-15), as far as backups need it. It knows nothing of Kubernetes.
//!
//! One request per call, never repeated by this client nor by the libraries below it: CreateBackup takes no client token, so a second copy
//! of a request is a second backup.

mod call;
mod client;
mod codes;
mod error;
#[cfg(test)]
mod fuzz;
mod ids;
mod listing;
mod model;
mod wire;

pub use call::{Answer, CreateBackup, CreateOutcome, ModeFilter, PageSize, Rejection, SetQuery, Stamp, StatusFilter, TypeFilter, Unknown};
pub use client::{Admission, Client, ClientError, ClientOptions};
pub use codes::{Created, ErrorClass, Meaning, PublishedError, error_families, meaning_of, published_errors};
pub use error::{ApiError, CallError, ErrorKind};
pub use ids::{BackupId, InstanceId, JobId};
pub use model::{
    BackupSet, BackupTask, DatabaseDownload, Disk, DownloadUrl, Engine, Instance, JobState, Mode, SetDetails, SetList, SetStatus,
};

pub use crate::rpc::{
    Carrier, Credentials, Endpoint, EndpointError, Failure, Incoming, Network, Outgoing, SignatureVersion, check_region, limit::Limits,
};
