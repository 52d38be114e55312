//! `sandbox demo`: a world, the samples, and the way of each of them to its end.

pub mod board;
mod cli;
mod error;
pub mod observation;
pub mod samples;
mod screen;
mod session;

pub use cli::{DemoArgs, run};
pub use error::DemoError;
