//! What this process has learnt for the deletion of a backup set, and of whether the service would delete it.

use jiff::Timestamp;

use crate::{
    controller::Surroundings,
    rds::{BackupPolicy, BackupSet, CallError, Instance, SetDeletion},
};

/// What was learnt for the deletion of one object's set.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// Whether what the object stands in is being deleted too.
    pub surroundings: Option<Surrounded>,
    /// What the service and the API server say of the set.
    pub inspection: Option<Inspection>,
    /// What the newest DeleteBackup came to.
    pub answer: Option<Answered>,
}

/// What an object stands in.
#[derive(Clone, Debug)]
pub struct Surrounded {
    /// When it was read.
    pub at: Timestamp,
    /// How many reads in a row failed.
    pub failures: u32,
    /// What was read, or why not.
    pub result: Result<Surroundings, String>,
}

/// What the reads before a deletion found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// When.
    pub at: Timestamp,
    /// How many in a row were not whole.
    pub failures: u32,
    /// What they found.
    pub findings: Findings,
}

/// What is known of a set and its instance. What was not asked for, or not any more after an error, is none.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The instance's attributes.
    pub instance: Result<Instance, CallError>,
    /// Its backup policy.
    pub policy: Option<Result<BackupPolicy, CallError>>,
    /// The set; none if it is not listed. Only asked for where it is to be deleted, and so is the rest.
    pub set: Option<Result<Option<BackupSet>, CallError>>,
    /// What else names the set, or may and cannot be read.
    pub others: Option<Vec<Other>>,
}

/// What may need the set too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Other {
    /// This RdsBackup has it as its result.
    Names(String),
    /// This cannot be read.
    Unreadable(String),
}

/// What a DeleteBackup came to.
#[derive(Clone, Debug)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// How many in a row came to nothing.
    pub failures: u32,
    /// What.
    pub result: Result<SetDeletion, CallError>,
}

impl Findings {
    /// The error that kept the deletion from being decided. That of the policy does not.
    pub fn trouble(&self) -> Option<&CallError> {
        let of_set = self.set.as_ref().and_then(|set| set.as_ref().err());
        self.instance.as_ref().err().or(of_set)
    }
}

impl Deletion {
    /// Takes in whether what the object stands in is being deleted.
    pub fn absorb_surroundings(&mut self, at: Timestamp, result: Result<Surroundings, String>) {
        let failures = if result.is_ok() { 0 } else { self.surroundings.as_ref().map_or(0, |before| before.failures).saturating_add(1) };
        self.surroundings = Some(Surrounded { at, failures, result });
    }

    /// Takes in what was read.
    pub fn absorb_inspection(&mut self, at: Timestamp, findings: Findings) {
        let before = self.inspection.as_ref().map_or(0, |before| before.failures);
        let failures = if findings.trouble().is_none() { 0 } else { before.saturating_add(1) };
        self.inspection = Some(Inspection { at, failures, findings });
    }

    /// Takes in what a DeleteBackup came to.
    pub fn absorb_answer(&mut self, at: Timestamp, result: Result<SetDeletion, CallError>) {
        let failures = if result.is_ok() { 0 } else { self.answer.as_ref().map_or(0, |before| before.failures).saturating_add(1) };
        self.answer = Some(Answered { at, failures, result });
    }
}
