//! What a DescribeBackups asks for.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::error::ApiError;
use super::jobs::Job;
use super::ledger::JobOutcome;
use super::wire::Page;

/// The filters and the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    backup_id: Option<String>,
    failed: Option<bool>,
    automated: Option<bool>,
    incremental: Option<bool>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    size: usize,
    number: usize,
}

impl Query {
    pub(super) fn read(parameters: &BTreeMap<String, String>) -> Result<Self, ApiError> {
        let value = |name: &str| parameters.get(name).map(String::as_str);
        // One of two words, or nothing.
        let either = |name: &str, yes: &str, no: &str| match value(name) {
            None => Ok(None),
            Some(word) if word == yes => Ok(Some(true)),
            Some(word) if word == no => Ok(Some(false)),
            Some(_) => Err(ApiError::invalid(name)),
        };
        let time = |name: &str, code: &str, message: &str| match value(name) {
            None => Ok(None),
            Some(text) => minute(text).map(Some).ok_or_else(|| ApiError::new(400, code, message)),
        };
        let from = time("StartTime", "InvalidStartTime.Format", "Specified start time is not valid.")?;
        let to = time("EndTime", "InvalidEndTime.Format", "Specified end time is not valid.")?;
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(ApiError::new(400, "InvalidParameterCombination", "The end time must be greater than the start time"));
        }
        let size = match value("PageSize") {
            None | Some("30") => 30,
            Some("50") => 50,
            Some("100") => 100,
            Some(_) => return Err(ApiError::new(403, "InvalidMaxRecordsPerPage.Malformed", "Specified record number is not valid.")),
        };
        let number = match value("PageNumber").map(str::parse::<u32>) {
            None => 1,
            Some(Ok(number)) if number >= 1 => number as usize,
            Some(_) => return Err(ApiError::new(400, "InvalidPageNumbers.Malformed", "Specified page number is not valid.")),
        };
        Ok(Self {
            backup_id: value("BackupId").map(str::to_owned),
            failed: either("BackupStatus", "Failed", "Success")?,
            automated: either("BackupMode", "Automated", "Manual")?,
            incremental: either("BackupType", "IncrementalBackup", "FullBackup")?,
            from,
            to,
            size,
            number,
        })
    }

    /// Whether it asks for one set by its id.
    pub(super) fn names_a_set(&self) -> bool {
        self.backup_id.is_some()
    }

    fn takes(&self, job: &Job, window_on_end: bool) -> bool {
        let at = if window_on_end { job.ended_at() } else { job.started_at };
        let agrees = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        self.backup_id.as_ref().is_none_or(|id| *id == job.backup_id.to_string())
            && agrees(self.failed, job.fate == JobOutcome::Failed)
            && agrees(self.automated, job.automated())
            && agrees(self.incremental, job.incremental)
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
    }

    /// The page, newest set first.
    pub(super) fn page<'a>(&self, listed: impl Iterator<Item = &'a Job>, window_on_end: bool) -> Page<'a> {
        let mut jobs: Vec<_> = listed.filter(|job| self.takes(job, window_on_end)).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.started_at, job.backup_id)));
        let total = jobs.len();
        let jobs = jobs.into_iter().skip(self.size.saturating_mul(self.number - 1)).take(self.size).collect();
        Page { jobs, number: self.number, total }
    }
}

/// Exactly `yyyy-MM-ddTHH:mmZ`: seconds are refused.
fn minute(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y-%m-%dT%H:%MZ", text).ok()?;
    let at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (at.strftime("%Y-%m-%dT%H:%MZ").to_string() == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Query, String> {
        let parameters = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Query::read(&parameters).map_err(|error| format!("{} {}", error.status, error.code))
    }

    #[test]
    fn times_are_given_to_the_minute() {
        assert!(read(&[("StartTime", "2026-01-02T03:04Z")]).is_ok());
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T3:04Z", "2026-01-02 03:04Z", "2026-01-02T03:04", "2026-13-02T03:04Z", "now"] {
            assert_eq!(read(&[("StartTime", text)]), Err("400 InvalidStartTime.Format".into()), "{text}");
            assert_eq!(read(&[("EndTime", text)]), Err("400 InvalidEndTime.Format".into()), "{text}");
        }
    }

    #[test]
    fn the_end_is_later_than_the_start() {
        let window = |from, to| read(&[("StartTime", from), ("EndTime", to)]);
        assert!(window("2026-01-02T03:04Z", "2026-01-02T03:05Z").is_ok());
        assert_eq!(window("2026-01-02T03:04Z", "2026-01-02T03:04Z"), Err("400 InvalidParameterCombination".into()));
    }

    #[test]
    fn pages_have_three_sizes_and_begin_at_one() {
        for size in ["30", "50", "100"] {
            assert!(read(&[("PageSize", size)]).is_ok());
        }
        for size in ["20", "0", "1000", "x"] {
            assert_eq!(read(&[("PageSize", size)]), Err("403 InvalidMaxRecordsPerPage.Malformed".into()));
        }
        for number in ["0", "-1", "x"] {
            assert_eq!(read(&[("PageNumber", number)]), Err("400 InvalidPageNumbers.Malformed".into()));
        }
    }

    #[test]
    fn filters_take_the_documented_words_only() {
        assert!(read(&[("BackupStatus", "Success"), ("BackupMode", "Manual"), ("BackupType", "FullBackup")]).is_ok());
        for pair in [("BackupStatus", "Running"), ("BackupMode", "manual"), ("BackupType", "Full")] {
            assert_eq!(read(&[pair]), Err("400 InvalidParameter".into()), "{pair:?}");
        }
    }
}
