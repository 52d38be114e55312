//! The series of RdsBackupSchedules.

use std::{fmt, sync::Arc};

use super::{
    catalogue::{
        SCHEDULE_ACTIVE, SCHEDULE_CONSECUTIVE_FAILURES, SCHEDULE_CREATED, SCHEDULE_INFO, SCHEDULE_INTERVAL, SCHEDULE_LAST_DURATION,
        SCHEDULE_LAST_FAILURE, SCHEDULE_LAST_SIZE, SCHEDULE_LAST_SUCCESS, SCHEDULE_LAST_SUCCESS_START, SCHEDULE_MAX_AGE,
        SCHEDULE_MISSED_RUNS, SCHEDULE_NEXT_RUN, SCHEDULE_PLAUSIBLE, SCHEDULE_READY, SCHEDULE_RETAINED, SCHEDULE_RETENTION_BLOCKED,
        SCHEDULE_SKIPPED_RUNS, SCHEDULE_SUSPENDED,
    },
    description::Description,
    exposition::Exposition,
    settings::{MetricsSettings, PerSchedule},
};
use crate::{
    api::{FinishedBackup, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, Reason, ScheduleCondition, SlotCount, Time},
    schedule::{Context, Objective},
};

/// The metrics that `metrics.perSchedule: Freshness` leaves of those that each schedule has of its own.
pub const FRESHNESS: [Description; 9] = [
    SCHEDULE_CREATED,
    SCHEDULE_SUSPENDED,
    SCHEDULE_READY,
    SCHEDULE_LAST_SUCCESS,
    SCHEDULE_CONSECUTIVE_FAILURES,
    SCHEDULE_MAX_AGE,
    SCHEDULE_NEXT_RUN,
    SCHEDULE_PLAUSIBLE,
    SCHEDULE_RETENTION_BLOCKED,
];

/// A schedule, and what belongs to it.
struct Row {
    schedule: Arc<RdsBackupSchedule>,
    objective: Option<Objective>,
    /// The newest backup that succeeded, if its object is still there.
    newest_success: Option<Arc<RdsBackup>>,
}

/// A metric, and its value for one schedule; none where it is not known.
type Value = (Description, fn(&Row) -> Option<f64>);

/// All that have no labels but the schedule's own.
const VALUES: [Value; 17] = [
    (SCHEDULE_CREATED, Row::created),
    (SCHEDULE_SUSPENDED, |row| Some(flag(row.schedule.spec.suspend))),
    (SCHEDULE_READY, |row| match row.status()?.condition(ScheduleCondition::Ready)?.status.as_str() {
        "True" => Some(1.0),
        "False" => Some(0.0),
        _ => None,
    }),
    (SCHEDULE_LAST_SUCCESS, |row| Some(seconds(&row.last_success()?.completed_at))),
    (SCHEDULE_LAST_SUCCESS_START, |row| Some(seconds(row.newest_success.as_ref()?.status.as_ref()?.started_at.as_ref()?))),
    (SCHEDULE_LAST_FAILURE, |row| Some(seconds(&row.status()?.last_failure.as_ref()?.completed_at))),
    (SCHEDULE_CONSECUTIVE_FAILURES, |row| Some(f64::from(row.status()?.consecutive_failures))),
    (SCHEDULE_MAX_AGE, |row| Some(row.objective?.max_age.as_secs_f64())),
    (SCHEDULE_INTERVAL, |row| Some(row.objective?.longest_gap?.as_secs_f64())),
    (SCHEDULE_NEXT_RUN, |row| Some(seconds(row.status()?.next_schedule_time.as_ref()?))),
    (SCHEDULE_ACTIVE, |row| Some(row.status()?.active.len() as f64)),
    (SCHEDULE_MISSED_RUNS, |row| Some(count(row.status()?.missed_runs.as_ref()))),
    (SCHEDULE_LAST_SIZE, |row| Some(row.newest_success.as_ref()?.status.as_ref()?.size_bytes? as f64)),
    (SCHEDULE_PLAUSIBLE, |row| {
        row.last_success()?;
        Some(flag(row.status()?.condition(ScheduleCondition::Plausible).is_none()))
    }),
    (SCHEDULE_RETAINED, |row| Some(f64::from(row.status()?.retained?))),
    (SCHEDULE_RETENTION_BLOCKED, |row| Some(flag(row.status()?.condition(ScheduleCondition::Retention)?.status == "False"))),
    (SCHEDULE_LAST_DURATION, |row| {
        let status = row.newest_success.as_ref()?.status.as_ref()?;
        Some(status.completed_at.as_ref()?.0.duration_since(status.started_at.as_ref()?.0).as_secs_f64())
    }),
];

/// Writes the series of every schedule of the caches.
pub(super) fn write(out: &mut Exposition<'_>, context: &Context, settings: MetricsSettings) -> fmt::Result {
    if settings.per_schedule == PerSchedule::None {
        return Ok(());
    }
    let rows: Vec<Row> = context
        .cached()
        .filter_map(|guarded| guarded.0.as_ref().ok().cloned())
        .map(|schedule| {
            let newest = |status: &RdsBackupScheduleStatus| {
                context.children.named(schedule.metadata.namespace.as_deref()?, &status.last_success.as_ref()?.name)
            };
            let objective = context.objectives.of(schedule.metadata.uid.as_deref().unwrap_or_default());
            Row { objective, newest_success: schedule.status.as_ref().and_then(newest), schedule }
        })
        .collect();
    write_rows(out, &rows, settings)
}

fn write_rows(out: &mut Exposition<'_>, rows: &[Row], MetricsSettings { per_schedule, instance_ids }: MetricsSettings) -> fmt::Result {
    let all = per_schedule == PerSchedule::All;
    if all {
        out.computed(&SCHEDULE_INFO, rows.iter().map(|row| (row.info(instance_ids), 1.0)))?;
        let skipped = rows.iter().filter_map(|row| {
            let ([namespace, schedule], status) = (row.name(), row.status()?);
            let of = |reason: Reason, skipped: &Option<SlotCount>| ([namespace, schedule, reason.as_str()], count(skipped.as_ref()));
            // One series less for each schedule that never had a blackout.
            let has_blackouts = !row.schedule.spec.blackouts.is_empty() || status.skipped_blackout.is_some();
            let blackout = has_blackouts.then(|| of(Reason::SkippedBlackout, &status.skipped_blackout));
            Some([Some(of(Reason::SkippedOverlap, &status.skipped_overlap)), blackout])
        });
        let skipped = skipped.flatten().flatten();
        out.computed(&SCHEDULE_SKIPPED_RUNS, skipped)?;
    }
    for (description, value) in VALUES.iter().filter(|(description, _)| all || FRESHNESS.contains(description)) {
        out.computed(description, rows.iter().filter_map(|row| Some((row.name(), value(row)?))))?;
    }
    Ok(())
}

impl Row {
    fn name(&self) -> [&str; 2] {
        let metadata = &self.schedule.metadata;
        [metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default()]
    }

    /// None before the operator has seen the schedule.
    fn status(&self) -> Option<&RdsBackupScheduleStatus> {
        self.schedule.status.as_ref().filter(|status| status.observed_generation >= 0)
    }

    /// Backups of an earlier account do not count: by its creation alone, an old schedule would be too old right after the change.
    fn created(&self) -> Option<f64> {
        let changed = self.status().and_then(|status| status.account_since.as_ref()).map(seconds);
        let created = seconds(self.schedule.metadata.creation_timestamp.as_ref()?);
        Some(changed.map_or(created, |changed| created.max(changed)))
    }

    fn last_success(&self) -> Option<&FinishedBackup> {
        self.status()?.last_success.as_ref()
    }

    fn info(&self, instance_ids: bool) -> [&str; 7] {
        let [namespace, schedule] = self.name();
        let spec = &self.schedule.spec;
        let backup = &spec.template.spec;
        let instance = if instance_ids { backup.db_instance_id.as_str() } else { "" };
        let region = backup.region_id.as_deref().unwrap_or_default();
        [namespace, schedule, &backup.account, region, instance, &spec.schedule, &spec.time_zone]
    }
}

fn seconds(time: &Time) -> f64 {
    time.0.as_second() as f64
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// What was never counted was counted no times.
fn count(slots: Option<&SlotCount>) -> f64 {
    slots.map_or(0.0, |slots| slots.count as f64)
}
