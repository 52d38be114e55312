//! The scripted API server: objects with resourceVersions, a status that is written apart, lists in pages, and the history that watches
//! read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hyper::http::{Method, request::Parts};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::people::SCHEDULES;

pub const GROUP: &str = "rdsbackup.io/v1alpha1";
pub const BACKUPS: &str = "rdsbackups";

/// A request, taken apart.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub plural: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
    pub query: BTreeMap<String, String>,
    pub body: String,
}

impl Call {
    pub fn read(parts: &Parts, body: &[u8]) -> Self {
        let path = parts.uri.path().to_owned();
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let mut rest: Vec<&str> = path.trim_matches('/').split('/').collect();
        // /api/v1/... or /apis/<group>/<version>/...
        rest.drain(..if rest.first() == Some(&"api") { 2 } else { 3 });
        let mut namespace = None;
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            namespace = Some(rest[1].to_owned());
            rest.drain(..2);
        }
        let nth = |index: usize| rest.get(index).map(|part| (*part).to_owned());
        let (plural, name, subresource) = (nth(0).unwrap_or_default(), nth(1), nth(2));
        let body = String::from_utf8_lossy(body).into_owned();
        Self { method: parts.method.clone(), path, plural, namespace, name, subresource, query, body }
    }

    pub fn is_watch(&self) -> bool {
        self.query.get("watch").is_some_and(|watch| watch == "true" || watch == "1")
    }

    /// Of a backup or of a schedule.
    pub fn is_status_write(&self) -> bool {
        matches!(self.plural.as_str(), BACKUPS | SCHEDULES) && self.subresource.as_deref() == Some("status") && self.method == Method::PUT
    }

    fn key(&self) -> Key {
        (self.plural.clone(), self.namespace.clone().unwrap_or_default(), self.name.clone().unwrap_or_default())
    }
}

/// Plural, namespace, name.
type Key = (String, String, String);

/// One entry of the history.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub at: Timestamp,
    pub kind: &'static str,
    pub plural: String,
    pub object: Value,
}

/// The effect of a status write.
#[derive(Clone, Debug)]
pub struct Written {
    pub uid: String,
    pub before: Value,
    pub after: Value,
}

/// The answer to a call, and the change that it made.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub written: Option<Written>,
}

impl Answer {
    pub fn error(code: u16, reason: &str, message: &str) -> Self {
        let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code });
        Self { code, body, written: None }
    }

    fn object(code: u16, body: Value) -> Self {
        Self { code, body, written: None }
    }
}

/// The state of the API server.
#[derive(Debug, Default)]
pub struct Api {
    objects: BTreeMap<Key, Value>,
    pub changes: Vec<Change>,
    version: u64,
    /// The history up to this version is gone.
    pub compacted: u64,
    made: u64,
    /// The most objects in one page, whatever `limit` the request has.
    largest_page: usize,
    /// The rest of each list by its continue token, with the version that all pages of the list have.
    pages: BTreeMap<String, (u64, Vec<Value>)>,
    /// Terminating namespaces: no object can be created in them.
    closed: BTreeSet<String>,
    /// The operator may not read Secrets.
    pub secrets_forbidden: bool,
    /// Lists that fill a cache show the state of so long ago.
    pub list_lag: Duration,
    /// The operator may list the RdsBackups of the whole cluster.
    pub claims_refused: bool,
    /// Namespaces in which the operator has no rights.
    pub forbidden: BTreeSet<String>,
    /// Backups that have become too large to be written, by name.
    pub too_large: BTreeSet<String>,
    /// Namespaces that do not exist any more.
    pub gone: BTreeSet<String>,
}

impl Api {
    pub fn new(largest_page: usize, list_lag: Duration) -> Self {
        Self { largest_page, list_lag, ..Self::default() }
    }

    pub fn execute(&mut self, call: &Call, now: Timestamp) -> Answer {
        let refused = call.plural == BACKUPS && call.namespace.is_none() && self.claims_refused
            || call.namespace.as_ref().is_some_and(|namespace| self.forbidden.contains(namespace));
        if refused {
            return Answer::error(403, "Forbidden", "the operator has no rights here");
        }
        match (call.method.as_str(), call.plural.as_str(), call.subresource.as_deref()) {
            ("GET", "namespaces", None) => {
                let name = call.name.clone().unwrap_or_default();
                if self.gone.contains(&name) {
                    return Answer::error(404, "NotFound", &format!("namespaces {name:?} not found"));
                }
                let metadata = json!({ "name": name });
                Answer::object(200, json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata }))
            }
            ("GET", "secrets", None) if self.secrets_forbidden => Answer::error(403, "Forbidden", "secrets is forbidden"),
            ("GET", _, None) if call.name.is_some() => match self.objects.get(&call.key()) {
                Some(object) => Answer::object(200, object.clone()),
                None => Answer::error(404, "NotFound", &format!("{} not found", call.path)),
            },
            ("GET", _, None) => self.list(call, now),
            ("PUT", BACKUPS, Some("status")) if call.name.as_ref().is_some_and(|name| self.too_large.contains(name)) => {
                Answer::error(500, "", "etcdserver: request is too large")
            }
            ("PUT", BACKUPS | SCHEDULES, Some("status")) => self.write_status(call, now),
            ("POST", _, None) if call.namespace.as_ref().is_some_and(|namespace| self.closed.contains(namespace)) => {
                Answer::error(403, "Forbidden", "the namespace is being terminated")
            }
            ("POST", BACKUPS, None) => self.post(call, now),
            ("DELETE", BACKUPS, None) => self.remove(call, now),
            ("POST", "events", None) => Answer::object(201, serde_json::from_str(&call.body).unwrap_or_default()),
            (method, ..) => Answer::error(405, "MethodNotAllowed", &format!("the script has no {method} {}", call.path)),
        }
    }

    fn list(&mut self, call: &Call, now: Timestamp) -> Answer {
        let wanted = |object: &Value| match call.query.get("fieldSelector").map(|selector| selector.split_once('=').unwrap_or_default()) {
            None => true,
            Some(("spec.dbInstanceId", id)) => object["spec"]["dbInstanceId"] == id,
            Some(_) => false,
        };
        let version;
        let mut items = match call.query.get("continue") {
            Some(token) => match self.pages.remove(token) {
                Some((of, rest)) => {
                    version = of;
                    rest
                }
                None => return Answer::error(410, "Expired", "the continue token is too old"),
            },
            None => {
                // A list with a selector is a quorum read of the operator; a list without one fills a cache, and may be behind.
                let lag = if call.query.contains_key("fieldSelector") { Duration::ZERO } else { self.list_lag };
                let (then, objects) = self.as_of(now - lag);
                version = then;
                let of_scope = objects.into_iter().filter(|((plural, namespace, _), _)| {
                    *plural == call.plural && call.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
                });
                of_scope.map(|(_, object)| object).filter(wanted).collect()
            }
        };
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let Some(limit) = call.query.get("limit").and_then(|limit| limit.parse::<usize>().ok()) {
            let limit = limit.min(self.largest_page);
            if items.len() > limit {
                self.made += 1;
                let token = format!("page-{}", self.made);
                self.pages.insert(token.clone(), (version, items.split_off(limit)));
                metadata["continue"] = json!(token);
            }
        }
        let kind = if call.plural == BACKUPS { "RdsBackupList" } else { "RdsBackupScheduleList" };
        Answer::object(200, json!({ "apiVersion": GROUP, "kind": kind, "metadata": metadata, "items": items }))
    }

    /// The status is replaced: what the body leaves out is removed. Its spec and metadata are ignored, but for uid and resourceVersion,
    /// which are conditions; a replacement must name the version.
    fn write_status(&mut self, call: &Call, now: Timestamp) -> Answer {
        let Some(before) = self.objects.get(&call.key()).cloned() else { return Answer::error(404, "NotFound", "not found") };
        let Ok(body) = serde_json::from_str::<Value>(&call.body) else { return Answer::error(400, "BadRequest", "not JSON") };
        if !call.query.contains_key("fieldManager") || body["kind"] != kind_of(&call.plural) || body["apiVersion"] != GROUP {
            return Answer::error(400, "BadRequest", "a write names its manager, apiVersion and kind");
        }
        let given = |name: &str| &body["metadata"][name];
        if !given("resourceVersion").is_string() {
            return Answer::error(422, "Invalid", "metadata.resourceVersion: must be specified for an update");
        }
        let differs = |name: &str| *given(name) != before["metadata"][name];
        if differs("resourceVersion") || (given("uid").is_string() && differs("uid")) {
            return Answer::error(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            );
        }
        let mut status = body["status"].clone();
        if status["observedGeneration"].is_null() {
            status["observedGeneration"] = json!(-1);
        }
        let mut after = before.clone();
        let uid = before["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let written = Written { uid, before: before["status"].clone(), after: status.clone() };
        after["status"] = status;
        // What changes nothing keeps the resourceVersion.
        if after != before {
            after = self.store(call.key(), after, "MODIFIED", now);
        }
        Answer { code: 200, body: after, written: (call.plural == BACKUPS).then_some(written) }
    }

    /// The operator creates an object.
    fn post(&mut self, call: &Call, now: Timestamp) -> Answer {
        let Ok(mut body) = serde_json::from_str::<Value>(&call.body) else { return Answer::error(400, "BadRequest", "not JSON") };
        let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let namespace = call.namespace.clone().unwrap_or_default();
        if self.objects.contains_key(&(call.plural.clone(), namespace.clone(), name.clone())) {
            return Answer::error(409, "AlreadyExists", &format!("rdsbackups.rdsbackup.io {name:?} already exists"));
        }
        self.made += 1;
        for (field, value) in [("uid", json!(uid(self.made))), ("generation", json!(1)), ("creationTimestamp", json!(seconds(now)))] {
            body["metadata"][field] = value;
        }
        body["status"] = json!({ "observedGeneration": -1 });
        Answer::object(201, self.store((call.plural.clone(), namespace, name), body, "ADDED", now))
    }

    /// The operator deletes an object, with uid and resourceVersion as preconditions.
    fn remove(&mut self, call: &Call, now: Timestamp) -> Answer {
        let Some(object) = self.objects.get(&call.key()) else { return Answer::error(404, "NotFound", "not found") };
        let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
        let met = |name: &str| body["preconditions"][name].is_string() && body["preconditions"][name] == object["metadata"][name];
        if !met("uid") || !met("resourceVersion") {
            return Answer::error(409, "Conflict", "the preconditions are not met, or there are none");
        }
        let (plural, namespace, name) = call.key();
        self.delete(&plural, &namespace, &name, now);
        Answer::object(200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
    }

    /// A user creates an object. Returns its uid.
    pub fn create(&mut self, plural: &str, namespace: &str, name: &str, fields: Value, now: Timestamp) -> String {
        self.made += 1;
        let uid = uid(self.made);
        let mut object = json!({
            "metadata": { "name": name, "namespace": namespace, "uid": uid, "generation": 1, "creationTimestamp": seconds(now) },
        });
        if plural != "secrets" {
            object["apiVersion"] = json!(GROUP);
            object["kind"] = json!(kind_of(plural));
            object["status"] = json!({ "observedGeneration": -1 });
        }
        for (field, value) in fields.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        self.store((plural.to_owned(), namespace.to_owned(), name.to_owned()), object, "ADDED", now);
        uid
    }

    /// Another client writes an annotation: only the resourceVersion changes, and the annotation.
    pub fn touch(&mut self, namespace: &str, name: &str, now: Timestamp) -> bool {
        let key = (BACKUPS.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = self.objects.get(&key).cloned() else { return false };
        self.made += 1;
        object["metadata"]["annotations"] = json!({ "touched": self.made.to_string() });
        self.store(key, object, "MODIFIED", now);
        true
    }

    /// A user changes fields of a spec; null removes a field.
    pub fn edit(&mut self, plural: &str, namespace: &str, name: &str, fields: &Value, now: Timestamp) {
        self.change(plural, namespace, name, now, |object| {
            merge(&mut object["spec"], fields);
            let entries = &mut object["metadata"]["managedFields"];
            let mut owned = entries[0]["fieldsV1"]["f:spec"].as_object().cloned().unwrap_or_default();
            for (field, value) in fields.as_object().into_iter().flatten() {
                if value.is_null() {
                    owned.remove(&format!("f:{field}"))
                } else {
                    owned.insert(format!("f:{field}"), json!({}))
                };
            }
            *entries = json!([{
                "manager": "kubectl", "operation": "Update", "apiVersion": GROUP, "time": seconds(now),
                "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": owned },
            }]);
            let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        });
    }

    /// Every backup is deleted, and restored without its status. Returns the uids of those that were deleted.
    pub fn restore(&mut self, young: bool, now: Timestamp) -> Vec<String> {
        let before: Vec<Value> = self.backups().cloned().collect();
        let restored = before.into_iter().map(|object| {
            let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
            let (namespace, name) = (text("namespace"), text("name"));
            self.delete(BACKUPS, &namespace, &name, now);
            self.create(BACKUPS, &namespace, &name, json!({ "spec": object["spec"] }), now);
            self.change(BACKUPS, &namespace, &name, now, |copy| {
                for field in ["labels", "annotations"] {
                    copy["metadata"][field] = object["metadata"][field].clone();
                }
                if !young {
                    copy["metadata"]["creationTimestamp"] = object["metadata"]["creationTimestamp"].clone();
                }
            });
            text("uid")
        });
        restored.collect()
    }

    /// A user deletes a backup that a finalizer keeps.
    pub fn terminate(&mut self, namespace: &str, name: &str, now: Timestamp) {
        self.change(BACKUPS, namespace, name, now, |object| {
            object["metadata"]["finalizers"] = json!(["example.com/kept"]);
            object["metadata"]["deletionTimestamp"] = json!(seconds(now));
        });
    }

    /// A user writes fields of a status.
    pub fn tamper(&mut self, plural: &str, namespace: &str, name: &str, fields: &Value, now: Timestamp) {
        self.change(plural, namespace, name, now, |object| merge(&mut object["status"], fields));
    }

    fn change(&mut self, plural: &str, namespace: &str, name: &str, now: Timestamp, change: impl FnOnce(&mut Value)) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = self.objects.get(&key).cloned() else { return };
        change(&mut object);
        self.store(key, object, "MODIFIED", now);
    }

    /// Terminates the namespace: no object can be created in it any more. Returns the objects in it.
    pub fn close(&mut self, namespace: &str) -> Vec<(String, String)> {
        self.closed.insert(namespace.to_owned());
        let inside = self.objects.keys().filter(|(_, of, _)| of == namespace);
        inside.map(|(plural, _, name)| (plural.clone(), name.clone())).collect()
    }

    /// All objects as they were at that time, with the version of that time.
    fn as_of(&self, then: Timestamp) -> (u64, BTreeMap<Key, Value>) {
        if self.changes.last().is_none_or(|newest| newest.at <= then) {
            return (self.version, self.objects.clone());
        }
        let (mut version, mut objects) = (0, BTreeMap::new());
        for Change { version: at, plural, kind, object, .. } in self.changes.iter().filter(|change| change.at <= then) {
            let word = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
            let key = (plural.clone(), word("namespace"), word("name"));
            version = *at;
            if *kind == "DELETED" {
                objects.remove(&key)
            } else {
                objects.insert(key, object.clone())
            };
        }
        (version, objects)
    }

    /// Deletes an object, and says which it was.
    pub fn delete(&mut self, plural: &str, namespace: &str, name: &str, now: Timestamp) -> Option<String> {
        let object = self.objects.remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned()))?;
        self.version += 1;
        let mut last = object.clone();
        last["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.changes.push(Change { version: self.version, at: now, kind: "DELETED", plural: plural.to_owned(), object: last });
        Some(object["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
    }

    fn store(&mut self, key: Key, mut object: Value, kind: &'static str, now: Timestamp) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.changes.push(Change { version: self.version, at: now, kind, plural: key.0.clone(), object: object.clone() });
        self.objects.insert(key, object.clone());
        object
    }

    /// The history is forgotten: who watches from further back must list again.
    pub fn compact(&mut self) {
        self.compacted = self.version;
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// All RdsBackups.
    pub fn backups(&self) -> impl Iterator<Item = &Value> {
        self.all(BACKUPS)
    }

    /// All objects of a kind.
    pub fn all(&self, wanted: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |((plural, ..), _)| plural == wanted).map(|(_, object)| object)
    }

    /// The status that a call is about, as it is now.
    pub fn status_of(&self, call: &Call) -> Value {
        self.objects.get(&call.key()).map(|object| object["status"].clone()).unwrap_or_default()
    }
}

fn uid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn kind_of(plural: &str) -> &'static str {
    if plural == BACKUPS { "RdsBackup" } else { "RdsBackupSchedule" }
}

/// As a merge patch does it.
fn merge(object: &mut Value, fields: &Value) {
    let Some(fields) = fields.as_object() else {
        *object = fields.clone();
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            object.as_object_mut().map(|object| object.remove(name));
        } else {
            merge(&mut object[name], value);
        }
    }
}

/// As the API server writes creation times.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
