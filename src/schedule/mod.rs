//! RdsBackupSchedule: a pass asks for what it needs, one request at a time. All rules live in [`mod@decide`], and what a spec means in
//! [`spec`] and [`cron`]; the order of requests is in [`pass`], all I/O in `io`.

pub mod blackouts;
mod children;
mod context;
mod counts;
pub mod cron;
pub mod decide;
mod driver;
mod io;
pub mod memory;
pub mod native;
mod objectives;
pub mod observation;
pub mod ownership;
pub mod pass;
pub mod policy;
mod problem;
pub mod request;
pub mod runs;
pub mod spec;
pub mod stalled;
pub mod state;
mod template;

#[cfg(test)]
mod tests;

pub use children::{Children, Guarded, GuardedBackup};
pub use context::Context;
pub use counts::Counts;
pub use driver::reconcile;
pub use native::NativeWindows;
pub use objectives::{Objective, Objectives};
pub use problem::Problem;
