//! `sandbox demo`: starts a world, applies the samples and shows each of them until its end.

pub mod board;
mod cli;
mod error;
pub mod observation;
pub mod samples;
mod screen;
mod session;

pub use cli::{DemoArgs, run};
pub use error::DemoError;
