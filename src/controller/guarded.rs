//! An object of the API server that may not deserialise.

use std::{borrow::Cow, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

/// Longer texts of an unreadable object are no ids and no phases.
const LONGEST_FIELD: usize = 128;

/// An object; one that does not deserialise is an `Err` of its own, so that it stops no list and no watch.
///
/// kube has a type of this kind, which keeps nothing of an unreadable object but its metadata: neither its instance nor its phase.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<Arc<K>, Box<Unreadable>>);

/// What can be told of an object that does not deserialise.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Why it does not deserialise.
    pub error: String,
    /// `/spec/dbInstanceId`, where it is text.
    pub instance: Option<String>,
    /// `/status/phase`, where it is text.
    pub phase: Option<String>,
    /// `/status/backupJobId`, where it is text.
    pub backup_job_id: Option<String>,
    /// `/status/backupId`, where it is text.
    pub backup_id: Option<String>,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let error = match K::deserialize(&object) {
            Ok(read) => return Ok(Self(Ok(Arc::new(read)))),
            Err(error) => error.to_string(),
        };
        let field = |path| object.pointer(path).and_then(Value::as_str).filter(|text| text.len() <= LONGEST_FIELD).map(str::to_owned);
        let metadata =
            object.get("metadata").map_or_else(|| Ok(ObjectMeta::default()), ObjectMeta::deserialize).map_err(D::Error::custom)?;
        Ok(Self(Err(Box::new(Unreadable {
            metadata,
            error,
            instance: field("/spec/dbInstanceId"),
            phase: field("/status/phase"),
            backup_job_id: field("/status/backupJobId"),
            backup_id: field("/status/backupId"),
        }))))
    }
}

impl<K: Resource + Clone> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, |object| object.meta())
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => Arc::make_mut(object).meta_mut(),
            Err(unreadable) => &mut unreadable.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::RdsBackup;

    #[test]
    fn an_object_that_does_not_deserialise_keeps_what_can_be_told_of_it() {
        let object = json!({
            "metadata": { "name": "b", "namespace": "team-a", "uid": "u" },
            "spec": { "dbInstanceId": "rm-1" },
            "status": { "observedGeneration": 1, "phase": "Restoring", "backupJobId": "17", "backupId": "5".repeat(200) },
        });
        let unreadable = serde_json::from_value::<Guarded<RdsBackup>>(object).unwrap().0.unwrap_err();
        assert_eq!(unreadable.metadata.name.as_deref(), Some("b"));
        assert_eq!((unreadable.instance.as_deref(), unreadable.phase.as_deref()), (Some("rm-1"), Some("Restoring")));
        assert_eq!((unreadable.backup_job_id.as_deref(), unreadable.backup_id.as_deref()), (Some("17"), None));
        assert!(unreadable.error.contains("Restoring"), "{}", unreadable.error);
    }

    #[test]
    fn a_whole_object_is_read() {
        let object = json!({ "metadata": { "name": "b" }, "spec": { "dbInstanceId": "rm-1" }, "status": { "observedGeneration": -1 } });
        assert_eq!(serde_json::from_value::<Guarded<RdsBackup>>(object).unwrap().0.unwrap().spec.db_instance_id, "rm-1");
        assert!(serde_json::from_value::<Guarded<RdsBackup>>(json!({ "spec": {} })).unwrap().0.is_err());
    }
}
