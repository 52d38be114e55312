//! What should happen now, as a value.

use jiff::SignedDuration;

use crate::{
    api::{RdsBackup, RdsBackupScheduleStatus},
    controller::Event,
};

/// Everything that should happen now; nothing else happens.
#[derive(Clone, Debug)]
pub struct Decision {
    /// A backup to create, before anything else: the schedule is read live first, and this is decided again if it has changed.
    pub create: Option<Box<RdsBackup>>,
    /// Written if it differs from what the object has, once there is nothing to create.
    pub status: RdsBackupScheduleStatus,
    /// Published once the status was written.
    pub events: Vec<Event>,
    /// Backups for which a slot would be skipped: each is asked for first, and this is decided again if one is over.
    pub unconfirmed: Vec<String>,
    /// Objects to delete once the status was written.
    pub deletions: Vec<Deletion>,
    /// The sets of the instance should be looked at soon: a set is to be deleted, and the newest look is too old for that.
    pub wants_audit: bool,
    /// When to look again, at the latest.
    pub wait: Option<SignedDuration>,
}

/// An object to delete, only if it is still the one that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
}
