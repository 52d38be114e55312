//! Exactly once, model-checked: the shipped `decide` is the transition of the system. This crate holds no rule of the protocol; it holds what
//! surrounds it: an API server, caches, a service, requests on their way, and crashes.
//!
//! The full bounds are those of a release build: `cargo test --release --test simulation model`. A debug build explores smaller ones, and prints which.
//! `MODEL_ONLY=words` explores only what has these words in its name.

mod answers;
mod cloud;
mod configurations;
mod fairness;
mod flaws;
mod graph;
mod laws;
mod print;
mod process;
mod setup;
mod system;
mod table;
mod tidy;
mod traces;
mod world;

use self::configurations::{Expected, full, small, variants};
use self::setup::Setup;

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

/// In a release build within the full bounds, in a debug build within smaller ones; the table says which.
#[test]
fn the_protocol_holds_within_the_bounds_and_every_broken_variant_is_caught() {
    let configurations = if cfg!(debug_assertions) { small() } else { full() };
    let wrong = explored(configurations, variants());
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
