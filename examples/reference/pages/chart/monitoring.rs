//! The chart's values for monitoring. The rules of the alerts are in its `files/alerts.yaml`.

#![expect(dead_code, reason = "only their schema is used")]

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

type Texts = BTreeMap<String, String>;

/// `metrics.serviceMonitor`, `metrics.podMonitor`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Monitor {
    /// Whether the chart creates it. One of the two is enough.
    pub enabled: bool,
    /// For a cluster that does not know the kind: leave it out, refuse to install, or render it all the same (for `helm template`).
    pub render_mode: RenderMode,
    /// The time between two scrapes. With more than two minutes, alerts begin anew at a change of leader.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h)$"))]
    pub interval: String,
    /// Labels by which a Prometheus selects it.
    pub labels: Texts,
}

/// `renderMode`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RenderMode {
    SkipIfMissing,
    FailIfMissing,
    AlwaysRender,
}

/// `metrics.prometheusRule`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusRule {
    /// Whether the chart creates the PrometheusRule.
    pub enabled: bool,
    /// For a cluster that does not know the kind: leave it out, refuse to install, or render it all the same (for `helm template`).
    pub render_mode: RenderMode,
    /// Labels by which a Prometheus selects the PrometheusRule.
    pub labels: Texts,
    /// More labels of every alert, for routes.
    pub alert_labels: Texts,
    /// The address of the runbooks: `runbook_url` of an alert is this, a slash and `NAME.md`.
    #[schemars(regex(pattern = r"^https?://.+$"))]
    pub runbook_base_url: String,
    /// The names of alerts that are left out.
    pub disabled: Vec<Alert>,
    /// How long an alert must be true before it fires, by its name: `{ RdsBackupNotFresh: 30m }`. At least 10m, or a change of leader can
    /// fire it; docs/runbooks has the defaults.
    pub r#for: BTreeMap<Alert, Span>,
    /// The label `severity` of an alert, by its name: `{ RdsBackupStuck: critical }`. The default is `critical` or `warning`.
    pub severity: BTreeMap<Alert, Severity>,
    /// The numbers in the rules.
    pub thresholds: Thresholds,
}

/// `metrics.prometheusRule.thresholds`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// RdsBackupScheduleOverdue: how late the RdsBackup of a slot may be created.
    #[schemars(range(min = 60, max = 604_800))]
    pub schedule_overdue_seconds: u32,
    /// RdsBackupRunsFailing: the number of backups in a row that failed.
    #[schemars(range(min = 1, max = 100))]
    pub failed_runs: u32,
    /// RdsBackupStuck: for how long an RdsBackup may be Queued.
    #[schemars(range(min = 60, max = 604_800))]
    pub stuck_queued_seconds: u32,
    /// RdsBackupStuck: for how long an RdsBackup may be Submitting or Resolving.
    #[schemars(range(min = 60, max = 604_800))]
    pub stuck_submitting_seconds: u32,
    /// RdsBackupStuck: for how long an RdsBackup may be Running.
    #[schemars(range(min = 60, max = 604_800))]
    pub stuck_running_seconds: u32,
    /// RdsBackupStuck: for how long an RdsBackup may be Finalizing, from the start of its job.
    #[schemars(range(min = 60, max = 604_800))]
    pub stuck_finalizing_seconds: u32,
    /// RdsBackupCloudThrottled: the share of throttled calls, above 0 and below 1.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub throttled_share: f64,
    /// RdsBackupCloudErrors: the share of calls that fail, above 0 and below 1.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub cloud_error_share: f64,
    /// RdsBackupClockSkewed: the difference of the clocks. At 900 the service refuses requests that are not corrected.
    #[schemars(range(min = 1, max = 899))]
    pub clock_offset_seconds: u32,
    /// RdsBackupOverdueByObject: how late the RdsBackup of a slot may be created.
    #[schemars(range(min = 60, max = 604_800))]
    pub object_overdue_seconds: u32,
}

/// `metrics.dashboards`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dashboards {
    /// Whether the chart creates a ConfigMap with both dashboards.
    pub enabled: bool,
    /// Labels by which the sidecar of Grafana finds the ConfigMap.
    pub labels: Texts,
    /// Annotations of the ConfigMap, for example `grafana_folder: Backups`.
    pub annotations: Texts,
}

/// A length of time as Prometheus writes it, for `metrics.prometheusRule.for`.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Span(#[schemars(regex(pattern = r"^([1-9][0-9]*d)?([1-9][0-9]*h)?([1-9][0-9]*m)?([1-9][0-9]*s)?$"), length(min = 2))] String);

/// A value of the label `severity`.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Severity(#[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+$"))] String);

/// The name of an alert: those in `files/alerts.yaml` of the chart, and no other.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Alert(String);

impl JsonSchema for Alert {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Alert".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": names() })
    }
}

const RULES: &str = include_str!("../../../../charts/rds-backup-operator/files/alerts.yaml");

/// The names of all alerts, in order.
fn names() -> Vec<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}
