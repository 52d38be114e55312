//! What should happen now, as a value.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::RdsBackupStatus,
    controller::Event,
    rds::{BackupId, BackupRef, CreateBackup, InstanceId, Stamp},
};

/// Everything that should happen now; nothing else happens.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Written only if it differs from what the object has; always with the resourceVersion that was observed.
    pub status: RdsBackupStatus,
    /// At most one of these leaves the process per pass, after the status was written, so that a crash can fall between any two.
    pub effect: Option<Effect>,
    /// Published once the status was written.
    pub events: Vec<Event>,
    /// A hint: any watch event comes first, so every wait is also a time in the status or in the memory.
    pub requeue: Requeue,
    /// No new attempt before this; kept in memory.
    pub hold_until: Option<Timestamp>,
    /// The object lets go of its instance: those that wait for it are woken.
    pub wakes: bool,
    /// The finalizers that the object should have, where they differ from those that it has. Written after the status, before the effect.
    pub finalizers: Option<Vec<String>>,
}

/// What leaves the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the instance, its running jobs and its manual sets of the last 24 h. Holds the instance's lock from here on.
    Preflight {
        /// The instance.
        instance: InstanceId,
        /// The run and attempt that it is for.
        attempt: (i32, i32),
    },
    /// The status of this decision is an intent: re-read the object by a quorum GET first, and write it only if nothing changed.
    WriteIntent {
        /// The intent's nonce.
        nonce: String,
    },
    /// List the objects of the instance by a quorum LIST and see whether another has an open intent.
    Clear {
        /// The intent's nonce.
        nonce: String,
    },
    /// Send the request, once, in a task that outlives an aborted pass, and record what comes of it.
    Send {
        /// The request.
        request: Box<CreateBackup>,
        /// Its nonce and signed time, those of the intent.
        stamp: Stamp,
    },
    /// Read tasks, then sets, then claims.
    Look {
        /// The instance.
        instance: InstanceId,
        /// Sets that started before this cannot be ours.
        from: Timestamp,
    },
    /// Read whether the Namespace and the kind of the object are being deleted.
    ReadSurroundings,
    /// Read the instance and its backup policy; where the set is to be deleted, the set too, and what else names it.
    Inspect {
        /// The instance.
        instance: InstanceId,
        /// The set that is to be deleted.
        to_delete: Option<BackupId>,
    },
    /// Re-read the object by a quorum GET, and delete its set if nothing changed.
    DeleteSet {
        /// The instance.
        instance: InstanceId,
        /// The set.
        set: BackupId,
    },
    /// List the objects of the instance by a quorum LIST, to see which have a backup that may be reused.
    LookForReusable,
    /// Read the instance and one set of it.
    VerifySet {
        /// The instance.
        instance: InstanceId,
        /// The set.
        set: BackupId,
    },
    /// List the objects of the instance by a quorum LIST, to see whether one has a newer usable backup.
    LookForNewer,
    /// Delete the object, if it is still as it was seen.
    RemoveObject,
    /// Ask for the job by its id, and for its set where it is known.
    Follow {
        /// The instance.
        instance: InstanceId,
        /// Its job, unless a set was adopted or the job has ended and named its set; its set, where it is known.
        backup: BackupRef,
    },
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// At once: the effect's result is the next observation.
    Now,
    /// After this long, if nothing happens before.
    After(SignedDuration),
    /// When the object changes.
    OnChange,
}
