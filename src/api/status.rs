use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, Time, closed::closed_list};

/// The state and the result of the backup. Only the operator writes it; the API server drops a status in a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct RdsBackupStatus {
    /// The generation of the spec that this status describes; -1 until the operator has seen the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,

    /// The stage of the backup, for people. Tools read `conditions`.
    #[serde(default)]
    pub phase: Phase,

    /// `Ready` (True at the end, when the backup set exists and is usable), `Reconciling` (True while the operator works on it), `Stalled`
    /// (True when it failed, or a person must act), `DuplicateBackup` (more than one backup may have been made), `AdoptionMismatch` (an
    /// adopted backup was not this object's), `DeletionSupported` (whether the service deletes the backup set with this object),
    /// `Available` (False when the backup set is gone or cannot be restored any more).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The durable intent of the newest request: written before the request is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Submission")]
    pub submission: Option<Submission>,

    /// The job that makes the backup (`BackupJobId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_job_id: Option<String>,

    /// The backup set (`BackupId`): a restore needs this id. Known when the job is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_id: Option<String>,

    /// The service's id of the accepted request: give it to Alibaba Cloud's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub request_id: Option<String>,

    /// `Created`: the service answered the request with this backup's job. `Adopted`: the answer was lost, and the operator found the
    /// backup. `Existing`: the set of `existingBackupId`. `Reused`: the set of another backup, by `reuseIfNewerThan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Origin")]
    pub origin: Option<Origin>,

    /// The RdsBackup of the same namespace whose backup set this object has, with `origin: Reused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 253))]
    pub reused_from: Option<String>,

    /// When the job began: first the time when the request was accepted, then the start time of the backup set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub started_at: Option<Time>,

    /// When the backup ended, successful or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub completed_at: Option<Time>,

    /// From the start of the job to its end, for example `12m30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 32))]
    pub duration: Option<String>,

    /// The size of the backup set for people, for example `260Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 32))]
    pub size: Option<String>,

    /// The size of the backup set in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub size_bytes: Option<i64>,

    /// `ConsistentTime` of the backup set, as the service reports it. It is documented for MySQL 5.6 only: the point in time to which the
    /// set restores. For other engines and versions nothing says what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub consistent_time: Option<Time>,

    /// When the service will remove the backup set: as it reports it, or computed from `retentionDays`. `expirySource` says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub expires_at: Option<Time>,

    /// Where `expiresAt` comes from. `Service`: the service reports it. `RetentionDays`: computed as the end of the backup plus
    /// `retentionDays`, because the service does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExpirySource")]
    pub expiry_source: Option<ExpirySource>,

    /// CRC-64 of the backup set, if the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 128))]
    pub checksum: Option<String>,

    /// The properties of the backup as it was requested and made, defaults included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Effective")]
    pub effective: Option<Effective>,

    /// The progress of the job, in steps of 25; only for jobs over 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub progress_percent: Option<i32>,

    /// Why the backup waits, and since when. Present only while the phase is Queued, or Pending because a person must act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Queue")]
    pub queue: Option<Queue>,

    /// The last 5 requests or backups that did not become the result. An entry of another kind never replaces a possible duplicate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub attempts: Vec<Attempt>,

    /// The newest error that the service returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LastError")]
    pub last_error: Option<LastError>,

    /// Members that this release does not know: a newer one wrote them before the operator was rolled back. They are written back as they
    /// are, so that it finds them when it is installed again.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

fn unseen() -> i64 {
    -1
}

impl RdsBackupStatus {
    /// The status of an object that the operator has not seen yet.
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

/// The stage of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The operator has not seen it yet, or a person must act before it can queue.
    #[default]
    Pending,
    /// It waits for time to pass or for another object; `queue` says why.
    Queued,
    /// The request is being sent.
    Submitting,
    /// The answer was lost; the operator finds out whether the request made a backup.
    Resolving,
    /// The service makes the backup.
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

    /// Whether it is an end: the operator changes an object in it no more.
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
    /// The types of an RdsBackup's conditions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ConditionType {
        /// True at the end, when the backup set exists and is usable. False before the end, and for ever when the backup failed. The reason
        /// says why, the message what to do.
        Ready,
        /// Present, and True, while the operator works on the object, waiting included.
        Reconciling,
        /// Present, and True, when the backup failed, or a person must act before it can go on.
        Stalled,
        /// Present, and True, when more than one backup may have been made for this object. `attempts` lists them; nothing was deleted.
        DuplicateBackup,
        /// Present, and True, when the operator adopted a backup that was not this object's. It is not the result any more.
        AdoptionMismatch,
        /// Present when the backup has succeeded and `deletionPolicy` is `Delete`: whether the service deletes the backup set when this
        /// object is deleted. False also while the object is being deleted and the set cannot be deleted now.
        DeletionSupported,
        /// Present when the daily look at the backup set found that it is gone or cannot be restored (False), or that it is usable again
        /// (True). While it has always been usable the condition is absent.
        Available,
        /// Present, and True, when the object stays although its `ttl` is over or will be; the message says why.
        TtlIgnored,
    }
}

/// One signed request, written down before it is sent. It is sent at most once, with exactly this nonce and this timestamp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// The number of the run, from 1: a new run follows a job that failed, if `retry` allows it.
    pub run: i32,
    /// The number of the signed request within the run, from 1.
    pub attempt: i32,
    /// The request's `SignatureNonce`.
    #[schemars(length(max = 64))]
    pub nonce: String,
    /// The request's signed time, by the service's clock. The service refuses the request when it is older than 15 minutes.
    pub timestamp: Time,
    /// Whether it was confirmed, after this intent was written, that no other object of the instance has an open intent. A request that was
    /// not cleared was never sent.
    #[serde(default)]
    pub cleared: bool,
    /// The backup sets and jobs that existed before the request: they are never taken for its result.
    pub baseline: Baseline,
    /// The outcome of the request. Absent while the request may still become a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SubmissionOutcome")]
    pub outcome: Option<SubmissionOutcome>,
    /// The signed time of the run's earliest request that was not definitely refused: a backup that started before it does not belong to
    /// this object.
    pub unresolved_since: Time,
    /// Since when this run waits to be accepted by the service: `queueTimeout` counts from here.
    pub waiting_since: Time,
    /// Members that this release does not know, as in the status itself.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// The manual backup sets, and the jobs, that were listed before the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The ids of those of the 24 hours before the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(max = 64)))]
    pub backup_ids: Vec<String>,
    /// The ids of the jobs that were listed and had not begun, and did not hold up the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 64)))]
    pub job_ids: Vec<String>,
    /// When the sets were listed.
    pub at: Time,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SubmissionOutcome {
    /// The service answered with a job id.
    Accepted,
    /// The answer was lost. The operator adopted a backup that it found, and this adoption is final.
    Adopted,
    /// The service refused the request, or it is known that the request never left the operator: no backup was made.
    Rejected,
    /// The intent was withdrawn before the request was sent.
    Unsent,
    /// The answer was lost, and it is proven that the service neither accepted the request nor can still accept it.
    NeverAccepted,
}

/// A request, or a backup, that did not become the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The number of its run.
    pub run: i32,
    /// The number of the request within the run.
    pub attempt: i32,
    /// Why it did not become the result.
    pub outcome: AttemptOutcome,
    /// When this entry was written.
    pub at: Time,
    /// The job, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_job_id: Option<String>,
    /// The backup set, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_id: Option<String>,
    /// The service's error code, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 128))]
    pub code: Option<String>,
}

/// Why a request or a backup did not become the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttemptOutcome {
    /// The service refused the request.
    Rejected,
    /// The service never accepted the request.
    NeverAccepted,
    /// The job was accepted and failed.
    JobFailed,
    /// The backup was adopted, but it was not this object's.
    NotOurs,
    /// The backup may have been made for this object, in addition to the result.
    PossibleDuplicate,
}

/// The properties of a backup as it was requested and made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// The region whose service is called: at first the one that the object or its account names, then the one that the instance is in. An
    /// edit of the account does not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub region_id: Option<String>,
    /// The method: first the requested one, then that of the backup set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub method: Option<String>,
    /// The type: first the requested one, then that of the backup set, for example `FullBackup`.
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
    /// One of the reasons in the reference.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Since when the backup waits. A change of the reason does not change this time.
    pub since: Time,
}

/// An error that the service returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// The service's error code.
    #[schemars(length(max = 128))]
    pub code: String,
    /// The service's error message, shortened.
    #[schemars(length(max = 512))]
    pub message: String,
    /// The service's id of the request: give it to Alibaba Cloud's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub request_id: Option<String>,
    /// When the error was returned.
    pub at: Time,
}

/// Where the time at which a backup set is removed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExpirySource {
    /// The service reports it.
    Service,
    /// Computed: the end of the backup plus `retentionDays`.
    RetentionDays,
}

/// Where the recorded backup comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// The service answered the request with the id of this backup's job.
    Created,
    /// The operator found the backup after the answer was lost.
    Adopted,
    /// It is the set of `existingBackupId`. The operator did not make it.
    Existing,
    /// It is the set of another RdsBackup that was young enough.
    Reused,
}

impl Submission {
    /// The signed time.
    pub fn signed_at(&self) -> Timestamp {
        self.timestamp.0
    }
}
