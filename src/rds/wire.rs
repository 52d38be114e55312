//! Reads the service's JSON leniently. The documentation says one thing and the wire another: ids are numbers or text, numbers are text,
//! missing is null, "null" or nothing, one object stands where a list is meant, and states come in any case.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, BackupId, BackupSet, BackupTask, Engine, Instance, InstanceId, JobId, JobState, Mode, SetStatus,
    error::{cut, safe_message},
};

/// Longer ids, states and versions are not the service's.
const LONGEST_TEXT: usize = 128;

/// A scalar as text; none where it is missing, null, "null", empty or no scalar.
fn text(object: &Value, key: &str) -> Option<String> {
    let text = match object.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let clean = !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.chars().any(char::is_control);
    clean.then(|| cut(&text, LONGEST_TEXT).to_owned())
}

/// An id: a whole number too, which some converters write as 1.13E7.
fn id(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::Number(number) if number.as_i64().is_none() && number.as_u64().is_none() => whole(number.as_f64()?).map(|id| id.to_string()),
        _ => text(object, key),
    }
    .filter(|id| id.len() <= 64)
}

fn number(object: &Value, key: &str) -> Option<i64> {
    match object.get(key)? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// Up to 2^53 every whole number is exact.
fn whole(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    (value.is_finite() && value.abs() < 9_007_199_254_740_992.0).then_some(value.trunc() as i64)
}

/// The list `Items.<key>`; an object alone is a list of one.
fn items<'a>(body: &'a Value, key: &str) -> Vec<&'a Value> {
    let items = body.get("Items").unwrap_or(&Value::Null);
    // Some converters leave out the inner level.
    let list = match items {
        Value::Object(object) => object.get(key).unwrap_or(&Value::Null),
        other => other,
    };
    match list {
        Value::Array(list) => list.iter().filter(|item| item.is_object()).collect(),
        Value::Object(_) => vec![list],
        _ => Vec::new(),
    }
}

/// Whether the list is there at all: `{}` is an answer to another question.
pub(super) fn has_items(body: &Value) -> bool {
    body.get("Items").is_some()
}

/// `2026-01-02T03:04:05Z`, or to the minute.
fn time(object: &Value, key: &str) -> Option<Timestamp> {
    let text = text(object, key)?;
    let minutes = || text.strip_suffix('Z').map(|minutes| format!("{minutes}:00Z"));
    text.parse().ok().or_else(|| minutes()?.parse().ok())
}

fn is(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// `RequestId` of any answer.
pub(super) fn request_id(body: &Value) -> Option<String> {
    text(body, "RequestId").map(|id| cut(&id, 64).to_owned())
}

/// `BackupJobId` of an accepted CreateBackup.
pub(super) fn job_id(body: &Value) -> Option<JobId> {
    id(body, "BackupJobId").filter(|id| id != "0").map(JobId::new)
}

/// The error that an answer is, if it is one. A `Code` makes it one, also under status 200, unless it says that all is well.
pub(super) fn error(http_status: u16, body: &Value) -> Option<ApiError> {
    let code = text(body, "Code");
    let code = code.filter(|code| !["200", "ok", "success"].iter().any(|well| code.eq_ignore_ascii_case(well)))?;
    let message = body.get("Message").and_then(Value::as_str).unwrap_or_default();
    let message = safe_message(&code, message);
    Some(ApiError { code, message, request_id: request_id(body), http_status })
}

/// The jobs of DescribeBackupTasks.
pub(super) fn tasks(body: &Value) -> Vec<BackupTask> {
    items(body, "BackupJob").into_iter().filter_map(task).collect()
}

fn task(item: &Value) -> Option<BackupTask> {
    let state = text(item, "BackupStatus").or_else(|| text(item, "BackupProgressStatus"));
    let state = match state.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("finished") => JobState::Finished,
        Some("failed") => JobState::Failed,
        Some("nostart" | "checking" | "preparing" | "waiting" | "uploading") => JobState::Active,
        _ => JobState::Unknown,
    };
    let action = text(item, "TaskAction");
    Some(BackupTask {
        job_id: JobId::new(id(item, "BackupJobId")?),
        state,
        progress: number(item, "Process").map(|percent| u8::try_from(percent.clamp(0, 100)).unwrap_or(100)),
        mode: mode(text(item, "JobMode").as_deref()),
        on_demand: is(action.as_deref(), "TempBackupTask"),
        backup_id: id(item, "BackupId").filter(|id| id != "0").map(BackupId::new),
    })
}

/// The sets of one page of DescribeBackups. A set without an id cannot be named by anybody.
pub(super) fn sets(body: &Value) -> Vec<BackupSet> {
    items(body, "Backup").into_iter().filter_map(set).collect()
}

/// How many rows a page has, readable or not.
pub(super) fn rows(body: &Value) -> usize {
    items(body, "Backup").len()
}

fn set(item: &Value) -> Option<BackupSet> {
    let status = text(item, "BackupStatus");
    let initiator = text(item, "BackupInitiator");
    Some(BackupSet {
        backup_id: BackupId::new(id(item, "BackupId")?),
        status: match () {
            () if is(status.as_deref(), "Success") => SetStatus::Success,
            () if is(status.as_deref(), "Failed") => SetStatus::Failed,
            () => SetStatus::Unknown,
        },
        mode: mode(text(item, "BackupMode").as_deref()),
        by_user: initiator.is_none() || is(initiator.as_deref(), "User"),
        method: text(item, "BackupMethod"),
        backup_type: text(item, "BackupType"),
        started_at: time(item, "BackupStartTime"),
        ended_at: time(item, "BackupEndTime"),
        size_bytes: number(item, "BackupSize").filter(|size| *size >= 0),
        available: number(item, "IsAvail").map(|available| available == 1).or_else(|| item.get("IsAvail")?.as_bool()),
        consistent_time: number(item, "ConsistentTime").filter(|second| *second > 0).and_then(|second| Timestamp::from_second(second).ok()),
        expires_at: time(item, "ExpectExpireTime"),
        checksum: text(item, "Checksum"),
    })
}

fn mode(text: Option<&str>) -> Mode {
    match text {
        text if is(text, "Manual") => Mode::Manual,
        text if is(text, "Automated") => Mode::Automated,
        _ => Mode::Unknown,
    }
}

/// The instance of DescribeDBInstanceAttribute.
pub(super) fn instance(body: &Value, asked: &InstanceId) -> Option<Instance> {
    let item = items(body, "DBInstanceAttribute").into_iter().find(|item| text(item, "DBInstanceId").is_none_or(|id| id == asked.as_str()))?;
    let engine = match text(item, "Engine") {
        Some(name) if name.eq_ignore_ascii_case("MySQL") => Engine::MySql,
        Some(name) if name.eq_ignore_ascii_case("PostgreSQL") => Engine::PostgreSql,
        Some(name) if name.eq_ignore_ascii_case("SQLServer") => Engine::SqlServer,
        Some(name) if name.eq_ignore_ascii_case("MariaDB") => Engine::MariaDb,
        other => Engine::Other(other.unwrap_or_default()),
    };
    Some(Instance {
        id: asked.clone(),
        engine,
        engine_version: text(item, "EngineVersion"),
        status: text(item, "DBInstanceStatus")?,
        storage_type: text(item, "DBInstanceStorageType"),
        instance_type: text(item, "DBInstanceType"),
        lock_mode: text(item, "LockMode"),
        region_id: text(item, "RegionId"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_numbers_or_text() {
        for (wire, read) in [
            (json!({"BackupJobId": "11291454"}), Some("11291454")),
            (json!({"BackupJobId": 11_291_454}), Some("11291454")),
            (json!({"BackupJobId": 1.129_145_4e7}), Some("11291454")),
            (json!({"BackupJobId": 18_446_744_073_709_551_615_u64}), Some("18446744073709551615")),
            (json!({"BackupJobId": null}), None),
            (json!({"BackupJobId": "null"}), None),
            (json!({"BackupJobId": ""}), None),
            (json!({"BackupJobId": 0}), None),
            (json!({"BackupJobId": {}}), None),
            (json!({"BackupJobId": "x".repeat(65)}), None),
            (json!({"BackupJobId": "1\n2"}), None),
            (json!({}), None),
            (json!([]), None),
        ] {
            assert_eq!(job_id(&wire).as_ref().map(JobId::as_str), read, "{wire}");
        }
    }

    #[test]
    fn tasks_are_read_in_every_form() {
        let plain = json!({"Items": {"BackupJob": [{"BackupJobId": 5, "BackupStatus": "UPLOADING", "Process": "125", "JobMode": "manual", "TaskAction": "TempBackupTask", "New": []}]}});
        let expected = BackupTask { job_id: JobId::new("5"), state: JobState::Active, progress: Some(100), mode: Mode::Manual, on_demand: true, backup_id: None };
        assert_eq!(tasks(&plain), [expected.clone()]);
        let alone = json!({"Items": {"BackupJob": {"BackupJobId": "5", "BackupProgressStatus": "Uploading", "Process": 100.0, "JobMode": "Manual", "TaskAction": "tempbackuptask"}}});
        assert_eq!(tasks(&alone), [expected]);
        let done = json!({"Items": {"BackupJob": [{"BackupJobId": 5, "BackupStatus": "finished", "BackupId": 756_129_409, "Process": null}, {"BackupStatus": "Failed"}, "junk", null]}});
        assert_eq!(tasks(&done).len(), 1, "without an id it cannot be named");
        assert_eq!((tasks(&done)[0].state, tasks(&done)[0].backup_id.as_ref().map(BackupId::as_str)), (JobState::Finished, Some("756129409")));
        for empty in [json!({"Items": ""}), json!({"Items": {}}), json!({"Items": {"BackupJob": null}}), json!({"Items": null}), json!({}), json!("x")] {
            assert!(tasks(&empty).is_empty(), "{empty}");
        }
        assert_eq!(tasks(&json!({"Items": {"BackupJob": [{"BackupJobId": 5, "BackupStatus": "Dancing"}]}}))[0].state, JobState::Unknown);
    }

    #[test]
    fn sets_are_read_in_every_form() {
        let wire = json!({"Items": {"Backup": [{
            "BackupId": 321_020_562, "BackupStatus": "Success", "BackupMode": "Manual", "BackupInitiator": "User", "BackupMethod": "Physical", "BackupType": "FullBackup",
            "BackupStartTime": "2020-10-07T09:52:03Z", "BackupEndTime": "2020-10-08T02:11Z", "BackupSize": "279236241408", "IsAvail": "1",
            "ConsistentTime": "1602122536", "ExpectExpireTime": null, "Checksum": 12, "Encryption": {}, "BackupDownloadURL": "https://oss.example/?Signature=secret"
        }]}});
        let sets = sets(&wire);
        assert_eq!(sets.len(), 1);
        let set = &sets[0];
        assert_eq!((set.backup_id.as_str(), set.status, set.mode, set.by_user, set.available), ("321020562", SetStatus::Success, Mode::Manual, true, Some(true)));
        assert_eq!(set.started_at, Some("2020-10-07T09:52:03Z".parse().unwrap()));
        assert_eq!(set.ended_at, Some("2020-10-08T02:11:00Z".parse().unwrap()));
        assert_eq!((set.size_bytes, set.consistent_time.map(Timestamp::as_second), set.checksum.as_deref()), (Some(279_236_241_408), Some(1_602_122_536), Some("12")));
        assert_eq!(set.expires_at, None);
        assert!(!format!("{set:?}").contains("secret"), "download addresses are pre-signed");
    }

    #[test]
    fn a_code_makes_an_answer_an_error() {
        let wire = json!({"RequestId": "R", "Code": "Forbidden.RAM", "Message": "no"});
        assert_eq!(error(403, &wire), Some(ApiError { code: "Forbidden.RAM".into(), message: "no".into(), request_id: Some("R".into()), http_status: 403 }));
        assert!(error(200, &wire).is_some(), "also under status 200");
        for well in [json!({"Code": "200"}), json!({"Code": 200}), json!({"Code": "OK"}), json!({"Code": null}), json!({})] {
            assert_eq!(error(200, &well), None, "{well}");
        }
    }

    #[test]
    fn an_instance_is_read() {
        let wire = json!({"Items": {"DBInstanceAttribute": [{"DBInstanceId": "rm-1", "Engine": "mysql", "EngineVersion": 8, "DBInstanceStatus": "running", "DBInstanceStorageType": "local_ssd"}]}});
        let found = instance(&wire, &InstanceId::new("rm-1")).unwrap();
        assert_eq!((found.engine.clone(), found.engine_version.as_deref(), found.is_running(), found.has_local_disk()), (Engine::MySql, Some("8"), true, true));
        assert_eq!(instance(&wire, &InstanceId::new("rm-2")), None);
        assert_eq!(instance(&json!({"Items": {}}), &InstanceId::new("rm-1")), None);
    }
}
