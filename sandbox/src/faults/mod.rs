//! `sandbox faults`: the real operator, struck at every request that it ever makes.

mod answer;
mod check;
mod cli;
mod error;
mod label;
mod plan;
mod plan_run;
mod proxy;
mod ran;
mod report;
mod rows;
mod scenario;
mod stand;
mod strike;
mod upstream;
mod violation;
mod watch;
mod weather;

pub use cli::{FaultsArgs, Output, run};
pub use error::FaultsError;
