//! Coverage as CSV, for spreadsheets.

use super::row::{Coverage, InstanceRow};
use crate::report::cells::{csv_text, csv_value as value, csv_words as words};

/// The columns. New ones are added at the end.
const COLUMNS: [&str; 12] = [
    "account",
    "regionId",
    "dbInstanceId",
    "description",
    "engine",
    "status",
    "coverage",
    "dataAgeSeconds",
    "maxAgeSeconds",
    "backup",
    "backupId",
    "schedules",
];

/// The instances, with a header. What is unknown is an empty cell; schedules are `namespace/name`, with blanks between them.
///
/// # Errors
/// The library's, which has none for a buffer in memory.
pub fn csv(coverage: &Coverage) -> Result<String, ::csv::Error> {
    csv_text(COLUMNS, coverage.instances.iter().map(|row| cells(coverage, row)))
}

fn cells(coverage: &Coverage, row: &InstanceRow) -> [String; COLUMNS.len()] {
    let schedules: Vec<String> = row.schedules.iter().map(|row| format!("{}/{}", row.namespace, row.name)).collect();
    let newest = row.newest_usable.as_ref();
    [
        words(Some(&coverage.account)),
        words(Some(&coverage.region_id)),
        words(Some(&row.db_instance_id)),
        words(row.description.as_ref()),
        words(Some(&row.engine)),
        words(Some(&row.status)),
        row.coverage.as_str().to_owned(),
        value(row.data_age_seconds),
        value(row.max_age_seconds),
        words(newest.map(|newest| &newest.name)),
        words(newest.and_then(|newest| newest.backup_id.as_ref())),
        words(Some(&schedules.join(" "))),
    ]
}
