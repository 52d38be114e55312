//! CloneDBInstance: a new instance from a set, or from a moment of the log.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::catalogue::{Engine, InstanceSpec};
use super::clock::{Now, earlier, since};
use super::error::ApiError;
use super::gateway::Call;
use super::jobs::Job;
use super::ledger::{CloneRecord, JobOutcome};
use super::rules::{self, Method};

/// So long a clone is in status Creating.
const CREATION: Duration = Duration::from_secs(30);

/// `DBInstanceStatus` of a clone that is being made.
const CREATING: &str = "Creating";

const DAY: Duration = Duration::from_secs(86_400);

/// Disks that `DBInstanceStorageType` names.
const DISKS: [&str; 6] = ["general_essd", "local_ssd", "cloud_ssd", "cloud_essd", "cloud_essd2", "cloud_essd3"];

/// A clone, and what it was asked for with.
#[derive(Debug, Clone)]
struct Clone {
    record: CloneRecord,
    /// By the machine's clock, on which it is made.
    began: Timestamp,
    asked: BTreeMap<String, String>,
}

/// The clones that there are.
#[derive(Debug, Default)]
pub(super) struct Clones(Vec<Clone>);

/// The answer: the clone and its order.
pub(super) struct Cloned {
    pub(super) instance: String,
    pub(super) order: u64,
}

impl Clones {
    /// Every clone, oldest first.
    pub(super) fn records(&self) -> Vec<CloneRecord> {
        self.0.iter().map(|clone| clone.record.clone()).collect()
    }

    /// The status of an instance that is a clone and is being made.
    pub(super) fn status(&self, instance: &str, now: Now) -> Option<&'static str> {
        let clone = self.0.iter().find(|clone| clone.record.instance == instance)?;
        (since(clone.began, now.machine) < CREATION).then_some(CREATING)
    }

    /// What an earlier call with the same token made. The same token with other parameters is an error: the code is the one that ECS
    /// publishes, RDS documents none.
    pub(super) fn replayed(&self, call: &Call) -> Result<Option<Cloned>, ApiError> {
        let Some(token) = token(call)? else { return Ok(None) };
        let by_token = |clone: &&Clone| clone.record.client_token.as_deref() == Some(token) && clone.record.access_key_id == call.key_id;
        let Some(clone) = self.0.iter().find(by_token) else { return Ok(None) };
        if clone.asked != asked(call) {
            let message = "The request uses the same client token as a previous, but non-identical request.";
            return Err(ApiError::new(400, "IdempotentParameterMismatch", message));
        }
        Ok(Some(Cloned { instance: clone.record.instance.clone(), order: clone.record.order_id }))
    }

    /// Makes one. Everything was checked before.
    pub(super) fn make(&mut self, call: &Call, instance: String, order: u64, now: Now) -> Cloned {
        let value = |name: &str| call.parameters.get(name).cloned();
        let record = CloneRecord {
            time: now.service,
            instance: instance.clone(),
            source: call.instance.clone(),
            backup_id: value("BackupId"),
            restore_time: value("RestoreTime"),
            client_token: value("ClientToken"),
            order_id: order,
            parameters: call.parameters.clone(),
            access_key_id: call.key_id.clone(),
        };
        self.0.push(Clone { record, began: now.machine, asked: asked(call) });
        Cloned { instance, order }
    }
}

/// What a repeated call must repeat.
fn asked(call: &Call) -> BTreeMap<String, String> {
    call.parameters
        .iter()
        .filter(|(name, _)| !super::request::COMMON.contains(&name.as_str()))
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect()
}

/// At most 64 characters of ASCII.
fn token(call: &Call) -> Result<Option<&str>, ApiError> {
    match call.parameters.get("ClientToken").map(String::as_str) {
        None => Ok(None),
        Some(token) if !token.is_empty() && token.len() <= 64 && token.is_ascii() => Ok(Some(token)),
        Some(_) => Err(ApiError::invalid("ClientToken")),
    }
}

/// Whether the instance may be cloned as the call says.
pub(super) fn check(call: &Call, spec: &InstanceSpec, jobs: &[Job], lag: Duration, now: Now) -> Result<(), ApiError> {
    let value = |name: &str| call.parameters.get(name).map(String::as_str);
    token(call)?;
    match value("PayType") {
        None => return Err(ApiError::missing("PayType")),
        Some("Postpaid") => {}
        Some("Prepaid") => {
            let months = value("UsedTime").and_then(|time| time.parse::<u32>().ok());
            match (value("Period"), months) {
                (Some("Month"), Some(1..=9)) | (Some("Year"), Some(1..=3)) => {}
                (None, _) => return Err(ApiError::missing("Period")),
                (Some("Month" | "Year"), None) => return Err(ApiError::missing("UsedTime")),
                (Some("Month" | "Year"), _) => return Err(ApiError::invalid("UsedTime")),
                (Some(_), _) => return Err(ApiError::invalid("Period")),
            }
        }
        Some("Serverless") if spec.engine != Engine::MariaDB && matches!(disk(call, spec), "cloud_essd" | "general_essd") => {}
        Some(_) => return Err(ApiError::invalid("PayType")),
    }
    if !DISKS.contains(&disk(call, spec)) {
        return Err(ApiError::invalid("DBInstanceStorageType"));
    }
    // The official client for Python writes True and False.
    let flag = value("DeletionProtection").map(str::to_ascii_lowercase);
    if !matches!(flag.as_deref(), None | Some("true" | "false")) {
        return Err(ApiError::invalid("DeletionProtection"));
    }
    if value("DBInstanceDescription").is_some_and(|name| !is_description(name)) {
        return Err(ApiError::invalid("DBInstanceDescription"));
    }
    check_network(call)?;
    if spec.kind != "Primary" {
        return Err(rules::read_only());
    }
    if spec.status != "Running" {
        return Err(ApiError::new(403, "IncorrectDBInstanceState", "Current DB instance state does not support this operation."));
    }
    let names = databases(call)?;
    if !names.is_empty() && spec.engine != Engine::SQLServer {
        return Err(ApiError::invalid("DbNames"));
    }
    match (value("BackupId"), value("RestoreTime")) {
        (None, None) => Err(ApiError::missing("BackupId")),
        // One of the two says what is restored.
        (Some(_), Some(_)) => Err(ApiError::invalid("RestoreTime")),
        (Some(id), None) => check_set(id, &names, jobs, lag, now),
        (None, Some(time)) => check_time(time, spec, jobs, lag, now),
    }
}

/// The disk that the clone gets.
fn disk<'a>(call: &'a Call, spec: &'a InstanceSpec) -> &'a str {
    call.parameters.get("DBInstanceStorageType").map_or(spec.disk.as_str(), String::as_str)
}

/// 2 to 255 characters, the first of them a letter.
fn is_description(name: &str) -> bool {
    let length = name.chars().count();
    let inner = |c: char| c.is_alphanumeric() || "_-".contains(c);
    (2..=255).contains(&length) && name.starts_with(char::is_alphabetic) && name.chars().all(inner)
}

/// A VPC and a vSwitch belong together, and to the network type VPC.
fn check_network(call: &Call) -> Result<(), ApiError> {
    let value = |name: &str| call.parameters.get(name).map(String::as_str);
    match (value("VPCId"), value("VSwitchId")) {
        (None, None) => {}
        (Some(_), None) => return Err(ApiError::missing("VSwitchId")),
        (None, Some(_)) => return Err(ApiError::missing("VPCId")),
        (Some(vpc), Some(_)) if !vpc.starts_with("vpc-") => return Err(ApiError::invalid("VPCId")),
        (Some(_), Some(vswitch)) if !vswitch.starts_with("vsw-") => return Err(ApiError::invalid("VSwitchId")),
        (Some(_), Some(_)) if value("InstanceNetworkType").is_some_and(|kind| kind != "VPC") => {
            return Err(ApiError::invalid("InstanceNetworkType"));
        }
        _ => {}
    }
    if matches!(value("InstanceNetworkType"), None | Some("VPC" | "Classic")) {
        Ok(())
    } else {
        Err(ApiError::invalid("InstanceNetworkType"))
    }
}

fn databases(call: &Call) -> Result<Vec<&str>, ApiError> {
    let Some(names) = call.parameters.get("DbNames") else { return Ok(Vec::new()) };
    let names: Vec<&str> = names.split(',').collect();
    if names.iter().any(|name| name.is_empty()) { Err(ApiError::invalid("DbNames")) } else { Ok(names) }
}

/// A set of this instance that is listed, usable, and no dump.
fn check_set(id: &str, names: &[&str], jobs: &[Job], lag: Duration, now: Now) -> Result<(), ApiError> {
    let absent = || ApiError::new(404, "InvalidBackupSetID.NotFound", "Specified backup set ID does not exist.");
    let job = jobs.iter().find(|job| job.backup_id.to_string() == id && job.listed(lag, now)).ok_or_else(absent)?;
    if job.fate != JobOutcome::Success || job.method == Method::Logical {
        return Err(ApiError::invalid("BackupId"));
    }
    // A set of single databases restores these.
    let is_in_it = |name: &&str| job.databases.is_empty() || job.databases.iter().any(|in_it| in_it == name);
    if !names.iter().all(is_in_it) {
        return Err(ApiError::new(400, "InvalidBackupSet", "The specified database does not exist in the backup set."));
    }
    if names.is_empty() && !job.databases.is_empty() {
        return Err(ApiError::missing("DbNames"));
    }
    Ok(())
}

/// A moment between the end of a usable set and now, in the time that the log is kept.
fn check_time(text: &str, spec: &InstanceSpec, jobs: &[Job], lag: Duration, now: Now) -> Result<(), ApiError> {
    let message =
        "The requested restoreTime param is invalid, or the requested restoreTime is not within the scope of the instance backup.";
    let refused = || ApiError::new(400, "InvalidRestoreTime.Malformed", message);
    let time = second(text).ok_or_else(refused)?;
    let kept_from = earlier(now.service, DAY * spec.policy.log_retention_days);
    let follows_a_set = jobs.iter().any(|job| {
        job.listed(lag, now)
            && job.fate == JobOutcome::Success
            && job.method != Method::Logical
            && job.databases.is_empty()
            && job.ended_at() <= time
    });
    let is_in_the_log = spec.policy.log_backup && time >= kept_from && time <= now.service;
    if is_in_the_log && follows_a_set { Ok(()) } else { Err(refused()) }
}

/// Exactly `yyyy-MM-ddTHH:mm:ssZ`.
fn second(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y-%m-%dT%H:%M:%SZ", text).ok()?;
    let at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() == text).then_some(at)
}

/// What the new instance is: the source's kind, on its own disk, without a past.
pub(super) fn spec_of(call: &Call, source: &InstanceSpec) -> InstanceSpec {
    let restored = databases(call).unwrap_or_default();
    let databases = if restored.is_empty() { source.databases.clone() } else { restored.into_iter().map(str::to_owned).collect() };
    InstanceSpec { disk: disk(call, source).to_owned(), databases, history: 0, busy_for: None, ..source.clone() }
}
