//! From an RdsBackup to the call that restores its set: CloneDBInstance, for the cloud's command line, for Terraform and for programs.
//! Nothing here calls the cloud, and nothing is created.

mod choose;
mod clone;
mod notes;
mod write;

#[cfg(test)]
mod tests;

pub use choose::{UsableSet, newest_before, usable};
pub use clone::{CloneCall, Network, Parameter, Point, Target, Value};
pub use notes::{ONE_CLONE, notes};
pub use write::{Handover, as_cli, as_json, as_terraform};
