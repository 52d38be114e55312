//! The one call that deletes a backup set.

use super::{Io, NO_CREDENTIALS};
use crate::{
    api::RdsBackup,
    rds::{BackupId, CallError, InstanceId, SetDeletion},
};

impl Io {
    pub(super) async fn delete_set(&self, object: &RdsBackup, instance: &InstanceId, set: &BackupId) -> Result<SetDeletion, CallError> {
        let Some((access, credentials)) = &self.means else { return Err(CallError::NotSent { why: NO_CREDENTIALS.to_owned() }) };
        let result = access.client.delete_backup(credentials, instance, set).await;
        self.context.counts.deletion(object, &result);
        result
    }
}
