//! What one pass over a schedule has observed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{BackupTemplate, HOLD_ANNOTATION, Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus};

/// Everything that a decision is made from, beside the spec's plan and the present.
pub struct Observation<'a> {
    /// The schedule.
    pub object: &'a RdsBackupSchedule,
    /// Its status as it stands.
    pub status: &'a RdsBackupScheduleStatus,
    /// The backups that carry its name.
    pub children: &'a [Child],
    /// What this process has just done.
    pub memory: &'a Memory,
}

/// An RdsBackup that carries the schedule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version, for a deletion that must not meet another one.
    pub resource_version: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where it is.
    pub phase: Phase,
    /// Why it is there.
    pub reason: Option<String>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// Its backup set.
    pub backup_id: Option<String>,
    /// Whether it is of the instance that the template names: the service runs one backup of an instance at a time.
    pub same_instance: bool,
    /// Whether it is of the instance and the account that the template names: only then it says something of the schedule's health.
    pub same_target: bool,
    /// Whether somebody wants it kept.
    pub held: bool,
}

impl Child {
    /// A child as it stands, for a schedule with this template.
    pub fn of(object: &RdsBackup, template: &BackupTemplate) -> Self {
        let status = object.status.as_ref();
        let same_instance = object.spec.db_instance_id == template.spec.db_instance_id;
        let held = |annotations: &BTreeMap<String, String>| annotations.get(HOLD_ANNOTATION).is_some_and(|value| value == "true");
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
            created_at: object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            phase: status.map(|status| status.phase).unwrap_or_default(),
            reason: status.and_then(|status| status.ready_reason()).map(str::to_owned),
            completed_at: status.and_then(|status| status.completed_at.as_ref()).map(|time| time.0),
            backup_id: status.and_then(|status| status.backup_id.clone()),
            same_instance,
            same_target: same_instance && object.spec.account == template.spec.account,
            held: object.metadata.annotations.as_ref().is_some_and(held),
        }
    }
}

/// What this process remembers about one schedule between passes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What became of the backups that were to be created, by name, until the status tells it.
    pub created: BTreeMap<String, Made>,
}

impl Memory {
    /// A try to create the backup of that name was not answered.
    pub fn unanswered(&mut self, name: &str, words: String, now: Timestamp) {
        let (tries, since) = match self.created.get(name).map(|made| &made.outcome) {
            Some(Outcome::Unanswered { tries, since, .. }) => (tries.saturating_add(1), *since),
            _ => (1, now),
        };
        self.created.insert(name.to_owned(), Made { at: now, outcome: Outcome::Unanswered { words, tries, since } });
    }
}

/// What became of a backup that was to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// When.
    pub at: Timestamp,
    /// What.
    pub outcome: Outcome,
}

impl Outcome {
    /// Whether something of this schedule stands under the name.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Created | Self::Ours)
    }

    /// Whether it is known what stands under the name.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Created | Self::Ours | Self::Foreign)
    }
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was created now.
    Created,
    /// It existed: this schedule, or an earlier one of its name, created it.
    Ours,
    /// Something else stands under its name.
    Foreign,
    /// The API server refuses it, in these words.
    Refused(String),
    /// The API server did not answer, or failed: it may even have been created, which the next try finds out.
    Unanswered {
        /// Its words.
        words: String,
        /// How many tries in a row.
        tries: u32,
        /// The first of them.
        since: Timestamp,
    },
}
