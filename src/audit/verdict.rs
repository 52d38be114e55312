//! What a list of the service says of one recorded set.

use jiff::{SignedDuration, Timestamp};

use super::findings::Finding;
use crate::{
    api::{ExpirySource, RdsBackupStatus},
    rds::{BackupSet, SetStatus},
    time::SaturatingTime,
};

/// Whether a set is in the list.
#[derive(Clone, Copy, Debug)]
pub enum Listed<'a> {
    /// It is.
    As(&'a BackupSet),
    /// It is not, nor is it found by its id.
    Nowhere {
        /// The retention of the instance's backup policy, days; none if it cannot be told.
        retention_days: Option<u32>,
    },
}

/// Sets are removed some time after they have expired, and listed until then; so a set that goes so long before its time goes in time.
const EARLY: SignedDuration = SignedDuration::from_hours(24);

/// Judges a set that was usable at the end of its backup.
pub fn verdict(status: &RdsBackupStatus, listed: Listed<'_>, now: Timestamp) -> Finding {
    match listed {
        Listed::As(set) if set.status == SetStatus::Failed => Finding::Unusable("the service lists it as failed"),
        Listed::As(set) => match set.unusable() {
            Some(why) => Finding::Unusable(why),
            None => Finding::Usable { expires_at: set.expires_at },
        },
        Listed::Nowhere { retention_days } => match expected_end(status, retention_days) {
            Some(end) if now >= end.minus(EARLY) => Finding::Expired,
            Some(_) | None => Finding::Gone,
        },
    }
}

/// When the service is to remove the set: as it said, or by the retention that the set, else its instance, has.
pub fn expected_end(status: &RdsBackupStatus, retention_days: Option<u32>) -> Option<Timestamp> {
    let said = status.expires_at.as_ref().map(|at| at.0);
    let by_policy = || {
        let ended = status.completed_at.as_ref()?.0;
        Some(ended.plus(SignedDuration::from_hours(24 * i64::from(retention_days?))))
    };
    match status.expiry_source {
        Some(ExpirySource::Service | ExpirySource::RetentionDays) => said,
        None => said.or_else(by_policy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Time,
        rds::{BackupId, MetaStatus},
    };

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    fn status() -> RdsBackupStatus {
        RdsBackupStatus { completed_at: Some(Time(at(0))), ..RdsBackupStatus::fresh() }
    }

    fn set() -> BackupSet {
        BackupSet { status: SetStatus::Success, available: Some(true), size_bytes: Some(5), ..BackupSet::new(BackupId::new("s")) }
    }

    #[test]
    fn a_listed_set_is_judged_as_at_the_end_of_its_backup() {
        let judge = |set: BackupSet| verdict(&status(), Listed::As(&set), at(1));
        assert_eq!(judge(BackupSet { expires_at: Some(at(9)), ..set() }), Finding::Usable { expires_at: Some(at(9)) });
        for broken in [
            BackupSet { available: Some(false), ..set() },
            BackupSet { available: None, ..set() },
            BackupSet { meta: MetaStatus::Empty, ..set() },
            BackupSet { size_bytes: Some(0), ..set() },
            BackupSet { status: SetStatus::Failed, ..set() },
        ] {
            assert!(matches!(judge(broken.clone()), Finding::Unusable(_)), "{broken:?}");
        }
    }

    #[test]
    fn a_set_that_is_gone_is_expired_only_when_its_time_is_over() {
        let gone = |status: &RdsBackupStatus, retention_days, day| verdict(status, Listed::Nowhere { retention_days }, at(day));
        assert_eq!(gone(&status(), None, 800), Finding::Gone, "nobody says how long it was to stay");
        assert_eq!((gone(&status(), Some(7), 5), gone(&status(), Some(7), 6)), (Finding::Gone, Finding::Expired));
        let told = |source| RdsBackupStatus { expires_at: Some(Time(at(30))), expiry_source: Some(source), ..status() };
        for source in [ExpirySource::Service, ExpirySource::RetentionDays] {
            assert_eq!((gone(&told(source), Some(7), 20), gone(&told(source), Some(7), 30)), (Finding::Gone, Finding::Expired));
        }
    }
}
