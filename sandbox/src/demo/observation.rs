//! The state of an `RdsBackup` as a user reads it: from the API server's JSON and not from the operator's types.

use serde_json::Value;

use super::samples::Expected;

/// The part of an object that the demo shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// `namespace/name`.
    pub name: String,
    /// The phase; empty, or the CRD's default, until the operator has seen the object.
    pub phase: String,
    /// The status of the condition Ready: `True`, `False` or empty.
    pub ready: String,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// The job.
    pub job_id: String,
    /// The backup set.
    pub backup_id: String,
    /// Its size, for people.
    pub size: String,
    /// How long the job took.
    pub duration: String,
}

impl Observation {
    /// Reads an object. None if it has no name, which no stored object lacks.
    pub fn read(object: &Value) -> Option<Self> {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let text = |value: &Value| printable(value.as_str().unwrap_or_default());
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap_or(&Value::Null);
        // A backup that a schedule made stands for the schedule.
        let name = metadata["labels"]["rdsbackup.io/schedule-name"].as_str().or(metadata["name"].as_str())?;
        Some(Self {
            name: format!("{}/{name}", metadata["namespace"].as_str()?),
            phase: text(&status["phase"]),
            ready: text(&ready["status"]),
            reason: text(&ready["reason"]),
            message: text(&ready["message"]),
            job_id: text(&status["backupJobId"]),
            backup_id: text(&status["backupId"]),
            size: text(&status["size"]),
            duration: text(&status["duration"]),
        })
    }

    /// How it ended, if it has. A phase alone does not count: scripts and pipelines wait for the condition.
    pub fn end(&self) -> Option<Expected> {
        match (self.phase.as_str(), self.ready.as_str()) {
            ("Succeeded", "True") => Some(Expected::Succeeded),
            ("Failed", "False") => Some(Expected::Failed),
            _ => None,
        }
    }

    /// What the demo shows beside phase and reason.
    pub fn detail(&self) -> String {
        match self.phase.as_str() {
            "Running" | "Finalizing" if !self.job_id.is_empty() => format!("job {}", self.job_id),
            "Succeeded" => {
                let parts = [("set ", &self.backup_id), ("", &self.size), ("in ", &self.duration)];
                let parts = parts.iter().filter(|(_, value)| !value.is_empty()).map(|(label, value)| format!("{label}{value}"));
                parts.collect::<Vec<_>>().join(", ")
            }
            _ => self.message.clone(),
        }
    }
}

/// Text from the cluster must not move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
