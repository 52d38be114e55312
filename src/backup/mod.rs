//! RdsBackup: a pass asks for what it needs, one request at a time. All rules live in [`mod@decide`], the order of requests in [`pass`],
//! all I/O in `io`.

mod auditor;
mod context;
mod counts;
pub mod decide;
mod driver;
pub mod flap_damping;
mod io;
mod locks;
pub mod memory;
pub mod observation;
pub mod pass;
pub mod policy;
pub mod reads;
pub mod recorded;
pub mod request;
pub mod siblings;
pub mod spec;
pub mod state;
mod unfinished;
mod unreadable;

pub use auditor::run as audit;
pub use context::Context;
pub use counts::Counts;
pub use driver::reconcile;
pub use locks::{InstanceLocks, Noted};
pub use policy::PASSES;
pub use unfinished::{Guarded, Unfinished};
