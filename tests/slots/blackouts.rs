//! The starts of schedules with blackouts, compared with a scan over every minute that shares no code with them. A window of the scan begins
//! with the first minute whose local time is not before the written beginning, and ends with the last one that shows the written end, or would
//! come after it. The rules of deferral are applied to the minutes themselves.

use std::collections::BTreeSet;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use proptest::{prelude::*, test_runner::TestRunner};
use rds_backup_operator::{
    api::RdsBackupScheduleSpec,
    schedule::{Problem, runs::Run, spec::ValidatedSpec},
};
use serde_json::{Value, json};

use super::brute::{Expression, ZONES, expression, named, window};

/// A window as it is written.
#[derive(Clone, Debug)]
struct Written {
    /// Monday first; none: every day.
    days: BTreeSet<u8>,
    /// Days after the beginning of the scan, the first and the last.
    dates: Option<(i64, i64)>,
    /// Minutes of the day.
    times: Option<(i64, i64)>,
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Written {
    fn json(&self, first: Date) -> Value {
        let date = |days: i64| first.checked_add(days.days()).unwrap().to_string();
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let mut json = json!({});
        if !self.days.is_empty() {
            json["days"] = self.days.iter().map(|day| DAYS[usize::from(*day)]).collect();
        }
        if let Some((from, to)) = self.dates {
            json["dates"] = json!({ "from": date(from), "to": date(to) });
        }
        if let Some((from, to)) = self.times {
            (json["from"], json["to"]) = (json!(clock(from)), json!(clock(to)));
        }
        json
    }

    /// The written beginnings and ends on the days around the scan.
    fn local_windows(&self, first: Date, days: i64) -> Vec<(DateTime, DateTime)> {
        let mut windows = Vec::new();
        for number in -4..days + 4 {
            let day = first.checked_add(number.days()).unwrap();
            let on_day = self.days.is_empty() || self.days.contains(&u8::try_from(day.weekday().to_monday_zero_offset()).unwrap());
            let on_date = self.dates.is_none_or(|(from, to)| (from..=to).contains(&number));
            if on_day && on_date {
                let (from, to) = self.times.unwrap_or((0, 24 * 60));
                let midnight = day.at(0, 0, 0, 0);
                let to = if to <= from { to + 24 * 60 } else { to };
                windows.push((midnight.checked_add(from.minutes()).unwrap(), midnight.checked_add(to.minutes()).unwrap()));
            }
        }
        windows
    }
}

/// Every minute of some days, and whether a backup may start in it.
struct Minutes {
    first: Timestamp,
    dark: Vec<bool>,
}

impl Minutes {
    fn scan(written: &[Written], zone: &TimeZone, date: Date, days: i64, first: Timestamp, count: usize) -> Self {
        let locals: Vec<DateTime> =
            (0..i64::try_from(count).unwrap()).map(|minute| zone.to_datetime(first + SignedDuration::from_mins(minute))).collect();
        let mut dark = vec![false; count];
        for (from, to) in written.iter().flat_map(|written| written.local_windows(date, days)) {
            let begin = locals.iter().position(|local| *local >= from);
            // The last time that the clocks show the end; one that they skip is over with the minute before it.
            let end = locals.iter().rposition(|local| *local <= to).map(|last| if locals[last] == to { last } else { last + 1 });
            if let (Some(begin), Some(end)) = (begin, end) {
                (begin..end).for_each(|minute| dark[minute] = true);
            }
        }
        Self { first, dark }
    }

    fn is_dark(&self, at: Timestamp) -> Option<bool> {
        let minute = usize::try_from(at.duration_since(self.first).as_secs().div_euclid(60)).ok()?;
        self.dark.get(minute).copied()
    }

    /// The first instant from there on at which a backup may start; none if the scan ends before.
    fn first_light(&self, from: Timestamp) -> Option<Timestamp> {
        if !self.is_dark(from)? {
            return Some(from);
        }
        let mut minute = Timestamp::from_second(from.as_second() - from.as_second().rem_euclid(60)).unwrap();
        while self.is_dark(minute)? {
            minute += SignedDuration::from_mins(1);
        }
        Some(minute)
    }
}

fn written() -> impl Strategy<Value = Written> {
    let days = prop_oneof![2 => Just(BTreeSet::new()), 3 => prop::collection::btree_set(0u8..7, 1..6)];
    let dates = prop::option::weighted(0.3, (-2i64..7, 0i64..4).prop_map(|(from, more)| (from, from + more)));
    // Many of them at an hour of the night in which clocks change.
    let minute = || prop_oneof![3 => (0i64..16).prop_map(|quarter| quarter * 15), 2 => 0i64..24 * 60];
    let times = prop::option::weighted(0.85, (minute(), prop_oneof![9 => minute(), 1 => Just(24 * 60)]));
    (days, dates, times).prop_filter_map("a window that is refused", |(days, dates, times)| {
        let is_empty = days.is_empty() && dates.is_none() && times.is_none();
        let is_equal = times.is_some_and(|(from, to)| from == to);
        (!is_empty && !is_equal).then_some(Written { days, dates, times })
    })
}

/// A schedule, and where it is looked at.
#[derive(Clone, Debug)]
struct Case {
    expression: Expression,
    blackouts: Vec<Written>,
    /// Minutes.
    deadline: Option<i64>,
    /// Seconds.
    jitter: i64,
    zone: usize,
    place: u32,
    near: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let deadline = prop_oneof![1 => Just(None), 1 => (1i64..720).prop_map(Some)];
    let jitter = prop_oneof![3 => Just(0i64), 1 => 1i64..30];
    let blackouts = prop::collection::vec(written(), 1..4);
    (expression(), blackouts, deadline, jitter, 0..ZONES.len(), any::<u32>(), prop::bool::weighted(0.7)).prop_map(
        |(expression, blackouts, deadline, jitter, zone, place, near)| Case { expression, blackouts, deadline, jitter, zone, place, near },
    )
}

/// The days whose starts are compared; the scan covers some more on either side.
const COMPARED: i64 = 3;
const MORE: i64 = 7;

#[derive(Default)]
struct Compared {
    windows: usize,
    runs: usize,
    deferred: usize,
    skipped: usize,
    refused: usize,
    unknown: usize,
}

fn compare(case: &Case, totals: &mut Compared) -> Result<(), TestCaseError> {
    let (minute, day) = (SignedDuration::from_mins(1), SignedDuration::from_hours(24));
    let zone = named(ZONES[case.zone]);
    let from = window(&zone, case.place, case.near);
    let from = Timestamp::from_second(from.as_second() - from.as_second().rem_euclid(60)).unwrap();
    let date = zone.to_datetime(from).date();
    let mut spec = json!({
        "schedule": case.expression.text(), "timeZone": ZONES[case.zone], "jitter": format!("{}s", case.jitter),
        "blackouts": case.blackouts.iter().map(|written| written.json(date)).collect::<Value>(),
        "template": { "spec": { "dbInstanceId": "rm-1" } },
    });
    if let Some(deadline) = case.deadline {
        spec["startingDeadline"] = json!(format!("{deadline}m"));
    }
    let spec: RdsBackupScheduleSpec = serde_json::from_value(spec).unwrap();
    let valid = match ValidatedSpec::new("team-a", "s", &spec, from) {
        Ok(valid) => valid,
        Err(Problem { message, .. }) => {
            // Days that no month has, or windows over all of its slots: a scan of days cannot prove a year, so the other test does.
            prop_assert!(message.contains("blackouts: they leave no run") || message.contains("no such day"), "{}", message);
            totals.refused += 1;
            return Ok(());
        }
    };
    let (scan_from, scan_days) = (from - day * 3, 3 + COMPARED + MORE);
    let count = usize::try_from(scan_days * 24 * 60).unwrap();
    let minutes = Minutes::scan(&case.blackouts, &zone, date, COMPARED + MORE, scan_from - day, count + 24 * 60);
    let slots = case.expression.scan(&zone, scan_from, from + day * i32::try_from(COMPARED + MORE).unwrap());
    let until = from + day * i32::try_from(COMPARED).unwrap();
    let offset = super::laws::offset("s", case.jitter);
    let mut expected = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        let start = *slot + SignedDuration::from_secs(offset);
        if start > until {
            break;
        }
        let light = minutes.first_light(start);
        let next = slots.get(index + 1).map(|next| *next + SignedDuration::from_secs(offset));
        let starts = match (light, next) {
            (Some(light), _) if light == start => Some(start),
            (Some(light), next) => {
                let in_time = case.deadline.is_none_or(|deadline| light < start + minute * i32::try_from(deadline).unwrap());
                (in_time && next.is_none_or(|next| light < next)).then_some(light)
            }
            // It lasts longer than the scan: it is skipped if the next slot lies in it too.
            (None, Some(_)) => None,
            (None, None) => {
                totals.unknown += 1;
                return Ok(());
            }
        };
        totals.skipped += usize::from(starts.is_none());
        totals.deferred += usize::from(starts.is_some_and(|starts| starts > start));
        prop_assert_eq!(valid.start_of(*slot), starts, "the slot {} of {:?}", slot, spec);
        if let Some(start) = starts.filter(|start| *start > from && *start <= until) {
            expected.push(Run { slot: *slot, start });
        }
    }
    let found: Vec<Run> =
        std::iter::successors(valid.next_run(from), |run| valid.next_run(run.start)).take_while(|run| run.start <= until).collect();
    prop_assert_eq!(&found, &expected, "{:?} after {}", spec, from);
    if let Some(last) = expected.last() {
        prop_assert_eq!(valid.latest_run(until), Some(*last), "{:?} until {}", spec, until);
    }
    let listed: Vec<Run> = valid
        .starts_between(scan_from, until)
        .filter_map(|(slot, start)| Some(Run { slot: slot.at, start: start? }))
        .filter(|run| run.start > from && run.start <= until)
        .collect();
    prop_assert_eq!(&listed, &expected, "{:?} listed after {}", spec, from);
    let longest = found.windows(2).map(|pair| pair[1].start.duration_since(pair[0].start)).max();
    prop_assert!(longest <= valid.longest_gap, "{:?}: {:?} is longer than {:?}", spec, longest, valid.longest_gap);
    totals.windows += 1;
    totals.runs += found.len();
    Ok(())
}

/// A debug build scans ten times slower.
const CASES: u32 = if cfg!(debug_assertions) { 250 } else { 3000 };

#[test]
fn starts_are_what_a_scan_over_every_minute_finds() {
    let totals = std::cell::RefCell::new(Compared::default());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let checked = TestRunner::new(config).run(&case(), |case| compare(&case, &mut totals.borrow_mut()));
    let Compared { windows, runs, deferred, skipped, refused, unknown } = totals.into_inner();
    println!(
        "windows {windows}, runs {runs}, deferred {deferred}, skipped {skipped}, refused {refused}, beyond the scan {unknown}, differences {}",
        u8::from(checked.is_err())
    );
    checked.unwrap_or_else(|difference| panic!("{difference}"));
    let cases = usize::try_from(CASES).unwrap();
    assert!(windows > cases / 2 && runs > cases && deferred > cases / 10 && skipped > cases, "too little was compared");
}

/// Windows over known changes of the clocks, written by hand: begin and end of each in UTC.
#[test]
fn no_window_is_shorter_than_it_is_written() {
    for (zone, day, from, to, begins, ends) in [
        // 02:00 to 03:00 does not exist on the 28th.
        ("Europe/Berlin", "2027-03-28", "02:30", "05:00", "2027-03-28T01:00:00Z", "2027-03-28T03:00:00Z"),
        ("Europe/Berlin", "2027-03-28", "00:00", "02:30", "2027-03-27T23:00:00Z", "2027-03-28T01:00:00Z"),
        // It comes twice on the 31st.
        ("Europe/Berlin", "2027-10-31", "02:30", "05:00", "2027-10-31T00:30:00Z", "2027-10-31T04:00:00Z"),
        ("Europe/Berlin", "2027-10-31", "00:00", "02:30", "2027-10-30T22:00:00Z", "2027-10-31T01:30:00Z"),
        ("America/New_York", "2027-11-07", "22:00", "01:30", "2027-11-08T03:00:00Z", "2027-11-08T06:30:00Z"),
        ("America/New_York", "2027-11-06", "22:00", "01:30", "2027-11-07T02:00:00Z", "2027-11-07T06:30:00Z"),
        // By half an hour, and midnight itself comes twice.
        ("Australia/Lord_Howe", "2027-04-04", "01:30", "01:45", "2027-04-03T14:30:00Z", "2027-04-03T15:15:00Z"),
        ("America/Havana", "2027-11-06", "23:00", "24:00", "2027-11-07T03:00:00Z", "2027-11-07T05:00:00Z"),
        // A whole day is missing.
        ("Pacific/Apia", "2011-12-29", "18:00", "06:00", "2011-12-30T04:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "18:00", "06:00", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"),
    ] {
        let spec: RdsBackupScheduleSpec = serde_json::from_value(json!({
            "schedule": "* * * * *", "timeZone": zone, "template": { "spec": { "dbInstanceId": "rm-1" } },
            "blackouts": [{ "dates": { "from": day, "to": day }, "from": from, "to": to }],
        }))
        .unwrap();
        let begins: Timestamp = begins.parse().unwrap();
        let valid = ValidatedSpec::new("team-a", "s", &spec, begins - SignedDuration::from_hours(30)).unwrap();
        let last = valid.latest_run(begins - SignedDuration::from_nanos(1)).unwrap();
        let next = valid.next_run(last.start).unwrap();
        assert_eq!((last.start + SignedDuration::from_mins(1)).to_string(), begins.to_string(), "{zone} {day} {from} to {to}");
        assert_eq!(next.start.to_string(), ends, "{zone} {day} {from} to {to}");
        assert_eq!(valid.blackouts.end(begins).map(|end| end.to_string()).as_deref(), Some(ends));
        assert_eq!(valid.blackouts.begin(next.start - SignedDuration::from_secs(1)), Some(begins));
    }
}
