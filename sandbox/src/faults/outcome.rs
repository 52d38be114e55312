//! The outcome of a plan, before it is judged.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::scenario::Scenario;
use super::violation::{ENDED, Violation};

/// The outcome of a plan, of a row of the matrix, or of a run without faults.
pub(super) struct Outcome {
    /// The id that `--plan` takes.
    pub id: String,
    /// The line of the table that it counts in.
    pub group: (String, String),
    pub namespace: String,
    /// The instances, and how many backups were asked of each.
    pub asked: Vec<Asked>,
    /// How all objects of ours in the namespace must be at the end.
    pub expected: Expected,
    /// All objects of ours in the namespace at the end.
    pub objects: Vec<Value>,
    /// What went wrong during the run.
    pub troubles: Vec<Violation>,
    /// How far the times in the logs can be compared.
    pub times: Times,
    /// How often a request, an event or a process was interfered with.
    pub faults: usize,
    /// Figures for the report.
    pub notes: Vec<String>,
    /// The names of the requests, in order.
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

/// How far the times of the endpoint's calls and of the audit log can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// They are of one clock.
    Comparable,
    /// They are of two clocks.
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

impl Outcome {
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
            faults: 0,
            notes: Vec::new(),
            requests: Vec::new(),
            took: Duration::ZERO,
            logs: Vec::new(),
        }
    }

    /// The run did not come to its end in time, or its fault was not injected.
    pub(super) fn trouble(&mut self, what: impl Into<String>) {
        self.troubles.push(Violation { rule: ENDED, what: what.into() });
    }
}
