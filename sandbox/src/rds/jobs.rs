//! A backup job over time. Nothing ticks: what a job is doing follows from when it began and what time it is.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::{Now, later, since};
use super::ledger::{JobOutcome, Origin, SetRecord};
use super::rules::Method;

/// A job, and the set it makes.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) backup_id: u64,
    pub(super) origin: Origin,
    /// As the list of sets says.
    pub(super) method: Method,
    pub(super) incremental: bool,
    pub(super) databases: Vec<String>,
    pub(super) retention: Option<i32>,
    pub(super) size: u64,
    /// By the machine's clock, on which it runs.
    pub(super) began: Timestamp,
    /// By the service's clock, to the second, as it is shown.
    pub(super) started_at: Timestamp,
    pub(super) length: Duration,
    /// How it will end. Never `Running`.
    pub(super) fate: JobOutcome,
    /// Whether its set was removed.
    pub(super) removed: bool,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    /// `BackupStatus`.
    pub(super) status: &'static str,
    /// `BackupProgressStatus`, which has no word for failure.
    pub(super) progress: &'static str,
    /// Percent done.
    pub(super) percent: u128,
}

impl Job {
    pub(super) fn stage(&self, now: Now) -> Stage {
        let (elapsed, length) = (since(self.began, now.machine).as_millis(), self.length.as_millis());
        if elapsed >= length {
            return match self.fate {
                JobOutcome::Failed => Stage { status: "Failed", progress: "Checking", percent: 95 },
                _ => Stage { status: "Finished", progress: "Finished", percent: 100 },
            };
        }
        let percent = elapsed * 100 / length;
        let status = match percent {
            0..5 => "NoStart",
            5..20 => "Preparing",
            20..95 => "Uploading",
            _ => "Checking",
        };
        Stage { status, progress: status, percent: if percent < 5 { 0 } else { percent } }
    }

    pub(super) fn ended(&self, now: Now) -> bool {
        since(self.began, now.machine) >= self.length
    }

    /// What became of it.
    pub(super) fn outcome(&self, now: Now) -> JobOutcome {
        if self.ended(now) { self.fate } else { JobOutcome::Running }
    }

    /// Its end by the service's clock.
    pub(super) fn ended_at(&self) -> Timestamp {
        later(self.started_at, self.length)
    }

    /// Whether DescribeBackups shows its set: not before the lag after its end has passed.
    pub(super) fn listed(&self, lag: Duration, now: Now) -> bool {
        !self.removed && since(self.began, now.machine) >= self.length.saturating_add(lag)
    }

    /// Whether DescribeBackupTasks still knows it by its id.
    pub(super) fn remembered(&self, retention: Option<Duration>, now: Now) -> bool {
        retention.is_none_or(|retention| since(self.began, now.machine) < self.length.saturating_add(retention))
    }

    pub(super) fn automated(&self) -> bool {
        self.origin == Origin::Automated
    }

    pub(super) fn backup_type(&self) -> &'static str {
        if self.incremental { "IncrementalBackup" } else { "FullBackup" }
    }

    pub(super) fn record(&self, instance: &str, lag: Duration, now: Now) -> SetRecord {
        SetRecord {
            backup_id: self.backup_id.to_string(),
            job_id: self.id.to_string(),
            instance: instance.to_owned(),
            method: self.method.name().to_owned(),
            backup_type: self.backup_type().to_owned(),
            origin: self.origin,
            started_at: self.started_at,
            ended_at: self.ended_at(),
            outcome: self.outcome(now),
            listed: self.listed(lag, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(fate: JobOutcome) -> Job {
        Job {
            id: 11,
            backup_id: 22,
            origin: Origin::Request,
            method: Method::Physical,
            incremental: false,
            databases: Vec::new(),
            retention: None,
            size: 1,
            began: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            length: Duration::from_secs(100),
            fate,
            removed: false,
        }
    }

    fn at(second: i64) -> Now {
        Now::new(Timestamp::from_second(second).unwrap(), 0)
    }

    #[test]
    fn a_job_goes_from_no_start_to_finished() {
        let job = job(JobOutcome::Success);
        let seen: Vec<_> =
            [0, 4, 5, 20, 50, 96, 99, 100, 5000].map(|second| (job.stage(at(second)).status, job.stage(at(second)).percent)).into();
        let expected = [
            ("NoStart", 0),
            ("NoStart", 0),
            ("Preparing", 5),
            ("Uploading", 20),
            ("Uploading", 50),
            ("Checking", 96),
            ("Checking", 99),
            ("Finished", 100),
            ("Finished", 100),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_job_that_is_to_fail_looks_like_any_other_until_its_end() {
        let job = job(JobOutcome::Failed);
        assert_eq!((job.stage(at(99)).status, job.outcome(at(99))), ("Checking", JobOutcome::Running));
        assert_eq!((job.stage(at(100)).status, job.outcome(at(100))), ("Failed", JobOutcome::Failed));
    }

    #[test]
    fn a_job_without_length_has_ended_at_once() {
        let job = Job { length: Duration::ZERO, ..job(JobOutcome::Success) };
        assert_eq!(job.stage(at(0)).status, "Finished");
    }

    #[test]
    fn a_set_is_listed_one_lag_after_the_end_of_its_job() {
        let (job, lag) = (job(JobOutcome::Success), Duration::from_secs(10));
        assert_eq!([99, 100, 109, 110].map(|second| job.listed(lag, at(second))), [false, false, false, true]);
    }

    #[test]
    fn a_job_does_not_jump_with_the_service_clock() {
        let job = job(JobOutcome::Success);
        let machine = at(50).machine;
        assert_eq!(job.stage(Now::new(machine, 3_600_000)), job.stage(Now::new(machine, 0)));
    }

    #[test]
    fn a_finished_job_is_forgotten_after_its_retention() {
        let job = job(JobOutcome::Success);
        let retention = Some(Duration::from_secs(5));
        assert_eq!([100, 104, 105].map(|second| job.remembered(retention, at(second))), [true, true, false]);
        assert!(job.remembered(None, at(1_000_000)));
    }
}
