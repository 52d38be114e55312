//! What a pass waits for. Plain data.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    api::RdsBackup,
    audit::Audited,
    schedule::{
        children::GuardedBackup,
        decide::{Decision, Deletion},
        native::Reading,
    },
};

/// What the pass waits for.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The beginning.
    Begin,
    /// The first list of every watch: before it, a backup that runs could be overlooked.
    FirstList,
    /// The object: a write was made whose answer was lost.
    Refresh,
    /// What a decision is made of.
    Observe,
    /// The object, before a backup is created: suspended, edited or deleted a moment ago, the cache may not know.
    Reread(Arc<RdsBackup>, Arc<Decided>),
    /// The newest backup, which no cache shows, before another is created.
    LastBackup(Arc<RdsBackup>, String),
    /// A backup for which a slot would be skipped.
    Unconfirmed(String),
    /// What became of the creation.
    Create(Arc<RdsBackup>, Timestamp),
    /// The object that has the backup's name already.
    Namesake(Arc<RdsBackup>, Timestamp),
    /// What became of the status write.
    Write(Arc<Decided>),
    /// The object as the writer in between has left it.
    Conflict,
    /// What became of a deletion.
    Delete(Deletions),
    /// The pass is over.
    Over,
}

/// The backups of the schedule, as they were observed.
pub(super) struct Seen {
    pub backups: Vec<(Arc<GuardedBackup>, Option<Audited>)>,
    pub audits_are_due: bool,
    pub native: Reading,
}

/// A decision, and what it was made of.
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// When it was made.
    pub at: Timestamp,
    /// The names of the backups that the cache showed.
    pub cached: BTreeSet<String>,
}

/// Deletions that are left, and when the pass must be over.
#[derive(Clone, Debug)]
pub struct Deletions {
    /// The one that is asked for.
    pub(super) current: Option<Deletion>,
    /// The API server refused one: the status has to say so.
    pub(super) has_refused: bool,
    pub(super) left: VecDeque<Deletion>,
    pub(super) due: Option<Timestamp>,
}
