//! From the instances and the schedules to the report of coverage.

use std::collections::BTreeMap;

use super::{
    candidates::Candidates,
    row::{Counts, Coverage, Covered, FORMAT_VERSION, InstanceRow, ScheduleRow},
};
use crate::{
    rds::{Engine, ListedInstance},
    report::{Objective, Report, Row, UsableBackup},
};

/// Which instances were listed.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The account.
    pub account: String,
    /// The region.
    pub region_id: String,
    /// The tags.
    pub tags: Vec<(String, String)>,
}

/// Puts the instances beside what the report says of the schedules. An instance belongs to a schedule that has its id and its account.
pub fn compare(scope: Scope, candidates: Candidates, report: Report) -> Coverage {
    let Candidates { instances, left_out } = candidates;
    let Report { generated_at, namespace, rows, unreadable, .. } = report;
    let mut by_instance: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.account.as_deref() == Some(&scope.account)) {
        if let Some(id) = &row.db_instance_id {
            by_instance.entry(id.to_ascii_lowercase()).or_default().push(row);
        }
    }
    let mut counts = Counts { instances: instances.len(), ..Counts::default() };
    let instances: Vec<InstanceRow> = instances
        .into_iter()
        .map(|listed| {
            let rows = by_instance.remove(&listed.instance.id.as_str().to_ascii_lowercase()).unwrap_or_default();
            let row = of_instance(listed, &rows);
            *place(&mut counts, row.coverage) += 1;
            row
        })
        .collect();
    // A replica, or another region, is no instance that is gone.
    let is_left_out = |id: &str| left_out.iter().any(|left_out| left_out.db_instance_id.eq_ignore_ascii_case(id));
    let schedules_without_instance = match scope.tags.is_empty() {
        true => {
            by_instance.into_values().flatten().filter_map(|row| schedule(&row)).filter(|row| !is_left_out(&row.db_instance_id)).collect()
        }
        false => Vec::new(),
    };
    Coverage {
        format_version: FORMAT_VERSION,
        generated_at,
        account: scope.account,
        region_id: scope.region_id,
        tags: scope.tags.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
        namespace,
        counts,
        instances,
        left_out,
        schedules_without_instance,
        unreadable,
    }
}

fn of_instance(listed: ListedInstance, rows: &[Row]) -> InstanceRow {
    let ListedInstance { instance, description, zone_id, expires_at } = listed;
    let newest = rows.iter().filter(|row| row.newest_usable.is_some()).max_by_key(|row| row.newest_usable.as_ref().and_then(data_time));
    let live = rows.iter().filter(|row| row.schedule.is_some() && !row.is_suspended());
    InstanceRow {
        db_instance_id: instance.id.as_str().to_owned(),
        description,
        engine: engine(&instance.engine, instance.engine_version.as_deref()),
        storage_type: instance.storage_type,
        category: instance.category,
        status: instance.status,
        zone_id,
        expires_at,
        coverage: covered(rows),
        schedules: rows.iter().filter_map(schedule).collect(),
        data_age_seconds: newest.and_then(|row| row.data_age_seconds),
        max_age_seconds: live.filter_map(|row| row.max_age_seconds).min(),
        newest_usable: newest.and_then(|row| row.newest_usable.clone()),
    }
}

/// One rule a line. Of two schedules the better one counts: the data of an instance is as young as its newest backup.
fn covered(rows: &[Row]) -> Covered {
    let schedules: Vec<&Row> = rows.iter().filter(|row| row.schedule.is_some()).collect();
    let live: Vec<&Row> = schedules.iter().copied().filter(|row| !row.is_suspended()).collect();
    let any = |objective: Objective| live.iter().any(|row| row.objective == objective);
    match () {
        () if schedules.is_empty() => Covered::No,
        () if live.is_empty() => Covered::Suspended,
        () if any(Objective::Met) && live.len() > 1 => Covered::Twice,
        () if any(Objective::Met) => Covered::Fresh,
        () if any(Objective::Missed) && live.iter().any(|row| row.newest_usable.is_some()) => Covered::Stale,
        () if any(Objective::Missed) => Covered::NeverSucceeded,
        () if any(Objective::Unknown) => Covered::Unknown,
        () => Covered::Pending,
    }
}

fn place(counts: &mut Counts, covered: Covered) -> &mut usize {
    match covered {
        Covered::Fresh => &mut counts.fresh,
        Covered::Twice => &mut counts.covered_twice,
        Covered::Pending => &mut counts.pending,
        Covered::Stale => &mut counts.stale,
        Covered::NeverSucceeded => &mut counts.never_succeeded,
        Covered::Unknown => &mut counts.unknown,
        Covered::Suspended => &mut counts.suspended,
        Covered::No => &mut counts.not_covered,
    }
}

fn schedule(row: &Row) -> Option<ScheduleRow> {
    Some(ScheduleRow {
        namespace: row.namespace.clone(),
        name: row.schedule.clone()?,
        db_instance_id: row.db_instance_id.clone()?,
        suspended: row.is_suspended(),
        objective: row.objective,
    })
}

fn data_time(backup: &UsableBackup) -> Option<jiff::Timestamp> {
    backup.started_at.or(backup.completed_at)
}

fn engine(engine: &Engine, version: Option<&str>) -> String {
    [engine.as_str(), version.unwrap_or_default()].join(" ").trim().to_owned()
}
