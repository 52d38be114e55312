//! What is explored, how far, and what must come of it.

use crate::{
    flaws::Flaw,
    laws::{ADOPTED, ALL_GOOD, BESIDE, GIVEN_BACK, ONE_ACCEPTED, PROVEN, SECOND, SECOND_RUN, STUCK, WITHDRAWN},
    setup::{LAG, Setup},
    world::TICK,
};

pub struct Expected {
    /// The law that must be violated, where an assumption is taken away.
    pub violated: Option<&'static str>,
    pub seen: Vec<&'static str>,
}

const BASIC: [&str; 5] = [ADOPTED, SECOND, WITHDRAWN, PROVEN, ALL_GOOD];

fn with(name: &'static str, change: impl FnOnce(&mut Setup)) -> Setup {
    let mut setup = Setup::base(name);
    change(&mut setup);
    setup
}

fn violates(law: &'static str) -> Expected {
    Expected { violated: Some(law), seen: Vec::new() }
}

/// One object: explored to the end in every build.
fn one_object() -> Vec<(Setup, Expected)> {
    vec![
        (Setup::base("one object"), Expected::holds(&BASIC)),
        (with("late writes", |setup| setup.late_writes = true), Expected::holds(&BASIC)),
        (with("stale caches", |setup| setup.stale = true), Expected::holds(&BASIC)),
        (with("blind reads", |setup| setup.blind = true), Expected::holds(&BASIC)),
        (with("slow looks", |setup| setup.slow_looks = true), Expected::holds(&BASIC)),
        (with("+ foreign manual job", |setup| setup.foreign = 1), Expected::holds(&[ADOPTED, SECOND, BESIDE])),
        (
            with("+ foreign job of another method", |setup| (setup.foreign, setup.foreign_method) = (1, "Logical")),
            Expected::holds(&[ADOPTED, SECOND, GIVEN_BACK]),
        ),
        (with("+ automated job", |setup| setup.automated = 1), Expected::holds(&BASIC)),
        (with("+ failing job, 2 runs", |setup| (setup.failures, setup.runs) = (1, 2)), Expected::holds(&[ADOPTED, GIVEN_BACK, SECOND_RUN])),
        (with("requestExpiry: Never", |setup| (setup.never, setup.expires) = (true, false)), Expected::holds(&[ADOPTED, STUCK, ALL_GOOD])),
        (with("lag beyond the allowance", |setup| setup.lag = LAG + 2 * TICK), violates(ONE_ACCEPTED)),
        (with("expiry is not enforced", |setup| setup.expires = false), violates(ONE_ACCEPTED)),
    ]
}

/// The first steps of both: two processes and one object, and two processes and two objects on one instance.
pub fn small() -> Vec<(Setup, Expected)> {
    let one = with("one object", |setup| setup.depth = Some(18));
    let two = with("two objects", |setup| (setup.objects, setup.attempts, setup.depth) = (2, 1, Some(14)));
    vec![(one, Expected::holds(&[])), (two, Expected::holds(&[]))]
}

pub fn full() -> Vec<(Setup, Expected)> {
    let closed = with("one attempt", |setup| (setup.attempts, setup.duplicates, setup.refusals) = (1, false, false));
    let mut all = vec![(closed, Expected::holds(&[]))];
    all.extend(one_object());
    all.push((with("two objects", |setup| (setup.objects, setup.attempts) = (2, 1)), Expected::holds(&[ADOPTED, WITHDRAWN, ALL_GOOD])));
    all
}

/// Small enough for the shortest way to be found by one thread.
pub fn variants() -> Vec<(Setup, &'static str)> {
    Flaw::ALL
        .into_iter()
        .map(|(flaw, name)| {
            let mut setup = Setup::base(name);
            setup.flaw = Some(flaw);
            match flaw {
                Flaw::NoClear | Flaw::NoClaims => (setup.objects, setup.attempts) = (2, 1),
                Flaw::NoBaseline => setup.foreign = 1,
                Flaw::FailedSets => (setup.failures, setup.runs, setup.attempts) = (1, 2, 1),
                Flaw::BareIntent | Flaw::BareWithdrawal | Flaw::MinuteLooks | Flaw::RetryUnknown => {}
            }
            (setup, name)
        })
        .collect()
}

/// Those that break a law within the first steps. The other four were not caught within 19.
pub fn caught_early() -> Vec<(Setup, &'static str)> {
    let early = |setup: &Setup| matches!(setup.flaw, Some(Flaw::BareIntent | Flaw::BareWithdrawal | Flaw::NoBaseline | Flaw::RetryUnknown));
    variants().into_iter().filter(|(setup, _)| early(setup)).map(|(setup, name)| (Setup { depth: Some(18), ..setup }, name)).collect()
}

pub fn live() -> Vec<Setup> {
    vec![Setup::base("one object")]
}
