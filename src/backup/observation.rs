//! What one decision about an RdsBackup is made of, besides the present. Plain data: the pass fills it, `decide` reads it.

use jiff::{SignedDuration, Timestamp};

use super::{memory::Memory, siblings::Sibling};
use crate::{
    accounts::{AllowedRegions, Poll, Protocol, Submissions},
    api::{BLACKOUT_ANNOTATION, NEXT_START_ANNOTATION, RdsBackup, RdsBackupStatus, Reason},
    audit::Audited,
};

/// Everything that a decision is made of, besides the present.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The newest copy of the object that this process has.
    pub object: &'a RdsBackup,
    /// Its status; [`RdsBackupStatus::fresh`] where it has none.
    pub status: &'a RdsBackupStatus,
    /// Its account, or why the account cannot be used.
    pub account: &'a Result<AccountView, Blocker>,
    /// The other unfinished objects of the same instance, from the cache.
    pub siblings: &'a [Sibling],
    /// Whether everything that may hold the instance can be read; else what cannot be.
    pub claims: &'a Result<(), Blocker>,
    /// Whether the object's Namespace pauses submissions, or why that cannot be read.
    pub namespace: &'a Result<Submissions, String>,
    /// What the newest audit of this process found of the object's set.
    pub audited: Option<&'a Audited>,
    /// The API server's time; none before its first answer.
    pub server_now: Option<Timestamp>,
    /// What this process has learnt about the object.
    pub memory: &'a Memory,
    /// Whether the present is known from an answer of the service or of the API server. Otherwise nothing ends by time alone.
    pub time_is_known: bool,
    /// Randomness for this pass.
    pub randomness: &'a Randomness,
}

/// An account as far as decisions need it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Which connection to the service it has: what was read through another one proves nothing.
    pub connection: u64,
    /// The region that is asked: the one that the status records, else the spec's, else the account's.
    pub region_id: String,
    /// The regions that the account's allow-list opens to the object.
    pub regions: AllowedRegions,
    /// Where its access key comes from, as messages say it.
    pub key_source: String,
    /// What the protocol waits for.
    pub protocol: Protocol,
    /// How often jobs are looked at.
    pub poll: Poll,
    /// Whether an administrator paused submissions.
    pub paused: bool,
    /// Whether credentials are at hand; without them nothing can be asked.
    pub credentials: Result<(), Blocker>,
}

/// Why an object cannot go on, and whether it passes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// One of the closed list.
    pub reason: Reason,
    /// What to do about it.
    pub message: String,
    /// When to look again where it passes by itself; none where a person must act.
    pub again_in: Option<SignedDuration>,
}

/// Randomness for one pass, so that `decide` needs none of its own.
#[derive(Clone, Debug)]
pub struct Randomness {
    /// A fresh nonce, should a request be decided.
    pub nonce: String,
    /// 1 to 5 s: the pause after two intents met.
    pub pause: SignedDuration,
}

impl Observation<'_> {
    /// The object's uid; empty only for an object that no API server made.
    pub fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whether the object is being deleted; it is there for as long as it has finalizers.
    pub fn is_being_deleted(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    /// When its schedule starts the next backup, or a blackout of the schedule begins before that, as the schedule noted it.
    pub fn next_start(&self) -> Option<Timestamp> {
        let annotations = self.object.metadata.annotations.as_ref()?;
        let noted = [NEXT_START_ANNOTATION, BLACKOUT_ANNOTATION].into_iter().filter_map(|name| annotations.get(name)?.parse().ok());
        noted.min()
    }

    /// The generation of the spec.
    pub fn generation(&self) -> i64 {
        self.object.metadata.generation.unwrap_or_default()
    }

    /// When the object was created: with the uid, its place in the queue.
    pub fn created_at(&self) -> Timestamp {
        self.object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
    }
}
