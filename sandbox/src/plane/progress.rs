//! How a start or a build that takes a while tells of itself.

/// Told what is going on, one line at a time.
pub type Progress = Box<dyn Fn(&str) + Send + Sync>;
