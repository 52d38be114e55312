use schemars::JsonSchema;
use serde::Deserialize;

/// What `/metrics` has of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsSettings {
    /// The series that each RdsBackupSchedule has of its own. About 17 for `All`, 8 for `Freshness`, and 2 and 1 more with `retention`.
    #[serde(default)]
    #[schemars(extend("default" = "All"))]
    pub per_schedule: PerSchedule,
    /// Whether `rdsbackup_schedule_info` has the label `db_instance_id`. No other series has it.
    #[serde(default = "yes")]
    #[schemars(extend("default" = true))]
    pub instance_ids: bool,
}

/// The series of each RdsBackupSchedule (`metrics.perSchedule`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PerSchedule {
    /// All of them.
    #[default]
    All,
    /// Only those that the alerts about schedules need.
    Freshness,
    /// None.
    None,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { per_schedule: PerSchedule::default(), instance_ids: true }
    }
}

fn yes() -> bool {
    true
}
