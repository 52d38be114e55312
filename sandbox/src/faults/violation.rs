//! The rules that hold after every plan, and the record of a broken one.

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub rule: &'static str,
    pub what: String,
}

pub(super) const ENDED: &str = "fault injected, at rest in time";
pub(super) const ONE_ACCEPTED: &str = "one accepted CreateBackup";
pub(super) const AS_UNDISTURBED: &str = "ends as undisturbed";
pub(super) const RECORDED: &str = "the accepted job is the result";
pub(super) const CLEARED: &str = "sent after its cleared intent";
pub(super) const SENT_ONCE: &str = "every request is sent once";
pub(super) const ABSORBED: &str = "an end is the end";
pub(super) const MADE: &str = "creates and deletes as undisturbed";
pub(super) const WRITES: &str = "few status writes";
pub(super) const DELETED: &str = "the set of the object is deleted";
pub(super) const ROW: &str = "what the row itself requires";

pub(super) const RULES: [&str; 11] =
    [ENDED, ONE_ACCEPTED, AS_UNDISTURBED, RECORDED, CLEARED, SENT_ONCE, ABSORBED, MADE, WRITES, DELETED, ROW];
