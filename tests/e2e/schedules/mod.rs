//! Schedules, with the real clock: what they create is read from the API server's audit log, what that started from the endpoint's ledger.

mod admission;
mod by_hand;
mod downtime;
mod fires;
mod kills;
mod ledger;
mod native;

pub use ledger::spec;
