//! Faults: which request they hit, and how often they were injected.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{randomness::Randomness, step::Step};

/// Hours between the beginning of the worlds and the beginning of 1970: the clock of a proxy that lost its battery.
pub const SINCE_1970: i64 = -492_264;

/// Where in the life of a request the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The request leaves the process, and is never executed.
    Before,
    /// The request is executed, and its answer never reaches the process.
    Executed,
    /// The answer has reached the process, which does nothing with it.
    Answered,
    /// The process gets the signal to end while the request is under way, and has time to end.
    Stopped,
}

impl Point {
    pub const ALL: [Self; 4] = [Self::Before, Self::Executed, Self::Answered, Self::Stopped];
}

/// A fault of one request.
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
    /// It is executed this much later; the caller may have given up by then.
    Late(Duration),
    /// The API server: another client writes first, so that the write is a conflict.
    Conflict,
    /// The API server answers with an error.
    Status {
        code: u16,
        executed: bool,
    },
    /// The cloud: the connection is refused.
    Unreachable,
    /// The cloud gets it twice; the caller sees the answer of the second copy, or of the first.
    Twice {
        second_answers: bool,
        gap: Duration,
    },
    /// A 5xx, from the service or from a proxy in front of it.
    Broken {
        status: u16,
        executed: bool,
    },
    /// The body is not an answer of the service.
    Garbage {
        which: u8,
        executed: bool,
    },
    /// Too many calls, and the pause that the service asks for.
    Throttled {
        pause_ms: u64,
    },
    /// A refusal that proves that no backup was made.
    Refused {
        code: &'static str,
        status: u16,
    },
    /// The cloud: rows twice and in another order, without a state, or with an unknown state.
    Odd {
        which: u8,
    },
    /// The `Date` of the answer is that many hours ahead; behind, if negative.
    Dated {
        hours: i64,
    },
    /// The process is frozen for so long while it sends this request.
    Freeze(Duration),
    /// A user deletes the object just before the request is executed, and may create it again.
    Deleted {
        again: bool,
    },
    /// The answer of the API server is damaged: a half, another type, what is no text, an error page with the answer in it.
    Garbled {
        which: u8,
    },
    /// The watch leaves this event out.
    Dropped,
    /// The watch breaks in the middle of this event.
    Torn,
    /// From this event on the watch shows nothing but bookmarks.
    Mute,
}

impl Fault {
    /// Its name in the table of totals.
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
            Self::Dated { .. } => "wrong Date",
            Self::Freeze(_) => "process frozen",
            Self::Deleted { again: false } => "deleted",
            Self::Deleted { again: true } => "deleted and created again",
            Self::Garbled { .. } => "damaged answer",
            Self::Dropped => "watch: event left out",
            Self::Torn => "watch: torn event",
            Self::Mute => "watch: only bookmarks",
        }
    }

    /// How long the fault lasts.
    fn lasts(self) -> Duration {
        match self {
            Self::Late(by) | Self::Freeze(by) => by,
            // As long as a watch lasts.
            Self::Mute => Duration::from_secs(300),
            Self::Twice { gap, .. } => gap,
            Self::Throttled { pause_ms } => Duration::from_millis(pause_ms),
            // The operator tries again after hours when the daily limit is used up.
            Self::Refused { code: "Exceeded.BackupTimes", .. } => Duration::from_secs(3600),
            _ => Duration::from_secs(30),
        }
    }

    /// A `Date` that is wrong by more than a day: one that is less wrong is the service's time, as far as a process that has just begun can
    /// tell.
    fn dated(randomness: &mut Randomness) -> Self {
        Self::Dated { hours: randomness.pick(&[SINCE_1970, -30, 30, 24 * 365]) }
    }

    /// A random fault that fits this step.
    pub fn random(step: Step, randomness: &mut Randomness) -> Self {
        let executed = randomness.percent(50);
        let seconds = Duration::from_secs;
        match step {
            Step::Create => match randomness.in_range(0..=14) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed: false },
                2 | 3 => Self::Lost { executed: true },
                4 => Self::Late(seconds(randomness.in_range(1..=29))),
                5 => Self::Late(seconds(randomness.pick(&[31, 60, 300, 600, 850, 890]))),
                6 => Self::Late(seconds(randomness.pick(&[901, 960, 1200, 1700]))),
                7 => Self::Unreachable,
                8 => Self::Twice { second_answers: true, gap: seconds(randomness.in_range(0..=20)) },
                9 => Self::Twice { second_answers: false, gap: seconds(randomness.in_range(0..=600)) },
                10 => Self::Broken { status: randomness.pick(&[500, 502, 503, 504]), executed },
                11 => Self::Garbage { which: u8::try_from(randomness.in_range(0..=6)).unwrap_or(0), executed },
                12 => Self::Throttled { pause_ms: randomness.pick(&[0, 1500, 20_000]) },
                13 => Self::dated(randomness),
                _ => {
                    let (code, status) = randomness.pick(&[
                        ("IncorrectDBInstanceState", 403),
                        ("OperationDenied.ApiForbidden", 403),
                        ("Exceeded.BackupTimes", 403),
                        ("IncorrectDBInstanceLockMode.ValueNotSupported", 400),
                    ]);
                    Self::Refused { code, status }
                }
            },
            step if step.is_cloud() => match randomness.in_range(0..=9) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Late(seconds(randomness.in_range(1..=40))),
                3 => Self::Unreachable,
                4 => Self::Broken { status: randomness.pick(&[500, 502, 503, 504]), executed },
                5 => Self::Garbage { which: u8::try_from(randomness.in_range(0..=6)).unwrap_or(0), executed },
                7 => Self::Odd { which: u8::try_from(randomness.in_range(0..=2)).unwrap_or(0) },
                6 => Self::Throttled { pause_ms: randomness.pick(&[0, 1500, 20_000]) },
                8 => Self::dated(randomness),
                _ => Self::Refused { code: "OperationDenied.ApiForbidden", status: 403 },
            },
            Step::List | Step::Watch => match randomness.in_range(0..=3) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Status { code: randomness.pick(&[429, 500, 503]), executed: false },
                _ => Self::Status { code: 410, executed: false },
            },
            Step::Shown => randomness.pick(&[Self::Torn, Self::Mute, Self::Dropped]),
            Step::Secret | Step::Reread | Step::ClearList | Step::ClaimsList | Step::Event => match randomness.in_range(0..=3) {
                0 => Self::Hang { executed },
                1 => Self::Lost { executed },
                2 => Self::Late(seconds(randomness.in_range(1..=30))),
                _ => Self::Status { code: randomness.pick(&[429, 500, 503]), executed },
            },
            _ => match randomness.in_range(0..=6) {
                0 => Self::Hang { executed },
                1 | 2 => Self::Lost { executed },
                3 => Self::Late(seconds(randomness.in_range(1..=40))),
                4 | 5 => Self::Conflict,
                _ => Self::Status { code: randomness.pick(&[429, 500, 503]), executed },
            },
        }
    }
}

/// A fault that waits for its request: the nth of its step.
#[derive(Clone, Debug)]
pub struct PlannedFault {
    pub step: Step,
    pub nth: u32,
    pub fault: Fault,
}

/// The faults of one world.
#[derive(Debug)]
pub struct FaultPlan {
    planned: Vec<PlannedFault>,
    /// Every request fails with this chance, in percent.
    fault_percent: u64,
    /// There are no faults after this time.
    until: Timestamp,
    randomness: Randomness,
    /// The number of requests of each step so far.
    requests: BTreeMap<Step, u32>,
    pub injected: BTreeMap<&'static str, u64>,
    pub hits: BTreeMap<(Step, Point), u64>,
    /// When the last fault was over.
    pub over: Timestamp,
    /// Until when a watch may show nothing.
    pub silent_until: Timestamp,
}

impl FaultPlan {
    pub fn new(planned: Vec<PlannedFault>, fault_percent: u64, until: Timestamp, randomness: Randomness) -> Self {
        let (requests, injected, hits) = Default::default();
        Self {
            planned,
            fault_percent,
            until,
            randomness,
            requests,
            injected,
            hits,
            over: Timestamp::UNIX_EPOCH,
            silent_until: Timestamp::UNIX_EPOCH,
        }
    }

    /// The fault of the next request of this step.
    pub fn next(&mut self, step: Step, now: Timestamp) -> Option<Fault> {
        let nth = self.requests.entry(step).or_default();
        *nth += 1;
        if now > self.until {
            return None;
        }
        let planned = self.planned.iter().position(|planned| planned.step == step && planned.nth == *nth);
        let fault = match planned {
            Some(index) => Some(self.planned.remove(index).fault),
            None => self.randomness.percent(self.fault_percent).then(|| Fault::random(step, &mut self.randomness)),
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

    /// Counts a fault, and notes until when it lasts.
    pub fn note(&mut self, kind: &'static str, over: Timestamp) {
        *self.injected.entry(kind).or_default() += 1;
        self.over = self.over.max(over);
    }
}
