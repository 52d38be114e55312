//! What is explored, how far, and what must come of it.

use crate::model::{
    flaws::Flaw,
    laws::{
        ADOPTED, ALL_GOOD, BASELINE, BESIDE, ENDED, FAILED_RUNS, GIVEN_BACK, LED, ONE_ACCEPTED, ONE_RESULT, PROVEN, RENEWED, SECOND,
        SECOND_RUN, STUCK, UNBROKEN, WITHDRAWN,
    },
    setup::{LAG, Setup},
    world::TICK,
};

pub struct Expected {
    /// The law that must be violated, where an assumption is taken away.
    pub violated: Option<&'static str>,
    pub seen: Vec<&'static str>,
}

fn with(name: &'static str, change: impl FnOnce(&mut Setup)) -> Setup {
    let mut setup = Setup::base(name);
    change(&mut setup);
    setup
}

fn holds(name: &'static str, seen: &[&'static str], change: impl FnOnce(&mut Setup)) -> (Setup, Expected) {
    (with(name, change), Expected { violated: None, seen: seen.to_vec() })
}

fn violates(name: &'static str, law: &'static str, change: impl FnOnce(&mut Setup)) -> (Setup, Expected) {
    (with(name, change), Expected { violated: Some(law), seen: Vec::new() })
}

const BASIC: [&str; 5] = [ADOPTED, SECOND, WITHDRAWN, PROVEN, ALL_GOOD];

/// Two processes and one object.
fn one_object() -> Vec<(Setup, Expected)> {
    vec![
        holds("one object", &BASIC, |_| {}),
        holds("slow writes", &BASIC, |setup| setup.slow_writes = true),
        holds("late writes", &BASIC, |setup| setup.late_writes = true),
        holds("stale caches", &[ADOPTED, WITHDRAWN, ALL_GOOD], |setup| (setup.stale, setup.attempts) = (2, 1)),
        holds("blind reads", &BASIC, |setup| setup.blind = true),
        holds("slow looks", &[ADOPTED, WITHDRAWN, ALL_GOOD], |setup| (setup.slow_looks, setup.attempts) = (true, 1)),
        holds("refused reads", &[ADOPTED, ALL_GOOD, RENEWED], |setup| {
            (setup.slow_looks, setup.refused_reads, setup.attempts, setup.processes) = (true, true, 1, 1);
            (setup.duplicates, setup.refusals) = (false, false);
        }),
        holds("lost leases", &[ADOPTED, WITHDRAWN, ALL_GOOD], |setup| (setup.loses, setup.attempts) = (true, 1)),
        holds("foreign job", &[ADOPTED, SECOND, BESIDE], |setup| setup.foreign = 1),
        holds("foreign job of another method", &[ADOPTED, SECOND, GIVEN_BACK], |setup| {
            (setup.foreign, setup.foreign_method) = (1, "Logical");
        }),
        holds("foreign job, or ours, that fails", &[ADOPTED, SECOND, BESIDE, GIVEN_BACK], |setup| (setup.foreign, setup.failures) = (1, 1)),
        holds("the same of another method", &[ADOPTED, SECOND, GIVEN_BACK], |setup| {
            (setup.foreign, setup.foreign_method, setup.failures, setup.refusals) = (1, "Logical", 1, false);
        }),
        holds("automated job", &BASIC, |setup| setup.automated = 1),
        holds("jobs that do not say what began them", &[SECOND, ADOPTED], |setup| (setup.nameless, setup.automated) = (true, 1)),
        holds("failing job, 2 runs", &[ADOPTED, GIVEN_BACK, SECOND_RUN], |setup| (setup.failures, setup.runs) = (1, 2)),
        holds("re-creation", &BASIC, |setup| setup.deletions = 1),
        holds("requestExpiry: Never", &[ADOPTED, STUCK, ALL_GOOD], |setup| (setup.never, setup.expires) = (true, false)),
        violates("lag beyond the allowance", ONE_ACCEPTED, |setup| setup.lag = LAG + TICK),
        violates("expiry is not enforced", ONE_ACCEPTED, |setup| setup.expires = false),
    ]
}

/// What else happens beside two objects: its name, what must be seen, the depth to which two processes are explored, and the change.
type Beside = (&'static str, &'static [&'static str], usize, fn(&mut Setup));

/// Two processes and two objects on one instance. They do not see each other but by Clear and by claims: a process that sees the other in
/// its cache waits, and to wait is always possible.
///
/// With everything else that can happen besides, two processes have more states than a machine has memory (17 GB of them were not the end):
/// then one process, which crashes and starts again as often as it likes, is explored to the end, and two are to a depth.
fn two_objects() -> Vec<(Setup, Expected)> {
    let two = |setup: &mut Setup, attempts: i32| (setup.objects, setup.alone, setup.attempts) = (2, true, attempts);
    let mut all = vec![
        holds("two objects, one attempt", &[ADOPTED, WITHDRAWN, ALL_GOOD], |setup| two(setup, 1)),
        holds("two objects, two attempts", &BASIC, |setup| {
            two(setup, 2);
            (setup.duplicates, setup.refusals) = (false, false);
        }),
        holds("two objects, two attempts", &BASIC, |setup| {
            two(setup, 2);
            setup.processes = 1;
        }),
        holds("two objects, failing job", &[ADOPTED, GIVEN_BACK], |setup| {
            two(setup, 1);
            setup.failures = 1;
        }),
        holds("two objects that see each other", &[ADOPTED, ALL_GOOD], |setup| (setup.objects, setup.attempts) = (2, 1)),
        holds("the same in a stale cache", &[ADOPTED, ALL_GOOD, ENDED], |setup| {
            (setup.objects, setup.attempts, setup.stale, setup.processes) = (2, 1, 1, 1);
            (setup.duplicates, setup.refusals) = (false, false);
        }),
    ];
    let besides: [Beside; 4] = [
        ("two objects, blind reads", &[ADOPTED, WITHDRAWN, ALL_GOOD], 19, |setup| setup.blind = true),
        ("two objects, foreign job", &[ADOPTED, WITHDRAWN], 18, |setup| setup.foreign = 1),
        ("two objects, foreign, other method", &[ADOPTED, WITHDRAWN], 15, |setup| {
            (setup.foreign, setup.foreign_method) = (1, "Logical");
        }),
        ("two objects, re-creation", &[ADOPTED, WITHDRAWN, ALL_GOOD], 18, |setup| setup.deletions = 1),
    ];
    for (name, seen, depth, change) in besides {
        all.push(holds(name, seen, |setup| {
            two(setup, 1);
            change(setup);
            setup.processes = 1;
        }));
        all.push(holds(name, &[], |setup| {
            two(setup, 1);
            change(setup);
            setup.depth = Some(depth);
        }));
    }
    all
}

/// Few enough states for a debug build.
pub fn small() -> Vec<(Setup, Expected)> {
    let few = [
        "one object",
        "the same in a stale cache",
        "refused reads",
        "lost leases",
        "jobs that do not say what began them",
        "requestExpiry: Never",
        "lag beyond the allowance",
        "expiry is not enforced",
    ];
    let mut all: Vec<(Setup, Expected)> = full().into_iter().filter(|(setup, _)| few.contains(&setup.name)).collect();
    all.push(holds("slow writes, one attempt", &[ADOPTED, WITHDRAWN, ALL_GOOD], |setup| (setup.slow_writes, setup.attempts) = (true, 1)));
    all.push(holds("two objects, their first steps", &[], |setup| {
        (setup.objects, setup.alone, setup.attempts, setup.depth) = (2, true, 1, Some(13));
    }));
    all
}

pub fn full() -> Vec<(Setup, Expected)> {
    let mut all = one_object();
    all.extend(two_objects());
    all
}

/// What is broken, and the law that it violates.
const BROKEN: [(Flaw, &str, &str); 11] = [
    (Flaw::BareIntent, "no resourceVersion on the intent", UNBROKEN),
    (Flaw::BareWithdrawal, "no resourceVersion on a withdrawal", UNBROKEN),
    (Flaw::NoClear, "no Clear", ONE_RESULT),
    (Flaw::NoClaims, "no claim check", ONE_RESULT),
    (Flaw::NoBaseline, "no baseline", BASELINE),
    (Flaw::MinuteLooks, "looks a minute apart", ONE_ACCEPTED),
    (Flaw::FailedSets, "failed sets as candidates", FAILED_RUNS),
    (Flaw::RetryUnknown, "retry after Unknown", ONE_ACCEPTED),
    (Flaw::UnsureIsDone, "an unsure write taken as done", UNBROKEN),
    (Flaw::FenceIgnored, "the fence ignored in the send", LED),
    (Flaw::NamelessIsAutomated, "a nameless job taken for the instance's own", ONE_ACCEPTED),
];

/// Small enough for a short way to be found by one thread.
pub fn variants() -> Vec<(Setup, Expected)> {
    let variant = |(flaw, name, law)| {
        violates(name, law, |setup| {
            setup.flaw = Some(flaw);
            match flaw {
                Flaw::NoClear | Flaw::NoClaims => (setup.objects, setup.alone, setup.attempts) = (2, true, 1),
                Flaw::NoBaseline => setup.foreign = 1,
                Flaw::FailedSets => (setup.failures, setup.runs, setup.attempts) = (1, 2, 1),
                Flaw::NamelessIsAutomated => setup.nameless = true,
                Flaw::FenceIgnored => (setup.loses, setup.attempts) = (true, 1),
                Flaw::UnsureIsDone | Flaw::BareIntent | Flaw::BareWithdrawal | Flaw::MinuteLooks | Flaw::RetryUnknown => {}
            }
        })
    };
    BROKEN.into_iter().map(variant).collect()
}

/// Where every state is asked whether an end can be reached from it.
pub fn live() -> Vec<Setup> {
    let chosen: &[&str] = if cfg!(debug_assertions) {
        &["one object", "requestExpiry: Never"]
    } else {
        &[
            "one object",
            "requestExpiry: Never",
            "slow writes",
            "late writes",
            "blind reads",
            "foreign job of another method",
            "failing job, 2 runs",
            "automated job",
            "two objects, one attempt",
        ]
    };
    full().into_iter().map(|(setup, _)| setup).filter(|setup| chosen.contains(&setup.name)).collect()
}
