//! Coverage and orphans as tables, for people.

use super::{
    orphans::Orphans,
    row::{Coverage, Covered, InstanceRow, ScheduleRow},
};
use crate::{
    api::human_size,
    report::cells::{aligned, cell, length, printable},
};

const HEADER: [&str; 8] = ["INSTANCE", "NAME", "ENGINE", "STATUS", "COVERAGE", "AGE", "MAX AGE", "SCHEDULE"];

/// The sum, the instances under a header, and what else a person must know.
pub fn table(coverage: &Coverage) -> String {
    let mut text = format!("{}\n", coverage.sum());
    if !coverage.instances.is_empty() {
        let mut lines: Vec<[String; HEADER.len()]> = vec![HEADER.map(str::to_owned)];
        lines.extend(coverage.instances.iter().map(cells));
        text.push('\n');
        text.push_str(&aligned(&lines));
    }
    let mut notes = Vec::new();
    let left_out = coverage.left_out.iter().map(|left_out| format!("{} ({})", left_out.db_instance_id, left_out.why));
    notes.extend(list("not counted, because the service makes no backups of them", left_out));
    let strays = coverage.schedules_without_instance.iter().map(|row| format!("{} of {}", name(row), row.db_instance_id));
    notes.extend(list(&format!("schedules of instances that {} does not list in {}", coverage.account, coverage.region_id), strays));
    for object in &coverage.unreadable {
        notes.push(format!("! {} {}/{} cannot be read: {}", object.kind, object.namespace, object.name, printable(&object.error)));
    }
    if !notes.is_empty() {
        text.push_str(&format!("\n{}\n", notes.join("\n")));
    }
    text
}

fn cells(row: &InstanceRow) -> [String; HEADER.len()] {
    let schedules: Vec<String> = row.schedules.iter().map(name).collect();
    [
        cell(Some(&row.db_instance_id)),
        cell(row.description.as_ref()),
        cell(Some(&row.engine)),
        cell(Some(&row.status)),
        word(row.coverage).to_owned(),
        cell(row.data_age_seconds.map(length)),
        cell(row.max_age_seconds.map(length)),
        cell(Some(schedules.join(", "))),
    ]
}

fn name(row: &ScheduleRow) -> String {
    let suspended = if row.suspended { " (suspended)" } else { "" };
    format!("{}/{}{suspended}", row.namespace, row.name)
}

fn word(covered: Covered) -> &'static str {
    match covered {
        Covered::Fresh => "fresh",
        Covered::Twice => "covered twice",
        Covered::Pending => "pending",
        Covered::Stale => "STALE",
        Covered::NeverSucceeded => "NEVER SUCCEEDED",
        Covered::Unknown => "UNKNOWN",
        Covered::Suspended => "suspended",
        Covered::No => "NOT COVERED",
    }
}

fn list(what: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.map(|item| printable(&item)).collect();
    (!items.is_empty()).then(|| format!("{what}: {}", items.join(", ")))
}

const ORPHAN_HEADER: [&str; 7] = ["INSTANCE", "BACKUP SET", "STARTED", "METHOD", "SIZE", "EXPIRES", "NOTE"];

/// The sum, and the sets under a header.
pub fn orphan_table(found: &Orphans) -> String {
    let mut text = format!("{}\n", found.sum());
    if !found.sets.is_empty() {
        let mut lines: Vec<[String; ORPHAN_HEADER.len()]> = vec![ORPHAN_HEADER.map(str::to_owned)];
        lines.extend(found.sets.iter().map(|set| {
            [
                cell(Some(&set.db_instance_id)),
                cell(Some(&set.backup_id)),
                cell(set.started_at.map(|at| at.to_string())),
                cell(set.method.as_ref()),
                cell(set.size_bytes.map(human_size)),
                cell(set.expires_at.map(|at| at.to_string())),
                cell(set.no_manifest.as_ref()),
            ]
        }));
        text.push('\n');
        text.push_str(&aligned(&lines));
    }
    text
}
