//! Exactly once, model-checked: the shipped `decide` is the transition of the system. This crate holds no rule of the protocol; it holds what
//! surrounds it: an API server, caches, a service, requests on their way, and crashes.
//!
//! `cargo test --release --test model` explores the full bounds; a debug build explores smaller ones, and says which.

mod cloud;
mod configurations;
mod fairness;
mod flaws;
mod graph;
mod laws;
mod passes;
mod print;
mod setup;
mod system;
mod table;
mod tidy;
mod traces;
mod world;

use configurations::{Expected, full, small, variants};

/// One after the other, and not beside each other: each uses all cores.
#[test]
fn the_protocol_holds_in_every_configuration_and_every_broken_variant_is_caught() {
    let whole = !cfg!(debug_assertions);
    let configurations = if whole { full() } else { small() };
    table::say(&format!("bounds: {}", if whole { "full" } else { "small (debug build); full with cargo test --release --test model" }));
    let mut wrong = Vec::new();
    table::say(table::HEAD);
    for (setup, expected) in configurations {
        wrong.extend(table::explore(setup, &expected));
    }
    table::say(table::VARIANTS_HEAD);
    for (setup, name) in variants() {
        wrong.extend(table::explore_variant(setup, name));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Faults stop, and everything that is started comes to its end: from every state that faults can lead to.
#[test]
fn from_every_state_an_end_or_a_documented_place_to_wait_is_reached_without_further_faults() {
    let mut wrong = Vec::new();
    for setup in configurations::live() {
        wrong.extend(graph::explore(setup));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

impl Expected {
    /// All laws hold, and these things were seen.
    pub fn holds(seen: &[&'static str]) -> Self {
        Self { violated: None, seen: seen.to_vec() }
    }
}

#[test]
#[ignore]
fn measure() {
    use stateright::{Checker, Model};
    for (label, change) in [
        (
            "1A no copies no refusals",
            (|s| {
                s.attempts = 1;
                s.duplicates = false;
                s.refusals = false
            }) as fn(&mut setup::Setup),
        ),
        ("1A", |s| {
            s.attempts = 1;
        }),
        ("1 process", |s| {
            s.processes = 1;
        }),
        ("nothing", |_| {}),
    ] {
        for depth in [18, 22, 26, 80] {
            let mut s = setup::Setup::base("m");
            change(&mut s);
            let began = std::time::Instant::now();
            let checker = passes::System::new(s).checker().target_max_depth(depth).threads(2).spawn_bfs().join();
            let found: Vec<_> = laws::ALWAYS.into_iter().filter(|l| checker.discoveries().contains_key(l)).collect();
            table::say(&format!("{label} depth {depth}: {} states, {:?}, {found:?}", checker.unique_state_count(), began.elapsed()));
        }
    }
}

#[test]
#[ignore]
fn anatomy() {
    use stateright::Model;
    use std::collections::*;
    use std::hash::*;
    let mut s = setup::Setup::base("m");
    s.attempts = 1;
    s.duplicates = false;
    s.refusals = false;
    let system = passes::System::new(s);
    let print = |w: &world::World| {
        let mut h = DefaultHasher::new();
        w.hash(&mut h);
        h.finish()
    };
    let mut known = HashSet::new();
    let mut ahead = VecDeque::new();
    for w in system.init_states() {
        known.insert(print(&w));
        ahead.push_back(w);
    }
    let (mut api, mut cloud, mut proc_, mut kinds) =
        (HashMap::<u64, u32>::new(), HashMap::<u64, u32>::new(), HashMap::<u64, (u32, String)>::new(), BTreeMap::<String, u32>::new());
    let mut actions = vec![];
    while let Some(w) = ahead.pop_front() {
        let mut h = DefaultHasher::new();
        for slot in &w.slots {
            for v in &slot.history {
                w.print(&v.print, &mut h);
            }
        }
        *api.entry(h.finish()).or_default() += 1;
        let mut h = DefaultHasher::new();
        w.cloud.hash_for(&mut h, w.now);
        *cloud.entry(h.finish()).or_default() += 1;
        let mut kind = vec![];
        for p in &w.processes {
            let seat = &p.seats[0];
            let m = &seat.memory;
            let k = format!(
                "{}{}{}{}{}|{}|{}",
                m.own.is_some() as u8,
                m.preflight.is_some() as u8,
                m.looks.latest.is_some() as u8,
                (m.looks.first_clean.is_some() as u8),
                m.follow.at.is_some() as u8,
                p.pass.as_ref().map_or("-".into(), |p| p.step.told()),
                p.sender.as_ref().map_or("-", |s| match s.answer {
                    world::Waiting::ForAnswer => "wait",
                    world::Waiting::Arrived(_) => "arrived",
                    _ => "record",
                })
            );
            kind.push(k.clone());
            let e = proc_.entry(w.print_process(p)).or_insert((0, k));
            e.0 += 1;
        }
        kind.sort();
        *kinds.entry(kind.join("  &  ")).or_default() += 1;
        system.actions(&w, &mut actions);
        for a in actions.drain(..) {
            if let Some(n) = system.next_state(&w, a) {
                if known.insert(print(&n)) {
                    ahead.push_back(n);
                }
            }
        }
    }
    println!("states {} api {} cloud {} process {}", known.len(), api.len(), cloud.len(), proc_.len());
    let mut k: Vec<_> = kinds.into_iter().collect();
    k.sort_by_key(|k| std::cmp::Reverse(k.1));
    for (k, n) in k.iter().take(40) {
        println!("{n:7} {k}");
    }
    let mut by = BTreeMap::<String, (u32, u32)>::new();
    for (_, (n, k)) in proc_ {
        let e = by.entry(k).or_default();
        e.0 += 1;
        e.1 += n;
    }
    let mut k: Vec<_> = by.into_iter().collect();
    k.sort_by_key(|k| std::cmp::Reverse(k.1));
    for (k, n) in k.iter().take(40) {
        println!("{n:?} {k}");
    }
}
