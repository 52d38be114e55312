//! The exit codes that more than one command has.

/// The cluster or the cloud could not be asked: a monitor must not take that for a missed objective.
pub(super) const NO_ANSWER: u8 = 3;
