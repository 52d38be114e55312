//! The scripted API server: objects with resourceVersions, a status that is written apart, lists in pages, and the history that watches read.

use std::collections::BTreeMap;

use hyper::http::{Method, request::Parts};
use jiff::Timestamp;
use serde_json::{Value, json};

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

    pub fn is_status_write(&self) -> bool {
        self.plural == BACKUPS && self.subresource.as_deref() == Some("status") && self.method == Method::PATCH
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

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    pub uid: String,
    pub before: Value,
    pub after: Value,
}

/// The answer to a call, and what it changed.
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

/// Everything that the API server keeps.
#[derive(Debug, Default)]
pub struct Api {
    objects: BTreeMap<Key, Value>,
    pub changes: Vec<Change>,
    version: u64,
    /// The history up to here is gone.
    pub compacted: u64,
    made: u64,
    /// Objects of one page at most, whatever is asked for.
    largest_page: usize,
    pages: BTreeMap<String, Vec<Value>>,
}

impl Api {
    pub fn new(largest_page: usize) -> Self {
        Self { largest_page, ..Self::default() }
    }

    pub fn execute(&mut self, call: &Call, now: Timestamp) -> Answer {
        match (call.method.as_str(), call.plural.as_str(), call.subresource.as_deref()) {
            ("GET", _, None) if call.name.is_some() => match self.objects.get(&call.key()) {
                Some(object) => Answer::object(200, object.clone()),
                None => Answer::error(404, "NotFound", &format!("{} not found", call.path)),
            },
            ("GET", _, None) => self.list(call),
            ("PATCH", BACKUPS, Some("status")) => self.write_status(call, now),
            ("POST", "events", None) => Answer::object(201, serde_json::from_str(&call.body).unwrap_or_default()),
            (method, ..) => Answer::error(405, "MethodNotAllowed", &format!("nobody scripted {method} {}", call.path)),
        }
    }

    fn list(&mut self, call: &Call) -> Answer {
        let wanted = |object: &Value| match call.query.get("fieldSelector").map(|selector| selector.split_once('=').unwrap_or_default()) {
            None => true,
            Some(("spec.dbInstanceId", id)) => object["spec"]["dbInstanceId"] == id,
            Some(_) => false,
        };
        let mut items = match call.query.get("continue") {
            Some(token) => match self.pages.remove(token) {
                Some(rest) => rest,
                None => return Answer::error(410, "Expired", "the continue token is too old"),
            },
            None => {
                let of_scope = self.objects.iter().filter(|((plural, namespace, _), _)| {
                    *plural == call.plural && call.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
                });
                of_scope.map(|(_, object)| object.clone()).filter(wanted).collect()
            }
        };
        let mut metadata = json!({ "resourceVersion": self.version.to_string() });
        if let Some(limit) = call.query.get("limit").and_then(|limit| limit.parse::<usize>().ok()) {
            let limit = limit.min(self.largest_page);
            if items.len() > limit {
                self.made += 1;
                let token = format!("page-{}", self.made);
                self.pages.insert(token.clone(), items.split_off(limit));
                metadata["continue"] = json!(token);
            }
        }
        let kind = if call.plural == BACKUPS { "RdsBackupList" } else { "RdsBackupScheduleList" };
        Answer::object(200, json!({ "apiVersion": GROUP, "kind": kind, "metadata": metadata, "items": items }))
    }

    /// A server-side apply of the status by its only owner: what it leaves out is removed. Spec and metadata of the body are ignored, but for
    /// the resourceVersion, which is a condition if it is there.
    fn write_status(&mut self, call: &Call, now: Timestamp) -> Answer {
        let Some(before) = self.objects.get(&call.key()).cloned() else { return Answer::error(404, "NotFound", "not found") };
        let Ok(body) = serde_json::from_str::<Value>(&call.body) else { return Answer::error(400, "BadRequest", "not JSON") };
        if !call.query.contains_key("fieldManager") || body["kind"] != "RdsBackup" || body["apiVersion"] != GROUP {
            return Answer::error(400, "BadRequest", "an apply names its manager, apiVersion and kind");
        }
        let version = &body["metadata"]["resourceVersion"];
        if version.is_string() && *version != before["metadata"]["resourceVersion"] {
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
        Answer { code: 200, body: after, written: Some(written) }
    }

    /// What users do: an object is created, and gets its uid.
    pub fn create(&mut self, plural: &str, namespace: &str, name: &str, fields: Value, now: Timestamp) -> String {
        self.made += 1;
        let uid = format!("00000000-0000-4000-8000-{:012}", self.made);
        let mut object = json!({
            "metadata": { "name": name, "namespace": namespace, "uid": uid, "generation": 1, "creationTimestamp": seconds(now) },
        });
        if plural == BACKUPS {
            object["apiVersion"] = json!(GROUP);
            object["kind"] = json!("RdsBackup");
            object["status"] = json!({ "observedGeneration": -1 });
        }
        for (field, value) in fields.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        self.store((plural.to_owned(), namespace.to_owned(), name.to_owned()), object, "ADDED", now);
        uid
    }

    /// Somebody else writes an annotation: the object moves on, and nothing else happens.
    pub fn touch(&mut self, namespace: &str, name: &str, now: Timestamp) -> bool {
        let key = (BACKUPS.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = self.objects.get(&key).cloned() else { return false };
        self.made += 1;
        object["metadata"]["annotations"] = json!({ "touched": self.made.to_string() });
        self.store(key, object, "MODIFIED", now);
        true
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
        self.objects.iter().filter(|((plural, ..), _)| plural == BACKUPS).map(|(_, object)| object)
    }

    /// The status that a call is about, as it is now.
    pub fn status_of(&self, call: &Call) -> Value {
        self.objects.get(&call.key()).map(|object| object["status"].clone()).unwrap_or_default()
    }
}

/// As the API server writes creation times.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
