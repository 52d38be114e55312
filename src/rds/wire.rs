//! Reads the service's JSON leniently, because answers differ from the documentation: ids are numbers or text, numbers are text, a missing
//! value is null, "null" or nothing, a single object is a list of one, and states come in upper or lower case.
//!
//! A list that cannot be read is never an empty list: "no backup there" can start a second backup.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ids::{BackupId, InstanceId, JobId},
    model::{BackupSet, BackupTask, Engine, Instance, JobState, MetaStatus, Mode, SetDetails, SetStatus, TaskAction},
};
use crate::rpc::text;

/// The members that are read here. The rest of an answer is not kept, least of all the pre-signed addresses of backup sets.
pub(super) const USED: &[&str] = &[
    "BackupEndTime",
    "BackupId",
    "BackupInitiator",
    "BackupJob",
    "BackupJobId",
    "BackupLog",
    "BackupMethod",
    "BackupMode",
    "BackupProgressStatus",
    "BackupRetentionPeriod",
    "BackupSize",
    "BackupStartTime",
    "BackupStatus",
    "BackupType",
    "Backup",
    "Category",
    "Checksum",
    "ConsistentTime",
    "CopyOnlyBackup",
    "DBInstance",
    "DBInstanceAttribute",
    "DBInstanceDescription",
    "DBInstanceId",
    "DBInstanceStatus",
    "DBInstanceStorageType",
    "DBInstanceType",
    "EnableBackupLog",
    "Encryption",
    "Engine",
    "EngineVersion",
    "ExpectExpireTime",
    "ExpireTime",
    "HostInstanceID",
    "IsAvail",
    "Items",
    "JobMode",
    "LockMode",
    "LogBackupRetentionPeriod",
    "MasterInstanceId",
    "MetaStatus",
    "PreferredBackupPeriod",
    "PreferredBackupTime",
    "Process",
    "RegionId",
    "StorageClass",
    "StoreStatus",
    "TaskAction",
    "TotalEcsSnapshotSize",
    "TotalRecordCount",
    "ZoneId",
];

/// The largest page that the service ever documented has 1,000 rows. A row takes a kilobyte of memory.
const MOST_ROWS: usize = 1000;

/// An id. It may be a whole number, which some converters write as 1.13E7. A broken number is not rounded, because that would be the id of
/// another job.
pub(super) fn id(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::Number(number) if number.as_i64().is_none() && number.as_u64().is_none() => {
            let number = number.as_f64()?;
            if number.fract() == 0.0 { whole(number).map(|id| id.to_string()) } else { None }
        }
        _ => text(object, key),
    }
    .filter(|id| id.len() <= 64 && !id.starts_with('-'))
}

pub(super) fn number(object: &Value, key: &str) -> Option<i64> {
    match object.get(key)? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// A whole number. Up to 2^53 a float holds every whole number exactly.
fn whole(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    (value.is_finite() && value.abs() < 9_007_199_254_740_992.0).then_some(value.trunc() as i64)
}

/// The list `Items.<key>`. A single object is a list of one, and an empty value is an empty list. None if it cannot be read as a list.
pub(super) fn items<'a>(body: &'a Value, key: &str) -> Option<Vec<&'a Value>> {
    let list = match body.get("Items")? {
        Value::Object(object) if object.is_empty() => return Some(Vec::new()),
        Value::Object(object) => object.get(key)?,
        // Some converters leave out the inner level.
        other => other,
    };
    rows(Some(list))
}

/// The objects of a list; none if it cannot be read as a list of objects, or is longer than any page.
fn rows(list: Option<&Value>) -> Option<Vec<&Value>> {
    let list = list?;
    match list {
        Value::Array(rows) => (rows.len() <= MOST_ROWS && rows.iter().all(Value::is_object)).then(|| rows.iter().collect()),
        Value::Object(object) if object.is_empty() => Some(Vec::new()),
        Value::Object(_) => Some(vec![list]),
        Value::Null => Some(Vec::new()),
        Value::String(text) => matches!(text.trim(), "" | "null").then(Vec::new),
        Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A time: `2026-01-02T03:04:05Z` or `2026-01-02T03:04Z`.
pub(super) fn time(object: &Value, key: &str) -> Option<Timestamp> {
    let text = text(object, key)?;
    let minutes = || text.strip_suffix('Z').map(|minutes| format!("{minutes}:00Z"));
    text.parse().ok().or_else(|| minutes()?.parse().ok())
}

pub(super) fn is(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// `BackupJobId` of an accepted CreateBackup.
pub(super) fn job_id(body: &Value) -> Option<JobId> {
    id(body, "BackupJobId").filter(|id| id != "0").map(JobId::new)
}

/// Whether a row is of the instance that was asked for. A row that does not say is: the documentation has no `DBInstanceId` in jobs. A row
/// of another instance makes the whole list unreadable: what else it has, or lacks, says nothing of this one.
fn is_of(item: &Value, asked: &InstanceId) -> bool {
    text(item, "DBInstanceId").is_none_or(|id| id.eq_ignore_ascii_case(asked.as_str()))
}

/// The jobs of DescribeBackupTasks. None if the list, or one of its rows, cannot be read.
pub(super) fn tasks(body: &Value, asked: &InstanceId) -> Option<Vec<BackupTask>> {
    items(body, "BackupJob")?.into_iter().map(|item| task(item).filter(|_| is_of(item, asked))).collect()
}

fn task(item: &Value) -> Option<BackupTask> {
    let state = text(item, "BackupStatus").or_else(|| text(item, "BackupProgressStatus"));
    let state = match state.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("finished") => JobState::Finished,
        Some("failed") => JobState::Failed,
        Some("nostart") => JobState::NotStarted,
        Some("checking" | "preparing" | "waiting" | "uploading") => JobState::Active,
        _ => JobState::Unknown,
    };
    let action = text(item, "TaskAction");
    Some(BackupTask {
        job_id: JobId::new(id(item, "BackupJobId")?),
        state,
        progress: number(item, "Process").map(|percent| u8::try_from(percent.clamp(0, 100)).unwrap_or(100)),
        mode: mode(text(item, "JobMode").as_deref()),
        action: match () {
            () if is(action.as_deref(), "TempBackupTask") => TaskAction::OnDemand,
            () if is(action.as_deref(), "NormalBackupTask") => TaskAction::Scheduled,
            () => TaskAction::Unknown,
        },
        backup_id: id(item, "BackupId").filter(|id| id != "0").map(BackupId::new),
    })
}

/// One page of DescribeBackups.
pub(super) struct SetPage {
    pub sets: Vec<BackupSet>,
    /// `TotalRecordCount`, over all pages.
    pub total: Option<usize>,
    /// `TotalEcsSnapshotSize`
    pub snapshot_bytes: Option<i64>,
}

/// A page of DescribeBackups. None if the list, or one of its rows, cannot be read.
pub(super) fn sets(body: &Value, asked: &InstanceId) -> Option<SetPage> {
    let sets = items(body, "Backup")?.into_iter().map(|item| set(item).filter(|_| is_of(item, asked))).collect::<Option<_>>()?;
    let total = number(body, "TotalRecordCount").and_then(|total| usize::try_from(total).ok());
    Some(SetPage { sets, total, snapshot_bytes: number(body, "TotalEcsSnapshotSize").filter(|size| *size >= 0) })
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
        by_user: !is(initiator.as_deref(), "System"),
        method: text(item, "BackupMethod"),
        backup_type: text(item, "BackupType"),
        started_at: time(item, "BackupStartTime"),
        ended_at: time(item, "BackupEndTime"),
        size_bytes: number(item, "BackupSize").filter(|size| *size >= 0),
        available: number(item, "IsAvail").map(|available| available == 1).or_else(|| item.get("IsAvail")?.as_bool()),
        meta: match text(item, "MetaStatus") {
            status if is(status.as_deref(), "EMPTY") => MetaStatus::Empty,
            status if is(status.as_deref(), "LARGE") => MetaStatus::Large,
            _ => MetaStatus::Ok,
        },
        consistent_time: number(item, "ConsistentTime").filter(|second| *second > 0).and_then(|second| Timestamp::from_second(second).ok()),
        expires_at: time(item, "ExpectExpireTime"),
        checksum: text(item, "Checksum"),
        details: Box::new(details(item)),
    })
}

fn details(item: &Value) -> SetDetails {
    SetDetails {
        instance: id(item, "DBInstanceId").map(InstanceId::new),
        engine: text(item, "Engine"),
        engine_version: text(item, "EngineVersion"),
        host_instance: id(item, "HostInstanceID"),
        copy_only: number(item, "CopyOnlyBackup").map(|mode| mode == 1),
        // The documentation says text that holds JSON; older copies of it say an object.
        encryption: match item.get("Encryption") {
            Some(object @ Value::Object(_)) => Some(object.to_string()),
            _ => text(item, "Encryption"),
        },
        archived: number(item, "StorageClass").map(|class| class == 1),
        deletable: text(item, "StoreStatus").map(|status| is(Some(&status), "Enabled")),
    }
}

fn mode(text: Option<&str>) -> Mode {
    match text {
        text if is(text, "Manual") => Mode::Manual,
        text if is(text, "Automated") => Mode::Automated,
        _ => Mode::Unknown,
    }
}

/// The instance of DescribeDBInstanceAttribute; `Some(None)` if the list does not have it. None if the list cannot be read.
pub(super) fn instance(body: &Value, asked: &InstanceId) -> Option<Option<Instance>> {
    let mut listed = items(body, "DBInstanceAttribute")?.into_iter();
    match listed.find(|item| is_of(item, asked)) {
        Some(item) => attributes(item, asked).map(Some),
        None => Some(None),
    }
}

/// One instance, as each call that tells of instances writes it. None if its state is not told.
pub(super) fn attributes(item: &Value, asked: &InstanceId) -> Option<Instance> {
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
        primary_id: id(item, "MasterInstanceId").map(InstanceId::new),
        lock_mode: text(item, "LockMode"),
        region_id: text(item, "RegionId"),
        category: text(item, "Category"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::rds::model::Disk;

    fn tasks(body: &Value) -> Option<Vec<BackupTask>> {
        super::tasks(body, &InstanceId::new("rm-1"))
    }

    fn sets(body: &Value) -> Option<SetPage> {
        super::sets(body, &InstanceId::new("rm-1"))
    }

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
        let expected = BackupTask {
            job_id: JobId::new("5"),
            state: JobState::Active,
            progress: Some(100),
            mode: Mode::Manual,
            action: TaskAction::OnDemand,
            backup_id: None,
        };
        assert_eq!(tasks(&plain), Some(vec![expected.clone()]));
        let alone = json!({"Items": {"BackupJob": {"BackupJobId": "5", "BackupProgressStatus": "Uploading", "Process": 100.0, "JobMode": "Manual", "TaskAction": "tempbackuptask"}}});
        assert_eq!(tasks(&alone), Some(vec![expected.clone()]));
        let inner = json!({"Items": [{"BackupJobId": "5", "BackupStatus": "Uploading", "Process": 101, "JobMode": "MANUAL", "TaskAction": "TempBackupTask"}]});
        assert_eq!(tasks(&inner), Some(vec![expected]), "without the inner level");
        let done =
            json!({"Items": {"BackupJob": [{"BackupJobId": 5, "BackupStatus": "finished", "BackupId": 756_129_409, "Process": null}]}});
        let done = tasks(&done).unwrap();
        assert_eq!(
            (done[0].state, done[0].progress, done[0].backup_id.as_ref().map(BackupId::as_str)),
            (JobState::Finished, None, Some("756129409"))
        );
        for (state, read) in [
            ("Failed", JobState::Failed),
            ("NoStart", JobState::NotStarted),
            ("checking", JobState::Active),
            ("Dancing", JobState::Unknown),
        ] {
            assert_eq!(
                tasks(&json!({"Items": {"BackupJob": {"BackupJobId": 5, "BackupStatus": state}}})).unwrap()[0].state,
                read,
                "{state}"
            );
        }
    }

    #[test]
    fn nothing_is_an_empty_list_and_nonsense_is_none() {
        for empty in [json!({"Items": ""}), json!({"Items": {}}), json!({"Items": null}), json!({"Items": []}), json!({"Items": "null"})] {
            assert_eq!(tasks(&empty), Some(Vec::new()), "{empty}");
        }
        for empty in [json!([]), json!(null), json!(""), json!({})] {
            assert_eq!(tasks(&json!({"Items": {"BackupJob": empty}})), Some(Vec::new()), "{empty}");
        }
        for nonsense in
            [json!({}), json!("x"), json!([]), json!({"Items": 5}), json!({"Items": "see below"}), json!({"Items": {"Backup": []}})]
        {
            assert_eq!(tasks(&nonsense), None, "{nonsense}");
        }
        let many = |count: usize| json!({"Items": {"BackupJob": vec![json!({"BackupJobId": 5}); count]}});
        assert_eq!(tasks(&many(MOST_ROWS)).map(|tasks| tasks.len()), Some(MOST_ROWS));
        assert_eq!(tasks(&many(MOST_ROWS + 1)), None, "no page is that long");
        for row in [json!({"BackupStatus": "Failed"}), json!({"BackupJobId": null}), json!("junk"), json!(null), json!([])] {
            assert_eq!(
                tasks(&json!({"Items": {"BackupJob": [{"BackupJobId": 5}, row]}})),
                None,
                "a row that cannot be named may be ours: {row}"
            );
            assert!(sets(&json!({"Items": {"Backup": [{"BackupId": 5}, row]}})).is_none(), "{row}");
        }
    }

    #[test]
    fn sets_are_read_in_every_form() {
        let wire = json!({"TotalRecordCount": "1", "Items": {"Backup": [{
            "BackupId": 321_020_562, "BackupStatus": "Success", "BackupMode": "Manual", "BackupInitiator": "User", "BackupMethod": "Physical", "BackupType": "FullBackup",
            "BackupStartTime": "2020-10-07T09:52:03Z", "BackupEndTime": "2020-10-08T02:11Z", "BackupSize": "279236241408", "IsAvail": "1",
            "ConsistentTime": "1602122536", "ExpectExpireTime": null, "Checksum": 12, "Encryption": {}, "BackupDownloadURL": "https://oss.example/?Signature=secret"
        }]}});
        let page = sets(&wire).unwrap();
        assert_eq!((page.sets.len(), page.total), (1, Some(1)));
        let set = &page.sets[0];
        assert_eq!(
            (set.backup_id.as_str(), set.status, set.mode, set.by_user, set.available),
            ("321020562", SetStatus::Success, Mode::Manual, true, Some(true))
        );
        assert_eq!(set.started_at, Some("2020-10-07T09:52:03Z".parse().unwrap()));
        assert_eq!(set.ended_at, Some("2020-10-08T02:11:00Z".parse().unwrap()));
        assert_eq!(
            (set.size_bytes, set.consistent_time.map(Timestamp::as_second), set.checksum.as_deref()),
            (Some(279_236_241_408), Some(1_602_122_536), Some("12"))
        );
        assert_eq!(set.expires_at, None);
        assert!(!format!("{set:?}").contains("secret"), "download addresses are pre-signed");
    }

    #[test]
    fn what_is_missing_or_not_documented_may_be_the_operators_own() {
        let by_user = |initiator: Value| set(&json!({"BackupId": 5, "BackupInitiator": initiator})).unwrap().by_user;
        assert_eq!([json!("User"), json!("System"), json!("Operator"), json!(null)].map(by_user), [true, false, true, true]);
        let meta = |meta: Value| set(&json!({"BackupId": 5, "MetaStatus": meta})).unwrap().meta;
        assert_eq!(
            [json!("EMPTY"), json!("Large"), json!("OK"), json!(""), json!("NEW")].map(meta),
            [MetaStatus::Empty, MetaStatus::Large, MetaStatus::Ok, MetaStatus::Ok, MetaStatus::Ok]
        );
        let action = |action: Value| task(&json!({"BackupJobId": 5, "TaskAction": action})).unwrap().action;
        assert_eq!(
            [json!("TempBackupTask"), json!("normalbackuptask"), json!("OtherTask"), json!(null)].map(action),
            [TaskAction::OnDemand, TaskAction::Scheduled, TaskAction::Unknown, TaskAction::Unknown]
        );
    }

    #[test]
    fn what_is_read_is_listed_and_what_is_listed_is_read() {
        let before_tests = |text: &'static str| text.split("#[cfg(test)]").next().unwrap();
        let readers = before_tests(include_str!("wire.rs")).split("];").nth(1).unwrap();
        let others = [include_str!("instance_list.rs"), include_str!("policy.rs")].map(before_tests).concat();
        let code = format!("{readers}{others}");
        let code = code.as_str();
        let read: BTreeSet<&str> = code.split('"').skip(1).step_by(2).filter(|text| USED.contains(text)).collect();
        assert_eq!(read, USED.iter().copied().collect(), "in the list and not in the code");
        // A name is the second argument of the readers, or what is got from an object.
        let names = [
            "text(item, ",
            "id(item, ",
            "number(item, ",
            "time(item, ",
            "items(body, ",
            "number(body, ",
            "id(body, ",
            "text(body, ",
            "days(",
            ".get(",
        ];
        let named = names.iter().flat_map(|before| code.split(before).skip(1)).filter_map(|rest| rest.strip_prefix('"')?.split('"').next());
        let left_out: Vec<&str> = named.filter(|name| !USED.contains(name)).collect();
        assert_eq!(left_out, Vec::<&str>::new(), "in the code and not in the list: it would never arrive");
    }

    #[test]
    fn a_row_of_another_instance_makes_the_list_unreadable() {
        for (id, read) in [(json!("rm-1"), true), (json!("RM-1"), true), (json!(null), true), (json!("rm-2"), false), (json!(5), false)] {
            let listed = json!({"Items": {"Backup": [{"BackupId": 5}, {"BackupId": 6, "DBInstanceId": id}]}});
            assert_eq!(sets(&listed).is_some(), read, "{listed}");
            let listed = json!({"Items": {"BackupJob": [{"BackupJobId": 5}, {"BackupJobId": 6, "DBInstanceId": id}]}});
            assert_eq!(tasks(&listed).is_some(), read, "{listed}");
        }
    }

    #[test]
    fn an_instance_is_read() {
        let wire = json!({"Items": {"DBInstanceAttribute": [{"DBInstanceId": "rm-1", "Engine": "mysql", "EngineVersion": 8, "DBInstanceStatus": "running", "DBInstanceStorageType": "local_ssd"}]}});
        let found = instance(&wire, &InstanceId::new("rm-1")).unwrap().unwrap();
        assert_eq!(
            (found.engine.clone(), found.engine_version.as_deref(), found.is_running(), found.disk()),
            (Engine::MySql, Some("8"), true, Disk::Local)
        );
        assert_eq!(instance(&wire, &InstanceId::new("rm-2")), Some(None));
        for empty in [json!({"Items": {}}), json!({"Items": {"DBInstanceAttribute": []}})] {
            assert_eq!(instance(&empty, &InstanceId::new("rm-1")), Some(None), "{empty}");
        }
        for unreadable in [json!({}), json!({"Items": 5}), json!({"Items": {"DBInstanceAttribute": [{"DBInstanceId": "rm-1"}]}})] {
            assert_eq!(instance(&unreadable, &InstanceId::new("rm-1")), None, "{unreadable}");
        }
    }
}
