//! What a test of schedules asks of its site.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rds_backup_sandbox::plane::audit::AuditEvent;
use serde_json::{Value, json};

use crate::site::Site;

/// Longer than a schedule of every minute may take to do anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

pub fn schedule(site: &Site, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule",
        "metadata": { "name": name, "namespace": site.namespace }, "spec": spec,
    })
}

/// A schedule of one instance, with these fields laid over `schedule: "* * * * *"`.
pub fn spec(instance: &str, fields: &Value) -> Value {
    let mut spec = json!({ "schedule": "* * * * *", "template": { "spec": { "dbInstanceId": instance, "method": "Physical" } } });
    for (key, value) in fields.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    spec
}

impl Site {
    pub async fn apply_schedule(&self, name: &str, spec: &Value) {
        let object = schedule(self, name, spec).to_string();
        self.kubectl().run_with_input(&["apply", "-f", "-"], &object).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn create_schedule(&self, name: &str, spec: &Value) -> Result<String, String> {
        let object = schedule(self, name, spec).to_string();
        self.kubectl().run_with_input(&["create", "-f", "-"], &object).await.map_err(|error| error.to_string())
    }

    pub async fn schedule(&self, name: &str) -> Value {
        self.world.reader().object("rdsbackupschedules", &self.namespace, name).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn patch_schedule(&self, name: &str, patch: &Value) {
        let patch = patch.to_string();
        let args = ["patch", "rdsbackupschedule", name, "-n", &self.namespace, "--type=merge", "-p", &patch];
        self.kubectl().run(&args).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn patch_schedule_status(&self, name: &str, status: &Value) {
        let patch = json!({ "status": status }).to_string();
        let args = ["patch", "rdsbackupschedule", name, "-n", &self.namespace, "--subresource=status", "--type=merge", "-p", &patch];
        self.kubectl().run(&args).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn delete_schedule(&self, name: &str) {
        self.kubectl().run(&["delete", "rdsbackupschedule", name, "-n", &self.namespace]).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until the schedule is as `wanted` says.
    pub async fn until_schedule(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let object = self.schedule(name).await;
            if wanted(&object) {
                return object;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} is not {what}:\n{:#}", object["status"]);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the operator has seen the newest spec.
    pub async fn until_observed(&self, name: &str) -> Value {
        self.until_schedule(name, "observed", |object| object["status"]["observedGeneration"] == object["metadata"]["generation"]).await
    }

    /// The accepted creations of backups by schedules of this site, from the audit log.
    pub fn created_by_schedules(&self) -> Vec<Creation> {
        let log = self.audit();
        let here = log.iter().filter(|event| event.namespace == self.namespace && event.accepted());
        here.filter(|event| event.verb == "create" && event.resource == "rdsbackups").filter_map(Creation::of).collect()
    }

    /// Those of one schedule.
    pub fn created_by(&self, schedule: &str) -> Vec<Creation> {
        self.created_by_schedules().into_iter().filter(|creation| creation.schedule == schedule).collect()
    }

    /// As `created_by_schedules`, and those whose client was killed before it had the answer: the API server writes 504 for them, made or not (of
    /// 59 that were cut off, 30 were made), so that only the object tells. None of them may have been removed meanwhile.
    pub async fn created_also_for_killed_clients(&self) -> Vec<Creation> {
        let objects = self.world.reader().objects("rdsbackups", &self.namespace).await.unwrap_or_else(|error| panic!("{error}"));
        let mut created = self.created_by_schedules();
        let log = self.audit();
        let cut_off = log.iter().filter(|event| event.namespace == self.namespace && event.code == 504 && event.verb == "create");
        for creation in cut_off.filter(|event| event.resource == "rdsbackups").filter_map(Creation::of) {
            let stands = objects.iter().any(|object| object["metadata"]["name"] == creation.name.as_str());
            if stands && created.iter().all(|known| known.name != creation.name) {
                created.push(creation);
            }
        }
        created
    }

    /// The writes of an operator to the status of a schedule.
    pub fn status_writes(&self, schedule: &str) -> usize {
        let log = self.audit();
        let about =
            |event: &&AuditEvent| event.namespace == self.namespace && event.resource == "rdsbackupschedules" && event.name == schedule;
        log.iter().filter(about).filter(|event| event.subresource == "status" && event.user.starts_with("system:serviceaccount:")).count()
    }

    /// The notes of the events of that reason about a schedule, once there is one.
    pub async fn notes(&self, schedule: &str, reason: &str) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let events = self.world.reader().events(&self.namespace).await.expect("events");
            let about = |event: &&Value| event["regarding"]["name"] == schedule && event["reason"] == reason;
            let notes: Vec<String> =
                events.iter().filter(about).map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect();
            if !notes.is_empty() {
                return notes;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no event {reason} about {schedule}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A backup that a schedule created.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Creation {
    pub schedule: String,
    pub name: String,
    pub instance: String,
    /// Absent for one that was asked for by hand.
    pub slot: Option<Timestamp>,
    pub at: Timestamp,
}

impl Creation {
    /// The creation, if the object carries the name of a schedule.
    pub fn of(event: &AuditEvent) -> Option<Self> {
        let body = event.request_body.as_ref()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = &body["metadata"];
        Some(Self {
            schedule: text(&metadata["labels"]["rdsbackup.io/schedule-name"])?,
            name: text(&metadata["name"])?,
            instance: text(&body["spec"]["dbInstanceId"])?,
            slot: metadata["annotations"]["rdsbackup.io/slot"].as_str().map(|slot| slot.parse().expect("a slot")),
            at: event.at,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests run with the real clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The whole minute that `at` lies in.
pub fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).expect("a minute")
}

pub fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Waits until no minute begins for the next `quiet` seconds; answers the minute that has begun at least 3 s ago.
pub async fn within_a_minute(quiet: i64) -> Timestamp {
    loop {
        let now = now();
        let second = now.as_second().rem_euclid(60);
        if second >= 3 && second + quiet < 60 {
            return minute_of(now);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
