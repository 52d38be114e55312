//! An API server of a few lines with one schedule and its backups, and one operator that looks at it. Seconds since the beginning.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use rds_backup_operator::{
    api::{Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, RdsBackupStatus, Reason, SCHEDULE_UID_LABEL, Time},
    controller::{Creation, Guarded, WriteResult},
    schedule::{
        native::Reading,
        pass::Pass,
        request::{Answer, Next, Present, Request, Rest},
        state::ObjectState,
    },
};
use serde_json::json;

use super::{
    randomness::Randomness,
    reference::{Asked, BLACKOUTS, EXPRESSIONS},
};

pub const NAME: &str = "s";

const BEGINS: &str = "2027-01-15T00:00:00Z";

/// The day of the history.
const DAY: &str = "2027-01-15";

pub fn instant(second: i64) -> Timestamp {
    BEGINS.parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(second)
}

pub fn second(at: Timestamp) -> i64 {
    at.duration_since(BEGINS.parse().expect("a time")).as_secs()
}

/// A backup as the API server has it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub object: RdsBackup,
    /// From when on the cache shows it.
    pub shown_from: i64,
    pub ends_at: i64,
    pub succeeds: bool,
}

/// What the operator did, as it can be seen from outside.
#[derive(Clone, Debug)]
pub enum Deed {
    Created { at: i64, backup: Box<RdsBackup>, of: Box<RdsBackupSchedule> },
    Wrote { before: Box<RdsBackupScheduleStatus>, after: Box<RdsBackupScheduleStatus>, at: i64, holds_up: bool },
    Announced { reason: Reason, trigger: Option<String> },
}

pub struct World {
    pub now: i64,
    pub schedule: RdsBackupSchedule,
    pub backups: Vec<Stored>,
    pub deeds: Vec<Deed>,
    state: ObjectState,
    made: u64,
}

impl World {
    pub fn new(now: i64, instance: &str, asked: Asked, trigger: Option<&str>) -> Self {
        let mut world =
            Self { now, schedule: schedule(instance), backups: Vec::new(), deeds: Vec::new(), state: ObjectState::default(), made: 0 };
        world.create_schedule(instance, asked, trigger);
        world
    }

    /// The schedule is created, in the place of one that was deleted; its backups stay.
    pub fn create_schedule(&mut self, instance: &str, asked: Asked, trigger: Option<&str>) {
        self.made += 1;
        self.schedule = schedule(instance);
        let meta = &mut self.schedule.metadata;
        meta.uid = Some(format!("uid-{}", self.made));
        meta.creation_timestamp = Some(Time(instant(self.now)));
        self.ask(asked);
        self.schedule.spec.trigger = trigger.map(str::to_owned);
        self.schedule.metadata.generation = Some(1);
        self.state = ObjectState::default();
    }

    /// A person edits timing and pause. The API server notes who wrote them, and when.
    pub fn ask(&mut self, asked: Asked) {
        let spec = &mut self.schedule.spec;
        spec.schedule = EXPRESSIONS[asked.expression].text.to_owned();
        spec.jitter = serde_json::from_value(json!(format!("{}s", asked.jitter))).expect("a length of time");
        spec.suspend = asked.suspend;
        let clock = |minutes: &i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let windows = BLACKOUTS[asked.blackouts]
            .iter()
            .map(|(from, to)| json!({ "dates": { "from": DAY, "to": DAY }, "from": clock(from), "to": clock(to) }));
        spec.blackouts = serde_json::from_value(windows.collect()).expect("blackouts");
        self.edited("a person", json!({ "f:schedule": {}, "f:jitter": {}, "f:blackouts": {}, "f:suspend": {} }));
    }

    /// A pipeline sets the trigger.
    pub fn trigger(&mut self, token: Option<&str>) {
        self.schedule.spec.trigger = token.map(str::to_owned);
        self.edited("a pipeline", json!({ "f:trigger": {} }));
    }

    fn edited(&mut self, manager: &str, fields: serde_json::Value) {
        let meta = &mut self.schedule.metadata;
        meta.generation = meta.generation.map(|generation| generation + 1);
        let entries = meta.managed_fields.get_or_insert_default();
        entries.retain(|entry| entry.manager.as_deref() != Some(manager));
        entries.push(ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            time: Some(Time(instant(self.now))),
            fields_v1: Some(FieldsV1(json!({ "f:spec": fields }))),
            ..ManagedFieldsEntry::default()
        });
        self.moves_on();
    }

    fn moves_on(&mut self) {
        self.made += 1;
        self.schedule.metadata.resource_version = Some(self.made.to_string());
    }

    pub fn status(&self) -> RdsBackupScheduleStatus {
        self.schedule.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh)
    }

    /// The operator begins anew: it remembers nothing, and its cache is complete.
    pub fn restart(&mut self) {
        self.state = ObjectState::default();
        for stored in &mut self.backups {
            stored.shown_from = stored.shown_from.min(self.now);
        }
    }

    /// Jobs end.
    pub fn let_end(&mut self) -> bool {
        let mut any = false;
        for Stored { object, ends_at, succeeds, .. } in &mut self.backups {
            let status = object.status.get_or_insert_with(RdsBackupStatus::fresh);
            if !status.phase.is_terminal() && *ends_at <= self.now {
                status.phase = if *succeeds { Phase::Succeeded } else { Phase::Failed };
                status.completed_at = Some(Time(instant(*ends_at)));
                any = true;
            }
        }
        any
    }

    /// One look of the operator. When it looks again; none if it was killed on its way, before or after one of its requests was done.
    pub fn look(&mut self, randomness: &mut Randomness, kill_percent: i64) -> Option<i64> {
        let (mut pass, mut answer) = (Pass::start(Arc::new(self.schedule.clone())), Answer::Begin);
        loop {
            let present = Present { now: instant(self.now), server_now: None, is_burst: false };
            match pass.next(&mut self.state, answer, present) {
                Next::Rest(Rest::Requeue(wait)) => return Some(self.now + i64::try_from(wait.as_millis().div_ceil(1000)).expect("short")),
                Next::Rest(Rest::AwaitChange) => return Some(i64::MAX),
                Next::Rest(Rest::Failed { error, .. }) => panic!("{error} at {}", self.now),
                Next::Do(request) => {
                    if randomness.percent(kill_percent) {
                        return None;
                    }
                    answer = self.perform(request, randomness);
                    if randomness.percent(kill_percent) {
                        return None;
                    }
                }
            }
        }
    }

    fn perform(&mut self, request: Request, randomness: &mut Randomness) -> Answer {
        let guarded = |stored: &Stored| Guarded(Ok(Arc::new(stored.object.clone())));
        match request {
            Request::AwaitFirstList | Request::LogCreation { .. } | Request::CountCreation | Request::HurryAudit => Answer::Done,
            Request::Observe => {
                let shown = self.backups.iter().filter(|stored| stored.shown_from <= self.now);
                Answer::Observed {
                    backups: shown.map(|stored| (Arc::new(guarded(stored)), None)).collect(),
                    audits_are_due: false,
                    native: Reading::Unread,
                }
            }
            Request::ReadObject => Answer::Object(Ok(Some(Box::new(self.schedule.clone())))),
            Request::ReadBackup(name) => Answer::Backup(Ok(self.named(&name).map(|stored| Box::new(stored.object.clone())))),
            Request::ReadNamesake(name) => Answer::Namesake(Ok(self.named(&name).map(|stored| Box::new(guarded(stored))))),
            Request::Create(backup) => Answer::Created(Ok(self.create(&backup, randomness))),
            Request::WriteStatus(status) => {
                let before = Box::new(self.status());
                self.deeds.push(Deed::Wrote { before, after: status.clone(), at: self.now, holds_up: self.is_held_up() });
                self.schedule.status = Some(*status);
                self.moves_on();
                Answer::Written(Ok(WriteResult::Yes(Box::new(self.schedule.clone()))))
            }
            Request::Delete(deletion) => {
                self.backups.retain(|stored| stored.object.metadata.name.as_deref() != Some(&deletion.name));
                Answer::Deleted(Ok(true))
            }
            Request::Announce(events) => {
                let trigger = self.schedule.spec.trigger.clone();
                self.deeds.extend(events.iter().map(|event| Deed::Announced { reason: event.reason(), trigger: trigger.clone() }));
                Answer::Done
            }
        }
    }

    fn create(&mut self, backup: &RdsBackup, randomness: &mut Randomness) -> Creation {
        if self.named(backup.metadata.name.as_deref().unwrap_or_default()).is_some() {
            return Creation::AlreadyExists;
        }
        let mut object = backup.clone();
        self.made += 1;
        object.metadata.uid = Some(format!("uid-{}", self.made));
        object.metadata.resource_version = Some("1".to_owned());
        object.metadata.creation_timestamp = Some(Time(instant(self.now)));
        let lasts = if randomness.percent(15) { randomness.within(600, 2400) } else { randomness.within(5, 50) };
        let (ends_at, succeeds) = (self.now + lasts, randomness.percent(80));
        self.backups.push(Stored { object, shown_from: self.now + randomness.within(0, 3), ends_at, succeeds });
        self.deeds.push(Deed::Created { at: self.now, backup: Box::new(backup.clone()), of: Box::new(self.schedule.clone()) });
        Creation::Created
    }

    fn named(&self, name: &str) -> Option<&Stored> {
        self.backups.iter().find(|stored| stored.object.metadata.name.as_deref() == Some(name))
    }

    /// Whether a backup of the instance waits or runs that is not being deleted.
    fn is_held_up(&self) -> bool {
        self.backups.iter().any(|stored| {
            let is_over = stored.object.status.as_ref().is_some_and(|status| status.phase.is_terminal());
            let same_instance = stored.object.spec.db_instance_id == self.schedule.spec.template.spec.db_instance_id;
            same_instance && !is_over && stored.object.metadata.deletion_timestamp.is_none()
        })
    }
}

fn schedule(instance: &str) -> RdsBackupSchedule {
    let spec = json!({ "schedule": "* * * * *", "template": { "spec": { "dbInstanceId": instance } } });
    let mut schedule = RdsBackupSchedule::new(NAME, serde_json::from_value(spec).expect("a spec"));
    schedule.metadata.namespace = Some("team-a".to_owned());
    schedule
}

/// The uid of the schedule that made the backup.
pub fn maker(backup: &RdsBackup) -> Option<&String> {
    backup.metadata.labels.as_ref()?.get(SCHEDULE_UID_LABEL)
}
