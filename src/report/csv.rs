//! The report as CSV, for spreadsheets.

use jiff::Timestamp;

use super::{
    cells::{csv_text, csv_value as value, csv_words as text},
    row::Row,
};

/// The columns. New ones are added at the end.
const COLUMNS: [&str; 20] = [
    "namespace",
    "schedule",
    "dbInstanceId",
    "account",
    "suspended",
    "objective",
    "dataAgeSeconds",
    "maxAgeSeconds",
    "backup",
    "backupId",
    "startedAt",
    "completedAt",
    "sizeBytes",
    "growthBytes",
    "growthPercent",
    "nextRunAt",
    "lastFailure",
    "lastFailureAt",
    "lastFailureReason",
    "problem",
];

/// The rows, with a header. What is unknown is an empty cell.
///
/// # Errors
/// The library's, which has none for a buffer in memory.
pub fn csv(rows: &[Row]) -> Result<String, ::csv::Error> {
    csv_text(COLUMNS, rows.iter().map(cells))
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let newest = row.newest_usable.as_ref();
    let failure = row.last_failure.as_ref();
    [
        text(Some(&row.namespace)),
        text(row.schedule.as_ref()),
        text(row.db_instance_id.as_ref()),
        text(row.account.as_ref()),
        value(row.suspended),
        row.objective.as_str().to_owned(),
        value(row.data_age_seconds),
        value(row.max_age_seconds),
        text(newest.map(|newest| &newest.name)),
        text(newest.and_then(|newest| newest.backup_id.as_ref())),
        value::<Timestamp>(newest.and_then(|newest| newest.started_at)),
        value::<Timestamp>(newest.and_then(|newest| newest.completed_at)),
        value(newest.and_then(|newest| newest.size_bytes)),
        value(row.growth_bytes),
        value(row.growth_percent),
        value(row.next_run_at),
        text(failure.map(|failure| &failure.name)),
        value(failure.map(|failure| failure.at)),
        text(failure.and_then(|failure| failure.reason.as_ref())),
        text(row.problem.as_ref()),
    ]
}
