//! From the objects to the report.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use kube::{Resource, ResourceExt};

use super::row::{Counts, FORMAT_VERSION, Failure, Objective, Report, Row, UnreadableObject, UsableBackup};
use crate::{
    api::{ConditionType, Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, Reason, SCHEDULE_NAME_LABEL, ScheduleCondition},
    controller::Guarded,
    schedule::{
        ownership,
        spec::{ValidatedSpec, given_max_age},
    },
    time::SaturatingTime,
};

/// As much of an error as is shown of an object that cannot be read.
const LONGEST_ERROR: usize = 256;

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// The schedules.
    pub schedules: Vec<Guarded<RdsBackupSchedule>>,
    /// The backups.
    pub backups: Vec<Guarded<RdsBackup>>,
}

/// The report as of `now`. `namespace` is the one that was asked for, none for all. The objective of a suspended schedule is shown, and
/// counted only with `counts_suspended`.
pub fn assess(objects: &Objects, namespace: Option<String>, counts_suspended: bool, now: Timestamp) -> Report {
    let mut by_schedule: HashMap<(&str, &str), Vec<&Guarded<RdsBackup>>> = HashMap::new();
    for backup in &objects.backups {
        let meta = backup.meta();
        if let Some(schedule) = meta.labels.as_ref().and_then(|labels| labels.get(SCHEDULE_NAME_LABEL)) {
            by_schedule.entry((meta.namespace.as_deref().unwrap_or_default(), schedule)).or_default().push(backup);
        }
    }
    let mut rows = Vec::new();
    let mut unreadable = Vec::new();
    let mut scheduled: HashSet<Target> = HashSet::new();
    for guarded in &objects.schedules {
        let meta = guarded.meta();
        let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
        match &guarded.0 {
            Ok(schedule) => {
                let children = by_schedule.get(&(namespace.as_str(), name.as_str())).map(Vec::as_slice).unwrap_or_default();
                rows.push(of_schedule(&namespace, &name, schedule, children, now));
                let template = &schedule.spec.template.spec;
                scheduled.insert((namespace, template.db_instance_id.clone(), template.account.clone()));
            }
            Err(found) => {
                let problem = Some(format!("the RdsBackupSchedule cannot be read: {}", one_line(&found.error)));
                unreadable.push(unreadable_object("RdsBackupSchedule", meta.clone(), &found.error));
                rows.push(Row { namespace, schedule: Some(name), problem, ..Row::default() });
            }
        }
    }
    let mut others: BTreeMap<Target, Vec<&RdsBackup>> = BTreeMap::new();
    for guarded in &objects.backups {
        match &guarded.0 {
            Ok(backup) => {
                let target = (backup.namespace().unwrap_or_default(), backup.spec.db_instance_id.clone(), backup.spec.account.clone());
                if !scheduled.contains(&target) {
                    others.entry(target).or_default().push(backup);
                }
            }
            Err(found) => unreadable.push(unreadable_object("RdsBackup", guarded.meta().clone(), &found.error)),
        }
    }
    rows.extend(others.into_iter().map(|(target, backups)| without_schedule(target, &backups, now)));
    // An instance without a schedule stands after the schedules of its namespace.
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.namespace.clone(), row.schedule.is_none(), row.schedule.clone(), row.db_instance_id.clone());
        key(a).cmp(&key(b))
    });
    unreadable.sort_by(|a, b| (&a.namespace, a.kind, &a.name).cmp(&(&b.namespace, b.kind, &b.name)));
    let generated_at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let objectives = count(&rows, counts_suspended);
    Report { format_version: FORMAT_VERSION, generated_at, namespace, objectives, rows, unreadable }
}

/// Namespace, instance and account.
type Target = (String, String, String);

fn of_schedule(namespace: &str, name: &str, schedule: &RdsBackupSchedule, children: &[&Guarded<RdsBackup>], now: Timestamp) -> Row {
    let spec = &schedule.spec;
    let status = schedule.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh);
    let valid =
        ValidatedSpec::with_native_window(namespace, name, spec, status.native_window.as_ref().filter(|_| spec.not_during.is_some()), now);
    let max_age = valid.as_ref().map(|valid| valid.max_age).ok().or_else(|| given_max_age(spec));
    let own: Vec<&Guarded<RdsBackup>> = children.iter().copied().filter(|child| ownership::is_of(child, schedule)).collect();
    let readable: Vec<&RdsBackup> = own.iter().filter_map(|child| child.0.as_deref().ok()).collect();
    let mut found = Found::among(&readable, now);
    let known: HashSet<String> = own.iter().filter_map(|child| child.meta().name.clone()).collect();
    if status.account.as_ref().is_none_or(|account| *account == spec.template.spec.account) {
        found.add_recorded(&status, spec.template.spec.retention_days, &known, now);
    }
    let created_at = schedule.metadata.creation_timestamp.as_ref().map_or(now, |time| time.0);
    let since = status.account_since.as_ref().map_or(created_at, |since| since.0.max(created_at));
    let has_succeeded = found.has_succeeded;
    let mut row = Row {
        namespace: namespace.to_owned(),
        schedule: Some(name.to_owned()),
        db_instance_id: Some(spec.template.spec.db_instance_id.clone()),
        account: Some(spec.template.spec.account.clone()),
        suspended: Some(spec.suspend),
        time_zone: Some(spec.time_zone.clone()),
        max_age_seconds: max_age.map(|age| age.as_secs()),
        next_run_at: valid.as_ref().ok().and_then(|valid| next_run(schedule, &status, valid, now)),
        problem: problem(&status, valid.err().map(|problem| problem.message), &own),
        ..found.row(now)
    };
    row.objective = objective(max_age, row.newest_usable.as_ref(), has_succeeded, since, now);
    row
}

fn without_schedule((namespace, instance, account): Target, backups: &[&RdsBackup], now: Timestamp) -> Row {
    Row {
        namespace,
        db_instance_id: Some(instance),
        account: Some(account),
        objective: Objective::None,
        ..Found::among(backups, now).row(now)
    }
}

/// The rule of the condition `Fresh`, but counted from the start of the backup: what was written while it ran may not be in it. Where no
/// start is recorded, its end counts.
///
/// A schedule is pending only until its first success: one whose every set has expired has nothing to restore.
fn objective(
    max_age: Option<SignedDuration>,
    newest: Option<&UsableBackup>,
    has_succeeded: bool,
    since: Timestamp,
    now: Timestamp,
) -> Objective {
    let Some(max_age) = max_age else { return Objective::Unknown };
    match newest {
        Some(newest) => match data_time(newest) {
            Some(at) if now <= at.plus(max_age) => Objective::Met,
            Some(_) => Objective::Missed,
            None => Objective::Unknown,
        },
        None if !has_succeeded && now <= since.plus(max_age) => Objective::Pending,
        None => Objective::Missed,
    }
}

/// What the operator shows, unless the schedule was edited since; then what the spec says.
fn next_run(schedule: &RdsBackupSchedule, status: &RdsBackupScheduleStatus, valid: &ValidatedSpec, now: Timestamp) -> Option<Timestamp> {
    if schedule.spec.suspend || schedule.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let shown = status.next_schedule_time.as_ref().filter(|_| Some(status.observed_generation) == schedule.metadata.generation);
    let computed = || valid.next_run(now).map(|run| run.start);
    shown.map(|time| time.0).or_else(computed)
}

/// What a person must look at: the schedule itself, a backup of it that waits for a person, or one that cannot be read and may be the
/// newest.
fn problem(status: &RdsBackupScheduleStatus, invalid: Option<String>, own: &[&Guarded<RdsBackup>]) -> Option<String> {
    let is_true = |kind| status.condition(kind).filter(|condition| condition.status == "True");
    let stalled = is_true(ScheduleCondition::Stalled).or_else(|| is_true(ScheduleCondition::BackupStalled));
    let unreadable = || {
        let name = own.iter().find(|child| child.0.is_err())?.meta().name.clone()?;
        Some(format!("the RdsBackup {name} of the schedule cannot be read"))
    };
    invalid.or_else(|| stalled.map(|condition| condition.message.clone())).or_else(unreadable).map(|problem| one_line(&problem))
}

/// The backups of one row.
struct Found {
    /// Newest data first, with what two of them must have in common for a comparison of their sizes.
    usable: Vec<(UsableBackup, Option<Shape>)>,
    failed: Vec<Failure>,
    /// Whether one ever succeeded, usable or not.
    has_succeeded: bool,
}

/// Method, type, strategy, and databases: the size of a snapshot says nothing about that of a physical backup.
type Shape = (Option<String>, Option<String>, Option<String>, Vec<String>);

impl Found {
    fn among(backups: &[&RdsBackup], now: Timestamp) -> Self {
        let mut found = Self { usable: Vec::new(), failed: Vec::new(), has_succeeded: false };
        for backup in backups {
            let Some(status) = &backup.status else { continue };
            found.has_succeeded |= status.phase == Phase::Succeeded;
            match status.phase {
                Phase::Succeeded if status.expires_at.as_ref().is_none_or(|expires_at| now < expires_at.0) => {
                    found.usable.push((usable(backup), shape(backup)));
                }
                Phase::Failed if status.ready_reason() != Some(Reason::Expired.as_str()) => found.failed.push(failure(backup, now)),
                _ => {}
            }
        }
        found
    }

    /// What the schedule's status keeps of backups whose objects are gone; `known` are the names of those that are there. It does not keep
    /// when a set expires, so the template's retention counts.
    fn add_recorded(&mut self, status: &RdsBackupScheduleStatus, retention_days: Option<i32>, known: &HashSet<String>, now: Timestamp) {
        self.has_succeeded |= status.last_success.is_some();
        if let Some(success) = status.last_success.as_ref().filter(|success| !known.contains(&success.name)) {
            let expires_at = expiry(success.completed_at.0, retention_days);
            let recorded = UsableBackup {
                name: success.name.clone(),
                backup_id: success.backup_id.clone(),
                started_at: None,
                completed_at: Some(success.completed_at.0),
                expires_at,
                method: None,
                size_bytes: None,
                size: None,
            };
            if expires_at.is_none_or(|expires_at| now < expires_at) {
                self.usable.push((recorded, None));
            }
        }
        if let Some(failed) = status.last_failure.as_ref().filter(|failed| !known.contains(&failed.name)) {
            let recorded = Failure { name: failed.name.clone(), at: failed.completed_at.0, reason: failed.reason.clone(), message: None };
            self.failed.push(recorded);
        }
    }

    fn row(mut self, now: Timestamp) -> Row {
        self.usable.sort_by(|(a, _), (b, _)| (data_time(b), &b.name).cmp(&(data_time(a), &a.name)));
        let last_failure = self.failed.into_iter().max_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        let mut usable = self.usable.into_iter();
        let (newest, previous) = (usable.next(), usable.next());
        let sizes = newest.as_ref().zip(previous.as_ref()).and_then(|(newest, previous)| {
            let are_alike = newest.1.is_some() && newest.1 == previous.1;
            newest.0.size_bytes.zip(previous.0.size_bytes).filter(|_| are_alike)
        });
        let growth_bytes = sizes.map(|(newest, previous)| newest.saturating_sub(previous));
        let growth_percent = sizes.filter(|(_, previous)| *previous > 0).map(|(newest, previous)| percent(newest, previous));
        let newest = newest.map(|(newest, _)| newest);
        // The service's clock may be a little ahead of ours.
        let age = |at: Timestamp| now.duration_since(at).as_secs().max(0);
        Row {
            data_age_seconds: newest.as_ref().and_then(|newest| newest.started_at).map(age),
            newest_usable: newest,
            previous_usable: previous.map(|(previous, _)| previous),
            growth_bytes,
            growth_percent,
            last_failure,
            ..Row::default()
        }
    }
}

/// None without a retention of its own: -1 keeps a set for ever, and the instance's retention is not known here.
fn expiry(completed_at: Timestamp, retention_days: Option<i32>) -> Option<Timestamp> {
    let days = retention_days.filter(|days| *days > 0)?;
    Some(completed_at.plus(SignedDuration::from_hours(i64::from(days).saturating_mul(24))))
}

/// With one digit after the point.
fn percent(newest: i64, previous: i64) -> f64 {
    let growth = (newest as f64 - previous as f64) / previous as f64;
    (growth * 1000.0).round() / 10.0
}

fn data_time(backup: &UsableBackup) -> Option<Timestamp> {
    backup.started_at.or(backup.completed_at)
}

fn usable(backup: &RdsBackup) -> UsableBackup {
    let status = backup.status.as_ref();
    let size = status.and_then(|status| status.size_bytes).filter(|size| *size >= 0);
    UsableBackup {
        name: backup.name_any(),
        backup_id: status.and_then(|status| status.backup_id.clone()),
        started_at: status.and_then(|status| status.started_at.as_ref()).map(|at| at.0),
        completed_at: status.and_then(|status| status.completed_at.as_ref()).map(|at| at.0),
        expires_at: status.and_then(|status| status.expires_at.as_ref()).map(|at| at.0),
        method: status.and_then(|status| status.effective.as_ref()).and_then(|effective| effective.method.clone()),
        size_bytes: size,
        size: size.and_then(|_| status.and_then(|status| status.size.clone())),
    }
}

fn shape(backup: &RdsBackup) -> Option<Shape> {
    let effective = backup.status.as_ref()?.effective.as_ref()?;
    Some((effective.method.clone(), effective.backup_type.clone(), effective.strategy.clone(), backup.spec.databases.clone()))
}

fn failure(backup: &RdsBackup, now: Timestamp) -> Failure {
    let status = backup.status.as_ref();
    let ended_at = status.and_then(|status| status.completed_at.as_ref()).or(backup.metadata.creation_timestamp.as_ref());
    let ready = status.and_then(|status| status.condition(ConditionType::Ready));
    Failure {
        name: backup.name_any(),
        at: ended_at.map_or(now, |at| at.0),
        reason: ready.map(|ready| ready.reason.clone()),
        message: ready.map(|ready| ready.message.clone()).filter(|message| !message.is_empty()),
    }
}

fn count(rows: &[Row], counts_suspended: bool) -> Counts {
    let mut counts = Counts::default();
    for row in rows {
        if row.is_suspended() && !counts_suspended {
            counts.suspended += 1;
            continue;
        }
        match row.objective {
            Objective::Met => counts.met += 1,
            Objective::Missed => counts.missed += 1,
            Objective::Pending => counts.pending += 1,
            Objective::Unknown => counts.unknown += 1,
            Objective::None => {}
        }
    }
    counts
}

fn unreadable_object(
    kind: &'static str,
    meta: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    error: &str,
) -> UnreadableObject {
    let (namespace, name) = (meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default());
    UnreadableObject { kind, namespace, name, error: one_line(error) }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(LONGEST_ERROR).collect()
}
