//! Which instances are due: each once in the interval of its account, spread over it, and no more calls of an account in an hour than it allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::{SignedDuration, Timestamp};

use crate::time::SaturatingTime;

/// What is asked for with one list: an instance, as objects of one namespace may use it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The account.
    pub account: String,
    /// The namespace of the objects: with its key, and by its rights.
    pub namespace: String,
    /// The instance.
    pub instance: String,
}

/// How often, by an account's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time between two audits of an instance; none without audits.
    pub every: Option<SignedDuration>,
    /// The most calls in an hour.
    pub calls_per_hour: u32,
}

/// A process looks at an instance first between a quarter of an hour and an hour after its beginning, if the pace allows: one that is restarted
/// over and over again makes no calls for it, and what nobody has looked at for two days counts as unknown.
const NOT_BEFORE: SignedDuration = SignedDuration::from_mins(15);
const WITHIN: SignedDuration = SignedDuration::from_mins(45);

/// A list that failed is tried again after a quarter of an hour, half an hour ... up to 4 h.
const AFTER_A_FAILURE: SignedDuration = SignedDuration::from_mins(15);
const LONGEST_AFTER_FAILURES: SignedDuration = SignedDuration::from_hours(4);

/// When what is looked at next.
#[derive(Debug, Default)]
pub struct Schedule {
    began: Option<Timestamp>,
    targets: BTreeMap<Target, Known>,
    /// When an account may call again.
    accounts: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The newest look that was whole.
    at: Option<Timestamp>,
    /// When it is due, at the earliest.
    due: Timestamp,
    failures: u32,
}

impl Schedule {
    /// The targets that are due now, at most one of each account: the one that waits for longest. `all` is what there is.
    pub fn due(&mut self, all: &BTreeSet<Target>, pace: impl Fn(&str) -> Pace, now: Timestamp) -> Vec<Target> {
        let began = *self.began.get_or_insert(now);
        self.targets.retain(|target, _| all.contains(target));
        self.accounts.retain(|account, _| all.iter().any(|target| target.account == *account));
        for target in all {
            let paces = pace(&target.account);
            let every = paces.every.unwrap_or(WITHIN);
            let due = began.plus(every.min(NOT_BEFORE)).plus(share_of(target, every.min(WITHIN)));
            self.targets.entry(target.clone()).or_insert(Known { at: None, due, failures: 0 });
        }
        let mut chosen: BTreeMap<&str, (&Target, Timestamp)> = BTreeMap::new();
        for (target, known) in &self.targets {
            let Pace { every: Some(every), .. } = pace(&target.account) else { continue };
            // A clock that was ahead, or an interval that was longer, leave nothing for later than the interval.
            let due = known.due.min(known.at.map_or(known.due, |at| at.plus(every)));
            let may_call =
                self.accounts.get(&target.account).is_none_or(|at| now >= *at || at.duration_since(now) > SignedDuration::from_hours(1));
            if now < due || !may_call {
                continue;
            }
            let best = chosen.entry(&target.account).or_insert((target, due));
            if due < best.1 {
                *best = (target, due);
            }
        }
        chosen.into_values().map(|(target, _)| target.clone()).collect()
    }

    /// A target was looked at, with so many calls: whether all of it could be read.
    pub fn looked(&mut self, target: &Target, pace: Pace, calls: u32, whole: bool, now: Timestamp) {
        let apart = SignedDuration::from_secs(3600) / i32::try_from(pace.calls_per_hour.max(1)).unwrap_or(i32::MAX);
        let pause = apart.saturating_mul(i32::try_from(calls.max(1)).unwrap_or(i32::MAX));
        self.accounts.insert(target.account.clone(), now.plus(pause));
        let Some(known) = self.targets.get_mut(target) else { return };
        let every = pace.every.unwrap_or(SignedDuration::from_hours(24));
        if whole {
            // Up to a tenth sooner: what was due together does not stay so.
            *known = Known { at: Some(now), due: now.plus(every.saturating_sub(share_of(target, every / 10))), failures: 0 };
        } else {
            known.failures = known.failures.saturating_add(1);
            let pause = AFTER_A_FAILURE.saturating_mul(1 << known.failures.saturating_sub(1).min(4)).min(LONGEST_AFTER_FAILURES);
            known.due = now.plus(pause.min(every));
        }
    }

    /// Has a target looked at as soon as its account may call.
    pub fn hurry(&mut self, target: &Target, now: Timestamp) {
        if let Some(known) = self.targets.get_mut(target) {
            known.due = known.due.min(now);
        }
    }
}

/// A part of `whole` that is always the same for a target.
fn share_of(target: &Target, whole: SignedDuration) -> SignedDuration {
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let thousandth = i32::try_from(hasher.finish() % 1000).unwrap_or_default();
    (whole / 1000).saturating_mul(thousandth)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn targets(count: usize, accounts: usize) -> BTreeSet<Target> {
        let target = |number: usize| Target {
            account: format!("account-{}", number % accounts),
            namespace: "team-a".into(),
            instance: format!("rm-{number}"),
        };
        (0..count).map(target).collect()
    }

    fn pace(_: &str) -> Pace {
        Pace { every: Some(SignedDuration::from_hours(24)), calls_per_hour: 100 }
    }

    /// Looks at what is due every 30 s; answers each look's time and target.
    fn run(
        all: &BTreeSet<Target>,
        pace: impl Fn(&str) -> Pace + Copy,
        seconds: i64,
        whole: impl Fn(&Target) -> bool,
    ) -> Vec<(i64, Target)> {
        let mut schedule = Schedule::default();
        let mut looks = Vec::new();
        for second in (0..seconds).step_by(30) {
            for target in schedule.due(all, pace, at(second)) {
                schedule.looked(&target, pace(&target.account), 1, whole(&target), at(second));
                looks.push((second, target));
            }
        }
        looks
    }

    #[test]
    fn every_instance_is_looked_at_once_a_day_and_no_account_calls_more_often_than_it_may() {
        let all = targets(150, 2);
        let looks = run(&all, pace, 5 * DAY, |_| true);
        for target in &all {
            let times: Vec<i64> = looks.iter().filter(|(_, seen)| seen == target).map(|(at, _)| *at).collect();
            assert!((900..=2 * 3600).contains(&times[0]), "{target:?} is looked at first after {} s", times[0]);
            assert!((5..=6).contains(&times.len()), "{target:?}: {times:?}");
            let apart = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(
                apart.clone().all(|time| (DAY * 9 / 10 - 60..=DAY + 3600).contains(&time)),
                "{target:?}: {:?}",
                apart.collect::<Vec<_>>()
            );
        }
        for account in ["account-0", "account-1"] {
            let times: Vec<i64> = looks.iter().filter(|(_, seen)| seen.account == account).map(|(at, _)| *at).collect();
            let most = times.iter().map(|from| times.iter().filter(|at| (*from..from + 3600).contains(*at)).count()).max();
            assert!(most <= Some(100), "{account}: {most:?} in an hour");
        }
        let first_hours: BTreeSet<i64> = looks.iter().filter(|(at, _)| *at > 4 * DAY).map(|(at, _)| (at - 4 * DAY) / 3600).collect();
        assert!(first_hours.len() >= 6, "they spread: {first_hours:?}");
    }

    #[test]
    fn what_cannot_be_read_is_tried_again_and_delays_no_other() {
        let all = targets(5, 1);
        let sick = all.first().unwrap().clone();
        let looks = run(&all, pace, DAY, |target| *target != sick);
        let tries: Vec<i64> = looks.iter().filter(|(_, seen)| *seen == sick).map(|(at, _)| *at).collect();
        let apart: Vec<i64> = tries.windows(2).map(|pair| (pair[1] - pair[0]) / 900).collect();
        assert_eq!(&apart[..5], [1, 2, 4, 8, 16], "quarters of an hour");
        let healthy: BTreeSet<&Target> = looks.iter().filter(|(at, _)| *at < 3900).map(|(_, seen)| seen).collect();
        assert_eq!(healthy.len(), 5);
    }

    #[test]
    fn an_account_without_audits_is_not_asked_and_pages_count() {
        let all = targets(3, 1);
        let never = |_: &str| Pace { every: None, calls_per_hour: 100 };
        assert_eq!(run(&all, never, DAY, |_| true).len(), 0);
        let mut schedule = Schedule::default();
        schedule.due(&all, pace, at(0));
        let now = at(DAY);
        let first = schedule.due(&all, pace, now).remove(0);
        schedule.looked(&first, pace(""), 10, true, now);
        assert_eq!(schedule.due(&all, pace, at(DAY + 359)), [], "ten pages are ten calls");
        assert_eq!(schedule.due(&all, pace, at(DAY + 361)).len(), 1);
    }

    #[test]
    fn a_clock_that_was_ahead_stops_no_audit() {
        let all = targets(1, 1);
        let mut schedule = Schedule::default();
        schedule.due(&all, pace, at(0));
        let ahead = at(400 * DAY);
        let target = schedule.due(&all, pace, ahead).remove(0);
        schedule.looked(&target, pace(""), 1, true, ahead);
        assert_eq!(schedule.due(&all, pace, at(DAY)), [], "it is not due by the clock that was set back");
        schedule.hurry(&target, at(DAY));
        assert_eq!(schedule.due(&all, pace, at(DAY)).len(), 1);
    }
}
