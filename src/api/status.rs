use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Time, closed::closed_list};

/// What became of the backup. Written by the operator only; a status sent by a user is dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct RdsBackupStatus {
    /// The generation of the spec that this status is about; -1 until the operator has seen the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,

    /// Where the backup is, for humans; tools read `conditions`.
    #[serde(default)]
    pub phase: Phase,

    /// `Ready` (True at the end, when the backup set exists and is usable), `Reconciling` (True while the operator works on it), `Stalled`
    /// (True when it failed, or needs somebody), `DuplicateBackup` (more than one backup may have been made), `AdoptionMismatch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The durable intent of the newest request: written before anything is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Submission")]
    pub submission: Option<Submission>,

    /// The job that makes the backup (`BackupJobId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_job_id: Option<String>,

    /// The backup set (`BackupId`): what a restore asks for. Known when the job is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_id: Option<String>,

    /// The service's id of the request that was accepted, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub request_id: Option<String>,

    /// Whether the backup is the direct answer to our request (`Created`), or was found after an answer was lost (`Adopted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Origin")]
    pub origin: Option<Origin>,

    /// When the job began: the acceptance of the request, then the start that the backup set itself tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub started_at: Option<Time>,

    /// When it was over, successful or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub completed_at: Option<Time>,

    /// From the start of the job to its end, for example `12m30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 32))]
    pub duration: Option<String>,

    /// The size of the backup set for humans, for example `260Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 32))]
    pub size: Option<String>,

    /// The size of the backup set in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub size_bytes: Option<i64>,

    /// The instant to which the backup set restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub consistent_time: Option<Time>,

    /// When the service will remove the backup set, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub expires_at: Option<Time>,

    /// CRC-64 of the backup set, where the service tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 128))]
    pub checksum: Option<String>,

    /// What really was requested and made, defaults included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Effective")]
    pub effective: Option<Effective>,

    /// How far the job is, in steps of 25; only for jobs over 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub progress_percent: Option<i32>,

    /// Why it waits, and since when. Only while the phase is Queued, or Pending because it needs somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Queue")]
    pub queue: Option<Queue>,

    /// The last 5 requests that did not become the result. A possible duplicate is never pushed out by one of another kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub attempts: Vec<Attempt>,

    /// The newest error that the service answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LastError")]
    pub last_error: Option<LastError>,
}

fn unseen() -> i64 {
    -1
}

impl RdsBackupStatus {
    /// The status of an object that no operator has seen.
    pub fn fresh() -> Self {
        Self { observed_generation: -1, ..Self::default() }
    }

    /// The intent that may still become a backup: its outcome is not recorded.
    pub fn open_submission(&self) -> Option<&Submission> {
        self.submission.as_ref().filter(|submission| submission.outcome.is_none())
    }

    /// Whether a job or a backup set is recorded as the object's result so far.
    pub fn has_result(&self) -> bool {
        self.backup_job_id.is_some() || self.backup_id.is_some()
    }

    /// The condition of this type, if it is there.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// Whether the condition is there and True.
    pub fn is_true(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// The reason of the condition Ready.
    pub fn ready_reason(&self) -> Option<&str> {
        self.condition(ConditionType::Ready).map(|condition| condition.reason.as_str())
    }
}

/// Where a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not looked at yet, or it needs somebody before it can queue.
    #[default]
    Pending,
    /// Waits on time or on another object; `queue` says why.
    Queued,
    /// The request is being sent.
    Submitting,
    /// The answer was lost; the operator finds out what became of the request.
    Resolving,
    /// The service works on the backup.
    Running,
    /// The job is finished; the backup set is not confirmed yet.
    Finalizing,
    /// The end: the backup set exists and is usable.
    Succeeded,
    /// The end: no usable backup set.
    Failed,
}

impl Phase {
    /// Every phase there is.
    pub const ALL: [Self; 8] =
        [Self::Pending, Self::Queued, Self::Submitting, Self::Resolving, Self::Running, Self::Finalizing, Self::Succeeded, Self::Failed];

    /// Whether it is an end: nothing changes an object that is there.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// As it is written in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Queued => "Queued",
            Self::Submitting => "Submitting",
            Self::Resolving => "Resolving",
            Self::Running => "Running",
            Self::Finalizing => "Finalizing",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

closed_list! {
    /// The types of our conditions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ConditionType {
        /// True at the end, when the backup set exists and is usable. False before, and for ever when it failed. Its reason says why, its message
        /// what to do.
        Ready,
        /// There, and True, while the operator works on the object, waiting included.
        Reconciling,
        /// There, and True, when it failed, or needs somebody before it can go on.
        Stalled,
        /// There, and True, when more than one backup may have been made for this object. `attempts` names them; nothing was deleted.
        DuplicateBackup,
        /// There, and True, when a backup was adopted that turned out to be another's, and was given back.
        AdoptionMismatch,
    }
}

/// One signed request, as it was decided before it was sent. It is sent at most once, with exactly this nonce and this timestamp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Counts the wanted backups, from 1: a new run follows a job that failed, where `retry` allows it.
    pub run: i32,
    /// Counts the signed requests of the run, from 1.
    pub attempt: i32,
    /// The request's `SignatureNonce`.
    #[schemars(length(max = 64))]
    pub nonce: String,
    /// The request's signed time, by the service's clock. The service refuses the request when it is older than 15 minutes.
    pub timestamp: Time,
    /// Whether no other open intent stood on the instance after this one was written. An intent that was not cleared was never sent.
    #[serde(default)]
    pub cleared: bool,
    /// What existed before the request: never taken for its result.
    pub baseline: Baseline,
    /// What became of the request. Absent while it may still become a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SubmissionOutcome")]
    pub outcome: Option<SubmissionOutcome>,
    /// The signed time of the run's earliest request that was not definitely refused: a backup that started before it is not ours.
    pub unresolved_since: Time,
    /// Since when this run waits to be accepted: `queueTimeout` counts from here.
    pub waiting_since: Time,
}

/// The manual backup sets that were listed before the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Their ids, of the 24 hours before the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(max = 64)))]
    pub backup_ids: Vec<String>,
    /// When they were listed.
    pub at: Time,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SubmissionOutcome {
    /// The service answered with a job id.
    Accepted,
    /// The answer was lost, and the backup that was found instead is final.
    Adopted,
    /// The service refused it, or it is known to have never left: nothing was created.
    Rejected,
    /// It was withdrawn before it was sent.
    Unsent,
    /// The answer was lost, and it is proven that the service neither accepted it nor can still accept it.
    NeverAccepted,
}

/// A request, or a backup, that did not become the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The run it belongs to.
    pub run: i32,
    /// The attempt of the run it belongs to.
    pub attempt: i32,
    /// What it was.
    pub outcome: AttemptOutcome,
    /// When it was recorded.
    pub at: Time,
    /// The job, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_job_id: Option<String>,
    /// The backup set, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_id: Option<String>,
    /// The service's error code, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 128))]
    pub code: Option<String>,
}

/// Why a request or a backup did not become the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttemptOutcome {
    /// The service refused the request.
    Rejected,
    /// The request was never accepted.
    NeverAccepted,
    /// The job was accepted and failed.
    JobFailed,
    /// It was adopted, and turned out to be another's.
    NotOurs,
    /// It may have been made for this object, beside the result.
    PossibleDuplicate,
}

/// What really was requested and made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// The region that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub region_id: Option<String>,
    /// The method: the wanted one, then the one that the backup set tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub method: Option<String>,
    /// Full or incremental.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_type: Option<String>,
    /// The whole instance or single databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub strategy: Option<String>,
    /// The engine of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub engine: Option<String>,
    /// The version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub engine_version: Option<String>,
}

/// Why a backup waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// One of the documented reasons.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Since when it waits; another reason does not change it.
    pub since: Time,
}

/// An error that the service answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// The service's code.
    #[schemars(length(max = 128))]
    pub code: String,
    /// The service's words, shortened.
    #[schemars(length(max = 512))]
    pub message: String,
    /// The service's id of the request, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub request_id: Option<String>,
    /// When it was answered.
    pub at: Time,
}

/// Where the recorded backup comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// The service's direct answer to our request.
    Created,
    /// Found after the answer was lost.
    Adopted,
}

impl Submission {
    /// The signed time as an instant.
    pub fn signed_at(&self) -> Timestamp {
        self.timestamp.0
    }
}
