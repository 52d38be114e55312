//! The whole operator as it ships (driver, watches, client with signing and decoding, writes) in a scripted world: an API server, a cloud,
//! a clock that jumps, and faults. A seed decides everything that happens. The promises are checked from outside, without asking the
//! operator.
//!
//! `FAULTS_SEED=n cargo test --test faults` runs one seed and prints its story; `FAULTS_SEEDS=n` runs the seeds 1 to n.

mod api;
mod busy;
mod canary;
mod check;
mod cloud;
mod damage;
mod date;
mod faults;
mod gates;
mod good;
mod habits;
mod life;
mod matrix;
mod pace;
mod people;
mod randomness;
mod recording;
mod report;
mod retention;
mod schedules;
mod scopes;
mod script;
mod secrets;
mod serve;
mod single;
mod step;
mod sts;
mod transport;
mod turns;
mod world;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use report::{Totals, story};
use script::Script;

/// The number of worlds in one run. A debug build is several times slower.
const WORLDS: u64 = if cfg!(debug_assertions) { 1500 } else { 10_000 };

/// After so many failed worlds the run stops.
const ENOUGH: usize = 5;

#[test]
fn whatever_goes_wrong_every_backup_is_made_once_and_nothing_moves_at_the_end() {
    if let Some(seed) = number("FAULTS_SEED") {
        return one(seed);
    }
    let worlds = number("FAULTS_SEEDS").unwrap_or(WORLDS);
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let (mut totals, mut failures) = many(1..=worlds, threads);
    // Random worlds reach the rarest crash points only by chance: run a few more worlds for those that were not reached.
    let mut last = worlds;
    while worlds >= WORLDS && last < 2 * WORLDS && failures.is_empty() && !totals.missed().is_empty() {
        let (more, wrong) = many(last + 1..=last + WORLDS / 10, threads);
        totals.merge(more);
        (failures, last) = (wrong, last + WORLDS / 10);
    }
    println!("{totals}\nreal time {:.1} s on {threads} threads", began.elapsed().as_secs_f32());
    failures.sort();
    for (seed, wrong) in &failures {
        println!("\nseed {seed}; to see it again: FAULTS_SEED={seed} cargo test --test faults -- --nocapture");
        for what in wrong {
            println!("  {what}");
        }
    }
    assert!(failures.is_empty(), "{} of {} worlds went wrong", failures.len(), totals.worlds);
    if worlds >= WORLDS {
        assert!(totals.missed().is_empty(), "crash points that no world met: {:?}", totals.missed());
    }
}

/// Runs the worlds of these seeds. Returns the totals, and for each failed seed its violations.
fn many(seeds: std::ops::RangeInclusive<u64>, threads: usize) -> (Totals, Vec<(u64, Vec<String>)>) {
    let (next, totals, failures) = (AtomicU64::new(*seeds.start()), Mutex::new(Totals::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Totals::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) || failures.lock().expect("whole").len() >= ENOUGH {
                        break;
                    }
                    let script = Script::of_seed(seed);
                    let ended = life::run(&script);
                    let wrong = check::violations(&script, &ended);
                    own.add(script.begins, &ended);
                    if !wrong.is_empty() {
                        failures.lock().expect("whole").push((seed, wrong));
                    }
                }
                totals.lock().expect("whole").merge(own);
            });
        }
    });
    (totals.into_inner().expect("whole"), failures.into_inner().expect("whole"))
}

/// Runs one world and prints its story.
fn one(seed: u64) {
    let script = Script::of_seed(seed);
    let ended = life::run(&script);
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| println!("{script:#?}\n{}", story(&state.log, script.begins)));
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

#[expect(clippy::disallowed_methods, reason = "a person chooses the world")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
