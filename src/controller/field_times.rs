//! When fields of a spec were written last, as far as the API server tells it.
//!
//! `metadata.managedFields` has, for each client, the fields that it wrote and the time of its last write: what is kept of it here is
//! enough to say when a schedule was edited while no operator looked. The time of a client is that of its newest write of any field, so it
//! may be later than that of the field. A client that removes a field leaves no time.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value, json};

/// The fields of a spec whose times are asked for. The entries of an object without any of them are dropped as a whole.
const ASKED_FOR: [&str; 5] = ["schedule", "timeZone", "jitter", "suspend", "template"];

/// Keeps of the managed fields only who wrote the fields that are asked for, and when: 300 bytes instead of several thousand.
pub(super) fn project(managed_fields: &mut Option<Vec<ManagedFieldsEntry>>) {
    let kept = |entry: ManagedFieldsEntry| -> Option<ManagedFieldsEntry> {
        let fields: Map<String, Value> = ASKED_FOR.iter().filter(|field| has(&entry, field)).map(|field| (key(field), json!({}))).collect();
        let (time, is_asked_for) = (entry.time, entry.subresource.is_none() && !fields.is_empty());
        is_asked_for.then(|| ManagedFieldsEntry {
            time,
            fields_v1: Some(FieldsV1(json!({ "f:spec": fields }))),
            ..ManagedFieldsEntry::default()
        })
    };
    let entries: Vec<ManagedFieldsEntry> = managed_fields.take().into_iter().flatten().filter_map(kept).collect();
    *managed_fields = (!entries.is_empty()).then_some(entries);
}

/// When a client that owns one of these fields of the spec wrote last; none where the object does not tell.
pub fn written_at(meta: &ObjectMeta, fields: &[&str]) -> Option<Timestamp> {
    let entries = meta.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none());
    let owners = entries.filter(|entry| fields.iter().any(|field| has(entry, field)));
    owners.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()
}

fn has(entry: &ManagedFieldsEntry, field: &str) -> bool {
    entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some_and(|spec| spec.get(key(field)).is_some()))
}

fn key(field: &str) -> String {
    format!("f:{field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time: &str, subresource: Option<&str>, fields: Value) -> Value {
        json!({ "manager": "a client", "operation": "Update", "time": time, "subresource": subresource, "fieldsV1": fields })
    }

    #[test]
    fn the_newest_write_of_an_owner_counts_and_survives_the_projection() {
        let mut meta: ObjectMeta = serde_json::from_value(json!({ "managedFields": [
            entry("2027-01-15T08:00:00Z", None, json!({ "f:spec": { "f:schedule": {}, "f:jitter": {}, "f:trigger": {} } })),
            entry("2027-01-15T09:00:00Z", None, json!({ "f:spec": { "f:suspend": {} } })),
            entry("2027-01-15T10:00:00Z", None, json!({ "f:spec": { "f:trigger": {} }, "f:metadata": { "f:labels": {} } })),
            entry("2027-01-15T11:00:00Z", Some("status"), json!({ "f:status": {} })),
        ] }))
        .unwrap();
        let before = meta.clone();
        project(&mut meta.managed_fields);
        assert_eq!(meta.managed_fields.as_ref().map(Vec::len), Some(2));
        for (fields, time) in [
            (&["schedule"][..], Some("2027-01-15T08:00:00Z")),
            (&["schedule", "timeZone", "jitter", "suspend"][..], Some("2027-01-15T09:00:00Z")),
            (&["template"][..], None),
        ] {
            for meta in [&before, &meta] {
                assert_eq!(written_at(meta, fields), time.map(|time| time.parse().unwrap()), "{fields:?}");
            }
        }
    }

    #[test]
    fn an_object_without_these_fields_keeps_none() {
        for fields in [json!({ "f:spec": { "f:dbInstanceId": {} } }), json!({}), json!(null), json!({ "f:spec": 1 })] {
            let mut meta: ObjectMeta =
                serde_json::from_value(json!({ "managedFields": [entry("2027-01-15T08:00:00Z", None, fields)] })).unwrap();
            project(&mut meta.managed_fields);
            assert_eq!(meta.managed_fields, None);
        }
    }
}
