//! What a pass over an RdsBackupSchedule asks for, and what it is answered. Plain data.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{children::GuardedBackup, decide::Deletion, memory::Outcome, native::Reading};
use crate::{
    api::{RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus},
    audit::Audited,
    controller::{self, Creation, Event, WriteResult},
};

/// What a pass needs next. Each is answered by exactly one [`Answer`].
#[derive(Clone, Debug)]
pub enum Request {
    /// Waits until every watch of RdsBackups has listed its objects once: answered by [`Answer::Done`].
    AwaitFirstList,
    /// The backups of the schedule that the cache shows: answered by [`Answer::Observed`].
    Observe,
    /// The schedule as the API server has it, a quorum GET: answered by [`Answer::Object`].
    ReadObject,
    /// The RdsBackup of that name in the schedule's namespace, a quorum GET: answered by [`Answer::Backup`].
    ReadBackup(String),
    /// The object that has the name of a backup already, a quorum GET: answered by [`Answer::Namesake`].
    ReadNamesake(String),
    /// Creates a backup: answered by [`Answer::Created`].
    Create(Arc<RdsBackup>),
    /// Writes the whole status, with the resourceVersion of the pass's copy: answered by [`Answer::Written`].
    WriteStatus(Box<RdsBackupScheduleStatus>),
    /// Has the sets of the schedule's instance looked at soon: answered by [`Answer::Done`].
    HurryAudit,
    /// Deletes the object of a backup, if it is still the one that was seen; the backup set goes with it only where the object says so:
    /// answered by [`Answer::Deleted`].
    Delete(Deletion),
    /// Logs what became of the creation of a backup: answered by [`Answer::Done`].
    LogCreation {
        /// The backup.
        backup: Arc<RdsBackup>,
        /// What became of it.
        outcome: Outcome,
    },
    /// Counts a backup that was created just now, so that a burst of them is recognised: answered by [`Answer::Done`].
    CountCreation,
    /// Publishes events: answered by [`Answer::Done`].
    Announce(Vec<Event>),
}

/// What a request came to.
#[derive(Debug)]
pub enum Answer {
    /// Nothing was asked yet: the pass begins.
    Begin,
    /// It was done, whatever came of it.
    Done,
    /// The backups that carry the schedule's name, each with what the newest audit found of its set.
    Observed {
        /// The backups.
        backups: Vec<(Arc<GuardedBackup>, Option<Audited>)>,
        /// This process has run for so long that every set should have been looked at.
        audits_are_due: bool,
        /// What is known of the instance's own backup window.
        native: Reading,
    },
    /// The schedule; none if it is gone, or another stands under its name.
    Object(Result<Option<Box<RdsBackupSchedule>>, controller::Error>),
    /// The backup of a name; none if there is none.
    Backup(Result<Option<Box<RdsBackup>>, controller::Error>),
    /// The object of a name, also one that cannot be read as an RdsBackup; none if there is none.
    Namesake(Result<Option<Box<GuardedBackup>>, controller::Error>),
    /// What became of a creation.
    Created(Result<Creation, controller::Error>),
    /// What became of a write.
    Written(Result<WriteResult<RdsBackupSchedule>, controller::Error>),
    /// Whether the object was deleted; it was not if it had changed, or was gone.
    Deleted(Result<bool, controller::Error>),
}

/// What is true at the moment at which a pass goes on.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// Our clock's time.
    pub now: Timestamp,
    /// The API server's time; none before its first answer.
    pub server_now: Option<Timestamp>,
    /// Many schedules create backups at this moment.
    pub is_burst: bool,
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// This has to be done.
    Do(Request),
    /// There is something to wait for.
    Rest(Rest),
}

/// How a pass ended.
#[derive(Clone, Debug)]
pub enum Rest {
    /// Look again after this long, if nothing happens before.
    Requeue(Duration),
    /// Look again when the object, or a backup of it, changes.
    AwaitChange,
    /// It could not be finished, and is made again after a growing pause.
    Failed {
        /// Why.
        error: Arc<Error>,
        /// The longest that the pause may be: the next slot does not wait for what went wrong with this one. None where nothing is due.
        again_within: Option<Duration>,
    },
}

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] controller::Error),
    /// The decisions went round in a circle.
    #[error("no rest after {0} decisions")]
    NoRest(usize),
    /// A request was answered by another's answer.
    #[error("an answer does not belong to its request: this is a fault of the operator")]
    Mismatch,
}
