//! The commands that a person types, as real processes against a scripted API server over HTTP: what they ask for, what they write, what
//! they say, and how they end.

mod cluster;
mod completion;
mod krew;
mod logs;
mod now;
mod pause;
mod restore;
mod server;
