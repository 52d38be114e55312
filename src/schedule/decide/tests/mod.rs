//! A schedule, an API server of a few lines, and a clock that is turned by hand.

mod by_hand;
mod health;
mod history;
mod missed;
mod slots;
mod trouble;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{decide, settle};
use crate::{
    api::{Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, ScheduleCondition},
    schedule::{
        observation::{Child, Made, Memory, Observation, Outcome},
        spec::ValidatedSpec,
    },
};

/// 2027-01-15 is a Friday; the schedules of these tests are created on it, at 08:00 UTC.
pub(super) const CREATED: &str = "2027-01-15T08:00:00Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A time on the day of creation.
pub(super) fn today(clock: &str) -> Timestamp {
    at(&format!("2027-01-15T{clock}Z"))
}

pub(super) fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// One schedule and everything around it.
pub(super) struct Stage {
    pub object: RdsBackupSchedule,
    /// What the cache shows.
    pub children: Vec<Child>,
    pub memory: Memory,
    /// What was created, in its order.
    pub created: Vec<RdsBackup>,
    /// Names that belong to somebody else's objects.
    pub foreign: BTreeSet<String>,
    /// The API server refuses creations in these words.
    pub refusal: Option<String>,
    /// The API server fails, in these words.
    pub outage: Option<String>,
    /// New children are not in the cache yet.
    pub cache_lags: bool,
    /// Children that exist, and that the cache does not show yet.
    pub unseen: Vec<Child>,
    /// Requests to create, refused ones included.
    pub creations: usize,
    pub writes: usize,
    pub events: Vec<(&'static str, String)>,
    pub deleted: Vec<String>,
}

impl Stage {
    /// A schedule of these lines of its spec, created at [`CREATED`].
    pub fn new(spec: &str) -> Self {
        let spec = format!(r#"{{"template":{{"spec":{{"dbInstanceId":"rm-1"}}}},{spec}}}"#);
        let mut object = RdsBackupSchedule::new("nightly", serde_json::from_str(&spec).unwrap());
        object.metadata.namespace = Some("team-a".into());
        object.metadata.uid = Some("uid-1".into());
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(at(CREATED)));
        Self {
            object,
            children: Vec::new(),
            memory: Memory::default(),
            created: Vec::new(),
            foreign: BTreeSet::new(),
            refusal: None,
            outage: None,
            cache_lags: false,
            unseen: Vec::new(),
            creations: 0,
            writes: 0,
            events: Vec::new(),
            deleted: Vec::new(),
        }
    }

    /// The spec with these lines in the place of its own.
    pub fn edit(&mut self, change: &str) {
        let mut spec = serde_json::to_value(&self.object.spec).unwrap();
        let change: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&format!("{{{change}}}")).unwrap();
        for (key, value) in change {
            spec[key] = value;
        }
        self.object.spec = serde_json::from_value(spec).unwrap();
        self.object.metadata.generation = self.object.metadata.generation.map(|generation| generation + 1);
    }

    /// One pass of the controller, as `apply` goes through it. Answers how long it rests.
    pub fn pass(&mut self, now: Timestamp) -> Option<SignedDuration> {
        for _ in 0..20 {
            let valid = ValidatedSpec::new("team-a", "nightly", &self.object.spec, now);
            let status = self.status();
            let observed = Observation { object: &self.object, status: &status, children: &self.children, memory: &self.memory };
            let decision = decide(&self.object.spec, &valid, &observed, now);
            if let Some(child) = decision.create {
                self.create(*child, now);
                continue;
            }
            if decision.status != status {
                self.object.status = Some(decision.status);
                self.writes += 1;
                self.events.extend(decision.events.into_iter().map(|event| (event.reason().as_str(), event.note().to_owned())));
                self.settle(true, now);
                continue;
            }
            self.settle(false, now);
            for deletion in decision.deletions {
                self.children.retain(|child| child.name != deletion.name);
                self.deleted.push(deletion.name);
            }
            return decision.wait;
        }
        panic!("no rest at {now}: {:#?}", self.object.status);
    }

    fn settle(&mut self, written: bool, now: Timestamp) {
        let names: BTreeSet<String> = self.children.iter().map(|child| child.name.clone()).collect();
        settle(&mut self.memory, |name| names.contains(name), written, now);
    }

    fn create(&mut self, child: RdsBackup, now: Timestamp) {
        self.creations += 1;
        let name = child.metadata.name.clone().unwrap();
        if let Some(words) = &self.outage {
            return self.memory.unanswered(&name, words.clone(), now);
        }
        let exists = self.children.iter().chain(&self.unseen).any(|known| known.name == name);
        let outcome = if let Some(words) = &self.refusal {
            Outcome::Refused(words.clone())
        } else if self.foreign.contains(&name) {
            Outcome::Foreign
        } else if exists {
            Outcome::Ours
        } else {
            self.created.push(child);
            let child = self.child(&name, now);
            if self.cache_lags {
                self.unseen.push(child)
            } else {
                self.children.push(child)
            }
            Outcome::Created
        };
        self.memory.created.insert(name, Made { at: now, outcome });
    }

    fn child(&self, name: &str, created_at: Timestamp) -> Child {
        Child {
            name: name.to_owned(),
            uid: format!("uid-of-{name}"),
            resource_version: "1".to_owned(),
            created_at,
            phase: Phase::Pending,
            reason: None,
            completed_at: None,
            backup_id: None,
            same_instance: true,
            same_target: true,
            held: false,
        }
    }

    /// Passes from `from` to `until`, each when the one before asked for it.
    pub fn run(&mut self, from: Timestamp, until: Timestamp) {
        let mut now = from;
        while now <= until {
            let wait = self.pass(now).expect("a wait");
            assert!(!wait.is_negative() && wait <= mins(4), "{wait:?}");
            // A timer is never early, and never exact.
            now += wait.max(SignedDuration::from_millis(1)) + SignedDuration::from_millis(3);
        }
    }

    /// As [`Stage::run`], with each backup successful a minute after it was created.
    pub fn run_well(&mut self, from: Timestamp, until: Timestamp) {
        let mut now = from;
        while now <= until {
            let wait = self.pass(now).expect("a wait");
            let busy = self.children.iter().any(|child| !child.phase.is_terminal());
            now += if busy { wait.min(mins(1)) } else { wait } + SignedDuration::from_millis(3);
            for child in self.children.iter_mut().filter(|child| !child.phase.is_terminal()) {
                if now >= child.created_at + mins(1) {
                    (child.phase, child.completed_at) = (Phase::Succeeded, Some(child.created_at + mins(1)));
                }
            }
        }
    }

    /// The newest child has ended so.
    pub fn end(&mut self, phase: Phase, at: Timestamp) {
        let child = self.children.iter_mut().rev().find(|child| !child.phase.is_terminal()).expect("a child under way");
        (child.phase, child.completed_at) = (phase, Some(at));
        child.backup_id = (phase == Phase::Succeeded).then(|| "set-1".to_owned());
        child.reason = Some(phase.as_str().to_owned());
    }

    /// The process ends, and another one begins.
    pub fn restart(&mut self) {
        self.memory = Memory::default();
        self.children.append(&mut self.unseen);
    }

    pub fn status(&self) -> RdsBackupScheduleStatus {
        self.object.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh)
    }

    pub fn names(&self) -> Vec<&str> {
        self.created.iter().filter_map(|child| child.metadata.name.as_deref()).collect()
    }

    /// Status and reason of a condition.
    pub fn condition(&self, kind: ScheduleCondition) -> Option<(String, String)> {
        self.status().condition(kind).map(|condition| (condition.status.clone(), condition.reason.clone()))
    }

    pub fn is(&self, kind: ScheduleCondition, status: &str, reason: &str) -> bool {
        self.condition(kind) == Some((status.to_owned(), reason.to_owned()))
    }

    pub fn reasons(&self) -> Vec<&'static str> {
        self.events.iter().map(|(reason, _)| *reason).collect()
    }

    /// How many slots were missed, and the newest of them.
    pub fn missed(&self) -> Option<(i64, Timestamp)> {
        self.status().missed_runs.map(|missed| (missed.count, missed.last.0))
    }
}
