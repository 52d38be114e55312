//! What a pass waits for. Plain data.

use std::sync::Arc;

use crate::backup::{decide::Decision, reads::Reads, request::Observed};

/// What the pass waits for.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The beginning.
    Begin,
    /// The object: a write was made whose answer was lost.
    Refresh(Purpose),
    /// What a decision is made of.
    Observe(Purpose),
    /// The instance's lock.
    Lock(Arc<Decided>),
    /// The object, before its intent is written.
    Reread(Arc<Decided>),
    /// What became of the status write.
    Write(Arc<Decided>),
    /// The object as it stands after another write.
    Conflict(Purpose),
    /// What became of the write of the finalizers.
    WriteFinalizers(Arc<Decided>),
    /// A place among the callers of the account.
    Admit(Arc<Decided>, Box<Reads>),
    /// A read of an effect.
    Read(Arc<Decided>, Box<Reads>),
    /// The objects of the instance, to clear the intent.
    Clear(Arc<Decided>),
    /// The answer to CreateBackup.
    Send(Arc<Decided>),
    /// Whether what the object stands in is being deleted.
    Surroundings(Arc<Decided>),
    /// The objects of the instance, to see whether one has a newer backup.
    Newer(Arc<Decided>),
    /// The objects of the instance, to see which have a backup that may be reused.
    Reusable(Arc<Decided>),
    /// What became of the deletion of the object.
    Remove,
    /// What became of the deletion of the set.
    DeleteSet(Arc<Decided>),
    /// The next try to record the answer.
    PauseRecording {
        /// How many tries failed in a row.
        failures: u32,
    },
    /// The pass is over.
    Over,
}

/// What is decided next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What should happen.
    Decide,
    /// How the answer that this process holds is recorded. Tried for as long as the process lives: memory has the only copy.
    Record {
        /// How many tries failed in a row.
        failures: u32,
    },
}

/// A decision, and what it was made of.
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// What it was made of.
    pub observed: Box<Observed>,
    /// What it is for.
    pub purpose: Purpose,
}
