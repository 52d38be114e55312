//! What a report says. As JSON it is a format that programs read: a field that is unknown is absent, never 0; a field may be added, and
//! none changes its meaning without another `formatVersion`.

use jiff::Timestamp;
use serde::Serialize;

/// The version of the JSON format.
pub const FORMAT_VERSION: u32 = 1;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this format.
    pub format_version: u32,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The namespace that was asked for; absent where all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many objectives are met.
    pub objectives: Counts,
    /// One for each schedule, and for each instance that has backups and no schedule.
    pub rows: Vec<Row>,
    /// The objects that could not be read.
    pub unreadable: Vec<UnreadableObject>,
}

/// How many objectives stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// The data is young enough.
    pub met: usize,
    /// It is too old, or there is none.
    pub missed: usize,
    /// No backup has succeeded yet, and none had to.
    pub pending: usize,
    /// It cannot be told.
    pub unknown: usize,
    /// The schedule is suspended, and its objective is not counted above.
    pub suspended: usize,
}

/// One schedule, or one instance that has backups and no schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its namespace.
    pub namespace: String,
    /// The name of the schedule; absent for an instance that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The instance; absent where the schedule cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_instance_id: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether the schedule is suspended; absent for an instance that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// The time zone of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether the data is young enough.
    pub objective: Objective,
    /// How old the data may become: `freshness.maxAge`, or what is derived from the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<i64>,
    /// The time since the start of the newest usable backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_age_seconds: Option<i64>,
    /// The newest backup that exists, is usable, and has not expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_usable: Option<UsableBackup>,
    /// The one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_usable: Option<UsableBackup>,
    /// How much larger the newest one is; absent where the two are not of the same kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes: Option<i64>,
    /// The same in percent of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_percent: Option<f64>,
    /// When the next backup starts; in the past if it is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<Timestamp>,
    /// The newest backup that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// What a person must look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether the newest data is young enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Objective {
    /// It is.
    Met,
    /// It is too old, or no backup succeeded in time.
    Missed,
    /// No backup has succeeded yet, and none had to.
    Pending,
    /// It cannot be told: the schedule cannot be read, or does not say how old its data may become.
    #[default]
    Unknown,
    /// There is no schedule, and so no objective.
    None,
}

/// A backup that can be restored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsableBackup {
    /// The name of its RdsBackup.
    pub name: String,
    /// The backup set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_id: Option<String>,
    /// When it started: the age of its data counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When the service will remove it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// The same, for people.
    #[serde(skip)]
    pub size: Option<String>,
}

/// A backup that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The name of its RdsBackup.
    pub name: String,
    /// When it failed.
    pub at: Timestamp,
    /// The reason of its condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message of that condition; absent where the object is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An object that does not have the form of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableObject {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why it cannot be read.
    pub error: String,
}

impl Report {
    /// Whether every objective that counts is met, or is not due yet.
    pub fn is_met(&self) -> bool {
        self.objectives.missed == 0 && self.objectives.unknown == 0
    }
}

impl Row {
    /// Whether its schedule is suspended.
    pub fn is_suspended(&self) -> bool {
        self.suspended == Some(true)
    }
}

impl Objective {
    /// As it is written in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "Met",
            Self::Missed => "Missed",
            Self::Pending => "Pending",
            Self::Unknown => "Unknown",
            Self::None => "None",
        }
    }
}
