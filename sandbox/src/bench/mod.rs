//! `sandbox bench`: what the operator costs and how late it is, measured from the API server's audit log and the process's figures.

mod audit;
mod cli;
mod error;
mod figures;
mod memory;
mod metrics;
mod objects;
mod schedules;

pub use audit::AuditArgs;
pub use cli::{BenchArgs, run};
pub use error::BenchError;
pub use memory::MemoryArgs;
pub use metrics::MetricsArgs;
pub use schedules::SchedulesArgs;
