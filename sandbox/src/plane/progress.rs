//! How a start or a build reports its progress.

/// Receives each step of a start or a build as one line.
pub type Progress = Box<dyn Fn(&str) + Send + Sync>;
