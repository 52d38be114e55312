//! The shapes of the answers, and the habits of the real service in them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Format};
use super::catalogue::{Engine, InstanceSpec};
use super::clock::Now;
use super::clones::Cloned;
use super::deletion;
use super::error::ApiError;
use super::jobs::Job;
use super::ledger::JobOutcome;
use super::rules::Method;
use super::settings::{Nothing, Quirks};

/// In every download address, so that a search for leaks finds it.
pub const PRESIGNED_CANARY: &str = "PRESIGNED-CANARY";

/// Writes answers with the habits that are switched on.
pub(super) struct Style<'a>(pub(super) &'a Quirks);

impl Style<'_> {
    fn id(&self, id: u64) -> Value {
        if self.0.numeric_ids { json!(id) } else { json!(id.to_string()) }
    }

    fn number(&self, number: u64) -> Value {
        if self.0.numbers_as_text { json!(number.to_string()) } else { json!(number) }
    }

    fn counter(&self, count: usize) -> Value {
        if self.0.numeric_counters { json!(count) } else { json!(count.to_string()) }
    }

    /// What stands where there is nothing to say; `None` leaves the field out.
    fn nothing(&self) -> Option<Value> {
        match self.0.nothing {
            Nothing::Empty => Some(json!("")),
            Nothing::Null => Some(Value::Null),
            Nothing::NullText => Some(json!("null")),
            Nothing::Absent => None,
        }
    }

    fn put(&self, item: &mut Map<String, Value>, name: &str, text: Option<String>) {
        if let Some(value) = text.map(Value::String).or_else(|| self.nothing()) {
            item.insert(name.to_owned(), value);
        }
    }

    fn list(&self, name: &str, mut items: Vec<Value>) -> Value {
        let items = match items.as_mut_slice() {
            [one] if self.0.single_object => one.take(),
            _ => Value::Array(items),
        };
        let mut list = Map::new();
        list.insert(name.to_owned(), items);
        Value::Object(list)
    }

    fn extra(&self, item: &mut Map<String, Value>) {
        if self.0.extra_fields {
            item.insert("BackupScale".to_owned(), json!("DBInstance"));
            item.insert("SlaveStatus".to_owned(), json!({ "Delay": 0, "Nodes": [{ "Role": "slave", "Lag": null }] }));
        }
    }

    fn document(&self, value: Value) -> Value {
        match value {
            Value::Object(mut fields) => {
                self.extra(&mut fields);
                Value::Object(fields)
            }
            other => other,
        }
    }

    /// The answer to CreateBackup.
    pub(super) fn created(&self, job: u64) -> Value {
        self.document(json!({ "BackupJobId": self.id(job) }))
    }

    /// The answer to CloneDBInstance.
    pub(super) fn cloned(&self, clone: &Cloned) -> Value {
        self.document(json!({ "DBInstanceId": clone.instance, "OrderId": self.id(clone.order) }))
    }

    /// An answer that holds nothing but its request id.
    pub(super) fn done(&self) -> Value {
        self.document(json!({}))
    }

    /// The answer to DescribeBackupPolicy, the same in both modes.
    pub(super) fn policy(&self, spec: &InstanceSpec) -> Value {
        let (enabled, words) = match (spec.engine, spec.policy.log_backup) {
            // The log backup of SQL Server cannot be switched off, and the first of the two says so by 0.
            (Engine::SQLServer, _) => ("0", "Enable"),
            (_, true) => ("1", "Enable"),
            (_, false) => ("0", "Disabled"),
        };
        self.document(json!({
            "BackupRetentionPeriod": spec.policy.retention_days,
            "LogBackupRetentionPeriod": spec.policy.log_retention_days,
            "EnableBackupLog": enabled,
            "BackupLog": words,
            "PreferredBackupPeriod": spec.window.period,
            "PreferredBackupTime": spec.window.time,
            "BackupMethod": if spec.local_disk() { "Physical" } else { "Snapshot" },
            "ReleasedKeepPolicy": spec.policy.released_keep,
        }))
    }

    /// The answer to DescribeBackupTasks. `by_id` when the request named the job.
    pub(super) fn tasks<'j>(&self, jobs: impl Iterator<Item = &'j Job>, by_id: bool, now: Now) -> Value {
        let items = jobs.map(|job| self.task(job, by_id, now)).collect();
        self.document(json!({ "Items": self.list("BackupJob", items) }))
    }

    fn task(&self, job: &Job, by_id: bool, now: Now) -> Value {
        let stage = job.stage(now);
        let finished = stage.status == "Finished";
        let percent = if finished && self.0.process125 { 125 } else { stage.percent };
        let mut item = Map::new();
        item.insert("BackupJobId".into(), self.id(job.id));
        item.insert("BackupStatus".into(), json!(stage.status));
        item.insert("BackupProgressStatus".into(), json!(stage.progress));
        item.insert("Process".into(), json!(percent.to_string()));
        item.insert("JobMode".into(), json!(mode(job)));
        if !self.0.no_task_action {
            item.insert("TaskAction".into(), json!(if job.automated() { "NormalBackupTask" } else { "TempBackupTask" }));
        }
        if finished && by_id && !self.0.no_backup_id {
            item.insert("BackupId".into(), self.id(job.backup_id));
        } else if self.0.nothing == Nothing::Null {
            item.insert("BackupId".into(), Value::Null);
        }
        self.extra(&mut item);
        Value::Object(item)
    }

    /// The answer to DescribeBackups.
    pub(super) fn sets(&self, spec: &InstanceSpec, instance: &str, page: &Page<'_>, now: Now) -> Value {
        let items: Vec<_> = page.jobs.iter().map(|job| self.set(spec, instance, job, now)).collect();
        let snapshots: u64 = page.jobs.iter().filter(|job| job.method == Method::Snapshot).map(|job| job.size).sum();
        self.document(json!({
            "PageNumber": self.counter(page.number),
            "PageRecordCount": self.counter(items.len()),
            "TotalRecordCount": self.counter(page.total),
            "TotalEcsSnapshotSize": self.number(snapshots),
            "Items": self.list("Backup", items),
        }))
    }

    fn set(&self, spec: &InstanceSpec, instance: &str, job: &Job, now: Now) -> Value {
        let running = self.0.running_sets.is_some_and(|after| !job.listed(after, now));
        let success = job.fate != JobOutcome::Failed && !running;
        let usable = job.fate == JobOutcome::Success && !running;
        let status = match job.fate {
            _ if running => "Running",
            JobOutcome::Failed => "Failed",
            _ => "Success",
        };
        // A snapshot belongs to the disk service and cannot be downloaded.
        let downloads = success && job.method != Method::Snapshot;
        let link = |place: &str| {
            downloads.then(|| {
                format!(
                    "http://rdsbak-{place}.example/{instance}/{}.xb?Expires=1767225600&OSSAccessKeyId=canary&Signature={PRESIGNED_CANARY}",
                    job.backup_id
                )
            })
        };
        let mut item = Map::new();
        item.insert("BackupId".into(), self.id(job.backup_id));
        item.insert("BackupStatus".into(), json!(status));
        item.insert("BackupMode".into(), json!(mode(job)));
        item.insert("BackupInitiator".into(), json!(if job.automated() { "System" } else { "User" }));
        item.insert("BackupMethod".into(), json!(job.method.name()));
        item.insert("BackupType".into(), json!(job.backup_type()));
        item.insert("BackupStartTime".into(), json!(seconds(job.started_at)));
        self.put(&mut item, "BackupEndTime", (!running).then(|| seconds(job.ended_at())));
        item.insert("BackupSize".into(), self.number(if success { job.size } else { 0 }));
        item.insert("ConsistentTime".into(), self.number(if usable { job.ended_at().as_second().unsigned_abs() } else { 0 }));
        item.insert("IsAvail".into(), self.number(u64::from(usable)));
        item.insert("CopyOnlyBackup".into(), json!("0"));
        item.insert("DBInstanceId".into(), json!(instance));
        item.insert("Encryption".into(), if self.0.encryption_object { json!({}) } else { json!("{}") });
        item.insert("Engine".into(), json!(spec.engine.name()));
        item.insert("EngineVersion".into(), json!(spec.engine_version));
        item.insert("HostInstanceID".into(), self.id(4_711_000 + job.id % 1000));
        item.insert("StorageClass".into(), json!("0"));
        item.insert("StoreStatus".into(), json!(if deletion::may_be_deleted(spec, job, now) { "Enabled" } else { "Disabled" }));
        self.put(&mut item, "BackupDownloadURL", link("public"));
        self.put(&mut item, "BackupIntranetDownloadURL", link("internal"));
        self.put(&mut item, "Checksum", success.then(|| (job.backup_id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_string()));
        let documented = (job.method == Method::Logical).then(|| "OK".to_owned());
        self.put(&mut item, "MetaStatus", self.0.meta_status.clone().or(documented));
        let expires = job.retention.and_then(|days| u64::try_from(days).ok());
        let expires = expires.map(|days| super::clock::later(job.ended_at(), std::time::Duration::from_secs(days * 86_400)));
        self.put(&mut item, "ExpectExpireTime", expires.map(seconds));
        let more = (0..self.0.linked_databases).map(|number| format!("db{number}"));
        let databases: Vec<String> = job.databases.iter().cloned().chain(more).collect();
        if downloads && !databases.is_empty() {
            let by_database =
                |name: &String| json!({ "DataBase": name, "DownloadLink": link("public"), "IntranetDownloadLink": link("internal") });
            let links = self.list("BackupDownloadLinkByDB", databases.iter().map(by_database).collect());
            item.insert("BackupDownloadLinkByDB".into(), links);
        }
        self.extra(&mut item);
        Value::Object(item)
    }

    /// The answer to DescribeDBInstanceAttribute.
    pub(super) fn attribute(&self, spec: &InstanceSpec, instance: &str) -> Value {
        let mut item = self.instance(spec, instance);
        item.insert("Category".into(), json!(spec.category));
        self.extra(&mut item);
        self.document(json!({ "Items": self.list("DBInstanceAttribute", vec![Value::Object(item)]) }))
    }
}

impl Style<'_> {
    /// The answer to DescribeDBInstances. The page of the API has `Category` only for some requests, and no tags at all.
    pub(super) fn instances(&self, page: &InstancePage<'_>) -> Value {
        let items: Vec<_> = page.instances.iter().map(|(id, spec)| self.listed_instance(spec, id)).collect();
        let mut answer = json!({
            "PageNumber": page.number,
            "PageRecordCount": items.len(),
            "TotalRecordCount": page.total,
            "Items": self.list("DBInstance", items),
        });
        if let Some(token) = &page.next_token {
            answer["NextToken"] = json!(token);
        }
        self.document(answer)
    }

    fn listed_instance(&self, spec: &InstanceSpec, instance: &str) -> Value {
        let mut item = self.instance(spec, instance);
        for (name, value) in [("DBInstanceClass", "rds.mysql.s2.large"), ("ConnectionMode", "Standard"), ("InstanceNetworkType", "VPC")] {
            item.insert(name.into(), json!(value));
        }
        item.insert("ZoneId".into(), json!(format!("{}-h", spec.region)));
        item.insert("MutriORsignle".into(), json!(false));
        item.insert("ReadOnlyDBInstanceIds".into(), json!({ "ReadOnlyDBInstanceId": [] }));
        self.put(&mut item, "DBInstanceDescription", Some(spec.description.clone()).filter(|text| !text.is_empty()));
        self.extra(&mut item);
        Value::Object(item)
    }

    /// What both answers tell of an instance.
    fn instance(&self, spec: &InstanceSpec, instance: &str) -> Map<String, Value> {
        let mut item = Map::new();
        for (name, value) in [
            ("DBInstanceId", instance),
            ("DBInstanceStatus", &spec.status),
            ("Engine", spec.engine.name()),
            ("EngineVersion", &spec.engine_version),
            ("DBInstanceStorageType", &spec.disk),
            ("DBInstanceType", &spec.kind),
            ("PayType", "Postpaid"),
            ("LockMode", &spec.lock_mode),
            ("RegionId", &spec.region),
        ] {
            item.insert(name.into(), json!(value));
        }
        self.put(&mut item, "LockReason", None);
        self.put(&mut item, "ExpireTime", None);
        self.put(&mut item, "MasterInstanceId", (spec.kind != "Primary").then(|| format!("{instance}-primary")));
        item
    }
}

/// One page of instances.
pub(super) struct InstancePage<'a> {
    pub(super) instances: Vec<(&'a str, &'a InstanceSpec)>,
    pub(super) number: usize,
    /// Of all pages; with a token, of this one.
    pub(super) total: usize,
    pub(super) next_token: Option<String>,
}

/// One page of sets.
pub(super) struct Page<'a> {
    pub(super) jobs: Vec<&'a Job>,
    pub(super) number: usize,
    pub(super) total: usize,
}

/// A success, with its request id.
pub(super) fn success(mut body: Value, request_id: &str, format: Format, action: &str) -> Answer {
    if let Value::Object(fields) = &mut body {
        fields.insert("RequestId".into(), json!(request_id));
    }
    Answer::document(200, &body, format, &format!("{action}Response"))
}

/// An error, with its request id.
pub(super) fn failure(error: &ApiError, request_id: &str, format: Format) -> Answer {
    let mut body = json!({
        "RequestId": request_id,
        "HostId": "rds.aliyuncs.com",
        "Code": error.code,
        "Message": error.message,
        "Recommend": format!("https://api.alibabacloud.com/troubleshoot?q={}&product=Rds&requestId={request_id}", error.code),
    });
    if !error.detail.is_empty() {
        body["AccessDeniedDetail"] = json!(error.detail);
    }
    let mut answer = Answer::document(error.status, &body, format, "Error");
    if let Some(ms) = error.retry_after_ms {
        answer.headers.push(("x-acs-retry-after", ms.to_string()));
    }
    answer
}

/// `2026-01-02T03:04:05Z`.
pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn mode(job: &Job) -> &'static str {
    if job.automated() { "Automated" } else { "Manual" }
}
