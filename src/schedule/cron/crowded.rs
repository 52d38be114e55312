//! Whether a schedule has more slots in a day than the service makes backup sets.

use jiff::{
    Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};

use super::slots::Slots;

/// So many slots are looked at: 95 days of a schedule with 21 a day, and years of one that runs on few days.
const MOST_LOOKED_AT: usize = 2000;

/// Hours ahead of UTC of the zones in which the service's day may begin: which of them it is, is not documented.
const DAYS_BEGIN_IN: [i8; 2] = [0, 8];

impl Slots {
    /// Whether a day after `now` has more than `most` slots, by UTC and by the clocks of China: then the service refuses some of them,
    /// whichever its day is. The jitter moves all of them, and is not counted; nor is an hour that comes twice where the schedule names
    /// only `most` times of day.
    pub fn has_more_in_a_day(&self, most: usize, now: Timestamp) -> bool {
        // Most schedules end here, without a walk.
        if usize::try_from(self.times_a_day()).is_ok_and(|times| times <= most) {
            return false;
        }
        has_more_in_a_day(std::iter::successors(self.next(now), |slot| self.next(slot.at)).map(|slot| slot.at), most)
    }
}

/// Whether a day has more than `most` of these instants, by UTC and by the clocks of China.
pub fn has_more_in_a_day(instants: impl Iterator<Item = Timestamp>, most: usize) -> bool {
    let mut days = DAYS_BEGIN_IN.map(|hours| Day { zone: Offset::constant(hours).to_time_zone(), date: None, slots: 0, is_over: false });
    for at in instants.take(MOST_LOOKED_AT) {
        days.iter_mut().for_each(|day| day.count(at, most));
        if days.iter().all(|day| day.is_over) {
            return true;
        }
    }
    false
}

/// The day that is counted now, in one zone.
struct Day {
    zone: TimeZone,
    date: Option<Date>,
    slots: usize,
    /// Some day had too many.
    is_over: bool,
}

impl Day {
    fn count(&mut self, slot: Timestamp, most: usize) {
        let date = Some(self.zone.to_datetime(slot).date());
        if self.date != date {
            (self.date, self.slots) = (date, 0);
        }
        self.slots = self.slots.saturating_add(1);
        self.is_over |= self.slots > most;
    }
}

#[cfg(test)]
mod tests {
    use crate::schedule::cron::{Cron, Slots, zone};

    #[test]
    fn more_than_twenty_by_utc_and_in_china_are_too_many() {
        for (schedule, in_zone, too_many) in [
            ("0 * * * *", "Etc/UTC", true),
            ("* * * * *", "Asia/Kolkata", true),
            ("0 0-20 * * *", "Europe/Berlin", true),
            ("0 0-19 * * *", "Etc/UTC", false),
            ("*/3 12 * * *", "Etc/UTC", false),
            ("0 */2 * * *", "America/New_York", false),
            // On Mondays only, and on one day in four years.
            ("*/2 3 * * 1", "Asia/Shanghai", true),
            ("*/2 3 29 2 *", "Etc/UTC", true),
            // 15 on either side of the midnight of UTC, which is 05:30 in India, once a week.
            ("15-44 5 * * 3", "Asia/Kolkata", false),
            // 15 on either side of the midnight of China, which is 21:30 in India.
            ("15-44 21 * * 3", "Asia/Kolkata", false),
        ] {
            let slots = Slots::new(Cron::parse(schedule).unwrap(), zone(in_zone).unwrap());
            for now in ["2027-01-15T08:00:00Z", "2027-10-30T23:59:59Z"] {
                assert_eq!(slots.has_more_in_a_day(20, now.parse().unwrap()), too_many, "{schedule} in {in_zone} from {now}");
            }
        }
    }
}
