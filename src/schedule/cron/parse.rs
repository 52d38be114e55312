//! Cron expressions as CronJob reads them: five fields, or one of seven names that stand for five fields. What CronJob refuses, and what
//! its parser takes without meaning it (`1,,2`), is refused with a sentence that says what to write instead.

/// Longer ones are refused: every sensible expression is far shorter.
pub const LONGEST: usize = 128;

/// A cron expression: the minutes of the local calendar that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether day-of-month and day-of-week are both restricted: then either is enough.
    either_day: bool,
    /// Whether the hour field begins with `*`: then the schedule runs by elapsed time through clock changes.
    any_hour: bool,
}

/// Why an expression is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(String);

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// Names of values, from `least` on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { name: "day-of-month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field { name: "day-of-week", least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Sunday's second number.
const SUNDAY_AGAIN: u8 = 7;

const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The longest that each month can be.
const LONGEST_MONTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Cron {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(CronError(format!("a schedule is at most {LONGEST} characters long")));
        }
        if text.starts_with('@') {
            let named = NAMED.iter().find(|(name, _)| *name == text);
            let (_, fields) = named.ok_or_else(|| {
                CronError(format!(
                    "{} is not known: write five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually",
                    shown(text)
                ))
            })?;
            return Self::parse(fields);
        }
        if text.contains('=') {
            return Err(CronError("the time zone has a field of its own: write it in timeZone, and only the five fields here".to_owned()));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronError(format!(
                "a schedule has five fields (minute hour day-of-month month day-of-week), for example \"0 2 * * *\"; this one has {}",
                fields.len()
            )));
        };
        let (days, every_day) = DAY.read(day)?;
        let (weekdays, every_weekday) = WEEKDAY.read(weekday)?;
        let cron = Self {
            minutes: MINUTE.read(minute)?.0,
            hours: HOUR.read(hour)?.0,
            days,
            months: MONTH.read(month)?.0,
            weekdays,
            either_day: !every_day && !every_weekday,
            any_hour: hour.starts_with('*'),
        };
        if !cron.either_day && !cron.has_a_date() {
            return Err(CronError("no such day exists: no month of the schedule has the day-of-month that it names".to_owned()));
        }
        Ok(cron)
    }

    fn has_a_date(&self) -> bool {
        let earliest = self.days.trailing_zeros();
        (1u8..).zip(LONGEST_MONTHS).any(|(month, longest)| self.has_month(month) && earliest <= u32::from(longest))
    }

    /// How many times of day it names.
    pub(super) fn times_a_day(&self) -> u32 {
        self.minutes.count_ones().saturating_mul(self.hours.count_ones())
    }

    /// Whether the hour field begins with `*`.
    pub(super) fn any_hour(&self) -> bool {
        self.any_hour
    }

    /// Whether the month, 1 to 12, is one of the schedule's.
    pub(super) fn has_month(&self, month: u8) -> bool {
        has(self.months, month)
    }

    /// Whether the schedule runs on such a day of one of its months; `weekday` counts from Sunday, 0.
    pub(super) fn has_day(&self, day: u8, weekday: u8) -> bool {
        let (by_date, by_weekday) = (has(self.days, day), has(self.weekdays, weekday));
        if self.either_day { by_date || by_weekday } else { by_date && by_weekday }
    }

    /// The first time of day at or after this one, if the day has one.
    pub(super) fn time_from(&self, hour: u8, minute: u8) -> Option<(u8, u8)> {
        let first_minute = || from(self.minutes, 0);
        if has(self.hours, hour)
            && let Some(minute) = from(self.minutes, minute)
        {
            return Some((hour, minute));
        }
        Some((from(self.hours, hour.checked_add(1)?)?, first_minute()?))
    }

    /// The last time of day at or before this one, if the day has one.
    pub(super) fn time_until(&self, hour: u8, minute: u8) -> Option<(u8, u8)> {
        if has(self.hours, hour)
            && let Some(minute) = until(self.minutes, minute)
        {
            return Some((hour, minute));
        }
        Some((until(self.hours, hour.checked_sub(1)?)?, last(self.minutes)?))
    }

    /// The last time of day.
    pub(super) fn last_time(&self) -> Option<(u8, u8)> {
        Some((last(self.hours)?, last(self.minutes)?))
    }
}

impl Field {
    /// The values that the text means, and whether they are all of them because one member is `*`.
    fn read(&self, text: &str) -> Result<(u64, bool), CronError> {
        let mut values = 0;
        let mut unrestricted = false;
        for member in text.split(',') {
            let (these, star) = self.member(member)?;
            values |= these;
            unrestricted |= star;
        }
        Ok((values, unrestricted))
    }

    fn member(&self, text: &str) -> Result<(u64, bool), CronError> {
        let name = self.name;
        if text.is_empty() {
            return Err(CronError(format!("the {name} field has an empty member: write its values with one comma between them")));
        }
        let (range, step) = match text.split_once('/') {
            None => (text, None),
            Some((range, step)) => (range, Some(self.step(text, step)?)),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => (self.value(text, first)?, self.value(text, last)?),
            None => {
                let first = self.value(text, range)?;
                // `a/n` goes on to the end of the field; the second Sunday is only another spelling of the first.
                if step.is_some() { (self.folded(first), self.most) } else { (first, first) }
            }
        };
        if first > last {
            return Err(CronError(format!(
                "{} in the {name} field runs backwards: write the smaller value first, or two ranges with a comma between them",
                shown(text)
            )));
        }
        let stepped = (first..=last).step_by(usize::from(step.unwrap_or(1)));
        let values = stepped.map(|value| 1u64 << self.folded(value)).fold(0, |all, one| all | one);
        Ok((values, range == "*" && step.unwrap_or(1) == 1))
    }

    /// How far a step goes; one that is longer than the field leaves only its first value, as CronJob has it.
    fn step(&self, member: &str, text: &str) -> Result<u8, CronError> {
        let number = number(text).filter(|step| *step > 0);
        let step = number.ok_or_else(|| {
            CronError(format!("{} in the {} field has no step: write a number above 0 after the slash", shown(member), self.name))
        })?;
        Ok(u8::try_from(step).unwrap_or(u8::MAX))
    }

    fn value(&self, member: &str, text: &str) -> Result<u8, CronError> {
        let Self { name, least, most, names } = self;
        let lower = text.to_ascii_lowercase();
        if let Some(place) = names.iter().position(|known| *known == lower) {
            return Ok(least + u8::try_from(place).unwrap_or_default());
        }
        if text == "?" || lower.contains(['l', 'w', '#']) && number(text).is_none() {
            return Err(CronError(format!(
                "{} in the {name} field is of another kind of cron: ?, L, W and # are not known here; write * or the days themselves",
                shown(member)
            )));
        }
        let last = if names.is_empty() || *least > 0 { *most } else { SUNDAY_AGAIN };
        let value = number(text).and_then(|value| u8::try_from(value).ok()).filter(|value| (*least..=last).contains(value));
        value.ok_or_else(|| {
            let or_name = names.first().map(|first| format!(", or names such as {first}")).unwrap_or_default();
            CronError(format!("{} in the {name} field is not understood: its values are {least} to {last}{or_name}", shown(member)))
        })
    }

    /// Sunday is 0 and 7.
    fn folded(&self, value: u8) -> u8 {
        if value > self.most { value - SUNDAY_AGAIN } else { value }
    }
}

/// Digits only: no sign, no blanks. Numbers that are far too large are large all the same.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

fn has(values: u64, value: u8) -> bool {
    values.checked_shr(u32::from(value)).is_some_and(|left| left & 1 == 1)
}

/// The smallest value that is not below `least`.
fn from(values: u64, least: u8) -> Option<u8> {
    let left = values.checked_shr(u32::from(least))?;
    (left != 0).then(|| least + u8::try_from(left.trailing_zeros()).unwrap_or_default())
}

/// The largest value that is not above `most`.
fn until(values: u64, most: u8) -> Option<u8> {
    last(values & (u64::MAX >> 63u32.saturating_sub(u32::from(most))))
}

/// The largest value.
fn last(values: u64) -> Option<u8> {
    u8::try_from(values.checked_ilog2()?).ok()
}

/// A text of the user, short and on one line.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(32).map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("{short:?}")
}
