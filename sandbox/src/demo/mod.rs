//! `sandbox demo`: a world, the samples, and the way of each of them to its end.

pub mod board;
mod cli;
mod error;
mod play;
pub mod samples;
mod screen;
pub mod seen;

pub use cli::{DemoArgs, run};
pub use error::DemoError;
