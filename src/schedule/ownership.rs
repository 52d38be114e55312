//! Whose backup an object is. A name and a label are not enough: a schedule that is deleted and created again for another instance has the
//! names of the first one.

use kube::Resource;

use super::children::GuardedBackup;
use crate::api::{BackupTemplate, RdsBackup, RdsBackupSchedule, SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL};

/// Whether the backup is of the instance and the account that the template names.
pub(super) fn is_same_target(backup: &RdsBackup, template: &BackupTemplate) -> bool {
    backup.spec.db_instance_id == template.spec.db_instance_id && backup.spec.account == template.spec.account
}

/// Whether the object is a backup of the schedule, or of an earlier one of its name, instance and account.
///
/// What cannot be read as an RdsBackup is the schedule's own by its uid: the instance of a schedule cannot be changed, and in doubt no
/// second backup is made.
pub fn is_of(object: &GuardedBackup, schedule: &RdsBackupSchedule) -> bool {
    let labels = object.meta().labels.as_ref();
    let label = |name: &str| labels.and_then(|labels| labels.get(name));
    match &object.0 {
        Ok(backup) => label(SCHEDULE_NAME_LABEL) == schedule.metadata.name.as_ref() && is_same_target(backup, &schedule.spec.template),
        Err(_) => schedule.metadata.uid.is_some() && label(SCHEDULE_UID_LABEL) == schedule.metadata.uid.as_ref(),
    }
}
