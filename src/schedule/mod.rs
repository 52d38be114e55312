//! RdsBackupSchedule: observe (caches) -> decide (pure) -> apply (writes). All rules live in [`mod@decide`], and what a spec means in `spec`,
//! and `cron`, which are pure too.

mod apply;
mod children;
mod context;
pub mod cron;
pub mod decide;
pub mod observation;
pub mod spec;

pub use apply::reconcile;
pub use children::Children;
pub use context::{Context, Desk, Guarded};
