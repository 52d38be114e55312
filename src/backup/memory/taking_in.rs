//! What this process has learnt of sets that may be an object's although it did not ask for them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    backup::policy::UNUSABLE_AFTER,
    rds::{BackupId, BackupSet, CallError, Instance},
};

/// What was learnt for `existingBackupId` or `reuseIfNewerThan`.
#[derive(Clone, Debug, Default)]
pub struct TakingIn {
    /// The backups that may be reused.
    pub reusable: Option<Reusable>,
    /// What the service says of the set that was asked for last.
    pub verified: Option<Verified>,
    /// The sets that it did not list as usable when it was asked last; since when, and when that was.
    pub doubted: BTreeMap<BackupId, (Timestamp, Timestamp)>,
}

/// The backups of the instance that may be reused, by a quorum LIST.
#[derive(Clone, Debug)]
pub struct Reusable {
    /// When.
    pub at: Timestamp,
    /// The youngest first.
    pub candidates: Vec<Candidate>,
}

/// A backup that may be reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The RdsBackup, of the same namespace.
    pub name: String,
    /// Its set.
    pub set: BackupId,
    /// When the backup began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// What the service says of a set.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The set.
    pub set: BackupId,
    /// The region that was asked.
    pub region: String,
    /// When.
    pub at: Timestamp,
    /// How many reads in a row failed.
    pub failures: u32,
    /// What was read.
    pub result: Result<VerifiedSet, CallError>,
}

/// A set and its instance.
#[derive(Clone, Debug)]
pub struct VerifiedSet {
    /// The instance's attributes.
    pub instance: Instance,
    /// The set; none if it is not listed.
    pub set: Option<BackupSet>,
}

impl TakingIn {
    /// Takes in what a LIST found.
    pub fn absorb_reusable(&mut self, at: Timestamp, candidates: Vec<Candidate>) {
        self.reusable = Some(Reusable { at, candidates });
    }

    /// Whether the service said more than once that it does not list the set as usable.
    pub fn is_unusable(&self, set: &BackupId) -> bool {
        self.doubted.get(set).is_some_and(|(first, latest)| latest.duration_since(*first) >= UNUSABLE_AFTER)
    }

    /// The next decision lists again.
    pub fn list_again(&mut self) {
        self.reusable = None;
    }

    /// Takes in what the service says of a set. `is_usable` judges one that it lists.
    pub fn absorb_verified(
        &mut self,
        (set, region): (BackupId, &str),
        at: Timestamp,
        result: Result<VerifiedSet, CallError>,
        is_usable: impl Fn(&BackupSet) -> bool,
    ) {
        let before = self.verified.as_ref().filter(|before| before.set == set).map_or(0, |before| before.failures);
        let failures = if result.is_ok() { 0 } else { before.saturating_add(1) };
        if let Ok(facts) = &result {
            if facts.set.as_ref().is_some_and(is_usable) {
                self.doubted.remove(&set);
            } else {
                self.doubted.entry(set.clone()).or_insert((at, at)).1 = at;
            }
        }
        self.verified = Some(Verified { set, region: region.to_owned(), at, failures, result });
    }
}
