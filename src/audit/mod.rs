//! Whether the backup sets of succeeded RdsBackups are still there and usable: looked at once a day, one list an instance.
//!
//! [`Schedule`] says which instances are due, [`verdict()`] what a list says of a set, both without I/O; `backup::auditor` asks. What it found
//! is noted in [`Audits`], and an object whose status says otherwise is woken: its own pass writes the condition `Available`. So an audit that
//! finds nothing new writes nothing.

mod findings;
mod plan;
mod verdict;

pub use findings::{Audited, Audits, Finding};
pub use plan::{Pace, Schedule, Target};
pub use verdict::{Listed, verdict};
