//! Manual backup sets that no RdsBackup names, and the manifests that take them in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kube::Resource;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::generate::name_of_set;
use crate::{
    api::RdsBackup,
    rds::{BackupSet, InstanceId, Mode, SetStatus},
    time::SaturatingTime,
};

/// A set that started so long before an unfinished RdsBackup was created can still be its own: clocks differ by less.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(15);

/// The phases in which an RdsBackup has no set yet that it could get.
const ENDED: [&str; 2] = ["Succeeded", "Failed"];

/// The sets that a listing brought of one instance.
#[derive(Clone, Debug)]
pub struct InstanceSets {
    /// The instance.
    pub instance: InstanceId,
    /// Its region.
    pub region_id: String,
    /// Its manual sets.
    pub sets: Vec<BackupSet>,
}

/// Which sets the RdsBackups of a cluster name.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Instance, in lower case, and set.
    sets: BTreeSet<(String, String)>,
    /// The RdsBackups that may still get a set, by their instance: name, and when they were created.
    unfinished: BTreeMap<String, Vec<(String, Option<Timestamp>)>>,
}

/// Sets without an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// The version of this format.
    pub format_version: u32,
    /// The account.
    pub account: String,
    /// The region.
    pub region_id: String,
    /// How many instances were looked at.
    pub instances: usize,
    /// How many successful manual sets they have.
    pub manual_sets: usize,
    /// Those that no RdsBackup names, by instance and start.
    pub sets: Vec<Orphan>,
}

/// A set without an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// The instance.
    pub db_instance_id: String,
    /// The set.
    pub backup_id: String,
    /// Its region.
    pub region_id: String,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// When the service removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Why there is no manifest for it; absent where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_manifest: Option<String>,
}

impl Claims {
    /// From the RdsBackups as the API server has them: also one that this release cannot read whole claims its set.
    pub fn of(objects: &[Value]) -> Self {
        let mut claims = Self::default();
        for object in objects {
            let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
            let Some(instance) = text("/spec/dbInstanceId").map(|id| id.to_ascii_lowercase()) else { continue };
            let named = [text("/status/backupId"), text("/spec/existingBackupId")];
            claims.sets.extend(named.iter().flatten().map(|set| (instance.clone(), set.clone())));
            let ended = text("/status/phase").is_some_and(|phase| ENDED.contains(&phase.as_str()));
            if !ended && named == [None, None] {
                let name = format!("{}/{}", text("/metadata/namespace").unwrap_or_default(), text("/metadata/name").unwrap_or_default());
                let created_at = text("/metadata/creationTimestamp").and_then(|at| at.parse().ok());
                claims.unfinished.entry(instance).or_default().push((name, created_at));
            }
        }
        claims
    }

    fn names(&self, instance: &str, set: &str) -> bool {
        self.sets.contains(&(instance.to_owned(), set.to_owned()))
    }

    /// An RdsBackup that may be about to name this set.
    fn may_get(&self, instance: &str, set: &BackupSet) -> Option<&str> {
        let unfinished = self.unfinished.get(instance)?;
        let may = |(_, created_at): &&(String, Option<Timestamp>)| match (created_at, set.started_at) {
            (Some(created_at), Some(started_at)) => started_at.plus(CLOCKS_DIFFER) >= *created_at,
            _ => true,
        };
        unfinished.iter().find(may).map(|(name, _)| name.as_str())
    }
}

/// The manual sets that succeeded and that no RdsBackup names.
pub fn orphans(account: &str, region_id: &str, listed: &[InstanceSets], claims: &Claims) -> Orphans {
    let mut found = Orphans {
        format_version: 1,
        account: account.to_owned(),
        region_id: region_id.to_owned(),
        instances: listed.len(),
        ..Orphans::default()
    };
    for InstanceSets { instance, region_id, sets } in listed {
        let key = instance.as_str().to_ascii_lowercase();
        for set in sets.iter().filter(|set| set.mode == Mode::Manual && set.status == SetStatus::Success) {
            found.manual_sets += 1;
            if claims.names(&key, set.backup_id.as_str()) {
                continue;
            }
            let claimed_soon = || claims.may_get(&key, set).map(|name| format!("it may be that of {name}, which has not ended"));
            let unusable = set.unusable().map(|why| format!("not usable: {why}"));
            found.sets.push(Orphan {
                db_instance_id: instance.as_str().to_owned(),
                backup_id: set.backup_id.as_str().to_owned(),
                region_id: region_id.clone(),
                started_at: set.started_at,
                ended_at: set.ended_at,
                method: set.method.clone(),
                size_bytes: set.size_bytes,
                expires_at: set.expires_at,
                no_manifest: unusable.or_else(claimed_soon),
            });
        }
    }
    found.sets.sort_by(|a, b| {
        let key = |set: &Orphan| (set.db_instance_id.clone(), set.started_at, set.backup_id.clone());
        key(a).cmp(&key(b))
    });
    found
}

impl Orphans {
    /// In one line.
    pub fn sum(&self) -> String {
        let without = self.sets.iter().filter(|set| set.no_manifest.is_some()).count();
        let left = if without > 0 { format!(", {without} of them cannot be taken in now") } else { String::new() };
        format!("{} of {} manual backup sets of {} instances have no RdsBackup{left}", self.sets.len(), self.manual_sets, self.instances)
    }
}

/// An RdsBackup for each set that can be taken in: it names the set, and makes no backup.
pub fn take_in(found: &Orphans, namespace: Option<&str>) -> Vec<Value> {
    let object = |set: &Orphan| {
        let name = name_of_set(&InstanceId::new(set.db_instance_id.as_str()), &set.backup_id);
        let mut metadata = Map::from_iter([("name".to_owned(), json!(name))]);
        metadata.extend(namespace.map(|namespace| ("namespace".to_owned(), json!(namespace))));
        let spec = json!({
            "account": found.account,
            "dbInstanceId": set.db_instance_id,
            "existingBackupId": set.backup_id,
            "regionId": set.region_id,
        });
        json!({ "apiVersion": RdsBackup::api_version(&()), "kind": "RdsBackup", "metadata": metadata, "spec": spec })
    };
    found.sets.iter().filter(|set| set.no_manifest.is_none()).map(object).collect()
}
