//! The instants at which a schedule runs, in its time zone, through every change of the clocks.
//!
//! A schedule whose hour field begins with `*` runs at every instant whose local time it names: twice in a repeated hour, and not in an
//! hour that does not exist, which is not made up for. Any other schedule names fixed times of the day, and each runs once: one that the
//! clocks skip runs at the first instant after the gap, where slots that meet are one run; one that comes twice runs the first time.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{local::end_of_gap, parse::Cron};

/// How far a next run is looked for. The longest that a schedule can pause is 8 years: from one 29 February to the next around 2100.
const HORIZON_YEARS: i32 = 9;

/// So long after a change of the clocks a local time that comes twice may still be to come a second time: a whole day has been repeated.
const LONGEST_REPETITION: SignedDuration = SignedDuration::from_hours(25);

/// A schedule in its time zone.
#[derive(Clone, Debug)]
pub struct Slots {
    cron: Cron,
    zone: TimeZone,
}

/// One run of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// When.
    pub at: Timestamp,
    /// What the clocks did to it.
    pub note: Option<Note>,
}

/// What a change of the clocks did to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// This local time does not exist on this day: it runs at the first instant after the gap.
    Skipped(DateTime),
    /// This local time, before the run, does not exist on its day, and the schedule does not make up for it.
    Omitted(DateTime),
    /// The local time comes twice: it runs the first time.
    FirstOfTwo,
    /// The local time comes twice, and it runs both times; this is the second.
    SecondOfTwo,
}

impl Slots {
    /// A schedule in a time zone.
    pub fn new(cron: Cron, zone: TimeZone) -> Self {
        Self { cron, zone }
    }

    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How many times of day the schedule names.
    pub(super) fn times_a_day(&self) -> u32 {
        self.cron.times_a_day()
    }

    /// The first slot after this instant; none within nine years if there is none at all.
    pub fn next(&self, after: Timestamp) -> Option<Slot> {
        if self.cron.any_hour() { self.next_by_elapsed_time(after) } else { self.next_by_the_clock(after) }
    }

    /// The newest slot that is not after this instant. It is found day by day backwards, however many slots lie before it.
    pub fn latest(&self, until: Timestamp) -> Option<Slot> {
        let at = if self.cron.any_hour() { self.latest_by_elapsed_time(until) } else { self.latest_by_the_clock(until) }?;
        // Its note is that of the way forwards.
        self.next(at.checked_sub(SignedDuration::from_nanos(1)).ok()?)
    }

    fn latest_by_the_clock(&self, until: Timestamp) -> Option<Timestamp> {
        let local = self.zone.to_datetime(until);
        // After the clocks went back, times that are still to come a second time were placed at their first.
        let before = |change: Timestamp| change.checked_sub(SignedDuration::from_nanos(1)).map(|before| self.zone.to_offset(before));
        let changes = self.zone.preceding(until.checked_add(SignedDuration::from_nanos(1)).ok()?);
        let recent = changes.map(|change| change.timestamp()).take_while(|change| until.duration_since(*change) < LONGEST_REPETITION);
        let readings = recent.filter_map(|change| Some(before(change).ok()?.to_datetime(until)));
        let mut from = readings.chain([local]).max()?;
        let first = first_date(local.date())?;
        loop {
            let candidate = self.local_until(from, first)?;
            let slot = self.placed(candidate)?;
            if slot.at <= until {
                return Some(slot.at);
            }
            from = candidate.checked_sub(1.minute()).ok()?;
        }
    }

    fn latest_by_elapsed_time(&self, until: Timestamp) -> Option<Timestamp> {
        let horizon = first_date(self.zone.to_datetime(until).date())?;
        let mut until = until;
        loop {
            let offset = self.zone.to_offset(until);
            let change =
                self.zone.preceding(until.checked_add(SignedDuration::from_nanos(1)).ok()?).next().map(|change| change.timestamp());
            let first = change.map_or(horizon, |change| offset.to_datetime(change).date().max(horizon));
            if let Some(local) = self.local_until(offset.to_datetime(until), first) {
                let at = offset.to_timestamp(local).ok()?;
                if change.is_none_or(|change| at >= change) {
                    return Some(at);
                }
            }
            let change = change.filter(|change| offset.to_datetime(*change).date() >= horizon)?;
            until = change.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        }
    }

    /// The slots after `from` and not after `until`, oldest first.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Slot> + '_ {
        let next = move |after| self.next(after).filter(|slot| slot.at <= until);
        std::iter::successors(next(from), move |slot| next(slot.at))
    }

    /// Local times in their order are instants in their order too: a gap and a repetition both keep them.
    fn next_by_the_clock(&self, after: Timestamp) -> Option<Slot> {
        let local = self.zone.to_datetime(after);
        let last = last_date(local.date())?;
        let mut from = whole_minute(local);
        loop {
            let candidate = self.local_from(from, last)?;
            let slot = self.placed(candidate)?;
            if slot.at > after {
                return Some(slot);
            }
            from = candidate.checked_add(1.minute()).ok()?;
        }
    }

    /// Where a fixed local time lies.
    fn placed(&self, local: DateTime) -> Option<Slot> {
        let at = |offset: jiff::tz::Offset| offset.to_timestamp(local).ok();
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(Slot { at: at(offset)?, note: None }),
            AmbiguousOffset::Fold { before, .. } => Some(Slot { at: at(before)?, note: Some(Note::FirstOfTwo) }),
            AmbiguousOffset::Gap { before, after } => {
                Some(Slot { at: end_of_gap(&self.zone, local, before, after)?, note: Some(Note::Skipped(local)) })
            }
        }
    }

    /// From one change of the clocks to the next: in between, local time is a constant away from the instants.
    fn next_by_elapsed_time(&self, after: Timestamp) -> Option<Slot> {
        let horizon = last_date(self.zone.to_datetime(after).date())?;
        let mut from = after.checked_add(SignedDuration::from_nanos(1)).ok()?;
        loop {
            let offset = self.zone.to_offset(from);
            let change = self.zone.following(from).next().map(|change| change.timestamp());
            let local = offset.to_datetime(from);
            let minute = whole_minute(local);
            let first = if minute == local { minute } else { minute.checked_add(1.minute()).ok()? };
            let last = change.map_or(horizon, |change| offset.to_datetime(change).date().min(horizon));
            if let Some(local) = self.local_from(first, last) {
                let at = offset.to_timestamp(local).ok()?;
                if change.is_none_or(|change| at < change) {
                    return Some(Slot { at, note: self.repeated(local, at).or_else(|| self.omitted(local, at)) });
                }
            }
            from = change.filter(|change| offset.to_datetime(*change).date() <= horizon)?;
        }
    }

    fn repeated(&self, local: DateTime, at: Timestamp) -> Option<Note> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { after, .. } if after.to_timestamp(local).ok() == Some(at) => Some(Note::SecondOfTwo),
            _ => None,
        }
    }

    /// The first slot after the clocks went forward tells of the local times that were skipped.
    fn omitted(&self, local: DateTime, at: Timestamp) -> Option<Note> {
        let nano = SignedDuration::from_nanos(1);
        let change = self.zone.preceding(at.checked_add(nano).ok()?).next()?;
        let before = self.zone.to_offset(change.timestamp().checked_sub(nano).ok()?);
        let (gone, back) = (before.to_datetime(change.timestamp()), change.offset().to_datetime(change.timestamp()));
        if back <= gone || self.local_until(local.checked_sub(1.minute()).ok()?, back.date()).is_some_and(|slot| slot >= back) {
            return None;
        }
        let first = whole_minute(gone);
        let from = if first == gone { first } else { first.checked_add(1.minute()).ok()? };
        self.local_from(from, back.date()).filter(|skipped| *skipped < back).map(Note::Omitted)
    }

    /// The first local time of the schedule that is not before `from`, on a day up to `last`.
    fn local_from(&self, from: DateTime, last: Date) -> Option<DateTime> {
        let (mut date, mut hour, mut minute) = (from.date(), unsigned(from.hour()), unsigned(from.minute()));
        while date <= last {
            if !self.cron.has_month(unsigned(date.month())) {
                date = date.last_of_month().tomorrow().ok()?;
            } else {
                let weekday = unsigned(date.weekday().to_sunday_zero_offset());
                let time = if self.cron.has_day(unsigned(date.day()), weekday) { self.cron.time_from(hour, minute) } else { None };
                if let Some((hour, minute)) = time {
                    return Some(date.at(signed(hour), signed(minute), 0, 0));
                }
                date = date.tomorrow().ok()?;
            }
            (hour, minute) = (0, 0);
        }
        None
    }

    /// The last local time of the schedule that is not after `until`, on a day from `first` on.
    fn local_until(&self, until: DateTime, first: Date) -> Option<DateTime> {
        let (mut date, mut hour, mut minute) = (until.date(), unsigned(until.hour()), unsigned(until.minute()));
        while date >= first {
            if !self.cron.has_month(unsigned(date.month())) {
                date = date.first_of_month().yesterday().ok()?;
            } else {
                let weekday = unsigned(date.weekday().to_sunday_zero_offset());
                let time = if self.cron.has_day(unsigned(date.day()), weekday) { self.cron.time_until(hour, minute) } else { None };
                if let Some((hour, minute)) = time {
                    return Some(date.at(signed(hour), signed(minute), 0, 0));
                }
                date = date.yesterday().ok()?;
            }
            (hour, minute) = (23, 59);
        }
        None
    }

    /// The shortest time between two slots by the calendar alone, without changes of the clocks: it is the same in every year.
    pub fn shortest_gap(&self) -> Option<SignedDuration> {
        // A leap year, and one after which February has 28 days; sparse schedules meet their closest neighbours within them too.
        let mut gaps = Gaps::default();
        let (first, last) = (jiff::civil::date(2027, 1, 1), jiff::civil::date(2035, 12, 31));
        let mut day = first;
        while day <= last {
            if let Some((earliest, latest)) = self.ends_of(day) {
                gaps.day(utc(earliest)?, utc(latest)?);
            }
            day = day.tomorrow().ok()?;
        }
        [gaps.shortest, self.gaps_of_a_day().map(|(shortest, _)| shortest)].into_iter().flatten().min()
    }

    /// The longest time between two slots that ends after `from` and begins within the year after it. A day that comes every four years has
    /// one of four years, whenever that is asked.
    pub fn longest_gap(&self, from: Timestamp) -> Option<SignedDuration> {
        let mut longest = self.gaps_of_a_day().map(|(_, longest)| longest);
        let end = from.checked_add(SignedDuration::from_hours(366 * 24)).ok()?;
        let mut slot = self.latest(from).or_else(|| self.next(from))?.at;
        while slot <= end {
            // The rest of the day is as every day's, unless the clocks change on it.
            let local = self.zone.to_datetime(slot);
            let day_end = self.ends_of(local.date()).and_then(|(_, latest)| self.placed(latest)).map(|latest| latest.at);
            let plain = |until: Timestamp| self.zone.following(slot).next().is_none_or(|change| change.timestamp() > until);
            if let Some(last) = day_end.filter(|last| *last > slot && plain(*last)) {
                slot = last;
            }
            let Some(next) = self.next(slot) else { break };
            longest = longest.max(Some(next.at.duration_since(slot)));
            slot = next.at;
        }
        longest
    }

    /// The first and the last slot of a day, by the calendar.
    fn ends_of(&self, day: Date) -> Option<(DateTime, DateTime)> {
        let weekday = unsigned(day.weekday().to_sunday_zero_offset());
        if !self.cron.has_month(unsigned(day.month())) || !self.cron.has_day(unsigned(day.day()), weekday) {
            return None;
        }
        let at = |(hour, minute)| day.at(signed(hour), signed(minute), 0, 0);
        Some((at(self.cron.time_from(0, 0)?), at(self.cron.last_time()?)))
    }

    /// The shortest and the longest time between two slots of one day.
    fn gaps_of_a_day(&self) -> Option<(SignedDuration, SignedDuration)> {
        let minutes = |(hour, minute): (u8, u8)| i64::from(hour) * 60 + i64::from(minute);
        let mut gaps = Vec::new();
        let mut time = self.cron.time_from(0, 0)?;
        while let Some(next) = later(time).and_then(|(hour, minute)| self.cron.time_from(hour, minute)) {
            gaps.push(SignedDuration::from_mins(minutes(next) - minutes(time)));
            time = next;
        }
        Some((*gaps.iter().min()?, *gaps.iter().max()?))
    }
}

/// Gaps from day to day.
#[derive(Default)]
struct Gaps {
    before: Option<Timestamp>,
    shortest: Option<SignedDuration>,
}

impl Gaps {
    fn day(&mut self, earliest: Timestamp, latest: Timestamp) {
        if let Some(before) = self.before {
            let gap = earliest.duration_since(before);
            self.shortest = Some(self.shortest.map_or(gap, |shortest| shortest.min(gap)));
        }
        self.before = Some(latest);
    }
}

/// The next minute of the day.
fn later((hour, minute): (u8, u8)) -> Option<(u8, u8)> {
    if minute < 59 { Some((hour, minute + 1)) } else { (hour < 23).then_some((hour + 1, 0)) }
}

fn utc(local: DateTime) -> Option<Timestamp> {
    jiff::tz::Offset::UTC.to_timestamp(local).ok()
}

fn first_date(from: Date) -> Option<Date> {
    from.checked_sub(HORIZON_YEARS.years()).ok()
}

fn last_date(from: Date) -> Option<Date> {
    from.checked_add(HORIZON_YEARS.years()).ok()
}

fn whole_minute(local: DateTime) -> DateTime {
    local.date().at(local.hour(), local.minute(), 0, 0)
}

/// The calendar's numbers are small and never below zero.
fn unsigned(number: i8) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

fn signed(number: u8) -> i8 {
    i8::try_from(number).unwrap_or_default()
}
