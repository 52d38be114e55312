//! `sandbox faults`: injects faults at every request that the real operator makes, and judges what comes of it from outside.
//! Plans inject one fault at one request; the rows of the fault matrix in `rows/` do more than that.

mod answer;
mod check;
mod cli;
mod error;
mod injector;
mod label;
mod network_conditions;
mod outcome;
mod plan;
mod plan_run;
mod proxied_operator;
mod proxy;
mod report;
mod rows;
mod scenario;
mod upstream;
mod violation;
mod watch;

pub use cli::{FaultsArgs, Output, run};
pub use error::FaultsError;
