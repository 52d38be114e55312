//! Which sets the service lets go: by the instance, by its backup policy, and by the set.

use std::time::Duration;

use super::catalogue::{Engine, InstanceSpec};
use super::clock::{Now, since};
use super::error::ApiError;
use super::jobs::Job;
use super::ledger::JobOutcome;
use super::rules::Method;

/// So many ids at most in one DeleteBackup.
const MOST_IDS: usize = 100;

const DAY: u64 = 86_400;

/// Without a log backup a set can be deleted when it is older than this.
const DAYS_WITHOUT_LOG: u32 = 7;

/// Whether the set may be deleted by its age and kind; `StoreStatus` says it of each set in the list. That an instance's edition or state
/// refuses every deletion is not in it.
pub(super) fn may_be_deleted(spec: &InstanceSpec, job: &Job, now: Now) -> bool {
    let policy = spec.policy;
    let days = match policy.log_backup {
        false => DAYS_WITHOUT_LOG,
        true if policy.log_retention_days < policy.retention_days => policy.log_retention_days,
        // A set that is as old as its log is expired by the service itself: until then the log needs it.
        true => return false,
    };
    let age = since(job.ended_at(), now.service);
    job.ended(now) && job.fate != JobOutcome::Failed && job.method != Method::Logical && age > Duration::from_secs(u64::from(days) * DAY)
}

/// Whether anything of the instance may be deleted at all.
pub(super) fn check_instance(spec: &InstanceSpec) -> Result<(), ApiError> {
    match spec.kind.as_str() {
        "Primary" => {}
        "Readonly" => return Err(super::rules::read_only()),
        _ => {
            let message = "Current DB Instance character_type does not support this operation.";
            return Err(ApiError::new(403, "IncorrectDBInstanceCharacterType", message));
        }
    }
    if !matches!(spec.engine, Engine::MySQL | Engine::PostgreSQL) {
        return Err(ApiError::new(403, "IncorrectDBInstanceType", "Current DB instance engine and type does not support operations."));
    }
    // The page names the edition and no error for the others.
    if spec.category != "HighAvailability" {
        return Err(not_supported());
    }
    if spec.status != "Running" {
        return Err(ApiError::new(403, "IncorrectDBInstanceState", "Current DB instance state does not support this operation."));
    }
    if spec.lock_mode != "Unlock" {
        // 404, although CreateBackup answers the same with 400 and another code.
        return Err(ApiError::new(404, "IncorrectDBInstanceLockMode", "Current DB instance lock mode does not support this operation."));
    }
    Ok(())
}

/// The ids of a DeleteBackup: one text with commas.
pub(super) fn ids(text: &str) -> Result<Vec<&str>, ApiError> {
    let ids: Vec<&str> = text.split(',').collect();
    if ids.len() > MOST_IDS {
        return Err(ApiError::new(400, "DeleteBackupSetNumExceed", "Delete backup set number is more than 100."));
    }
    Ok(ids)
}

/// The set of a DeleteBackup, if it may be deleted now.
pub(super) fn check_set(spec: &InstanceSpec, job: Option<&Job>, now: Now) -> Result<(), ApiError> {
    let absent = || ApiError::new(404, "InvalidBackupSetID.NotFound", "Specified backup set ID does not exist.");
    if may_be_deleted(spec, job.filter(|job| !job.removed).ok_or_else(absent)?, now) { Ok(()) } else { Err(not_supported()) }
}

fn not_supported() -> ApiError {
    ApiError::new(403, "OperationDenied.BackupSetDeleteNotSupport", "The Specified backup does not support this operation.")
}
