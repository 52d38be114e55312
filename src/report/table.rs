//! The report as a table, for people.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    cells::{aligned, cell, length, printable, since},
    row::{Report, Row},
};
use crate::schedule::cron::zone;

const HEADER: [&str; 11] =
    ["NAMESPACE", "SCHEDULE", "INSTANCE", "OBJECTIVE", "AGE", "MAX AGE", "BACKUP", "SIZE", "GROWTH", "NEXT RUN", "LAST FAILURE"];

/// The rows under a header, each column as wide as its widest cell: a name is never cut. The last line ends with a line break.
pub fn table(report: &Report) -> String {
    let mut lines: Vec<[String; HEADER.len()]> = vec![HEADER.map(str::to_owned)];
    lines.extend(report.rows.iter().map(|row| cells(row, report.generated_at)));
    let mut text = aligned(&lines);
    for row in report.rows.iter() {
        if let (Some(problem), Some(schedule)) = (&row.problem, &row.schedule) {
            text.push_str(&format!("! {}/{schedule}: {}\n", row.namespace, printable(problem)));
        }
    }
    for object in report.unreadable.iter().filter(|object| object.kind != "RdsBackupSchedule") {
        text.push_str(&format!("! {} {}/{} cannot be read: {}\n", object.kind, object.namespace, object.name, printable(&object.error)));
    }
    text
}

fn cells(row: &Row, now: Timestamp) -> [String; HEADER.len()] {
    let newest = row.newest_usable.as_ref();
    [
        cell(Some(&row.namespace)),
        cell(row.schedule.as_ref()),
        cell(row.db_instance_id.as_ref()),
        cell(Some(row.objective.as_str()).filter(|word| *word != "None")),
        cell(age(row, now)),
        cell(row.max_age_seconds.map(length)),
        cell(newest.map(|newest| &newest.name)),
        cell(newest.and_then(|newest| newest.size.as_ref())),
        cell(row.growth_percent.map(|percent| format!("{percent:+.1}%"))),
        cell(if row.is_suspended() { Some("suspended".to_owned()) } else { row.next_run_at.map(|at| local(at, row)) }),
        cell(last_failure(row, now)),
    ]
}

/// The age of the data; where only the end of the backup is known, it is older than what is shown.
fn age(row: &Row, now: Timestamp) -> Option<String> {
    let ended_at = || row.newest_usable.as_ref().and_then(|newest| newest.completed_at);
    let at_least = || ended_at().map(|at| format!(">{}", since(at, now)));
    row.data_age_seconds.map(length).or_else(at_least)
}

fn last_failure(row: &Row, now: Timestamp) -> Option<String> {
    let failure = row.last_failure.as_ref()?;
    Some(format!("{}, {} ago", failure.reason.as_deref().unwrap_or("Failed"), since(failure.at, now)))
}

/// In the time zone of the schedule, as its expression is.
fn local(at: Timestamp, row: &Row) -> String {
    let zone = row.time_zone.as_deref().and_then(|name| zone(name).ok()).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string()
}
