//! `sandbox bench`: what the operator costs and how late it is, measured from the API server's audit log.

mod cli;
mod error;
mod figures;
mod schedules;

pub use cli::{BenchArgs, run};
pub use error::BenchError;
pub use schedules::SchedulesArgs;
