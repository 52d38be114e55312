//! The service's limit of backup sets a day, counted before a request is spent on it.

use jiff::{SignedDuration, Timestamp};

use crate::{
    rds::{BackupSet, SETS_A_DAY, SetStatus},
    time::SaturatingTime,
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Where the service is at home: China, UTC+8.
const AT_HOME: SignedDuration = SignedDuration::from_hours(8);

/// Until when the service surely refuses another backup of the instance; none where it may take one. In which zone its day begins is not
/// documented, and neither whether automatic sets count. So only manual sets count here, and only those that are of today both in UTC and
/// in China; and the day counts as over as soon as it is in one of them. What is left is the service's to refuse.
pub(super) fn used_up_until(sets: &[BackupSet], now: Timestamp) -> Option<Timestamp> {
    let midnights = [SignedDuration::ZERO, AT_HOME].map(|ahead| midnight(now, ahead));
    let [begins, ends] = [midnights.iter().max(), midnights.iter().min()].map(|time| time.copied().unwrap_or(now));
    let of_today = |set: &&BackupSet| set.status != SetStatus::Failed && set.started_at.is_some_and(|started| started >= begins);
    (sets.iter().filter(of_today).count() >= SETS_A_DAY).then(|| ends.plus(DAY))
}

/// The last midnight where clocks are so far ahead of UTC.
fn midnight(now: Timestamp, ahead: SignedDuration) -> Timestamp {
    let local = now.plus(ahead).as_second();
    Timestamp::from_second(local - local.rem_euclid(DAY.as_secs())).unwrap_or(now).minus(ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_today_by_every_reading_counts_and_the_day_ends_by_the_first() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let sets = |first: &str| -> Vec<BackupSet> {
            let started = |number: i64| at(first) + SignedDuration::from_mins(number);
            (0..20).map(|n| BackupSet { started_at: Some(started(n)), status: SetStatus::Success, ..BackupSet::new("s".into()) }).collect()
        };
        for (first, now, until) in [
            // The day of UTC began at 00:00, the one of China at 16:00 the day before.
            ("2026-03-01T00:00:00Z", "2026-03-01T10:00:00Z", Some("2026-03-01T16:00:00Z")),
            ("2026-02-28T23:59:59Z", "2026-03-01T10:00:00Z", None),
            // The one of China began at 16:00.
            ("2026-03-01T15:59:59Z", "2026-03-01T20:00:00Z", None),
            ("2026-03-01T16:00:00Z", "2026-03-01T20:00:00Z", Some("2026-03-02T00:00:00Z")),
        ] {
            assert_eq!(used_up_until(&sets(first), at(now)), until.map(at), "{first} {now}");
            assert_eq!(used_up_until(&sets(first)[1..], at(now)), None, "19 are not 20");
        }
        let mut failed = sets("2026-03-01T00:00:00Z");
        failed[3].status = SetStatus::Failed;
        assert_eq!(used_up_until(&failed, at("2026-03-01T10:00:00Z")), None, "whether a failed one counts is not documented");
    }
}
