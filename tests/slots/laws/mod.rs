//! The laws of a schedule over random histories: the shipped pass on a simulated clock and API server, and a reference that counts slots
//! minute by minute and shares no code with the operator.

mod history;
mod randomness;
mod reference;
mod world;

use history::{Counts, run};
pub use reference::offset;

/// So many histories of six hours each.
const HISTORIES: u64 = 200;

#[test]
fn schedules_keep_their_word_in_every_history() {
    let mut counts = Counts::default();
    let mut broken = Vec::new();
    for seed in 0..HISTORIES {
        let (of_this, laws) = run(seed);
        counts.add(&of_this);
        broken.extend(laws.into_iter().map(|law| format!("history {seed}: {law}")));
    }
    println!("{HISTORIES} histories: {counts}; laws broken: {}", broken.len());
    assert!(counts.all().iter().all(|count| *count > HISTORIES / 4), "a kind of event hardly ever happened: {counts}");
    let first: Vec<&String> = broken.iter().take(10).collect();
    assert!(broken.is_empty(), "{} laws broken, the first of them: {first:#?}", broken.len());
}
