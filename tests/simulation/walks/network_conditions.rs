//! What goes wrong at a time: calm times and bad ones alternate, and every bad time has faults of its own.

use crate::walks::{
    randomness::Randomness,
    time::{HOUR, MINUTE, Ms, SECOND},
};

/// Chances in a thousand, and lengths of time.
#[derive(Clone, Debug)]
pub struct NetworkConditions {
    /// Of a request, to be refused although nothing is in its way.
    pub refusals: u64,
    /// Of a request, to be answered with a fault of the service, before or after it acted.
    pub faults: u64,
    /// Of a request, to be lost on its way, to be late, to be doubled; of its answer, to be lost. Each.
    pub lost: u64,
    /// Of a read of the service.
    pub unread: u64,
    /// Of a call of the API server: it fails, or its answer is lost.
    pub api: u64,
    /// Of a process, to die within a happening.
    pub crashes: u64,
    pub failing_jobs: u64,
    /// Of a job, to be forgotten by the service soon after its end.
    pub forgets: u64,
    /// Of a job, to say nothing of what began it.
    pub nameless: u64,
    /// Of a job, not to name its set when it has ended; of a set, to be listed as running for a while.
    pub vague: u64,
    /// How far a watch is behind at most.
    pub behind: Ms,
    /// How long a call takes at most.
    pub slow: Ms,
}

impl NetworkConditions {
    /// No faults. What is refused, fails or waits is a matter of course.
    pub fn calm() -> Self {
        Self {
            refusals: 40,
            faults: 0,
            lost: 0,
            unread: 0,
            api: 0,
            crashes: 0,
            failing_jobs: 80,
            forgets: 0,
            nameless: 0,
            vague: 0,
            behind: 400,
            slow: SECOND,
        }
    }

    /// Calm, and nothing that is begun fails.
    pub fn fair() -> Self {
        Self { refusals: 0, failing_jobs: 0, ..Self::calm() }
    }

    pub fn faulty(random: &mut Randomness) -> Self {
        let mut some = |most: u64| if random.permille(500) { 0 } else { random.draw() % most };
        Self {
            refusals: 40 + some(400),
            faults: some(300),
            lost: some(200),
            unread: if some(4) == 3 { 1000 } else { some(300) },
            api: some(100),
            crashes: some(60),
            failing_jobs: 80 + some(300),
            forgets: some(500),
            nameless: some(300),
            vague: some(300),
            behind: 400 + i64::try_from(some(59)).unwrap_or(0) * SECOND,
            slow: SECOND + i64::try_from(some(70)).unwrap_or(0) * SECOND,
        }
    }

    /// How long a faulty time or a calm one lasts.
    pub fn lasts(random: &mut Randomness) -> Ms {
        if random.permille(200) { random.between(HOUR, 3 * HOUR) } else { random.between(10 * MINUTE, 80 * MINUTE) }
    }
}

/// No watch is further behind than this.
pub const FURTHEST_BEHIND: Ms = 60 * SECOND;
