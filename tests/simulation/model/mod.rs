//! Exactly once, model-checked: the shipped `Pass` is the transition of the system. This module holds no rule of the protocol and no order
//! of its requests; it holds what surrounds them: an API server, caches, a service, requests on their way, and crashes.
//!
//! The full bounds are those of a release build: `cargo test --release --test simulation model`. A debug build explores smaller ones, and
//! prints which. `MODEL_ONLY=words` explores only what has these words in its name.

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

/// In a release build within the full bounds, in a debug build within smaller ones; the table says which.
#[test]
fn the_protocol_holds_within_the_bounds_and_every_broken_variant_is_caught() {
    #[expect(clippy::disallowed_methods, reason = "a developer's choice of one configuration")]
    let only = std::env::var("MODEL_ONLY").unwrap_or_default();
    let mut chosen = if cfg!(debug_assertions) { configurations::small() } else { configurations::full() };
    chosen.extend(configurations::variants());
    table::say(table::HEAD);
    let chosen = chosen.into_iter().filter(|(setup, _)| setup.name.contains(&only));
    let wrong: Vec<String> = chosen.flat_map(|(setup, expected)| table::explore(setup, &expected)).collect();
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
