//! What goes wrong, when, and how often it did.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{dice::Dice, step::Step};

/// Where in the life of a request the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The request leaves, and is never carried out.
    Before,
    /// It is carried out, and its answer is never seen.
    Executed,
    /// Its answer is there, and nothing is done with it.
    Answered,
    /// It gets the signal to end while the request is on its way, and has its time to do so.
    Stopped,
}

impl Point {
    pub const ALL: [Self; 4] = [Self::Before, Self::Executed, Self::Answered, Self::Stopped];
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Crash(Point),
    /// No answer ever.
    Hang {
        executed: bool,
    },
    /// The connection breaks.
    Lost {
        executed: bool,
    },
    /// It is carried out this much later; whoever asked has given up by then, or not.
    Late(Duration),
    /// The API server: somebody else writes first, so that the write is a conflict.
    Conflict,
    /// The API server answers with an error.
    Status {
        code: u16,
        executed: bool,
    },
    /// The cloud: nobody listens.
    Unreachable,
    /// The cloud gets it twice; the caller sees the answer of the second copy, or of the first.
    Twice {
        second_answers: bool,
        gap: Duration,
    },
    /// A 5xx, from the service or from something before it.
    Broken {
        status: u16,
        executed: bool,
    },
    /// What comes back is no answer.
    Garbage {
        which: u8,
        executed: bool,
    },
    /// Too many calls, and the pause that the service asks for.
    Throttled {
        pause_ms: u64,
    },
    /// A refusal that proves that nothing was made.
    Refused {
        code: &'static str,
        status: u16,
    },
    /// The cloud: rows twice and in another order, without a state, or with one that nobody knows.
    Odd {
        which: u8,
    },
    /// The process stands still for so long, with this request on its lips.
    Freeze(Duration),
    /// Somebody deletes the object just before the request is carried out, and may create it again.
    Deleted {
        again: bool,
    },
    /// The watch leaves this event out.
    Dropped,
    /// The watch breaks in the middle of this event.
    Torn,
    /// From this event on the watch shows nothing but bookmarks.
    Mute,
}

impl Fault {
    /// For the table.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Crash(Point::Before) => "crash before",
            Self::Crash(Point::Executed) => "crash after execution",
            Self::Crash(Point::Answered) => "crash after the answer",
            Self::Crash(Point::Stopped) => "SIGTERM",
            Self::Hang { executed: false } => "hang, not executed",
            Self::Hang { executed: true } => "hang, executed",
            Self::Lost { executed: false } => "request lost",
            Self::Lost { executed: true } => "answer lost",
            Self::Late(by) if by > Duration::from_secs(900) => "late beyond expiry",
            Self::Late(by) if by > Duration::from_secs(30) => "late, caller gone",
            Self::Late(_) => "late",
            Self::Conflict => "409 (another writer)",
            Self::Status { code: 410, .. } => "410",
            Self::Status { code: 429, .. } => "429",
            Self::Status { executed: true, .. } => "500 after execution",
            Self::Status { .. } => "500 or 503 before",
            Self::Unreachable => "cloud unreachable",
            Self::Twice { .. } => "delivered twice",
            Self::Broken { executed: true, .. } => "5xx after execution",
            Self::Broken { .. } => "5xx before",
            Self::Garbage { .. } => "garbage",
            Self::Throttled { .. } => "throttled",
            Self::Refused { .. } => "refused",
            Self::Odd { .. } => "odd rows",
            Self::Freeze(_) => "process stands still",
            Self::Deleted { again: false } => "deleted",
            Self::Deleted { again: true } => "deleted and created again",
            Self::Dropped => "watch: event left out",
            Self::Torn => "watch: torn event",
            Self::Mute => "watch: only bookmarks",
        }
    }

    /// How long it goes on after it began.
    fn lasts(self) -> Duration {
        match self {
            Self::Late(by) | Self::Freeze(by) => by,
            // As long as a watch lasts.
            Self::Mute => Duration::from_secs(300),
            Self::Twice { gap, .. } => gap,
            Self::Throttled { pause_ms } => Duration::from_millis(pause_ms),
            // The daily limit is waited for by the hour.
            Self::Refused { code: "Exceeded.BackupTimes", .. } => Duration::from_secs(3600),
            _ => Duration::from_secs(30),
        }
    }

    /// One that can befall this step.
    pub fn random(step: Step, dice: &mut Dice) -> Self {
        let executed = dice.percent(50);
        let seconds = Duration::from_secs;
        match step {
            Step::Create => match dice.in_range(0..=13) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed: false },
                2 | 3 => Self::Lost { executed: true },
                4 => Self::Late(seconds(dice.in_range(1..=29))),
                5 => Self::Late(seconds(dice.pick(&[31, 60, 300, 600, 850, 890]))),
                6 => Self::Late(seconds(dice.pick(&[901, 960, 1200, 1700]))),
                7 => Self::Unreachable,
                8 => Self::Twice { second_answers: true, gap: seconds(dice.in_range(0..=20)) },
                9 => Self::Twice { second_answers: false, gap: seconds(dice.in_range(0..=600)) },
                10 => Self::Broken { status: dice.pick(&[500, 502, 503, 504]), executed },
                11 => Self::Garbage { which: u8::try_from(dice.in_range(0..=6)).unwrap_or(0), executed },
                12 => Self::Throttled { pause_ms: dice.pick(&[0, 1500, 20_000]) },
                _ => {
                    let (code, status) = dice.pick(&[
                        ("IncorrectDBInstanceState", 403),
                        ("OperationDenied.ApiForbidden", 403),
                        ("Exceeded.BackupTimes", 403),
                        ("IncorrectDBInstanceLockMode.ValueNotSupported", 400),
                    ]);
                    Self::Refused { code, status }
                }
            },
            step if step.is_cloud() => match dice.in_range(0..=8) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Late(seconds(dice.in_range(1..=40))),
                3 => Self::Unreachable,
                4 => Self::Broken { status: dice.pick(&[500, 502, 503, 504]), executed },
                5 => Self::Garbage { which: u8::try_from(dice.in_range(0..=6)).unwrap_or(0), executed },
                7 => Self::Odd { which: u8::try_from(dice.in_range(0..=2)).unwrap_or(0) },
                6 => Self::Throttled { pause_ms: dice.pick(&[0, 1500, 20_000]) },
                _ => Self::Refused { code: "OperationDenied.ApiForbidden", status: 403 },
            },
            Step::List | Step::Watch => match dice.in_range(0..=3) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Status { code: dice.pick(&[429, 500, 503]), executed: false },
                _ => Self::Status { code: 410, executed: false },
            },
            Step::Shown => dice.pick(&[Self::Torn, Self::Mute, Self::Dropped]),
            Step::Secret | Step::Reread | Step::ClearList | Step::ClaimsList | Step::Event => match dice.in_range(0..=3) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Late(seconds(dice.in_range(1..=30))),
                _ => Self::Status { code: dice.pick(&[429, 500, 503]), executed },
            },
            _ => match dice.in_range(0..=6) {
                0 => Self::Hang { executed },
                1 | 2 => Self::Lost { executed },
                3 => Self::Late(seconds(dice.in_range(1..=40))),
                4 | 5 => Self::Conflict,
                _ => Self::Status { code: dice.pick(&[429, 500, 503]), executed },
            },
        }
    }
}

/// A fault that waits for its request: the nth of its step.
#[derive(Clone, Debug)]
pub struct Planned {
    pub step: Step,
    pub nth: u32,
    pub fault: Fault,
}

/// All that goes wrong in one world.
#[derive(Debug)]
pub struct Plan {
    planned: Vec<Planned>,
    /// In bad weather every request fails with this chance, in percent.
    weather: u64,
    /// Nothing goes wrong after this.
    until: Timestamp,
    dice: Dice,
    seen: BTreeMap<Step, u32>,
    pub injected: BTreeMap<&'static str, u64>,
    pub hits: BTreeMap<(Step, Point), u64>,
    /// When the last fault was over.
    pub over: Timestamp,
    /// Until when a watch may show nothing.
    pub silent_until: Timestamp,
}

impl Plan {
    pub fn new(planned: Vec<Planned>, weather: u64, until: Timestamp, dice: Dice) -> Self {
        let (seen, injected, hits) = Default::default();
        Self { planned, weather, until, dice, seen, injected, hits, over: Timestamp::UNIX_EPOCH, silent_until: Timestamp::UNIX_EPOCH }
    }

    /// What happens to the next request of this step.
    pub fn next(&mut self, step: Step, now: Timestamp) -> Option<Fault> {
        let nth = self.seen.entry(step).or_default();
        *nth += 1;
        if now > self.until {
            return None;
        }
        let planned = self.planned.iter().position(|planned| planned.step == step && planned.nth == *nth);
        let fault = match planned {
            Some(index) => Some(self.planned.remove(index).fault),
            None => self.dice.percent(self.weather).then(|| Fault::random(step, &mut self.dice)),
        }?;
        self.note(fault.kind(), now + fault.lasts());
        if fault == Fault::Mute {
            self.silent_until = self.silent_until.max(now + fault.lasts());
        }
        if let Fault::Crash(point) = fault {
            *self.hits.entry((step, point)).or_default() += 1;
        }
        Some(fault)
    }

    /// Counts something that went wrong, and until when it does.
    pub fn note(&mut self, kind: &'static str, over: Timestamp) {
        *self.injected.entry(kind).or_default() += 1;
        self.over = self.over.max(over);
    }
}
