use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blackout, NotDuring, RdsBackupScheduleStatus, RdsBackupSpec, Span};

/// When backups of one instance are made, and how many of their objects are kept.
///
/// Each run is an RdsBackup of its own, named after the schedule and the slot. Deleting the schedule deletes none of them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "rdsbackup.io",
    version = "v1alpha1",
    kind = "RdsBackupSchedule",
    plural = "rdsbackupschedules",
    namespaced,
    status = "RdsBackupScheduleStatus",
    shortname = "rdsbs",
    category = "rds-backup",
    doc = "Backups of one ApsaraDB RDS instance by a cron schedule: every slot once, never a burst, never a silent stop.",
    derive = "PartialEq",
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.timeZone"),
    printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Fresh", type_ = "string", json_path = ".status.conditions[?(@.type==\"Fresh\")].status"),
    printcolumn(name = "Last Success", type_ = "date", json_path = ".status.lastSuccess.completedAt"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextScheduleTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.template.spec.dbInstanceId", priority = "1"),
    printcolumn(name = "Last Backup", type_ = "string", json_path = ".status.lastBackup.name", priority = "1"),
    printcolumn(name = "Failures", type_ = "integer", json_path = ".status.consecutiveFailures", priority = "1"),
    printcolumn(name = "Missed", type_ = "integer", json_path = ".status.missedRuns.count", priority = "1"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = "1"
    ),
    validation = Rule::new("size(self.metadata.name) <= 50")
        .message("the name of a schedule has at most 50 characters: its backups are named after it and their slots"),
    validation = Rule::new("self.spec.template.spec.dbInstanceId == oldSelf.spec.template.spec.dbInstanceId")
        .message("dbInstanceId cannot be changed: create another RdsBackupSchedule for another instance")
        .field_path(".spec.template.spec.dbInstanceId"),
    validation = Rule::new("!has(self.spec.template.spec.notAfter)")
        .message("remove notAfter: the schedule sets it on each of its backups")
        .field_path(".spec.template.spec.notAfter"),
    validation = Rule::new("!has(self.spec.template.spec.ttl)")
        .message("remove ttl: retention, or successfulHistoryLimit and failedHistoryLimit, say how many backups of a schedule stay")
        .field_path(".spec.template.spec.ttl"),
    validation = Rule::new("!has(self.spec.template.spec.existingBackupId)")
        .message("remove existingBackupId: a schedule makes backups; an RdsBackup of its own takes in a backup set")
        .field_path(".spec.template.spec.existingBackupId"),
    validation = Rule::new("!has(self.spec.template.spec.reuseIfNewerThan)")
        .message("remove reuseIfNewerThan: every slot of a schedule makes a backup of its own")
        .field_path(".spec.template.spec.reuseIfNewerThan")
)]
#[serde(rename_all = "camelCase")]
pub struct RdsBackupScheduleSpec {
    /// When backups are made: five cron fields (minute hour day-of-month month day-of-week), for example `0 2 * * *`, or one of `@hourly`,
    /// `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. Names (`mon`, `jan`), lists, ranges and steps have the same
    /// meaning as in a CronJob; if day-of-month and day-of-week are both restricted, a match of either is enough. `rds-backup-operator
    /// next` prints the runs of an expression.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("!self.contains('=')").message("the time zone has a field of its own: write it in timeZone"))]
    #[x_kube(validation = Rule::new("self.trim().startsWith('@') || self.trim().matches('^\\\\S+(\\\\s+\\\\S+){4}$')")
        .message("schedule has five fields (minute hour day-of-month month day-of-week), for example 0 2 * * *"))]
    #[x_kube(validation = Rule::new("!self.trim().startsWith('@') || self.trim() in ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually']")
        .message("write five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"))]
    #[x_kube(validation = Rule::new("!self.matches('[?#]')").message("? and # are of another kind of cron: write * or the days themselves"))]
    #[x_kube(validation = Rule::new("!self.matches('(?i)(^|[ ,])([0-9]+|[a-z]{3})?[LW]+(-[0-9]+)?($|[ ,])')")
        .message("L and W are of another kind of cron: write the days themselves"))]
    pub schedule: String,

    /// The time zone of the schedule, an IANA name such as `Asia/Shanghai`. Default `Etc/UTC`. If the clocks skip a fixed time of day, it
    /// runs at the first instant after the gap; if a fixed time of day comes twice, it runs the first time. A schedule whose hour field
    /// begins with `*` does not run at a time that the clocks skip, and runs twice at one that comes twice: `0 */2` leaves three hours, or
    /// one, between two runs then.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.lowerAscii() != 'local'").message("Local is not a time zone: write an IANA name such as Asia/Shanghai"))]
    pub time_zone: String,

    /// The largest delay of a backup after its slot. It spreads schedules that have the same time. The delay of a schedule is always the
    /// same; the status shows it. `jitter` is at most half the shortest gap between two slots. Default: none, like `0s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Span::schema_or_zero")]
    pub jitter: Option<Span>,

    /// Whether the schedule pauses. Slots during the pause are neither run nor counted as missed; `trigger` still works.
    #[serde(default)]
    pub suspend: bool,

    /// How late a backup may start, counted from its slot plus the jitter: an older slot is missed. Default: until the next slot. With
    /// `5m`, a slot is skipped rather than run late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub starting_deadline: Option<Span>,

    /// Windows in which no backup of the schedule starts. A slot whose start (slot plus jitter) lies in one starts at its end, if that is
    /// before the end of `startingDeadline` and before the start of the next slot; else it is not run, and counted in `skippedBlackout`.
    /// Windows that overlap or touch are one. `trigger` starts a backup in a window too. `rds-backup-operator next -f` prints what a window
    /// does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub blackouts: Vec<Blackout>,

    /// `NativeBackupWindow`: the window in which the instance makes its own backups (`PreferredBackupTime` and `PreferredBackupPeriod` of its
    /// backup policy, in UTC) is one more blackout. The operator reads it when it sees the schedule first, and then every 6 hours;
    /// `status.nativeWindow` has what it read. While it has never been read, a slot starts as if there were no such window. The key needs
    /// `rds:DescribeBackupPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NotDuring")]
    pub not_during: Option<NotDuring>,

    /// Whether a backup is made as soon as the schedule is created, in addition to its slots. Not while `suspend` is true. In a blackout it
    /// waits for its end; a slot that starts then takes its place.
    #[serde(default)]
    pub run_on_create: bool,

    /// Any text. A change makes one backup now, also while the schedule is suspended. The text with which the schedule is created is only
    /// recorded, unless the schedule was edited before the operator saw it. A text that was seen before is never run again: the newest 20
    /// are remembered. Each text that is not run has an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 128))]
    pub trigger: Option<String>,

    /// How many RdsBackup objects that succeeded are kept, default 10. Older ones are deleted; their backup sets in the cloud are not. The
    /// newest one is always kept, and so is one with the annotation `rdsbackup.io/hold: "true"`, or with `deletionPolicy: Delete`: its
    /// backup set would be deleted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1000))]
    pub successful_history_limit: Option<i32>,

    /// How many RdsBackup objects that failed are kept, default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1000))]
    pub failed_history_limit: Option<i32>,

    /// Which successful backups are kept. With it, `successfulHistoryLimit` only says how many RdsBackup objects stay whose backup set is
    /// gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RetentionSpec")]
    pub retention: Option<RetentionSpec>,

    /// How old the newest successful backup may become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FreshnessSpec")]
    pub freshness: Option<FreshnessSpec>,

    /// The RdsBackup that each run creates.
    pub template: BackupTemplate,
}

fn utc() -> String {
    "Etc/UTC".to_owned()
}

/// Which successful backups of a schedule are kept. Only those count whose backup set was seen, and was usable, at the last daily look. One
/// with the annotation `rdsbackup.io/hold: "true"` is neither counted nor removed. Removing a backup deletes its RdsBackup; with
/// `deletionPolicy: Delete` in the template its set is deleted too, where the service does that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.keepLast) || has(self.maxAge)").message("write keepLast, maxAge or both"))]
#[x_kube(validation = Rule::new("!has(self.keepLast) || self.keepLast >= (has(self.keepAtLeast) ? self.keepAtLeast : 1)")
    .message("keepLast is less than keepAtLeast, which is kept whatever the other rules say: write a larger keepLast"))]
pub struct RetentionSpec {
    /// The most backups that are kept: older ones are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub keep_last: Option<i32>,
    /// Backups that ended longer ago are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub max_age: Option<Span>,
    /// So many backups are kept whatever the other rules say, default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub keep_at_least: Option<i32>,
}

/// How old the newest successful backup may become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreshnessSpec {
    /// The condition `Fresh` turns False when the newest successful backup ended longer ago than this. Default: one and a half times the
    /// longest gap between two starts of the coming year, and the jitter.
    pub max_age: Span,
}

/// The RdsBackup that each run creates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupTemplate {
    /// Labels and annotations of the RdsBackup. Those of the schedule are never copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TemplateMetadata")]
    pub metadata: Option<TemplateMetadata>,
    /// The spec of the RdsBackup. Here `queueTimeout` defaults to the time until the next slot, and ends before a blackout begins; `notAfter`
    /// and `ttl` are left out: the schedule sets the one, and `retention` and the history limits stand for the other. `existingBackupId` and
    /// `reuseIfNewerThan` are left out too: every slot makes a backup. `dbInstanceId` cannot be changed.
    pub spec: RdsBackupSpec,
}

/// Labels and annotations of the RdsBackups that a schedule creates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Labels. Labels of the group `rdsbackup.io` are reserved for the operator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {
        "type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
    }))]
    pub labels: BTreeMap<String, String>,
    /// Annotations. Annotations of the group `rdsbackup.io` are reserved for the operator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 32768 }))]
    pub annotations: BTreeMap<String, String>,
}
