//! What a valid schedule asks for. After it nothing reads the raw spec.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    blackouts::Blackouts,
    cron::{Cron, Slots, has_more_in_a_day, zone},
    policy::{DEFAULT_FAILED_HISTORY, DEFAULT_MAX_AGE, DEFAULT_SUCCESSFUL_HISTORY, LONGEST_NAME, LONGEST_WITHOUT_RUN},
    problem::Problem,
    template,
};
use crate::{
    api::{NativeWindow, RdsBackupScheduleSpec, Reason, RetentionSpec, Span},
    rds::SETS_A_DAY,
    time::SaturatingTime,
};

/// What a valid schedule asks for.
#[derive(Clone, Debug)]
pub struct ValidatedSpec {
    /// When it runs, without the jitter.
    pub slots: Slots,
    /// How much later than its slots this schedule starts.
    pub jitter: SignedDuration,
    /// When no backup starts.
    pub blackouts: Blackouts,
    /// Whether some day has more slots than the service makes backup sets of an instance.
    pub has_too_many_slots: bool,
    /// How late it may start, counted from the slot and the jitter; without it, until the next slot.
    pub deadline: Option<SignedDuration>,
    /// How old the newest success may become.
    pub max_age: SignedDuration,
    /// The longest gap between two starts of the coming year; none where there is one slot at most.
    pub longest_gap: Option<SignedDuration>,
    /// Which usable backups are kept; without it, `successful_history` says how many.
    pub retention: Option<Retention>,
    /// How many objects that succeeded are kept.
    pub successful_history: usize,
    /// How many objects that failed are kept.
    pub failed_history: usize,
    /// Stands for schedule, time zone, jitter, blackouts and `notDuring`.
    pub timing_hash: String,
}

/// Which usable backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many, at most.
    pub keep_last: Option<usize>,
    /// None that ended longer ago.
    pub max_age: Option<SignedDuration>,
    /// So many, at least, whatever the others say.
    pub keep_at_least: usize,
}

/// Takes what can be read, and collects what cannot.
struct Collector<'a>(&'a mut Vec<Problem>);

impl Collector<'_> {
    fn take<T>(&mut self, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|problem| self.0.push(problem)).ok()
    }
}

impl ValidatedSpec {
    /// Checks a spec of the schedule `name` in `namespace`. The default of `freshness` looks at the year after `now`.
    pub fn new(namespace: &str, name: &str, spec: &RdsBackupScheduleSpec, now: Timestamp) -> Result<Self, Problem> {
        Self::with_native_window(namespace, name, spec, None, now)
    }

    /// As [`ValidatedSpec::new`], with the instance's own backup window, which `notDuring` keeps clear.
    pub fn with_native_window(
        namespace: &str,
        name: &str,
        spec: &RdsBackupScheduleSpec,
        native: Option<&NativeWindow>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let RdsBackupScheduleSpec {
            schedule,
            time_zone,
            jitter,
            suspend: _,
            starting_deadline,
            blackouts,
            not_during: _,
            run_on_create: _,
            trigger: _,
            successful_history_limit,
            failed_history_limit,
            freshness,
            retention,
            template,
        } = spec;
        let invalid = |message: String| Problem::new(Reason::InvalidSchedule, message);
        let of = |field: &'static str| move |error: String| invalid(format!("{field}: {error}"));
        let mut wrong = Vec::new();
        let mut read = Collector(&mut wrong);
        let cron = read.take(Cron::parse(schedule).map_err(|error| of("schedule")(error.to_string())));
        let zone_of = |error: String| Problem::new(Reason::InvalidTimeZone, format!("timeZone: {error}"));
        let zone = read.take(zone(time_zone).map_err(|error| zone_of(error.to_string())));
        let windows = zone.clone().and_then(|zone| read.take(Blackouts::new(blackouts, zone).map_err(of("blackouts"))));
        let most_jitter = read.take(jitter_of(jitter.as_ref()).map_err(|error| of("jitter")(error.to_string())));
        let span = |span: Option<&Span>, field: &'static str| {
            span.map(|span| span.get().map_err(|error| of(field)(error.to_string()))).transpose()
        };
        let deadline = read.take(span(starting_deadline.as_ref(), "startingDeadline"));
        let given_max_age = read.take(span(freshness.as_ref().map(|freshness| &freshness.max_age), "freshness.maxAge"));
        let retention = read.take(retention.as_ref().map(|rules| retention_of(rules).map_err(of("retention"))).transpose());
        if name.len() > LONGEST_NAME {
            wrong.push(invalid(format!("the name of a schedule has at most {LONGEST_NAME} characters: create it under a shorter one")));
        }
        wrong.extend(template::problems(template));
        let read = (cron, zone, windows, most_jitter, deadline, given_max_age, retention);
        let (Some(cron), Some(zone), Some(windows), Some(most_jitter), Some(deadline), Some(given_max_age), Some(retention)) = read else {
            return Err(Problem::altogether(wrong));
        };
        let slots = Slots::new(cron, zone);
        if slots.next(now).is_none() {
            wrong.push(invalid("schedule: it never runs: no such day comes within nine years".to_owned()));
        }
        // Looked for only where there is a jitter: it takes a walk through nine years of days.
        let shortest = if most_jitter.is_zero() { None } else { slots.shortest_gap() };
        if let Some(shortest) = shortest.filter(|shortest| most_jitter > *shortest / 2) {
            wrong.push(invalid(format!(
                "jitter: {} is more than half of the shortest gap between two slots, which is {}: write at most {}",
                Span::of(most_jitter),
                Span::of(shortest),
                Span::of(shortest / 2)
            )));
        }
        if !wrong.is_empty() {
            return Err(Problem::altogether(wrong));
        }
        let jitter = jitter_offset(namespace, name, most_jitter);
        let limit = |limit: Option<i32>, default: usize| limit.map_or(default, |limit| usize::try_from(limit).unwrap_or_default());
        let mut valid = Self {
            has_too_many_slots: slots.has_more_in_a_day(SETS_A_DAY, now),
            slots,
            jitter,
            deadline,
            blackouts: windows,
            max_age: DEFAULT_MAX_AGE,
            longest_gap: None,
            retention,
            successful_history: limit(*successful_history_limit, DEFAULT_SUCCESSFUL_HISTORY),
            failed_history: limit(*failed_history_limit, DEFAULT_FAILED_HISTORY),
            timing_hash: timing_hash(spec, most_jitter),
        };
        valid.check_blackouts(now).map_err(|why| invalid(format!("blackouts: {why}")))?;
        if let Some(window) = native {
            valid.blackouts = valid.blackouts.with_native(window).map_err(|error| invalid(format!("notDuring: {error}")))?;
            valid.check_blackouts(now).map_err(|why| Problem {
                by_native_window: true,
                ..invalid(format!("notDuring: with the instance's own backup window ({window}) {why}"))
            })?;
        }
        valid.longest_gap = valid.longest_gap_of_runs(now);
        valid.max_age = given_max_age.unwrap_or_else(|| default_max_age(valid.longest_gap, most_jitter));
        Ok(valid)
    }

    /// Blackouts that leave no run are refused, before anything is created; those that leave few are counted with.
    fn check_blackouts(&mut self, now: Timestamp) -> Result<(), String> {
        if self.blackouts.is_empty() {
            return Ok(());
        }
        let first = self.slots.next(now).map_or(now, |slot| self.nominal_start(slot.at));
        let run = self.next_run(now).filter(|run| run.start <= first.plus(LONGEST_WITHOUT_RUN));
        if run.is_none() {
            let deadline = if self.deadline.is_some() { ", raise startingDeadline" } else { "" };
            return Err(format!(
                "they leave no run within a year: the next would be at {first}, and it and those after it lie in a window and cannot start at its end. Shorten a window{deadline}, or write another schedule"
            ));
        }
        if self.has_too_many_slots {
            let runs = std::iter::successors(self.next_run(now), |run| self.next_run(run.start)).map(|run| run.slot);
            self.has_too_many_slots = has_more_in_a_day(runs, SETS_A_DAY);
        }
        Ok(())
    }
}

/// Stands for what the slots and their starts are made of. Without blackouts it is as in releases that had none: an update is no edit.
fn timing_hash(spec: &RdsBackupScheduleSpec, most_jitter: SignedDuration) -> String {
    let RdsBackupScheduleSpec { schedule, time_zone, blackouts, not_during, .. } = spec;
    let mut timing = format!("{schedule}\n{time_zone}\n{}", Span::of(most_jitter));
    if !blackouts.is_empty() {
        timing.push('\n');
        timing.push_str(&serde_json::to_string(blackouts).unwrap_or_default());
    }
    if not_during.is_some() {
        timing.push_str("\nnotDuring");
    }
    digest(&timing, 6)
}

/// Checks the rules. The CRD states the same; an older one may be installed.
fn retention_of(RetentionSpec { keep_last, max_age, keep_at_least }: &RetentionSpec) -> Result<Retention, String> {
    let count = |field: &str, count: i32| match usize::try_from(count) {
        Ok(count) if (1..=1000).contains(&count) => Ok(count),
        _ => Err(format!("{field} is 1 to 1000")),
    };
    let keep_last = keep_last.map(|most| count("keepLast", most)).transpose()?;
    let keep_at_least = keep_at_least.map_or(Ok(1), |least| count("keepAtLeast", least))?;
    let max_age = max_age.as_ref().map(|age| age.get().map_err(|error| format!("maxAge: {error}"))).transpose()?;
    if keep_last.is_none() && max_age.is_none() {
        return Err("write keepLast, maxAge or both".to_owned());
    }
    if keep_last.is_some_and(|most| most < keep_at_least) {
        return Err(format!(
            "keepLast is less than keepAtLeast ({keep_at_least}), which is kept whatever the other rules say: write a larger keepLast"
        ));
    }
    Ok(Retention { keep_last, max_age, keep_at_least })
}

/// How old the newest success may become, where the spec itself says so: also of a schedule that is not valid.
pub fn given_max_age(spec: &RdsBackupScheduleSpec) -> Option<SignedDuration> {
    spec.freshness.as_ref().and_then(|freshness| freshness.max_age.get().ok())
}

/// What is said of a schedule that has too many slots, and what to do.
pub fn too_many_slots() -> String {
    format!(
        "the schedule has more than {SETS_A_DAY} slots in a day, and the service makes at most {SETS_A_DAY} manual backup sets of an instance a day: the backups beyond them wait for the next day, or fail. Write a schedule with longer intervals"
    )
}

/// Any jitter is a length of time; `0s` stands for none.
fn jitter_of(jitter: Option<&Span>) -> Result<SignedDuration, crate::api::SpanError> {
    match jitter {
        Some(span) if span.to_string().bytes().all(|byte| matches!(byte, b'0' | b'h' | b'm' | b's')) => Ok(SignedDuration::ZERO),
        Some(span) => span.get(),
        None => Ok(SignedDuration::ZERO),
    }
}

/// By how much of the jitter this schedule starts later, in whole seconds: always the same for a name, and spread evenly over all names.
fn jitter_offset(namespace: &str, name: &str, most: SignedDuration) -> SignedDuration {
    let digest = Sha256::digest(format!("{namespace}/{name}"));
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let seconds = u64::try_from(most.as_secs()).unwrap_or_default();
    SignedDuration::from_secs(i64::try_from(number % (seconds + 1)).unwrap_or_default())
}

/// The first bytes of a text's SHA-256, two hexadecimal digits each.
pub(super) fn digest(text: &str, bytes: usize) -> String {
    base16ct::lower::encode_string(Sha256::digest(text).get(..bytes).unwrap_or_default())
}

/// Half as much again as the longest gap between two starts, and the jitter: one late or failed backup is no alarm yet.
fn default_max_age(longest_gap: Option<SignedDuration>, most_jitter: SignedDuration) -> SignedDuration {
    let age = longest_gap.map_or(DEFAULT_MAX_AGE, |longest| longest.saturating_mul(3) / 2);
    age.saturating_add(most_jitter)
}
