//! Compares the CRDs that the API server serves with those of this release, at the start and when they change. With an older CRD the API
//! server drops a field of every status, or refuses the whole write.

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

/// The time between two looks while a CRD is not there yet, or could not be read.
const SOON: Duration = Duration::from_secs(2);

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
    let mut schemas = Schemas {
        api: Api::all(answering(client)),
        ours: [RdsBackup::crd(), RdsBackupSchedule::crd()],
        compared: BTreeMap::new(),
        said: BTreeMap::new(),
    };
    loop {
        let soon = schemas.look_at_all(&readiness).await;
        tokio::time::sleep(if soon { SOON } else { PAUSE }).await;
    }
}

/// The CRDs of this release, and what is known of those that are served.
struct Schemas {
    api: Api<CustomResourceDefinition>,
    ours: [CustomResourceDefinition; 2],
    /// The generations that were compared.
    compared: BTreeMap<String, i64>,
    /// What was logged about each.
    said: BTreeMap<String, String>,
}

impl Schemas {
    /// Looks at each CRD. Says whether one could not be compared, so that it is looked at again soon.
    async fn look_at_all(&mut self, readiness: &Readiness) -> bool {
        let mut soon = false;
        for ours in &self.ours {
            let name = ours.name_any();
            let (blocks, words) = match look(&self.api, ours, &name, &mut self.compared).await {
                Ok(Served::AsBefore) => continue,
                // The watch says so.
                Ok(Served::Absent) => {
                    soon = true;
                    continue;
                }
                Ok(Served::Compared(words)) => (true, words),
                // What is known of the CRD stays true until the API server says otherwise.
                Err(Unread { is_forbidden, .. }) if self.compared.contains_key(&name) && !is_forbidden => {
                    soon = true;
                    continue;
                }
                // An operator without the right to read CRDs works all the same. Every other failure passes, and until then nothing is
                // known.
                Err(Unread { is_forbidden, why }) => {
                    soon |= !is_forbidden;
                    // Compared anew once it can be read again.
                    self.compared.remove(&name);
                    (!is_forbidden, Some(why))
                }
            };
            match &words {
                Some(words) if self.said.get(&name) != Some(words) => {
                    warn!("{words}");
                    self.said.insert(name.clone(), words.clone());
                }
                None if self.said.remove(&name).is_some() => info!("the CRD {name} is as this release has it"),
                _ => {}
            }
            readiness.schema(&name, words, blocks);
        }
        soon
    }
}

/// A CRD could not be read.
struct Unread {
    /// The operator may not read it.
    is_forbidden: bool,
    why: String,
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
) -> Result<Served, Unread> {
    let unread = |error: kube::Error| Unread {
        is_forbidden: matches!(&error, kube::Error::Api(status) if status.code == 403),
        why: format!("the CRD {name} cannot be compared with this release's: {}", error_text(&error)),
    };
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
    use std::sync::Mutex;

    use kube::client::Body;
    use serde_json::json;
    use tower::BoxError;

    use super::*;

    /// An API server that answers every read with what is set.
    fn schemas(answer: &Arc<Mutex<(u16, Value)>>) -> Schemas {
        let answer = answer.clone();
        let server = tower::service_fn(move |_: http::Request<Body>| {
            let (code, body) = answer.lock().unwrap().clone();
            let response = http::Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            async move { Ok::<_, BoxError>(response.unwrap()) }
        });
        Schemas {
            api: Api::all(Client::new(server, "default")),
            ours: [RdsBackup::crd(), RdsBackup::crd()],
            compared: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }

    fn failure(code: u16) -> (u16, Value) {
        (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "x", "code": code }))
    }

    fn served(generation: i64, change: impl Fn(&mut Value)) -> (u16, Value) {
        let mut crd = crd();
        crd["metadata"]["generation"] = json!(generation);
        change(&mut crd);
        (200, crd)
    }

    #[tokio::test]
    async fn what_is_known_of_a_crd_stays_while_it_cannot_be_read() {
        let (answer, readiness) = (Arc::new(Mutex::new(failure(500))), Readiness::default());
        readiness.stands_by();
        not_compared_yet(&readiness);
        readiness.schema(&RdsBackupSchedule::crd().name_any(), None, true);
        let mut schemas = schemas(&answer);
        assert!(schemas.look_at_all(&readiness).await, "soon again");
        assert!(readiness.blocker().is_some(), "nothing is known yet");
        let older = |crd: &mut Value| _ = schema(crd)["status"]["properties"].as_object_mut().unwrap().remove("queue");
        *answer.lock().unwrap() = served(1, older);
        assert!(!schemas.look_at_all(&readiness).await);
        assert!(readiness.blocker().unwrap().contains("status.queue is missing"));
        for code in [500, 429] {
            *answer.lock().unwrap() = failure(code);
            assert!(schemas.look_at_all(&readiness).await, "soon again");
            assert!(readiness.blocker().unwrap().contains("status.queue is missing"), "{code}: it is as old as before");
        }
        *answer.lock().unwrap() = served(1, older);
        schemas.look_at_all(&readiness).await;
        assert!(readiness.blocker().is_some());
        *answer.lock().unwrap() = served(2, |_| {});
        assert!(!schemas.look_at_all(&readiness).await);
        assert_eq!(readiness.blocker(), None);
    }

    #[tokio::test]
    async fn an_operator_that_may_not_read_crds_is_ready_and_says_so() {
        let (answer, readiness) = (Arc::new(Mutex::new(failure(403))), Readiness::default());
        readiness.stands_by();
        assert!(!schemas(&answer).look_at_all(&readiness).await);
        assert_eq!(readiness.blocker(), None);
        assert!(readiness.details()[0].contains("cannot be compared"), "{:?}", readiness.details());
    }

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
        assert!(told.contains(&"maxItems of status.conditions is 4, not 16".to_owned()), "{told:?}");
        assert!(told.contains(&"status.phase does not know Running".to_owned()), "{told:?}");
        let mut older = crd();
        older["spec"]["versions"][0]["served"] = json!(false);
        assert_eq!(behind(&crd(), &older), ["version v1alpha1 is not served"]);
        let mut older = crd();
        older["spec"]["versions"][0].as_object_mut().unwrap().remove("selectableFields");
        assert_eq!(behind(&crd(), &older), [".spec.dbInstanceId is not selectable"]);
    }
}
