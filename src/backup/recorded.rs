//! Backups as a status records them: text there, ids everywhere else; and their region.

use crate::{
    api::{Attempt, RdsBackup, RdsBackupStatus},
    rds::{BackupId, BackupRef, JobId},
};

/// The region that was fixed when the object was admitted.
pub fn region(object: &RdsBackup) -> Option<&str> {
    object.status.as_ref()?.effective.as_ref()?.region_id.as_deref()
}

/// The result that the status has, so far.
pub fn result(status: &RdsBackupStatus) -> BackupRef {
    of(status.backup_job_id.as_ref(), status.backup_id.as_ref())
}

/// Records a result; an empty one takes it out.
pub fn set_result(status: &mut RdsBackupStatus, backup: &BackupRef) {
    status.backup_job_id = backup.job.as_ref().map(ToString::to_string);
    status.backup_id = backup.set.as_ref().map(ToString::to_string);
}

/// The backup of an attempt that did not become the result.
pub fn of_attempt(attempt: &Attempt) -> BackupRef {
    of(attempt.backup_job_id.as_ref(), attempt.backup_id.as_ref())
}

/// The attempt, with its backup.
pub fn with_backup(attempt: Attempt, backup: &BackupRef) -> Attempt {
    Attempt {
        backup_job_id: backup.job.as_ref().map(ToString::to_string),
        backup_id: backup.set.as_ref().map(ToString::to_string),
        ..attempt
    }
}

/// A backup by the ids that were recorded of it.
pub fn of(job: Option<&String>, set: Option<&String>) -> BackupRef {
    BackupRef { job: job.map(JobId::new), set: set.map(BackupId::new) }
}
