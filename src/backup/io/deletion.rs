//! The deletion of a backup set, and that of an object whose time is over.

use tracing::{info, warn};

use super::{Io, NO_CREDENTIALS};
use crate::{
    api::RdsBackup,
    controller,
    rds::{BackupId, CallError, InstanceId, SetDeletion},
};

impl Io {
    pub(super) async fn remove(&self, object: &RdsBackup) -> Result<bool, controller::Error> {
        let metadata = &object.metadata;
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, name, uid) = (of(&metadata.namespace), of(&metadata.name), of(&metadata.uid));
        let deleted = self.context.cluster.delete::<RdsBackup>(&namespace, &name, &uid, &of(&metadata.resource_version)).await;
        match &deleted {
            Ok(true) => info!(namespace, name, uid, "the RdsBackup was deleted: its ttl is over; its backup set was not"),
            Ok(false) => {}
            Err(error) => {
                warn!(namespace, name, uid, %error, "the RdsBackup could not be deleted although its ttl is over; it is tried again")
            }
        }
        deleted
    }

    pub(super) async fn delete_set(&self, object: &RdsBackup, instance: &InstanceId, set: &BackupId) -> Result<SetDeletion, CallError> {
        let Some((access, credentials)) = &self.means else { return Err(CallError::NotSent { why: NO_CREDENTIALS.to_owned() }) };
        let result = access.client.delete_backup(credentials, instance, set).await;
        self.context.counts.deletion(object, &result);
        result
    }
}
