//! What this process has learnt about one schedule. Plain data: the pass fills it, `decide` reads it. Lost in a crash: what stands under a
//! backup's name is found out again by its creation.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::policy::UNSEEN;

/// What this process remembers about one schedule between passes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What became of the backups that were to be created, by name, until the status tells it.
    pub created: BTreeMap<String, Made>,
    /// Backups beyond the history limits that may not be deleted, by name.
    pub refused_deletions: BTreeMap<String, RefusedDeletion>,
}

/// A deletion that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDeletion {
    /// When.
    pub at: Timestamp,
    /// The API server's message.
    pub message: String,
}

impl Memory {
    /// What is to be remembered of a try to create the backup of that name that had no answer.
    pub fn unanswered(&self, name: &str, message: String, now: Timestamp) -> Made {
        let (tries, since) = match self.created.get(name).map(|made| &made.outcome) {
            Some(Outcome::Unanswered { tries, since, .. }) => (tries.saturating_add(1), *since),
            _ => (1, now),
        };
        Made { at: now, outcome: Outcome::Unanswered { message, tries, since } }
    }

    /// Forgets what the cache and the status tell by now. `written`: the status was written, from what was remembered.
    pub fn settle(&mut self, is_cached: impl Fn(&str) -> bool, written: bool, now: Timestamp) {
        self.created.retain(|name, made| {
            let recent = now.duration_since(made.at) < UNSEEN;
            match made.outcome {
                // A backup that is not in the cache yet still counts as one that runs.
                Outcome::Created => recent && !is_cached(name),
                Outcome::Ours | Outcome::Foreign => !written,
                Outcome::Refused(_) | Outcome::Unanswered { .. } => recent,
            }
        });
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

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was created now.
    Created,
    /// It existed: this schedule, or an earlier one of its name, created it. Or it was created now, and is over or gone already.
    Ours,
    /// Something else stands under its name.
    Foreign,
    /// The API server refuses it, with this message.
    Refused(String),
    /// The API server did not answer, or failed: it may even have been created, which the next try finds out.
    Unanswered {
        /// Its message.
        message: String,
        /// How many tries in a row.
        tries: u32,
        /// The first of them.
        since: Timestamp,
    },
}

impl Outcome {
    /// Whether something of this schedule stands under the name.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Created | Self::Ours)
    }
}
