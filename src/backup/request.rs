//! What a pass over an RdsBackup asks for, and what it is answered. Plain data.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{
    observation::{AccountView, Blocker, Randomness},
    siblings::Claim,
};
use crate::{
    accounts::Submissions,
    api::{RdsBackup, RdsBackupStatus},
    audit::Audited,
    controller::{self, Event, Surroundings, WriteResult},
    rds::{
        self, BackupId, BackupPolicy, BackupSet, BackupTask, CallError, CreateBackup, CreateOutcome, Instance, InstanceId, JobId,
        SetDeletion, Stamp,
    },
};

/// What a pass needs next. Each is answered by exactly one [`Answer`].
#[derive(Clone, Debug)]
pub enum Request {
    /// What a decision is made of, besides the object: answered by [`Answer::Observed`].
    Observe {
        /// The object asks for nothing: its credentials are not read, and the other objects of its instance not looked up.
        at_rest: bool,
    },
    /// The object as the API server has it, a quorum GET: answered by [`Answer::Object`].
    ReadObject,
    /// All objects of the instance as the API server has them, a quorum LIST: answered by [`Answer::Instance`].
    ListInstance,
    /// The lock by which one object of this process submits on the instance; held until the pass is over: answered by [`Answer::Locked`].
    LockInstance,
    /// A place among the callers of the account, kept until the pass is over: answered by [`Answer::Admitted`].
    Admit,
    /// One read of the service: answered by [`Answer::Read`].
    Read {
        /// The instance.
        instance: InstanceId,
        /// What is read of it.
        what: CloudRead,
    },
    /// Whether what the object stands in is being deleted: answered by [`Answer::Surroundings`].
    ReadSurroundings,
    /// Deletes the object, if it is still as it was seen; its set stays: answered by [`Answer::Removed`].
    RemoveObject,
    /// Deletes one set of the service: answered by [`Answer::Deleted`].
    DeleteSet {
        /// The instance.
        instance: InstanceId,
        /// The set.
        set: BackupId,
    },
    /// The account's credentials anew, because the service refused them: answered by [`Answer::Renewed`].
    RenewCredentials,
    /// Writes the whole status, with the resourceVersion of the pass's copy: answered by [`Answer::Written`].
    WriteStatus {
        /// The status.
        status: Box<RdsBackupStatus>,
        /// It records what was begun while this process led, so it is written although another process may lead by now.
        unfenced: bool,
    },
    /// Writes the finalizers, with the resourceVersion of the pass's copy: answered by [`Answer::Written`].
    WriteFinalizers(Vec<String>),
    /// Sends CreateBackup, once. From here on the pass must not be dropped: answered by [`Answer::Sent`].
    Send {
        /// The request.
        request: Box<CreateBackup>,
        /// Its nonce and signed time, those of the intent.
        stamp: Stamp,
    },
    /// Waits before the record of an answer is tried again: answered by [`Answer::Done`].
    PauseRecording {
        /// How long.
        pause: Duration,
        /// Why it could not be recorded.
        why: String,
    },
    /// Tells people what happened: answered by [`Answer::Done`].
    Announce(Box<Announcement>),
    /// Remembers that this process wrote the object's end, which the cache may not show yet, or never: answered by [`Answer::Done`].
    NoteEnd,
    /// Remembers whether the API server refuses the object's status because the object would become too large: answered by
    /// [`Answer::Done`].
    NoteTooLarge(bool),
    /// Wakes the other objects of the instance: answered by [`Answer::Done`].
    WakeSiblings,
    /// Forgets the object's state: answered by [`Answer::Done`].
    Forget,
}

/// One read of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudRead {
    /// The instance's attributes.
    Attributes,
    /// The jobs that run, or one job by its id.
    Tasks(Option<JobId>),
    /// The sets of backups by hand that started since then.
    ManualSets(Timestamp),
    /// One set.
    Set(BackupId),
    /// The instance's backup policy.
    Policy,
}

/// What a read of the service found.
#[derive(Clone, Debug)]
pub enum CloudFinding {
    /// The instance's attributes.
    Attributes(Box<Instance>),
    /// Jobs.
    Tasks(rds::Answer<Vec<BackupTask>>),
    /// Sets, without their details.
    Sets(rds::Answer<Vec<BackupSet>>),
    /// A backup policy.
    Policy(BackupPolicy),
}

/// What a write changed, for the log and for events.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The status that stands now, where its phase or its reason is another than before.
    pub transition: Option<RdsBackupStatus>,
    /// Its events.
    pub events: Vec<Event>,
}

/// What a request came to.
#[derive(Debug)]
pub enum Answer {
    /// Nothing was asked yet: the pass begins.
    Begin,
    /// It was done, whatever came of it.
    Done,
    /// What a decision is made of.
    Observed(Box<Observed>),
    /// The object; none if it is gone, or another stands under its name.
    Object(Result<Option<Box<RdsBackup>>, controller::Error>),
    /// The objects of the instance, the pass's own among them.
    Instance(Result<InstanceObjects, controller::Error>),
    /// Whether the lock is held now.
    Locked(bool),
    /// The time until there may be a place, where there is none.
    Admitted(Result<(), Duration>),
    /// What a read of the service found, and when by the service's time as far as it is known.
    Read {
        /// When.
        at: Timestamp,
        /// What.
        result: Result<CloudFinding, CallError>,
    },
    /// Whether there are other credentials than those that were refused.
    Renewed(bool),
    /// What became of a write.
    Written(Result<WriteResult<RdsBackup>, controller::Error>),
    /// What became of CreateBackup.
    Sent(CreateOutcome),
    /// What the object stands in, or why that cannot be read.
    Surroundings(Result<Surroundings, String>),
    /// Whether the object was deleted; it was not if it had changed, or was gone.
    Removed(Result<bool, controller::Error>),
    /// What became of a DeleteBackup.
    Deleted(Result<SetDeletion, CallError>),
}

/// What a decision is made of, besides the object and the memory.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The service's time: our clock, corrected by the `Date` of its answers, or by the API server's before the first of them.
    pub now: Timestamp,
    /// Whether an answer of either is known. Otherwise the time is the node's own, which may be hours off.
    pub time_is_known: bool,
    /// The API server's time; none before its first answer.
    pub server_now: Option<Timestamp>,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Blocker>,
    /// The objects of the instance that the cache shows.
    pub cached: Vec<InstanceObject>,
    /// Whether everything that may hold the instance can be read; else what cannot be.
    pub claims: Result<(), Blocker>,
    /// Whether the object's Namespace pauses submissions, or why that cannot be read.
    pub namespace: Result<Submissions, String>,
    /// What the newest audit of this process found of the object's set.
    pub audited: Option<Audited>,
    /// Randomness for one decision.
    pub randomness: Randomness,
}

/// The objects of an instance as the API server has them.
#[derive(Clone, Debug, Default)]
pub struct InstanceObjects {
    /// Those that can be read.
    pub listed: Vec<InstanceObject>,
    /// What ended ones that do not deserialise have as their result.
    pub claims: Vec<Claim>,
    /// What may hold the instance and cannot be read: objects that do not deserialise, and namespaces. In doubt nothing is sent.
    pub unreadable: Vec<String>,
}

impl From<Vec<InstanceObject>> for InstanceObjects {
    fn from(listed: Vec<InstanceObject>) -> Self {
        Self { listed, ..Self::default() }
    }
}

/// An object of the instance, with what is known of its account.
#[derive(Clone, Debug)]
pub struct InstanceObject {
    /// The object.
    pub object: Arc<RdsBackup>,
    /// Its account may be used for it, and is not paused.
    pub admissible: bool,
    /// How long after its signed time an open intent holds the instance when it is blocked: expiry, skew and listing lag of its account.
    pub release_after: SignedDuration,
    /// This process wrote the object's end already.
    pub ended: bool,
    /// The API server does not take its status: it cannot go on.
    pub too_large: bool,
}

/// What is true at the moment at which a pass goes on.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The time by a clock that cannot be set.
    pub steady: Instant,
    /// Whether this process may begin something: there is no election, or it holds the lease.
    pub leads: bool,
    /// Whether many schedules create their backups at this moment.
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
    /// Look again when the object changes.
    AwaitChange,
    /// It could not be finished, and is made again after a growing pause.
    Failed(Arc<Error>),
}

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] controller::Error),
    /// The task that sends and records was ended: only the end of the process does that.
    #[error("the operator is shutting down while a request is under way")]
    ShuttingDown,
    /// The decisions went round in a circle.
    #[error("no rest after {0} decisions")]
    NoRest(usize),
    /// A request was answered by another's answer.
    #[error("an answer does not belong to its request: this is a fault of the operator")]
    Mismatch,
}
