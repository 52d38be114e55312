//! The windows in which a schedule starts no backup: its own in its time zone, and the instance's in UTC. Pure: no clock, no I/O.
//!
//! A window is never shorter than it is written: it begins at the first instant at which the clocks have reached `from`, and ends when they
//! show `to` for the last time, also where they are set back in between. Windows that overlap or touch are one.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday as Day},
    tz::TimeZone,
};

use super::cron::{first_instant, last_instant};
use crate::api::{Blackout, BlackoutDates, NativeWindow, Weekday};

/// The CRD takes so many.
const MOST: usize = 32;

/// A window that lasts longer than this is taken for one without an end: a schedule that has no start for a year is refused.
const LONGEST: SignedDuration = SignedDuration::from_hours(800 * 24);

/// The minutes of a day.
const DAY: i64 = 24 * 60;

/// The blackouts of a schedule.
#[derive(Clone, Debug)]
pub struct Blackouts {
    own: Windows,
    /// The instance's own backup window; without a rule where there is none to keep clear.
    native: Windows,
}

/// Windows of one time zone.
#[derive(Clone, Debug)]
struct Windows {
    zone: TimeZone,
    rules: Vec<Rule>,
}

/// An entry of the list.
#[derive(Clone, Debug)]
struct Rule {
    /// The days of the week on which it begins, Monday first.
    days: [bool; 7],
    dates: Option<(Date, Date)>,
    /// Minutes of the day, from and to; whole days without it.
    times: Option<(i64, i64)>,
}

/// From the first instant to before the second.
type Window = (Timestamp, Timestamp);

impl Blackouts {
    /// Checks the list. The CRD states the same; an older one may be installed.
    pub fn new(list: &[Blackout], zone: TimeZone) -> Result<Self, String> {
        if list.len() > MOST {
            return Err(format!("write at most {MOST} windows"));
        }
        let rule = |(index, blackout)| Rule::new(blackout).map_err(|error| format!("window {}: {error}", index + 1));
        let own = Windows { zone, rules: list.iter().enumerate().map(rule).collect::<Result<_, _>>()? };
        Ok(Self { own, native: Windows { zone: TimeZone::UTC, rules: Vec::new() } })
    }

    /// Also those of the instance's own backup window.
    pub fn with_native(mut self, window: &NativeWindow) -> Result<Self, String> {
        self.native.rules = vec![Rule::new(&window.blackout())?];
        Ok(self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.own.rules.is_empty() && self.native.rules.is_empty()
    }

    /// When the window ends in which the instant lies; none if it lies in none. The last instant that there is for one that lasts for years.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let mut end = self.around(at).filter(|(begin, end)| *begin <= at && at < *end).map(|(_, end)| end).max()?;
        while let Some(later) = self.around(end).filter(|(begin, later)| *begin <= end && *later > end).map(|(_, later)| later).max() {
            end = later;
            if end.duration_since(at) > LONGEST {
                return Some(Timestamp::MAX);
            }
        }
        Some(end)
    }

    /// When the window begins in which the instant lies; none if it lies in none. The first instant that there is for one that has lasted
    /// for years.
    pub fn begin(&self, at: Timestamp) -> Option<Timestamp> {
        let mut begin = self.around(at).filter(|(begin, end)| *begin <= at && at < *end).map(|(begin, _)| begin).min()?;
        while let Some(earlier) =
            self.around(begin).filter(|(earlier, end)| *earlier < begin && *end >= begin).map(|(begin, _)| begin).min()
        {
            begin = earlier;
            if at.duration_since(begin) > LONGEST {
                return Some(Timestamp::MIN);
            }
        }
        Some(begin)
    }

    /// The first window that begins after this instant, which lies in none, and not after `until`.
    pub fn next_begin(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let own = self.own.next_begin(after, until);
        self.native.next_begin(after, own.unwrap_or(until)).or(own)
    }

    fn around(&self, at: Timestamp) -> impl Iterator<Item = Window> + '_ {
        self.own.around(at).chain(self.native.around(at))
    }
}

impl Windows {
    /// As [`Blackouts::next_begin`], of these windows.
    fn next_begin(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        if self.rules.is_empty() {
            return None;
        }
        let mut day = self.zone.to_datetime(after).date().checked_sub(1.day()).ok()?;
        let last = self.zone.to_datetime(until).date().checked_add(1.day()).ok()?;
        while day <= last {
            // A day's windows begin before those of the next.
            let begins = self.rules.iter().filter_map(|rule| rule.window(day, &self.zone)).map(|(begin, _)| begin);
            if let Some(first) = begins.filter(|begin| *begin > after).min() {
                return (first <= until).then_some(first);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The windows that may have the instant in them or at an end. One lasts until the next day at most; where the clocks are set back
    /// over midnight, it lasts into the day after that, or has begun on the day before its own.
    fn around(&self, at: Timestamp) -> impl Iterator<Item = Window> + '_ {
        let today = if self.rules.is_empty() { None } else { Some(self.zone.to_datetime(at).date()) };
        let days = today.into_iter().flat_map(|today| (-2i64..=1).filter_map(move |days| today.checked_add(days.days()).ok()));
        days.flat_map(move |day| self.rules.iter().filter_map(move |rule| rule.window(day, &self.zone)))
    }
}

impl Rule {
    fn new(Blackout { days, dates, from, to }: &Blackout) -> Result<Self, String> {
        if days.is_empty() && dates.is_none() && from.is_none() && to.is_none() {
            return Err("write days, dates, or from and to: a window without any of them would never end".to_owned());
        }
        let times = match (from, to) {
            (None, None) => None,
            (Some(from), Some(to)) => {
                let begin = minutes(from).filter(|minutes| *minutes < DAY);
                let begin = begin.ok_or_else(|| format!("from: {:?} is not a time of day: write it like \"09:00\"", clip(from)))?;
                let end = minutes(to).ok_or_else(|| format!("to: {:?} is not a time of day: write it like \"18:00\"", clip(to)))?;
                if begin == end {
                    return Err("from and to are the same time: write another time, or remove both for whole days".to_owned());
                }
                Some((begin, end))
            }
            _ => return Err("from and to belong together: write both, or neither for whole days".to_owned()),
        };
        let dates = dates.as_ref().map(dates_of).transpose()?;
        let every = days.is_empty();
        let number = |day: &Weekday| usize::try_from(day_of(*day).to_monday_zero_offset()).unwrap_or_default();
        let mut named = [every; 7];
        for day in days {
            if let Some(day) = named.get_mut(number(day)) {
                *day = true;
            }
        }
        Ok(Self { days: named, dates, times })
    }

    /// The window that begins on that day; none if none does. Whole dates are one window, on each of them.
    fn window(&self, day: Date, zone: &TimeZone) -> Option<Window> {
        if self.dates.is_some_and(|(first, last)| day < first || last < day) {
            return None;
        }
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*self.days.get(weekday)? {
            return None;
        }
        let (begin, end) = match (self.times, self.dates) {
            (Some((from, to)), _) => (at(day, from)?, if to > from { at(day, to)? } else { at(day.tomorrow().ok()?, to)? }),
            (None, Some((first, last))) if self.days == [true; 7] => (at(first, 0)?, at(last, DAY)?),
            (None, _) => (at(day, 0)?, at(day, DAY)?),
        };
        Some((first_instant(zone, begin)?, last_instant(zone, end)?)).filter(|(begin, end)| begin < end)
    }
}

fn at(day: Date, minutes: i64) -> Option<DateTime> {
    day.at(0, 0, 0, 0).checked_add(minutes.minutes()).ok()
}

fn dates_of(BlackoutDates { from, to }: &BlackoutDates) -> Result<(Date, Date), String> {
    let date = |field: &str, text: &str| {
        let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date = text.parse::<Date>().ok().filter(|_| is_plain);
        date.ok_or_else(|| format!("dates.{field}: {:?} is not a day of the calendar: write it like 2026-11-10", clip(text)))
    };
    let (first, last) = (date("from", from)?, date("to", to)?);
    if last < first {
        return Err("dates.to is before dates.from: write the first day in from and the last in to".to_owned());
    }
    Ok((first, last))
}

/// `09:00` as minutes, up to `24:00`.
fn minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY).then_some(minutes)
}

fn clip(text: &str) -> String {
    text.chars().take(16).collect()
}

fn day_of(day: Weekday) -> Day {
    match day {
        Weekday::Mon => Day::Monday,
        Weekday::Tue => Day::Tuesday,
        Weekday::Wed => Day::Wednesday,
        Weekday::Thu => Day::Thursday,
        Weekday::Fri => Day::Friday,
        Weekday::Sat => Day::Saturday,
        Weekday::Sun => Day::Sunday,
    }
}
