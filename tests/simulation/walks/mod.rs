//! Random walks of the shipped `Pass`, far beyond the bounds of the model: many objects, instances and hours. Around it stand an API
//! server, a service, one or two processes and people; a seed decides everything that happens, and a judge says what must hold. A step is a
//! decision.
//!
//! `WALKS_SEED=n cargo test --test simulation walks` repeats one walk; `WALKS_SEEDS=n` makes so many.

mod accounts;
mod cloud;
mod decisions;
mod deletion;
mod happen;
mod inspect;
mod judge;
mod network_conditions;
mod process;
mod randomness;
mod report;
mod requests;
mod schema;
mod time;
mod world;

use std::{io::Write, time::Instant};

use self::happen::Kind;
use self::report::Totals;
use self::time::HOUR;
use self::world::{Event, World};

/// Decisions of one walk, before its end begins.
const STEPS: u64 = 100_000;

/// Walks of one run. A debug build is several times slower.
const WALKS: u64 = if cfg!(debug_assertions) { 4 } else { 20 };

#[test]
fn whatever_comes_everybody_gets_a_turn_and_nobody_spins() {
    let (first, last) = match (number("WALKS_SEED"), number("WALKS_SEEDS")) {
        (Some(seed), _) => (seed, seed),
        (None, walks) => (1, walks.unwrap_or(WALKS)),
    };
    let began = Instant::now();
    let mut totals = Totals::default();
    for seed in first..=last {
        match walk(seed) {
            Ok(walked) => totals.merge(walked),
            Err(story) => panic!("\n{story}\nseed {seed}; to see it again: WALKS_SEED={seed} cargo test --test simulation walks"),
        }
    }
    // Past the capture of the test harness: a summary that only a failure shows proves nothing to anybody.
    let _ = writeln!(std::io::stderr().lock(), "\n{}", totals.told(began.elapsed()));
    if last - first + 1 >= WALKS {
        assert!(totals.missed().is_empty(), "no walk came by {:?}", totals.missed());
    }
}

/// Every third walk is without faults and has one process; of the others every second has two.
fn walk(seed: u64) -> Result<Totals, String> {
    let (kind, processes) = match seed % 3 {
        1 => (Kind::Calm, 1),
        2 => (Kind::Faulty, 2),
        _ => (Kind::Faulty, 1),
    };
    let mut world = World::new(seed, kind, processes);
    world.begin();
    while world.judge.is_content() && world.totals.decisions < STEPS {
        world.step();
    }
    world.end_begins();
    let end = world.ends_at() + 3 * HOUR;
    while world.judge.is_content() && world.now < end {
        world.step();
    }
    if world.judge.is_content() {
        world.inspect_end();
    }
    match world.judge.story() {
        Some(story) => Err(story),
        None => {
            let mut totals = world.totals;
            (totals.walks, totals.virtual_time, totals.worst) = (1, world.now, world.judge.worst);
            Ok(totals)
        }
    }
}

impl World {
    /// The next thing happens.
    fn step(&mut self) {
        let event = self.next().expect("the judge looks around for ever");
        let (process, life) = match &event {
            Event::Due { process, life, .. }
            | Event::Done { process, life, .. }
            | Event::See { process, life, .. }
            | Event::Lose { process, life }
            | Event::Hear { process, life, .. } => (*process, *life),
            _ => (0, self.processes[0].life),
        };
        // What an earlier life had planned dies with it.
        if self.processes[process].life != life {
            return;
        }
        match event {
            Event::Due { process, slot, .. } => self.due(process, slot),
            Event::Done { process, slot, .. } => self.done(process, slot),
            Event::See { process, slot, object, .. } => self.see(process, slot, object),
            Event::Arrive { request, answer_to } => self.arrive(&request, answer_to),
            Event::Hear { process, slot, nonce, answer, .. } => self.hear(process, slot, &nonce, *answer),
            Event::Lose { process, .. } => self.crash(process),
            Event::Start { process } => self.start(process),
            Event::Happening => self.happening(),
            Event::ChangeConditions => self.change_conditions(),
            Event::Inspect => self.inspect(),
            Event::Gone { slot, uid } => self.other_lets_go(slot, &uid),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a person chooses the walk")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
