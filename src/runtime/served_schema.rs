//! Compares the CRDs that the API server serves with those of this release, at the start and when they change. With an older CRD the API server
//! drops a field of every status, or refuses the whole write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use serde_json::Value;
use tracing::{info, warn};

use super::readiness::Readiness;
use crate::{
    api::{RdsBackup, RdsBackupSchedule},
    controller::{answering, error_text},
};

/// The time between two looks at the generation of the CRDs.
const PAUSE: Duration = Duration::from_secs(60);

/// The time between two looks while a CRD is not there yet.
const WHILE_ABSENT: Duration = Duration::from_secs(2);

/// So many differences are told; one `apply` mends all.
const TOLD: usize = 3;

/// Limits that an older schema may have smaller.
const LIMITS: [&str; 4] = ["maxItems", "maxLength", "maxProperties", "maximum"];

/// Until the first comparison a pod is not ready: in a rollout it would take an older one's place.
pub(super) fn not_compared_yet(readiness: &Readiness) {
    for ours in [RdsBackup::crd(), RdsBackupSchedule::crd()] {
        let name = ours.name_any();
        readiness.schema(&name, Some(format!("the CRD {name} has not been compared with this release's yet")), true);
    }
}

/// Never ends.
pub(super) async fn run(client: Client, readiness: Arc<Readiness>) {
    let api: Api<CustomResourceDefinition> = Api::all(answering(client));
    let ours = [RdsBackup::crd(), RdsBackupSchedule::crd()];
    let mut compared: BTreeMap<String, i64> = BTreeMap::new();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let mut absent = false;
        for ours in &ours {
            let name = ours.name_any();
            let (blocks, words) = match look(&api, ours, &name, &mut compared).await {
                Ok(Served::AsBefore) => continue,
                // The watch says so.
                Ok(Served::Absent) => {
                    absent = true;
                    continue;
                }
                Ok(Served::Compared(words)) => (true, words),
                Err(why) => (false, Some(why)),
            };
            match &words {
                Some(words) if said.get(&name) != Some(words) => {
                    warn!("{words}");
                    said.insert(name.clone(), words.clone());
                }
                None if said.remove(&name).is_some() => info!("the CRD {name} is as this release has it"),
                _ => {}
            }
            readiness.schema(&name, words, blocks);
        }
        tokio::time::sleep(if absent { WHILE_ABSENT } else { PAUSE }).await;
    }
}

/// A CRD as it is served.
enum Served {
    /// Its generation was compared already.
    AsBefore,
    Absent,
    /// What to do about it, if anything.
    Compared(Option<String>),
}

async fn look(
    api: &Api<CustomResourceDefinition>,
    ours: &CustomResourceDefinition,
    name: &str,
    compared: &mut BTreeMap<String, i64>,
) -> Result<Served, String> {
    let unread = |error: kube::Error| format!("the CRD {name} cannot be compared with this release's: {}", error_text(&error));
    let Some(metadata) = api.get_metadata_opt(name).await.map_err(unread)? else { return Ok(Served::Absent) };
    let generation = metadata.metadata.generation.unwrap_or_default();
    if compared.get(name) == Some(&generation) {
        return Ok(Served::AsBefore);
    }
    let Some(served) = api.get_opt(name).await.map_err(unread)? else { return Ok(Served::Absent) };
    let missing = behind(&serde_json::to_value(ours).unwrap_or_default(), &serde_json::to_value(served).unwrap_or_default());
    compared.insert(name.to_owned(), generation);
    if missing.is_empty() {
        return Ok(Served::Compared(None));
    }
    let more = missing.len().saturating_sub(TOLD);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let first = missing.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    Ok(Served::Compared(Some(format!(
        "the CRD {name} in the cluster is older than this operator ({first}{more}), so statuses lose fields or cannot be written: apply crds/ of this release, or the output of `rds-backup-operator crds`, with kubectl apply --server-side"
    ))))
}

/// In what a served CRD is behind ours. What it has beyond ours is no matter: a newer CRD serves an older operator.
fn behind(ours: &Value, served: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for version in ours["spec"]["versions"].as_array().into_iter().flatten() {
        let name = version["name"].as_str().unwrap_or_default();
        let same = |other: &&Value| other["name"] == version["name"] && other["served"] == true;
        let Some(there) = served["spec"]["versions"].as_array().into_iter().flatten().find(same) else {
            missing.push(format!("version {name} is not served"));
            continue;
        };
        if version["subresources"]["status"].is_object() && !there["subresources"]["status"].is_object() {
            missing.push("it has no subresource status".to_owned());
        }
        for field in version["selectableFields"].as_array().into_iter().flatten() {
            if !there["selectableFields"].as_array().is_some_and(|fields| fields.contains(field)) {
                missing.push(format!("{} is not selectable", field["jsonPath"].as_str().unwrap_or_default()));
            }
        }
        let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
        compare("", &schema(version), &schema(there), &mut missing);
    }
    missing
}

fn compare(path: &str, ours: &Value, served: &Value, missing: &mut Vec<String>) {
    if served["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, property) in ours["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match &served["properties"][name] {
            Value::Null => missing.push(format!("{below} is missing")),
            there => compare(&below, property, there, missing),
        }
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if ours[key].is_object() && served[key].is_object() {
            compare(&format!("{path}{suffix}"), &ours[key], &served[key], missing);
        }
    }
    if let (Some(words), Some(known)) = (ours["enum"].as_array(), served["enum"].as_array()) {
        let unknown = words.iter().filter(|word| !known.contains(word));
        missing.extend(unknown.map(|word| format!("{path} does not know {}", word.as_str().unwrap_or_default())));
    }
    for limit in LIMITS {
        if let (Some(most), Some(served)) = (ours[limit].as_f64(), served[limit].as_f64())
            && served < most
        {
            missing.push(format!("{limit} of {path} is {served}, not {most}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crd() -> Value {
        serde_json::to_value(RdsBackup::crd()).unwrap()
    }

    fn schema(crd: &mut Value) -> &mut Value {
        &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    }

    #[test]
    fn the_same_crd_and_a_newer_one_are_behind_in_nothing() {
        for ours in [crd(), serde_json::to_value(RdsBackupSchedule::crd()).unwrap()] {
            assert_eq!(behind(&ours, &ours), Vec::<String>::new());
        }
        let mut newer = crd();
        schema(&mut newer)["status"]["properties"]["verified"] = json!({ "type": "boolean" });
        schema(&mut newer)["status"]["properties"]["conditions"]["maxItems"] = json!(16);
        schema(&mut newer)["status"]["properties"]["phase"]["enum"].as_array_mut().unwrap().push(json!("Verifying"));
        assert_eq!(behind(&crd(), &newer), Vec::<String>::new());
    }

    #[test]
    fn what_an_older_crd_does_not_have_is_told() {
        let remove = |pointer: &'static str, key: &'static str| {
            let mut older = crd();
            schema(&mut older).pointer_mut(pointer).and_then(Value::as_object_mut).expect(pointer).remove(key).expect(key);
            older
        };
        assert_eq!(behind(&crd(), &remove("/status/properties", "queue")), ["status.queue is missing"]);
        assert_eq!(
            behind(&crd(), &remove("/status/properties/submission/properties/baseline/properties", "at")),
            ["status.submission.baseline.at is missing"]
        );
        assert_eq!(behind(&crd(), &remove("/status/properties/attempts/items/properties", "code")), ["status.attempts[].code is missing"]);
        let mut older = crd();
        schema(&mut older)["status"]["properties"]["conditions"]["maxItems"] = json!(4);
        schema(&mut older)["status"]["properties"]["phase"]["enum"] = json!(["Pending"]);
        let told = behind(&crd(), &older);
        assert!(told.contains(&"maxItems of status.conditions is 4, not 8".to_owned()), "{told:?}");
        assert!(told.contains(&"status.phase does not know Running".to_owned()), "{told:?}");
        let mut older = crd();
        older["spec"]["versions"][0]["served"] = json!(false);
        assert_eq!(behind(&crd(), &older), ["version v1alpha1 is not served"]);
        let mut older = crd();
        older["spec"]["versions"][0].as_object_mut().unwrap().remove("selectableFields");
        assert_eq!(behind(&crd(), &older), [".spec.dbInstanceId is not selectable"]);
    }
}
