//! The operator's reaction to bad input, over all engines. The simulated endpoint is the judge: it has rules of its own for methods, roles,
//! states and locks, and answers each request as the service would. `cargo test --test bad_input -- --nocapture` prints the tables.

mod bench;
mod combinations;
mod errors;
mod states;
