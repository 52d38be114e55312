//! What a schedule owes, counted by hand: from what users did to it and when, from what its status showed, and from when the operator
//! looked. Seconds since the beginning of the history, which is a whole hour.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// A schedule as it is written, and the minutes of the hour that it means.
pub struct Expression {
    pub text: &'static str,
    pub minutes: fn(i64) -> bool,
    /// Jitters of at most half of its shortest gap, in seconds.
    pub jitters: &'static [i64],
}

pub const EXPRESSIONS: [Expression; 6] = [
    Expression { text: "* * * * *", minutes: |_| true, jitters: &[0, 20, 30] },
    Expression { text: "*/7 * * * *", minutes: |minute| minute % 7 == 0, jitters: &[0, 60, 119] },
    Expression { text: "*/10 * * * *", minutes: |minute| minute % 10 == 0, jitters: &[0, 59, 60, 300] },
    Expression { text: "*/20 * * * *", minutes: |minute| minute % 20 == 0, jitters: &[0, 90, 600] },
    Expression { text: "5,35 * * * *", minutes: |minute| minute == 5 || minute == 35, jitters: &[0, 1, 899] },
    Expression { text: "0 * * * *", minutes: |minute| minute == 0, jitters: &[0, 1200, 1800] },
];

/// Windows of the day, in minutes. Two that touch are one.
pub const BLACKOUTS: [&[(i64, i64)]; 4] =
    [&[], &[(130, 175)], &[(90, 180), (180, 210), (305, 320)], &[(40, 85), (240, 241), (250, 290), (270, 300)]];

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of [`EXPRESSIONS`].
    pub expression: usize,
    /// The largest jitter.
    pub jitter: i64,
    /// Of [`BLACKOUTS`].
    pub blackouts: usize,
    pub suspend: bool,
}

impl Asked {
    fn is_slot(&self, at: i64) -> bool {
        at % 60 == 0 && (EXPRESSIONS[self.expression].minutes)((at / 60).rem_euclid(60))
    }

    /// How much later than its slots the schedule `name` starts.
    pub fn offset(&self, name: &str) -> i64 {
        offset(name, self.jitter)
    }

    fn is_same_timing(&self, other: &Self) -> bool {
        (self.expression, self.jitter, self.blackouts) == (other.expression, other.jitter, other.blackouts)
    }

    pub fn is_dark(&self, at: i64) -> bool {
        let minute = at.div_euclid(60).rem_euclid(24 * 60);
        BLACKOUTS[self.blackouts].iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// The first second from there on in which a backup may start.
    fn light(&self, at: i64) -> i64 {
        if !self.is_dark(at) {
            return at;
        }
        let mut minute = at.div_euclid(60) * 60;
        while self.is_dark(minute) {
            minute += 60;
        }
        minute
    }

    /// When a slot starts that has not started before `at`; none if the next one comes first.
    fn start_from(&self, name: &str, slot: i64, at: i64) -> Option<i64> {
        let nominal = slot + self.offset(name);
        let light = self.light(nominal.max(at));
        let next = (1..=60).map(|minutes| slot + minutes * 60).find(|next| self.is_slot(*next)).expect("every hour has one");
        (light == nominal.max(at) || light < next + self.offset(name)).then_some(light)
    }

    /// When a slot is run or, if the blackouts leave it no start, counted.
    fn settles(&self, name: &str, slot: i64) -> i64 {
        let nominal = slot + self.offset(name);
        self.start_from(name, slot, nominal).unwrap_or(nominal)
    }

    /// Whether the slot waits, at that time, for the end of a blackout that had not begun when it was due.
    fn waits(&self, name: &str, slot: i64, at: i64) -> bool {
        self.is_dark(at) && slot + self.offset(name) <= at && self.start_from(name, slot, at).is_some_and(|start| start > at)
    }
}

/// How much later than its slots the schedule `name` of team-a starts: by the first eight bytes of the hash of its name.
pub fn offset(name: &str, jitter: i64) -> i64 {
    let hash = Sha256::digest(format!("team-a/{name}").as_bytes());
    let number = u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"));
    i64::try_from(number % u64::try_from(jitter + 1).expect("not negative")).expect("at most the jitter")
}

/// A time during which a user asked for the same.
#[derive(Clone, Debug)]
pub struct Segment {
    pub from: i64,
    pub asked: Asked,
    /// The newest look of the operator within it that came to rest.
    pub last_look: Option<i64>,
    /// The newest of them that was in no blackout: what had settled by then does not wait for the end of a later one.
    pub last_in_light: Option<i64>,
    /// The slot and the start that the status promised when the segment ended.
    pub promised: Option<(i64, i64)>,
}

impl Segment {
    /// The operator looked, and came to rest.
    pub fn looked(&mut self, at: i64) {
        self.last_look = Some(at);
        if !self.asked.is_dark(at) {
            self.last_in_light = Some(at);
        }
    }
}

/// The slots that must have been run, or counted as missed or skipped, by the last look of the last segment. Slots are settled in their
/// order: what is older than a settled one is not owed again, however an edit moves its start.
pub fn owed(segments: &[Segment], name: &str) -> BTreeSet<i64> {
    let mut owed: BTreeSet<i64> = BTreeSet::new();
    for (index, Segment { from, asked, last_look, last_in_light, promised }) in segments.iter().enumerate() {
        let offset = asked.offset(name);
        let settled = owed.last().copied().unwrap_or(i64::MIN);
        let settles_within = |after: i64, until: i64| {
            // One that waits for the end of a blackout is older.
            let slots = ((after - offset).div_euclid(60) - 24 * 60..=(until - offset).div_euclid(60)).map(|minute| minute * 60);
            slots.filter(move |slot| {
                let is_new = *slot > settled && asked.is_slot(*slot);
                is_new && asked.settles(name, *slot) > after && asked.settles(name, *slot) <= until
            })
        };
        // What started while it was asked for, and was looked at while it still was.
        if let Some(look) = last_look
            && !asked.suspend
        {
            owed.extend(settles_within(*from, *look).filter(|slot| {
                let was_settled = last_in_light.is_some_and(|look| look >= asked.settles(name, *slot));
                was_settled || !asked.waits(name, *slot, *look)
            }));
        }
        let Some(Segment { from: edit, asked: next, .. }) = segments.get(index + 1) else { break };
        if asked.suspend {
            continue;
        }
        if next.suspend && next.is_same_timing(asked) {
            // The pause came after them, also after one that waits for the end of a later blackout.
            owed.extend(settles_within(*from, *edit));
        } else if let Some((slot, start)) = promised {
            // It was over before the edit; or the edit leaves it a slot and moves its start, or the time at which it is skipped, to before
            // itself.
            let is_open = owed.last().is_none_or(|settled| slot > settled);
            let is_left = next.is_slot(*slot) && !next.suspend && next.settles(name, *slot) <= *edit;
            if is_open && (*start <= *edit || is_left) {
                owed.insert(*slot);
            }
        }
    }
    owed
}

/// Whether the slot is due at that time, by what is asked for then.
pub fn is_due(segments: &[Segment], name: &str, slot: i64, at: i64) -> bool {
    let now = segments.iter().rev().find(|segment| segment.from <= at);
    now.is_some_and(|Segment { from, asked, .. }| {
        let start = asked.settles(name, slot);
        !asked.suspend && asked.is_slot(slot) && start > *from && start <= at
    })
}

#[test]
fn the_reference_knows_what_is_owed() {
    let every_20 = Asked { expression: 3, jitter: 0, blackouts: 0, suspend: false };
    let hourly = Asked { expression: 5, jitter: 0, blackouts: 0, suspend: false };
    let segment = |from, asked, last_look, promised| Segment { from, asked, last_look, last_in_light: last_look, promised };
    let minutes = |slots: BTreeSet<i64>| slots.into_iter().map(|slot| slot / 60).collect::<Vec<_>>();
    assert_eq!(minutes(owed(&[segment(1, every_20, Some(3700), None)], "s")), [20, 40, 60]);
    // Down from 00:30; edited at 00:50: what was promised for 00:40 is owed, and after the edit the hours are.
    let edited = [segment(1, every_20, Some(1800), Some((2400, 2400))), segment(3000, hourly, Some(7300), None)];
    assert_eq!(minutes(owed(&edited, "s")), [20, 40, 60, 120]);
    // Dark from 01:30 to 03:30: 03:20 waits for the end, and the others from 01:40 on are counted when they come.
    let dark = Asked { blackouts: 2, ..every_20 };
    assert_eq!(minutes(owed(&[segment(1, dark, Some(203 * 60), None)], "s")), [20, 40, 60, 80, 100, 120, 140, 160, 180]);
    assert_eq!(minutes(owed(&[segment(1, dark, Some(211 * 60), None)], "s"))[9..], [200]);
    let paused =
        [segment(1, every_20, Some(1300), Some((2400, 2400))), segment(3700, Asked { suspend: true, ..every_20 }, Some(9000), None)];
    assert_eq!(minutes(owed(&paused, "s")), [20, 40, 60]);
}
