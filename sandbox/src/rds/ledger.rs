//! The records that a test reads: accepted backups, calls, sets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::Format;
use super::request::SignatureVersion;

/// One accepted CreateBackup, whether or not its answer was delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// When it was accepted, by the service's clock.
    pub time: Timestamp,
    /// The instance.
    pub instance: String,
    /// Every parameter of the request.
    pub parameters: BTreeMap<String, String>,
    /// The job it started.
    pub job_id: String,
    /// The request's nonce.
    pub nonce: String,
    /// The timestamp that was signed.
    pub signed_at: Timestamp,
    /// The access key that asked for it.
    pub access_key_id: String,
    /// What became of the job.
    pub outcome: JobOutcome,
    /// The backup set, once the job has ended.
    pub backup_id: Option<String>,
}

/// One set that a DeleteBackup deleted, whether or not its answer was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionRecord {
    /// When, by the service's clock.
    pub time: Timestamp,
    /// The instance.
    pub instance: String,
    /// The set.
    pub backup_id: String,
    /// The access key that asked for it.
    pub access_key_id: String,
}

/// One instance that a CloneDBInstance made, whether or not its answer was delivered. A repeated call with its token makes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloneRecord {
    /// When, by the service's clock.
    pub time: Timestamp,
    /// The new instance.
    pub instance: String,
    /// The instance that it is a clone of.
    pub source: String,
    /// The set.
    pub backup_id: Option<String>,
    /// Or the moment.
    pub restore_time: Option<String>,
    /// The token.
    pub client_token: Option<String>,
    /// Its order.
    pub order_id: u64,
    /// Every parameter of the request.
    pub parameters: BTreeMap<String, String>,
    /// The access key that asked for it.
    pub access_key_id: String,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobOutcome {
    /// It has not ended.
    Running,
    /// It ended with a usable set.
    Success,
    /// It ended with a failed set.
    Failed,
    /// It ended with a set that claims success and cannot be used (`IsAvail` 0).
    Unusable,
}

/// One request that reached the endpoint. Never holds a signature, a secret or a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// Counts from 1.
    pub number: u64,
    /// When it was dealt with, by the service's clock.
    pub time: Timestamp,
    /// The action it named.
    pub action: String,
    /// The access key it named, known or not.
    pub access_key_id: String,
    /// The instance it named.
    pub instance: String,
    /// The action's own parameters.
    pub parameters: BTreeMap<String, String>,
    /// How it was signed.
    pub signature: SignatureVersion,
    /// What it was answered in.
    pub answer: Format,
    /// Its nonce.
    pub nonce: String,
    /// `OK`, the code of the error, or `NotExecuted` where a fault kept the request from the service.
    pub outcome: String,
    /// The HTTP status that was sent.
    pub status: Option<u16>,
    /// Whether an answer was handed to the connection. A client that had gone by then got none.
    pub delivered: bool,
    /// The fault that met it.
    pub fault: Option<String>,
}

/// The outcome of a call that went well.
pub const OK: &str = "OK";
/// The outcome of a call that a fault kept from the service.
pub const NOT_EXECUTED: &str = "NotExecuted";

/// A backup set, listed or not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRecord {
    /// Its id.
    pub backup_id: String,
    /// The job that made it.
    pub job_id: String,
    /// The instance.
    pub instance: String,
    /// How it was made, as the list says.
    pub method: String,
    /// `FullBackup` or `IncrementalBackup`.
    pub backup_type: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Its start, by the service's clock.
    pub started_at: Timestamp,
    /// Its end, by the service's clock.
    pub ended_at: Timestamp,
    /// What became of it.
    pub outcome: JobOutcome,
    /// Whether DescribeBackups shows it by now.
    pub listed: bool,
}

/// Where a backup comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A CreateBackup that is in the ledger.
    Request,
    /// A user, in the console or from another cluster. The API shows it like a request.
    Foreign,
    /// The service's own schedule.
    Automated,
}

/// A job started by a script rather than by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// The service's own schedule.
    Automated,
    /// A user: not in the ledger.
    Manual,
}
