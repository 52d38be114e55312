//! Which backup sets the service lets a client delete, known before it is asked: by engine, edition, method and age.
//!
//! The rules are those of
//! <https://www.alibabacloud.com/help/en/rds/developer-reference/api-rds-2014-08-15-deletebackup>. For most sets it is never: with the log
//! backup as the service sets it up, logs are kept as long as sets, and no set can be deleted by hand.

use jiff::{SignedDuration, Timestamp};

use super::model::{BackupPolicy, Engine, Instance};
use crate::time::SaturatingTime;

/// Without a log backup, a set can be deleted when it is older than this.
const DAYS_WITHOUT_LOG: u32 = 7;

/// The page says "older than", and not by which clock or to which second.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// The only edition whose sets can be deleted.
const HIGH_AVAILABILITY: &str = "HighAvailability";

/// What of a set the rules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetToDelete<'a> {
    /// `BackupMethod`
    pub method: Option<&'a str>,
    /// `BackupEndTime`: its age counts from here.
    pub ended_at: Option<Timestamp>,
}

/// Whether the service deletes a set when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletable {
    /// Now.
    Yes,
    /// Not before this time.
    NotBefore(Timestamp),
    /// Not for as long as the instance, or its backup policy, is what it is.
    Never(Never),
    /// The rules do not say: only the service knows.
    Unsure(Unsure),
}

/// Why a set is never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    /// Only sets of MySQL and PostgreSQL are.
    Engine,
    /// Only sets of the High-availability Edition are.
    Edition,
    /// Logical sets are not.
    Logical,
    /// Logs are kept as long as sets, so the service keeps each set until it removes it by itself.
    LogsKeptAsLong {
        /// How long, days.
        days: u32,
    },
}

/// What the rules ask for and nobody told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsure {
    /// The engine is none that the rules name.
    Engine,
    /// The edition of the instance.
    Edition,
    /// Whether, and how long, the instance keeps logs.
    Policy,
    /// When the backup ended.
    Age,
}

/// Judges a set by its instance, the instance's backup policy and its age. What the rules do not name is left to the service.
pub fn deletable(set: SetToDelete<'_>, instance: &Instance, policy: Option<&BackupPolicy>, now: Timestamp) -> Deletable {
    match &instance.engine {
        Engine::MySql | Engine::PostgreSql => {}
        Engine::SqlServer | Engine::MariaDb => return Deletable::Never(Never::Engine),
        Engine::Other(_) => return Deletable::Unsure(Unsure::Engine),
    }
    match instance.category.as_deref() {
        Some(edition) if edition.eq_ignore_ascii_case(HIGH_AVAILABILITY) => {}
        Some(_) => return Deletable::Never(Never::Edition),
        None => return Deletable::Unsure(Unsure::Edition),
    }
    if set.method.is_some_and(|method| method.eq_ignore_ascii_case("Logical")) {
        return Deletable::Never(Never::Logical);
    }
    let policy = policy.map(|policy| (policy.log_backup, policy.log_retention_days, policy.retention_days));
    let days = match policy {
        Some((Some(false), _, _)) => DAYS_WITHOUT_LOG,
        Some((Some(true), Some(logs), Some(sets))) if logs < sets => logs,
        Some((Some(true), Some(logs), Some(_))) => return Deletable::Never(Never::LogsKeptAsLong { days: logs }),
        _ => return Deletable::Unsure(Unsure::Policy),
    };
    let Some(ended_at) = set.ended_at else { return Deletable::Unsure(Unsure::Age) };
    let from = ended_at.plus(SignedDuration::from_hours(24 * i64::from(days))).plus(MARGIN);
    if now >= from { Deletable::Yes } else { Deletable::NotBefore(from) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rds::InstanceId;

    const END: i64 = 1_800_000_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(END + hours * 3600).unwrap()
    }

    fn instance(engine: Engine, category: Option<&str>) -> Instance {
        Instance {
            id: InstanceId::new("rm-1"),
            engine,
            engine_version: None,
            status: "Running".into(),
            storage_type: None,
            instance_type: None,
            primary_id: None,
            lock_mode: None,
            region_id: None,
            category: category.map(str::to_owned),
        }
    }

    fn policy(log_backup: Option<bool>, logs: Option<u32>, sets: Option<u32>) -> BackupPolicy {
        BackupPolicy { retention_days: sets, log_backup, log_retention_days: logs, ..BackupPolicy::default() }
    }

    #[test]
    fn what_is_not_told_is_left_to_the_service() {
        let physical = SetToDelete { method: Some("Physical"), ended_at: Some(at(0)) };
        let off = policy(Some(false), None, None);
        let mysql = instance(Engine::MySql, Some("highavailability"));
        let judge = |set, instance: &Instance, policy: &BackupPolicy| deletable(set, instance, Some(policy), at(1000));
        assert_eq!(judge(physical, &mysql, &off), Deletable::Yes);
        assert_eq!(judge(SetToDelete { method: None, ..physical }, &mysql, &off), Deletable::Yes);
        assert_eq!(judge(physical, &instance(Engine::Other("PolarDB".into()), None), &off), Deletable::Unsure(Unsure::Engine));
        assert_eq!(judge(physical, &instance(Engine::MySql, None), &off), Deletable::Unsure(Unsure::Edition));
        assert_eq!(judge(SetToDelete { ended_at: None, ..physical }, &mysql, &off), Deletable::Unsure(Unsure::Age));
        assert_eq!(deletable(physical, &mysql, None, at(1000)), Deletable::Unsure(Unsure::Policy));
        for unsaid in [(None, Some(7), Some(30)), (Some(true), None, Some(30)), (Some(true), Some(7), None)] {
            assert_eq!(judge(physical, &mysql, &policy(unsaid.0, unsaid.1, unsaid.2)), Deletable::Unsure(Unsure::Policy), "{unsaid:?}");
        }
        assert_eq!(judge(physical, &mysql, &policy(Some(true), Some(7), Some(7))), Deletable::Never(Never::LogsKeptAsLong { days: 7 }));
    }

    #[test]
    fn an_absurd_end_is_a_time_that_never_comes_and_no_panic() {
        let mysql = instance(Engine::MySql, Some("HighAvailability"));
        let set = SetToDelete { method: None, ended_at: Some(Timestamp::MAX) };
        let days = policy(Some(true), Some(u32::MAX - 1), Some(u32::MAX));
        assert_eq!(deletable(set, &mysql, Some(&days), at(0)), Deletable::NotBefore(Timestamp::MAX));
    }
}
