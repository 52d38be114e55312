//! Exactly once, model-checked: the shipped `decide` is the transition of the system. This crate holds no rule of the protocol; it holds what
//! surrounds it: an API server, caches, a service, requests on their way, and crashes.
//!
//! What is explored by default ends at a depth that it prints. The full bounds are not explored yet: see the tests that are ignored.

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

use configurations::{Expected, caught_early, full, small, variants};
use setup::Setup;

/// What is not as expected, in words.
fn explored(configurations: Vec<(Setup, Expected)>, broken: Vec<(Setup, &'static str)>) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "a developer's choice of one configuration")]
    let only = std::env::var("MODEL_ONLY").unwrap_or_default();
    let chosen = |name: &str| name.contains(&only);
    table::say(table::HEAD);
    let configurations = configurations.into_iter().filter(|(setup, _)| chosen(setup.name));
    let broken = broken.into_iter().filter(|(_, name)| chosen(name));
    let mut wrong: Vec<String> = configurations.flat_map(|(setup, expected)| table::explore(setup, &expected)).collect();
    table::say(table::VARIANTS_HEAD);
    wrong.extend(broken.flat_map(|(setup, name)| table::explore_variant(setup, name)));
    wrong
}

/// To a depth that a debug build reaches in seconds: nothing is claimed of what lies deeper.
#[test]
fn no_law_is_broken_within_the_first_steps_and_four_broken_variants_break_one() {
    let wrong = explored(small(), caught_early());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "unfinished: only one object with one attempt has been explored to its end (1,009,859 states, 32 s in release)"]
fn the_protocol_holds_in_every_configuration_and_every_broken_variant_is_caught() {
    let wrong = explored(full(), variants());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Faults stop, and everything that is started comes to its end: from every state that faults can lead to.
#[test]
#[ignore = "unfinished: it has not been run to its end"]
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
