//! Which set is restored, and why one cannot be.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{BackupMethod, BackupStrategy, ConditionType, Phase, RdsBackup, RdsBackupStatus};

/// A set that can be restored, as its RdsBackup tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct UsableSet {
    /// The namespace of its RdsBackup.
    pub namespace: String,
    /// The name of its RdsBackup.
    pub name: String,
    /// The uid of its RdsBackup.
    pub uid: String,
    /// The instance that was backed up.
    pub instance: String,
    /// Its region.
    pub region: String,
    /// The set (`BackupId`).
    pub backup_id: String,
    /// The engine, where it is recorded.
    pub engine: Option<String>,
    /// Its version, where it is recorded.
    pub engine_version: Option<String>,
    /// The method, where it is recorded.
    pub method: Option<String>,
    /// The databases that are in it; none for all.
    pub databases: Vec<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The time that its data is of: `consistentTime` where it lies within the backup, else the end of the backup.
    pub data_as_of: Option<Timestamp>,
    /// When the service will remove it.
    pub expires_at: Option<Timestamp>,
    /// Its size, for people.
    pub size: Option<String>,
    /// What a person should know before relying on it.
    pub doubts: Vec<String>,
}

/// The set of a backup, if it can be restored at `now`.
///
/// # Errors
/// It cannot; the text says why, and what to do.
pub fn usable(backup: &RdsBackup, now: Timestamp) -> Result<UsableSet, String> {
    let name = backup.name_any();
    let namespace = backup.namespace().unwrap_or_default();
    let Some(status) = backup.status.as_ref().filter(|status| status.phase.is_terminal()) else {
        let phase = backup.status.as_ref().map_or(Phase::Pending, |status| status.phase).as_str();
        return Err(format!("backup {namespace}/{name} has not ended, it is {phase}: `logs {name}` tells its story"));
    };
    if status.phase == Phase::Failed {
        let reason = status.ready_reason().unwrap_or("Failed");
        return Err(format!("backup {namespace}/{name} failed ({reason}), it has no set to restore: --to-time picks an earlier one"));
    }
    if let Some(available) = status.condition(ConditionType::Available).filter(|condition| condition.status == "False") {
        let message = one_line(&available.message);
        return Err(format!("the set of backup {namespace}/{name} cannot be restored ({}): {message}", available.reason));
    }
    if let Some(expires_at) = status.expires_at.as_ref().filter(|expires_at| expires_at.0 <= now) {
        return Err(format!("the set of backup {namespace}/{name} expired at {}: the service has removed it", expires_at.0));
    }
    let Some(backup_id) = status.backup_id.clone() else {
        return Err(format!("backup {namespace}/{name} has no status.backupId: look for its set in the console, by its start"));
    };
    let effective = status.effective.clone().unwrap_or_default();
    let method = effective.method.clone().or_else(|| backup.spec.method.map(|method| method.as_str().to_owned()));
    if method.as_deref() == Some(BackupMethod::Logical.as_str()) {
        return Err(format!(
            "backup {namespace}/{name} is logical: it is a dump, and the service documents no clone of one. Download set {backup_id} and \
             import it with mysql; docs/guides/restore.md says how"
        ));
    }
    let Some(region) = effective.region_id.clone().or_else(|| backup.spec.region_id.clone()) else {
        return Err(format!("the region of backup {namespace}/{name} is not recorded: its status has no effective.regionId"));
    };
    let by_database = backup.spec.strategy == Some(BackupStrategy::Db);
    Ok(UsableSet {
        uid: backup.uid().unwrap_or_default(),
        instance: backup.spec.db_instance_id.clone(),
        region,
        backup_id,
        engine: effective.engine,
        engine_version: effective.engine_version,
        method,
        databases: if by_database { backup.spec.databases.clone() } else { Vec::new() },
        started_at: status.started_at.as_ref().map(|at| at.0),
        completed_at: status.completed_at.as_ref().map(|at| at.0),
        data_as_of: data_as_of(status),
        expires_at: status.expires_at.as_ref().map(|at| at.0),
        size: status.size.clone(),
        doubts: doubts(backup, status, now),
        namespace,
        name,
    })
}

/// The newest usable set of the same instance and account whose data is not younger than `to_time`.
///
/// # Errors
/// There is none; the text names the oldest that there is.
pub fn newest_before<'a>(
    of: &RdsBackup,
    siblings: impl Iterator<Item = &'a RdsBackup>,
    to_time: Timestamp,
    now: Timestamp,
) -> Result<UsableSet, String> {
    let same = |other: &&RdsBackup| other.spec.db_instance_id == of.spec.db_instance_id && other.spec.account == of.spec.account;
    let mut sets: Vec<(Timestamp, UsableSet)> =
        siblings.filter(same).filter_map(|other| usable(other, now).ok()).filter_map(|set| Some((set.data_as_of?, set))).collect();
    sets.sort_by(|(at, a), (bt, b)| (at, &a.name).cmp(&(bt, &b.name)));
    let oldest = sets.first().map(|(at, set)| (*at, set.name.clone()));
    sets.into_iter().rfind(|(at, _)| *at <= to_time).map(|(_, set)| set).ok_or_else(|| {
        let instance = &of.spec.db_instance_id;
        match oldest {
            Some((at, name)) => format!(
                "no usable backup of {instance} is as old as {to_time}: the oldest in this namespace is {name}, of {at}. The sets of the \
                 service's own schedule are not known here: look for them in the console"
            ),
            None => format!("there is no usable backup of {instance} in this namespace, for the account {:?}", of.spec.account),
        }
    })
}

/// The time that the data of a set is of: `consistentTime` where it lies within the backup, else the end of the backup. The service
/// documents `ConsistentTime` for MySQL 5.6 only.
fn data_as_of(status: &RdsBackupStatus) -> Option<Timestamp> {
    let ended = status.completed_at.as_ref().map(|at| at.0);
    let began = status.started_at.as_ref().map(|at| at.0);
    let is_within = |at: &Timestamp| began.is_none_or(|began| *at >= began) && ended.is_none_or(|ended| *at <= ended);
    status.consistent_time.as_ref().map(|at| at.0).filter(is_within).or(ended)
}

fn doubts(backup: &RdsBackup, status: &RdsBackupStatus, now: Timestamp) -> Vec<String> {
    let mut doubts = Vec::new();
    if backup.metadata.deletion_timestamp.is_some() {
        doubts.push("the RdsBackup is being deleted; with deletionPolicy Delete its set goes too".to_owned());
    }
    if status.is_true(ConditionType::DuplicateBackup) {
        doubts.push("the condition DuplicateBackup is True: another set may have been made for it as well".to_owned());
    }
    if let Some(at) = status.expires_at.as_ref().map(|at| at.0).filter(|at| at.duration_since(now).as_hours() < 24) {
        doubts.push(format!("the set expires soon, at {at}"));
    }
    doubts
}

/// A message of a condition, for one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(512).collect()
}
