//! What the audits of this process found. Lost with the process: until the next audit nothing counts as seen.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::plan::Target;

/// What an audit found of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is listed and usable.
    Usable {
        /// When the service will remove it, where it tells.
        expires_at: Option<Timestamp>,
    },
    /// It is listed, and cannot be restored: why.
    Unusable(&'static str),
    /// It is not listed any more, and its time is not over.
    Gone,
    /// It is not listed any more, and its time is over: the service has removed it as it was to.
    Expired,
}

/// What an audit found, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// By the service's time.
    pub at: Timestamp,
    /// What.
    pub finding: Finding,
}

/// The newest finding of each RdsBackup, by its uid. Shared.
#[derive(Clone, Debug, Default)]
pub struct Audits {
    found: Arc<Mutex<HashMap<String, Audited>>>,
    hurried: Arc<Mutex<BTreeSet<Target>>>,
    began: Arc<Mutex<Option<Timestamp>>>,
}

impl Audits {
    /// What was found of an object's set; none if this process has not looked yet.
    pub fn of(&self, uid: &str) -> Option<Audited> {
        self.locked().get(uid).cloned()
    }

    /// Takes note.
    pub fn note(&self, uid: &str, audited: Audited) {
        self.locked().insert(uid.to_owned(), audited);
    }

    /// Forgets the objects for which `exists` says no.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        self.locked().retain(|uid, _| exists(uid));
    }

    /// The audits begin.
    pub fn begin(&self, now: Timestamp) {
        self.began.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
    }

    /// For how long there have been audits by now; zero before the first.
    pub fn runs_for(&self, now: Timestamp) -> SignedDuration {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.map_or(SignedDuration::ZERO, |began| now.duration_since(began))
    }

    /// Asks for an audit of a target as soon as its account may call.
    pub fn hurry(&self, target: Target) {
        self.hurried.lock().unwrap_or_else(PoisonError::into_inner).insert(target);
    }

    /// The targets that were asked for since the last call.
    pub fn take_hurried(&self) -> BTreeSet<Target> {
        std::mem::take(&mut *self.hurried.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Audited>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
