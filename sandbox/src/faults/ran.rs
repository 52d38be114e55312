//! What came of a plan.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::scenario::Scenario;
use super::violation::{ENDED, Violation};

/// What came of a plan, of a row of the matrix, or of a learning run.
pub(super) struct Ran {
    /// What `--plan` repeats.
    pub id: String,
    /// The line of the table that it counts in.
    pub group: (String, String),
    pub namespace: String,
    /// The instances, and how many backups were asked of each.
    pub asked: Vec<Asked>,
    /// How all objects of ours in the namespace must be at the end.
    pub expected: Expected,
    /// How they are.
    pub objects: Vec<Value>,
    /// What went wrong before there was anything to judge.
    pub troubles: Vec<Violation>,
    /// What the times in the logs are good for.
    pub times: Times,
    /// How often something was done to a request, an event or a process.
    pub struck: usize,
    /// Figures.
    pub notes: Vec<String>,
    /// What the requests were called.
    pub requests: Vec<String>,
    pub took: Duration,
    /// The logs of its operators.
    pub logs: Vec<PathBuf>,
}

/// What was asked for on an instance.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub instance: String,
    /// How many accepted requests are right: one for each object, or up to that where objects were deleted under way.
    pub backups: RangeInclusive<usize>,
}

/// What the times of the endpoint's calls and of the audit log are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// They are of one clock.
    Comparable,
    /// They are of two.
    OfTwoClocks,
    /// The API server was killed: what it did in its last moment may be missing in its audit log.
    Incomplete,
}

/// How objects must be at the end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// As undisturbed.
    As(Scenario),
    /// So many backups, each as the one of `one-shot` undisturbed.
    Backups(usize),
}

impl Ran {
    pub(super) fn new(id: String, group: (String, String), namespace: String, expected: Expected) -> Self {
        Self {
            id,
            group,
            namespace,
            asked: Vec::new(),
            expected,
            objects: Vec::new(),
            troubles: Vec::new(),
            times: Times::Comparable,
            struck: 0,
            notes: Vec::new(),
            requests: Vec::new(),
            took: Duration::ZERO,
            logs: Vec::new(),
        }
    }

    /// It did not become what it had to within its time, or was not struck.
    pub(super) fn trouble(&mut self, what: impl Into<String>) {
        self.troubles.push(Violation { rule: ENDED, what: what.into() });
    }
}
