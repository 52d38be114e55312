use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, NativeWindow, Time, closed::closed_list};

/// The runs that a schedule has made and will make. Only the operator writes it; the API server drops a status in a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct RdsBackupScheduleStatus {
    /// The generation of the spec that this status describes; -1 until the operator has seen the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,

    /// `Ready` (the schedule is valid and armed, or suspended; a failed backup does not change it), `Stalled` (True when a person must
    /// act), `Reconciling` (True while a backup that is due cannot be created), `LastBackupSucceeded`, `Fresh` (the newest successful
    /// backup is young enough), `Suspended`, `CleanupBlocked` (an object beyond the history limits may not be deleted),
    /// `TooFrequent` (a day has more slots than the service makes backup sets), `BackupStalled` (a backup that waits or runs needs a
    /// person), `Retention` (whether the rules of `retention` are kept), `Plausible` (False: the newest set
    /// is far smaller than those before it) and `NativeWindowKnown` (whether the window of `notDuring` could be read).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The newest slot that is settled, without the jitter: its backup was created, or it was missed or skipped. The slots before it are
    /// settled too. `lastBackup` has the slot of the newest backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub last_schedule_time: Option<Time>,

    /// When the next backup starts, jitter and blackouts included. It stays in the past while a backup that is due cannot be created. Absent
    /// while the schedule is suspended or invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub next_schedule_time: Option<Time>,

    /// The next starts, at most 3, the first of them at `nextScheduleTime`. Absent while the schedule is suspended or invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub next_runs: Vec<NextRun>,

    /// The delay from a slot to the start of its backup, from `spec.jitter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 32))]
    pub effective_jitter: Option<String>,

    /// The newest backup that was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BackupReference")]
    pub last_backup: Option<BackupReference>,

    /// The newest backup that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FinishedBackup")]
    pub last_success: Option<FinishedBackup>,

    /// Until when that backup is young enough: its end, plus `freshness.maxAge` or what is derived from the schedule. It changes with
    /// `lastSuccess` and with an edit of the spec, never by time alone. Absent until a backup has succeeded, and while the schedule is invalid
    /// and has no `freshness.maxAge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub fresh_until: Option<Time>,

    /// The newest backup that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FinishedBackup")]
    pub last_failure: Option<FinishedBackup>,

    /// How many usable backups `retention` keeps, those that are held apart. Absent without `retention`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32")]
    pub retained: Option<i32>,

    /// The number of backups that failed since the newest one that succeeded.
    #[serde(default)]
    pub consecutive_failures: i32,

    /// The account of `lastSuccess`, `lastFailure` and `consecutiveFailures`. After a change of the account they start anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 63))]
    pub account: Option<String>,

    /// Since when that is the account, if it was changed. `Fresh` counts from then until a backup of the new account has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub account_since: Option<Time>,

    /// The names of the backups that wait or run, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 253)))]
    pub active: Vec<String>,

    /// Slots that were not run because the operator was down, or could only have run later than `startingDeadline`. At most 100,000 are
    /// counted at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlotCount")]
    pub missed_runs: Option<SlotCount>,

    /// Slots that were not run because an earlier backup of the schedule still waited or ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlotCount")]
    pub skipped_overlap: Option<SlotCount>,

    /// Slots that were not run because of `spec.blackouts` or `spec.notDuring`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlotCount")]
    pub skipped_blackout: Option<SlotCount>,

    /// The instance's own backup window that `notDuring` keeps clear, as it was read last. Absent without `notDuring`, and until it was read
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NativeWindow")]
    pub native_window: Option<NativeWindow>,

    /// The present `trigger`, once it was handled: run, recorded, or found to have been seen before. Absent while the spec has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 128))]
    pub last_handled_trigger: Option<String>,

    /// The newest 20 triggers that were handled, by the first ten digits of their SHA-256, newest last. None of them is run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 16)))]
    pub handled_triggers: Vec<String>,

    /// A hash of schedule, time zone, jitter, blackouts and `notDuring`. It shows an edit of them: an edit never fires for slots before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub timing_hash: Option<String>,

    /// Since when the schedule has its present timing: its creation, the last change of its timing, or the end of a pause, at the time at
    /// which the API server took it in. Slots that would have started by then (slot plus jitter, after a blackout) are neither run nor missed, unless
    /// `nextScheduleTime` had promised them. Absent until the schedule was valid once, and `runOnCreate` is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub armed_since: Option<Time>,

    /// Members that this release does not know: a newer one wrote them before the operator was rolled back. They are written back as they
    /// are, so that it finds them when it is installed again.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

fn unseen() -> i64 {
    -1
}

impl RdsBackupScheduleStatus {
    /// The status of a schedule that the operator has not seen yet.
    pub fn fresh() -> Self {
        Self { observed_generation: -1, ..Self::default() }
    }

    /// The condition of this type, if it is there.
    pub fn condition(&self, kind: ScheduleCondition) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// Whether the condition is there and True.
    pub fn is_true(&self, kind: ScheduleCondition) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }
}

closed_list! {
    /// The types of a schedule's conditions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ScheduleCondition {
        /// True while the schedule is valid, suspended or not. A failed backup does not change it, so it does not block a deployment that
        /// waits for the schedule.
        Ready,
        /// Present, and True, when a person must correct the schedule, or the API server refuses its backups; the message says how to
        /// correct it.
        Stalled,
        /// Present, and True, while a backup that is due cannot be created: the API server does not answer, or fails.
        Reconciling,
        /// Whether the newest finished backup succeeded. Absent until one has finished.
        LastBackupSucceeded,
        /// Whether the newest successful backup is young enough: the condition to alert on. It turns False by time alone. Unknown until the
        /// first backup could have been made, or while the schedule is invalid and has no `freshness.maxAge`.
        Fresh,
        /// Present, and True, while the schedule pauses.
        Suspended,
        /// Present, and True, while an RdsBackup object beyond the history limits may not be deleted; the message names it.
        CleanupBlocked,
        /// Present, and True, while the schedule is valid and a day of it, by UTC and by the clocks of China, has more slots than the 20
        /// manual backup sets that the service makes of an instance a day. A warning: the schedule runs. The slots of this schedule alone
        /// are counted, also while it is suspended, and not the backups of other schedules of the instance.
        TooFrequent,
        /// Present, and True, while a backup of the schedule that waits or runs is Stalled: a person must act for it. The message names it and
        /// says what to do; the reason is its own. It holds up the slots until it has ended.
        BackupStalled,
        /// Present with `retention`: True when its rules are kept, False when a backup that is to be removed cannot be, or when the rules cannot be
        /// applied. The message says how many usable backups are kept, and whether sets are deleted with them.
        Retention,
        /// Present, and False, while the set of the newest successful backup is less than half as large as those before it. The backup counts as a
        /// success all the same.
        Plausible,
        /// Present with `notDuring`, once its window was asked for: True when the instance's backup policy was read, False while it cannot be.
        /// The message says which window is kept clear. A False one stops nothing: the window that was read before stays in use, and without
        /// one slots start as if there were none.
        NativeWindowKnown,
    }
}

/// A backup that was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupReference {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The slot that it was created for. Absent for a backup of `trigger` or `runOnCreate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub slot: Option<Time>,
}

/// A backup that has finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishedBackup {
    /// The name of its RdsBackup.
    #[schemars(length(max = 253))]
    pub name: String,
    /// When it ended.
    pub completed_at: Time,
    /// The backup set, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub backup_id: Option<String>,
    /// The reason of its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub reason: Option<String>,
}

/// A start of a schedule that is to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextRun {
    /// The slot, without the jitter: the backup is named after it. Absent for the backup of `runOnCreate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub slot: Option<Time>,
    /// When its backup starts: the slot plus the jitter, or the end of a blackout.
    pub start: Time,
}

/// Slots that were not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotCount {
    /// The number of slots.
    pub count: i64,
    /// The newest of them, without the jitter.
    pub last: Time,
}
