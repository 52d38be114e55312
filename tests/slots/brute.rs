//! `Slots::next` compared with a scan over every minute. The scan has a matcher of its own, over sets that are never parsed, and one rule for all
//! changes of the clocks: a local time that the clocks show a second time does not count again.

use std::sync::LazyLock;

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::{prelude::*, test_runner::TestRunner};
use rds_backup_operator::schedule::cron::{Cron, Slots};

/// Zones with northern and southern daylight saving, changes of half an hour, gaps at midnight, a pause of daylight saving in Ramadan, no
/// changes at all, and UTC.
pub const ZONES: [&str; 16] = [
    "Etc/UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
];

/// A field as a set, and as text.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: Set,
    /// Whether `*` or `*/1` is one of its members.
    all: bool,
}

/// One entry for each number.
type Set = [bool; 64];

fn set(values: impl Iterator<Item = u8>) -> Set {
    let mut set = [false; 64];
    values.for_each(|value| set[usize::from(value)] = true);
    set
}

/// An expression as sets, and as text.
#[derive(Clone, Debug)]
pub struct Expression {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Expression {
    pub fn text(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(|field| field.text.clone()).join(" ")
    }

    fn matches(&self, local: DateTime) -> bool {
        let has = |field: &Field, value: i8| field.values[usize::try_from(value).unwrap()];
        let (day, weekday) = (has(&self.day, local.day()), has(&self.weekday, local.weekday().to_sunday_zero_offset()));
        let on_day = if !self.day.all && !self.weekday.all { day || weekday } else { day && weekday };
        has(&self.minute, local.minute()) && has(&self.hour, local.hour()) && has(&self.month, local.month()) && on_day
    }

    /// Every run in the window, by a check of each of its minutes.
    pub fn scan(&self, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        // It begins some hours earlier, so that a repeated local time at the window's beginning is recognised as a repetition.
        let mut at = from - SignedDuration::from_hours(4);
        let mut newest = zone.to_datetime(at);
        let mut runs = Vec::new();
        while at < until {
            at += minute;
            let local = zone.to_datetime(at);
            let runs_now = if self.hour.text.starts_with('*') {
                self.matches(local)
            } else {
                // Every local minute since the newest one so far: usually one, none in a repetition, many after a gap.
                let mut any = false;
                while newest < local {
                    newest = newest.checked_add(minute).unwrap();
                    any |= self.matches(newest);
                }
                any
            };
            if runs_now && at > from {
                runs.push(at);
            }
        }
        runs
    }
}

fn field(least: u8, most: u8, names: &'static [&'static str]) -> BoxedStrategy<Field> {
    let spelt = move |value: u8| names.get(usize::from(value - least)).map_or(value.to_string(), |name| (*name).to_owned());
    let one = (least..=most, any::<bool>()).prop_map(move |(value, by_name)| {
        let text = if by_name { spelt(value) } else { value.to_string() };
        (text, set([value].into_iter()), false)
    });
    let range = (least..=most, least..=most, 1u8..8).prop_map(|(a, b, step)| {
        let (first, last) = (a.min(b), a.max(b));
        let text = if step == 1 { format!("{first}-{last}") } else { format!("{first}-{last}/{step}") };
        (text, set((first..=last).step_by(usize::from(step))), false)
    });
    let open = (least..=most, 1u8..8)
        .prop_map(move |(first, step)| (format!("{first}/{step}"), set((first..=most).step_by(usize::from(step))), false));
    let star = (1u8..30).prop_map(move |step| {
        let text = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
        (text, set((least..=most).step_by(usize::from(step))), step == 1)
    });
    let member = prop_oneof![4 => one, 2 => range, 1 => open, 2 => star];
    let whole = Just((String::from("*"), set(least..=most), true)).boxed();
    let list = prop::collection::vec(member, 1..4).prop_map(|members| {
        let text = members.iter().map(|(text, ..)| text.as_str()).collect::<Vec<_>>().join(",");
        (
            text,
            set((0..64u8).filter(|value| members.iter().any(|(_, values, _)| values[usize::from(*value)]))),
            members.iter().any(|(.., all)| *all),
        )
    });
    prop_oneof![3 => whole, 5 => list].prop_map(|(text, values, all)| Field { text, values, all }).boxed()
}

/// Sunday as 7, alone and at the end of a range.
fn second_sunday() -> BoxedStrategy<Field> {
    let folded = |first: u8, step: u8| set((first..=7).step_by(usize::from(step)).map(|day| day % 7));
    let range = (0u8..=7, 1u8..4).prop_map(move |(first, step)| {
        let text = if step == 1 { format!("{first}-7") } else { format!("{first}-7/{step}") };
        Field { text, values: folded(first, step), all: false }
    });
    let alone = (0u8..=6).prop_map(move |other| Field { text: format!("7,{other}"), values: set([0, other].into_iter()), all: false });
    prop_oneof![2 => range, 1 => alone].boxed()
}

pub fn expression() -> impl Strategy<Value = Expression> {
    const MONTHS: &[&str] = &["jan", "FEB", "mar", "Apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: &[&str] = &["sun", "Mon", "tue", "wed", "THU", "fri", "sat"];
    let weekday = prop_oneof![4 => field(0, 6, DAYS), 1 => second_sunday()];
    (field(0, 59, &[]), field(0, 23, &[]), field(1, 31, &[]), field(1, 12, MONTHS), weekday)
        .prop_map(|(minute, hour, day, month, weekday)| Expression { minute, hour, day, month, weekday })
}

/// A zone of the built-in data: the result must not depend on the machine.
pub fn named(name: &str) -> TimeZone {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    ZONES.get(name).unwrap()
}

/// Changes of the clocks between two instants.
fn changes(zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    zone.following(from).map(|change| change.timestamp()).take_while(|at| *at < until).collect()
}

/// A random beginning of a window: half of them around a change of the clocks, if the zone has changes.
pub fn window(zone: &TimeZone, place: u32, near: bool) -> Timestamp {
    let (first, last): (Timestamp, Timestamp) = ("2026-01-01T00:00Z".parse().unwrap(), "2030-12-01T00:00Z".parse().unwrap());
    let changes = changes(zone, first, last);
    let seconds = if near && !changes.is_empty() {
        let change = changes[place as usize % changes.len()];
        change.as_second() - 86_400 + i64::from(place % 86_400)
    } else {
        first.as_second() + i64::from(place) % (last.as_second() - first.as_second())
    };
    Timestamp::from_second(seconds).unwrap()
}

/// Checks that both agree on a window, and returns the number of its runs.
fn compare(expression: &Expression, zone: &TimeZone, from: Timestamp, days: i64) -> Result<usize, TestCaseError> {
    let Ok(cron) = Cron::parse(&expression.text()) else {
        // The only refused expressions have no run at all: a day that none of the months has.
        let (days, months) = (expression.day.values, expression.month.values);
        let short = |month: usize| [2, 4, 6, 9, 11].contains(&month);
        let earliest = days.iter().position(|day| *day).unwrap();
        prop_assert!((1..=12).filter(|month| months[*month]).all(|month| short(month) && (earliest == 31 || month == 2 && earliest == 30)));
        return Ok(0);
    };
    let slots = Slots::new(cron, zone.clone());
    // The scan checks whole minutes.
    let whole = Timestamp::from_second(from.as_second() - from.as_second().rem_euclid(60)).unwrap();
    let until = whole + SignedDuration::from_hours(days * 24);
    let expected: Vec<_> = expression.scan(zone, whole, until).into_iter().filter(|at| *at > from).collect();
    let found: Vec<_> = slots.between(from, until).map(|slot| slot.at).collect();
    prop_assert_eq!(&found, &expected, "{} in {} after {}", expression.text(), zone.iana_name().unwrap_or_default(), from);
    if let Some(last) = expected.last() {
        prop_assert_eq!(slots.latest(until).map(|slot| slot.at), Some(*last));
    }
    Ok(found.len())
}

const CASES: u32 = 4_000;

/// Checks the property on so many windows, and prints how much was compared.
fn property<S: Strategy>(what: &str, windows: S, check: impl Fn(S::Value) -> Result<usize, TestCaseError>) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let (runs, busy) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let checked = TestRunner::new(config).run(&windows, |window| {
        let found = check(window)?;
        runs.set(runs.get() + found);
        busy.set(busy.get() + usize::from(found > 0));
        Ok(())
    });
    checked.unwrap_or_else(|difference| panic!("{difference}"));
    println!("{what}: {CASES} windows, {} of them with runs, {} runs, no difference", busy.get(), runs.get());
    assert!(busy.get() > CASES as usize / 4, "windows without a run say little");
}

#[test]
fn next_is_what_a_scan_over_every_minute_finds() {
    // Most windows are around one change of the clocks; some span months, and a few more than a year, for schedules that seldom run.
    let days = prop_oneof![945 => Just(3i64), 50 => Just(40), 5 => Just(400)];
    let windows = (expression(), 0..ZONES.len(), any::<u32>(), prop::bool::weighted(0.7), days);
    property("16 zones, 2026 to 2030", windows, |(expression, zone, place, near, days)| {
        let zone = named(ZONES[zone]);
        compare(&expression, &zone, window(&zone, place, near), days)
    });
}

#[test]
fn apia_has_no_30th_of_december_in_2011() {
    property("Pacific/Apia, December 2011", (expression(), 0i64..72), |(expression, hours)| {
        let from = "2011-12-28T14:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours);
        compare(&expression, &named("Pacific/Apia"), from, 3)
    });
}

#[test]
fn the_scan_sees_what_the_clocks_do() {
    // The scan itself is compared with known results: one run on each day, at the first instant after a gap, and at the first of two equal
    // local times.
    let zone = named("Europe/Berlin");
    let at = |value: u8| Field { text: value.to_string(), values: set([value].into_iter()), all: false };
    let every = |least: u8, most: u8| Field { text: "*".to_owned(), values: set(least..=most), all: true };
    let nightly = Expression { minute: at(30), hour: at(2), day: every(1, 31), month: every(1, 12), weekday: every(0, 6) };
    let scan = |from: &str| {
        let from: Timestamp = from.parse().unwrap();
        nightly.scan(&zone, from, from + SignedDuration::from_hours(72)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(scan("2027-03-27T00:00Z"), ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]);
    assert_eq!(scan("2027-10-30T00:00Z"), ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]);
}
