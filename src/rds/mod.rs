//! ApsaraDB RDS (API version 2014-08-15), as far as backups need it: calls, answers, error codes, regions. It knows nothing of Kubernetes.
//!
//! One request per call, never repeated by this client nor by the libraries below it: CreateBackup takes no client token, so a second copy
//! of a request is a second backup.

mod call;
mod client;
mod codes;
mod deletable;
mod error;
#[cfg(test)]
mod fuzz;
mod ids;
mod instance_list;
mod listing;
mod meaning;
mod methods;
mod model;
mod policy;
mod regions;
mod table;
mod wire;

pub use call::{
    Answer, CreateBackup, CreateOutcome, ModeFilter, PageSize, Rejection, SetDeletion, SetQuery, StatusFilter, TypeFilter, Unknown,
};
pub use client::{Client, ClientOptions, Limits, Permit};
pub use codes::{PublishedError, error_families, meaning_of, published_code, published_errors};
pub use deletable::{Deletable, Never, SetToDelete, Unsure, deletable};
pub use error::{ApiError, CallError};
pub use ids::{BackupId, BackupRef, InstanceId, JobId};
pub use instance_list::ListedInstance;
pub use meaning::{Created, ErrorClass, ErrorKind, Meaning};
pub use model::{
    BackupPolicy, BackupSet, BackupTask, BackupWindow, Disk, Engine, Instance, JobState, MetaStatus, Mode, SETS_A_DAY, SetDetails, SetList,
    SetStatus, TaskAction,
};
pub use regions::hosts;

pub use crate::rpc::{Credentials, Stamp};
