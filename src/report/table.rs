//! The report as a table, for people.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::row::{Report, Row};
use crate::{api::Span, schedule::cron::zone};

const HEADER: [&str; 11] =
    ["NAMESPACE", "SCHEDULE", "INSTANCE", "OBJECTIVE", "AGE", "MAX AGE", "BACKUP", "SIZE", "GROWTH", "NEXT RUN", "LAST FAILURE"];

/// What stands for what is unknown, or does not apply.
const NOTHING: &str = "-";

/// The rows under a header, each column as wide as its widest cell: a name is never cut. The last line ends with a line break.
pub fn table(report: &Report) -> String {
    let mut lines: Vec<[String; HEADER.len()]> = vec![HEADER.map(str::to_owned)];
    lines.extend(report.rows.iter().map(|row| cells(row, report.generated_at)));
    let mut widths = [0; HEADER.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let written = |line: &[String; HEADER.len()]| {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    let mut text: String = lines.iter().map(written).collect();
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

fn since(at: Timestamp, now: Timestamp) -> String {
    length(now.duration_since(at).as_secs())
}

/// As specs have it, so that an age compares with its `maxAge` at a glance; without seconds from an hour on.
fn length(seconds: i64) -> String {
    let shown = if seconds < 3600 { seconds } else { seconds / 60 * 60 };
    Span::of(SignedDuration::from_secs(shown)).to_string()
}

/// In the time zone of the schedule, as its expression is.
fn local(at: Timestamp, row: &Row) -> String {
    let zone = row.time_zone.as_deref().and_then(|name| zone(name).ok()).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

fn cell(text: Option<impl AsRef<str>>) -> String {
    let text = text.map(|text| printable(text.as_ref())).unwrap_or_default();
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

/// A line break or an escape of the terminal would make another table of it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
