//! The simulated RDS endpoint, seen over the wire by a client that shares no code with it.

mod auth;
mod backups;
mod client;
mod clones;
mod control;
mod deletion;
mod faults;
mod instances;
mod quirks;
mod rpc1;
mod sets;
mod world;
