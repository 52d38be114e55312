//! The story of one RdsBackup in order of time, told from its object, its Events, and the other objects of its instance.

mod line;
mod queue;
mod told;

#[cfg(test)]
mod tests;

pub use line::{Line, written};
pub use queue::{Place, place};
pub use told::story;
