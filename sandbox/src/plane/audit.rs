//! The API server's audit log: every request, its user and its answer, as the server saw them.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Our API group. A string here and not a type of the operator's, since the sandbox must not depend on what it judges.
const GROUP: &str = "rdsbackup.io";

/// One request, or one end of a watch.
///
/// Bodies are there for the group `rdsbackup.io` only. The server writes an event after it has answered, so a request that was just made
/// may still be missing.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// When the server received the request.
    pub at: Timestamp,
    /// When this event was written: the answer was complete, or for [`Stage::Started`] had begun.
    pub written: Timestamp,
    /// The same for both events of one watch.
    pub id: String,
    /// How far the request was.
    pub stage: Stage,
    /// The user, for example `system:serviceaccount:team-a:operator`.
    pub user: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// The API group, empty for the core group and for what is not a resource.
    pub group: String,
    /// The resource in the plural, empty for what is not a resource (`/readyz`).
    pub resource: String,
    /// For example `status`, mostly empty.
    pub subresource: String,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Empty for lists, watches and most creations.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// What was sent: an object or a patch.
    pub request_body: Option<Value>,
    /// A watch, which is in the log twice: as it begins and as it ends.
    pub watch: bool,
}

/// How far a request was when its event was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Stage {
    /// A watch began to answer.
    #[serde(rename = "ResponseStarted")]
    Started,
    /// The answer was complete.
    #[serde(rename = "ResponseComplete")]
    Complete,
    /// The server panicked.
    Panic,
}

/// The kind of object that a write changed, divided as the operator's budgets divide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// The status of an `RdsBackup`.
    BackupStatus,
    /// The status of an `RdsBackupSchedule`.
    ScheduleStatus,
    /// A Kubernetes event, of either API group.
    Event,
    /// A leader's lease.
    Lease,
    /// Anything else, such as creating an object or putting a finalizer on it.
    Other,
}

impl AuditEvent {
    /// What it wrote, or None for a read. A refused write is a write too: see [`AuditEvent::accepted`].
    pub fn write(&self) -> Option<Write> {
        if matches!(self.verb.as_str(), "get" | "list" | "watch") {
            return None;
        }
        Some(match (self.group.as_str(), self.resource.as_str(), self.subresource.as_str()) {
            (GROUP, "rdsbackups", "status") => Write::BackupStatus,
            (GROUP, "rdsbackupschedules", "status") => Write::ScheduleStatus,
            ("" | "events.k8s.io", "events", "") => Write::Event,
            ("coordination.k8s.io", "leases", "") => Write::Lease,
            _ => Write::Other,
        })
    }

    /// The server did what was asked.
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Every event in the log, oldest first. A last line that is still being written is left for the next reading.
pub fn read(path: &Path) -> io::Result<Vec<AuditEvent>> {
    // Lossy, because a last line that is cut may be cut inside a character.
    parse(&String::from_utf8_lossy(&std::fs::read(path)?))
}

/// The events of one user.
pub fn by_user<'a>(events: &'a [AuditEvent], user: &'a str) -> impl Iterator<Item = &'a AuditEvent> {
    events.iter().filter(move |event| event.user == user)
}

/// The user name of a ServiceAccount in the log.
pub fn service_account_user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

fn parse(log: &str) -> io::Result<Vec<AuditEvent>> {
    log.split_inclusive('\n')
        .enumerate()
        .filter(|(_, line)| line.ends_with('\n'))
        .map(|(number, line)| {
            let line: Line = serde_json::from_str(line)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("line {} of the audit log: {e}", number + 1)))?;
            Ok(line.into())
        })
        .collect()
}

/// `audit.k8s.io/v1` `Event`, as far as we read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: Stage,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    request_object: Option<Value>,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl From<Line> for AuditEvent {
    fn from(line: Line) -> Self {
        let Line { audit_id, stage, request_uri, verb, user, user_agent, object_ref, response_status, request_object, .. } = line;
        Self {
            at: line.request_received_timestamp,
            written: line.stage_timestamp,
            id: audit_id,
            stage,
            user: user.username,
            user_agent,
            watch: verb == "watch",
            verb,
            uri: request_uri,
            group: object_ref.api_group,
            resource: object_ref.resource,
            subresource: object_ref.subresource,
            namespace: object_ref.namespace,
            name: object_ref.name,
            code: response_status.code,
            request_body: request_object,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS_WRITE: &str = r#"{"kind":"Event","auditID":"a1","stage":"ResponseComplete","requestURI":"/apis/rdsbackup.io/v1alpha1/namespaces/team-a/rdsbackups/b/status","verb":"patch","user":{"username":"system:serviceaccount:ops:op"},"objectRef":{"resource":"rdsbackups","namespace":"team-a","name":"b","apiGroup":"rdsbackup.io","apiVersion":"v1alpha1","subresource":"status"},"responseStatus":{"metadata":{},"code":409},"requestObject":{"status":{"phase":"Running"}},"requestReceivedTimestamp":"2026-11-24T01:00:00.250000Z","stageTimestamp":"2026-11-24T01:00:01.000000Z"}"#;
    const WATCH: &str = r#"{"kind":"Event","auditID":"w1","stage":"ResponseStarted","requestURI":"/api/v1/secrets?watch=true","verb":"watch","user":{"username":"system:anonymous"},"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-24T01:00:00Z","stageTimestamp":"2026-11-24T01:00:00Z"}"#;

    fn write(verb: &str, path: [&str; 3]) -> Option<Write> {
        let [group, resource, subresource] = path;
        let mut events = parse(&format!("{STATUS_WRITE}\n")).expect("a log");
        let mut event = events.remove(0);
        (event.verb, event.group, event.resource, event.subresource) = (verb.into(), group.into(), resource.into(), subresource.into());
        event.write()
    }

    #[test]
    fn an_event_says_who_did_what_with_which_body_and_answer() {
        let events = parse(&format!("{WATCH}\n{STATUS_WRITE}\n")).expect("a log");
        let user = service_account_user("ops", "op");
        let [event] = by_user(&events, &user).collect::<Vec<_>>()[..] else { panic!("one event of {user}: {events:?}") };
        assert_eq!((event.group.as_str(), event.resource.as_str(), event.subresource.as_str()), ("rdsbackup.io", "rdsbackups", "status"));
        assert_eq!((event.namespace.as_str(), event.name.as_str(), event.code), ("team-a", "b", 409));
        assert_eq!(event.at.to_string(), "2026-11-24T01:00:00.25Z");
        assert_eq!(event.request_body.as_ref().map(|body| &body["status"]["phase"]), Some(&Value::from("Running")));
        assert!(!event.accepted() && !event.watch);
        assert!(events[0].watch && events[0].stage == Stage::Started && events[0].write().is_none());
    }

    #[test]
    fn a_line_that_is_still_being_written_is_left_out_and_a_broken_one_is_not() {
        let (half, _) = STATUS_WRITE.split_at(200);
        assert_eq!(parse(&format!("{WATCH}\n{half}")).expect("a log").len(), 1);
        let error = parse(&format!("{WATCH}\n{half}\n{WATCH}\n")).expect_err("a broken line");
        assert!(error.to_string().starts_with("line 2 "), "{error}");
    }

    #[test]
    fn status_writes_events_and_leases_are_told_apart() {
        assert_eq!(write("patch", ["rdsbackup.io", "rdsbackups", "status"]), Some(Write::BackupStatus));
        assert_eq!(write("update", ["rdsbackup.io", "rdsbackupschedules", "status"]), Some(Write::ScheduleStatus));
        assert_eq!(write("patch", ["rdsbackup.io", "rdsbackups", ""]), Some(Write::Other));
        assert_eq!(write("create", ["events.k8s.io", "events", ""]), Some(Write::Event));
        assert_eq!(write("create", ["", "events", ""]), Some(Write::Event));
        assert_eq!(write("update", ["coordination.k8s.io", "leases", ""]), Some(Write::Lease));
        assert_eq!(write("get", ["rdsbackup.io", "rdsbackups", "status"]), None);
    }
}
