//! A schedule, an API server of a few lines, and a clock that is turned by hand: what the shipped pass makes of them.

mod blackouts;
mod by_hand;
mod edits;
mod health;
mod history;
mod missed;
mod native;
mod plausible;
mod retention;
mod slots;
mod trouble;

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::core::Status;

use super::{
    native::Reading,
    observation::{Child, Set},
    pass::Pass,
    request::{Answer, Next, Present, Request, Rest},
    spec::ValidatedSpec,
    stalled::Stalled,
    state::ObjectState,
};
use crate::{
    api::{
        Condition, DeletionPolicy, HOLD_ANNOTATION, Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, RdsBackupStatus, Reason,
        SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL, ScheduleCondition, Time, condition,
    },
    audit::{Audited, Finding},
    controller::{self, Creation, Guarded, WriteResult},
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
pub(super) struct World {
    pub object: RdsBackupSchedule,
    /// What the cache shows.
    pub children: Vec<Child>,
    /// What the process remembers.
    pub state: ObjectState,
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
    /// What the API server says that the time is.
    pub server_now: Option<Timestamp>,
    /// Requests to create, refused ones included.
    pub creations: usize,
    pub writes: usize,
    pub events: Vec<(&'static str, String)>,
    pub deleted: Vec<String>,
    /// What the API server refuses to delete.
    pub undeletable: BTreeSet<String>,
    /// How often an audit was asked for.
    pub hurried: usize,
    pub audits_are_due: bool,
    /// What was read of the instance's own backup window.
    pub native: Reading,
}

impl World {
    /// A schedule of these lines of its spec, created at [`CREATED`].
    pub fn new(spec: &str) -> Self {
        let spec = format!(r#"{{"template":{{"spec":{{"dbInstanceId":"rm-1"}}}},{spec}}}"#);
        let mut object = RdsBackupSchedule::new("nightly", serde_json::from_str(&spec).unwrap());
        object.metadata.namespace = Some("team-a".into());
        object.metadata.uid = Some("uid-1".into());
        object.metadata.generation = Some(1);
        object.metadata.resource_version = Some("1".into());
        object.metadata.creation_timestamp = Some(Time(at(CREATED)));
        Self {
            object,
            children: Vec::new(),
            state: ObjectState::default(),
            created: Vec::new(),
            foreign: BTreeSet::new(),
            refusal: None,
            outage: None,
            cache_lags: false,
            unseen: Vec::new(),
            server_now: None,
            creations: 0,
            writes: 0,
            events: Vec::new(),
            deleted: Vec::new(),
            undeletable: BTreeSet::new(),
            hurried: 0,
            audits_are_due: false,
            native: Reading::Unread,
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
        self.next_version();
    }

    /// As [`World::edit`], with the time at which the API server took it in.
    pub fn edit_at(&mut self, clock: Timestamp, change: &str) {
        self.edit(change);
        let fields: serde_json::Value = serde_json::from_str(&format!("{{{change}}}")).unwrap();
        let keys: serde_json::Map<_, _> =
            fields.as_object().unwrap().keys().map(|key| (format!("f:{key}"), serde_json::json!({}))).collect();
        let entry = ManagedFieldsEntry {
            time: Some(Time(Timestamp::from_second(clock.as_second()).unwrap())),
            fields_v1: Some(FieldsV1(serde_json::json!({ "f:spec": keys }))),
            ..ManagedFieldsEntry::default()
        };
        self.object.metadata.managed_fields.get_or_insert_default().push(entry);
    }

    /// One pass of the controller. Answers how long it rests.
    pub fn pass(&mut self, now: Timestamp) -> Option<SignedDuration> {
        let (mut pass, mut answer) = (Pass::start(Arc::new(self.object.clone())), Answer::Begin);
        loop {
            match pass.next(&mut self.state, answer, Present { now, server_now: self.server_now, is_burst: false }) {
                Next::Do(request) => answer = self.perform(pass.object(), request, now),
                Next::Rest(Rest::Requeue(wait)) => return Some(SignedDuration::try_from(wait).unwrap()),
                Next::Rest(Rest::AwaitChange) => return None,
                Next::Rest(Rest::Failed { error, .. }) => panic!("{error} at {now}: {:#?}", self.object.status),
            }
        }
    }

    /// The API server and the caches, as far as a schedule knows them.
    fn perform(&mut self, object: &RdsBackupSchedule, request: Request, now: Timestamp) -> Answer {
        let existing = |world: &Self, name: &str| world.children.iter().chain(&world.unseen).find(|child| child.name == name).cloned();
        match request {
            Request::AwaitFirstList | Request::LogCreation { .. } | Request::CountCreation => Answer::Done,
            Request::HurryAudit => {
                self.hurried += 1;
                Answer::Done
            }
            Request::Observe => {
                let audited = |child: &Child| {
                    let finding = match child.set {
                        Set::Unseen => return None,
                        Set::Seen { .. } => Finding::Usable { expires_at: None },
                        Set::Unusable => Finding::Unusable("its size is 0"),
                        Set::Gone => Finding::Gone,
                    };
                    Some(Audited { at: if let Set::Seen { at } = child.set { at } else { now }, finding })
                };
                let seen = |child: &Child| (Arc::new(Guarded(Ok(Arc::new(self.object_of(child))))), audited(child));
                Answer::Observed {
                    backups: self.children.iter().map(seen).collect(),
                    audits_are_due: self.audits_are_due,
                    native: self.native.clone(),
                }
            }
            Request::ReadObject => Answer::Object(Ok(Some(Box::new(self.object.clone())))),
            Request::ReadBackup(name) => Answer::Backup(Ok(existing(self, &name).map(|child| Box::new(self.object_of(&child))))),
            Request::ReadNamesake(name) => {
                let mut found = self.object_of(&existing(self, &name).unwrap_or_else(|| self.child(&name, now)));
                if self.foreign.contains(&name) {
                    found.metadata.labels = None;
                }
                Answer::Namesake(Ok(Some(Box::new(Guarded(Ok(Arc::new(found)))))))
            }
            Request::Create(backup) => Answer::Created(self.create(&backup, now)),
            Request::WriteStatus(status) => {
                assert_eq!(object.metadata.resource_version, self.object.metadata.resource_version);
                self.object.status = Some(*status);
                self.writes += 1;
                self.next_version();
                Answer::Written(Ok(WriteResult::Yes(Box::new(self.object.clone()))))
            }
            Request::Delete(deletion) if self.undeletable.contains(&deletion.name) => {
                let status = Status::failure("refused by a policy", "Forbidden").with_code(403).boxed();
                let source = Box::new(kube::Error::Api(status));
                Answer::Deleted(Err(controller::Error::Api { verb: "delete", kind: "RdsBackup".to_owned(), source }))
            }
            Request::Delete(deletion) => {
                self.children.retain(|child| child.name != deletion.name);
                self.deleted.push(deletion.name);
                Answer::Deleted(Ok(true))
            }
            Request::Announce(events) => {
                self.events.extend(events.into_iter().map(|event| (event.reason().as_str(), event.note().to_owned())));
                Answer::Done
            }
        }
    }

    fn create(&mut self, backup: &RdsBackup, now: Timestamp) -> Result<Creation, controller::Error> {
        self.creations += 1;
        let name = backup.metadata.name.clone().unwrap();
        if let Some(words) = &self.outage {
            return Err(outage(words));
        }
        if let Some(words) = &self.refusal {
            return Ok(Creation::Refused(words.clone()));
        }
        if self.foreign.contains(&name) || self.children.iter().chain(&self.unseen).any(|known| known.name == name) {
            return Ok(Creation::AlreadyExists);
        }
        let child = self.child(&name, now);
        if self.cache_lags {
            self.unseen.push(child)
        } else {
            self.children.push(child)
        }
        self.created.push(backup.clone());
        Ok(Creation::Created)
    }

    fn next_version(&mut self) {
        let version: u64 = self.object.metadata.resource_version.as_deref().unwrap_or("0").parse().unwrap();
        self.object.metadata.resource_version = Some((version + 1).to_string());
    }

    /// The object of which the child is what a decision needs.
    fn object_of(&self, child: &Child) -> RdsBackup {
        let mut spec = self.object.spec.template.spec.clone();
        if !child.same_instance {
            spec.db_instance_id = "rm-of-another".to_owned();
        } else if !child.same_target {
            spec.account = "account-of-another".to_owned();
        }
        let mut object = RdsBackup::new(&child.name, spec);
        object.metadata.uid = Some(child.uid.clone());
        object.metadata.resource_version = Some(child.resource_version.clone());
        object.metadata.creation_timestamp = Some(Time(child.created_at));
        object.spec.not_after = child.came_too_late.then(|| Time(child.created_at - mins(1)));
        let uid = if child.of_this_schedule { "uid-1" } else { "uid-0" };
        object.metadata.labels = Some(
            [(SCHEDULE_NAME_LABEL, "nightly"), (SCHEDULE_UID_LABEL, uid)].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        );
        if !child.has_schedule_uid {
            object.metadata.labels.get_or_insert_default().remove(SCHEDULE_UID_LABEL);
        }
        object.spec.deletion_policy = child.deletes_set.then_some(DeletionPolicy::Delete);
        object.metadata.deletion_timestamp = child.is_being_deleted.then_some(Time(child.created_at));
        object.metadata.annotations = child.held.then(|| [(HOLD_ANNOTATION.to_owned(), "true".to_owned())].into());
        object.status = Some(RdsBackupStatus {
            phase: child.phase,
            conditions: child
                .reason
                .iter()
                .map(|reason| ready(reason, child.created_at))
                .chain(child.stalled.iter().map(|stalled| Condition {
                    reason: stalled.reason.clone(),
                    message: stalled.message.clone(),
                    ..condition("Stalled", "True", Reason::BackupFailed, "", 1, Time(child.created_at))
                }))
                .collect(),
            completed_at: child.completed_at.map(Time),
            backup_id: child.backup_id.clone(),
            size_bytes: child.size_bytes,
            effective: Some(crate::api::Effective { backup_type: child.kind.clone(), ..crate::api::Effective::default() }),
            ..RdsBackupStatus::fresh()
        });
        object
    }

    fn child(&self, name: &str, created_at: Timestamp) -> Child {
        Child {
            name: name.to_owned(),
            uid: format!("uid-of-{name}"),
            resource_version: "1".to_owned(),
            created_at,
            phase: Phase::Pending,
            reason: None,
            stalled: None,
            completed_at: None,
            backup_id: None,
            size_bytes: None,
            kind: None,
            same_instance: true,
            same_target: true,
            has_schedule_uid: true,
            of_this_schedule: true,
            held: false,
            deletes_set: false,
            set: Set::Unseen,
            came_too_late: false,
            is_being_deleted: false,
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

    /// As [`World::run`], with each backup successful a minute after it was created.
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
        self.state = ObjectState::default();
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

/// The Ready condition of a backup that has ended so.
fn ready(reason: &str, at: Timestamp) -> Condition {
    Condition { reason: reason.to_owned(), ..condition("Ready", "False", Reason::BackupFailed, "", 1, Time(at)) }
}

/// The API server fails in these words.
pub(super) fn outage(words: &str) -> controller::Error {
    let status = Status::failure(words, "InternalError").with_code(500).boxed();
    controller::Error::Api { verb: "create", kind: "RdsBackup".to_owned(), source: Box::new(kube::Error::Api(status)) }
}
