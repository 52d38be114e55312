//! What happens to schedules in this process, for the metrics.

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::histogram::Histogram;

use crate::{
    api::{RdsBackup, RdsBackupSchedule, SLOT_ANNOTATION, Span},
    controller::PassCounts,
    time::SaturatingTime,
};

/// The upper bounds of the buckets, in seconds.
const DELAYS: [f64; 7] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// What cannot be computed from the objects: counted since the process started.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The passes over RdsBackupSchedules.
    pub passes: PassCounts,
    /// How much later than planned backups were created.
    pub start_delays: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self { passes: PassCounts::default(), start_delays: Histogram::new(DELAYS) }
    }
}

impl Counts {
    /// A backup of the schedule was created at this time. One of `trigger` or `runOnCreate` has no slot, and no delay.
    pub fn created(&self, schedule: &RdsBackupSchedule, backup: &RdsBackup, at: Timestamp) {
        if let Some(start) = planned_start(schedule, backup) {
            self.start_delays.observe(at.duration_since(start).as_secs_f64().max(0.0));
        }
    }
}

/// The slot and the jitter.
fn planned_start(schedule: &RdsBackupSchedule, backup: &RdsBackup) -> Option<Timestamp> {
    let slot: Timestamp = backup.metadata.annotations.as_ref()?.get(SLOT_ANNOTATION)?.parse().ok()?;
    let jitter = schedule.status.as_ref().and_then(|status| status.effective_jitter.clone());
    let jitter = jitter.and_then(|text| Span::new(text).get().ok()).unwrap_or(SignedDuration::ZERO);
    Some(slot.plus(jitter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_delay_counts_from_the_slot_and_its_jitter() {
        let schedule: RdsBackupSchedule = serde_json::from_value(json!({
            "metadata": { "name": "s", "namespace": "a" },
            "spec": { "schedule": "0 2 * * *", "template": { "spec": { "dbInstanceId": "rm-1" } } },
            "status": { "effectiveJitter": "10m" },
        }))
        .unwrap();
        let backup = |annotations: serde_json::Value| -> RdsBackup {
            serde_json::from_value(json!({ "metadata": { "name": "b", "annotations": annotations }, "spec": { "dbInstanceId": "rm-1" } }))
                .unwrap()
        };
        let slot = json!({ "rdsbackup.io/slot": "2026-03-01T02:00:00Z" });
        let start = planned_start(&schedule, &backup(slot.clone()));
        assert_eq!(start, Some("2026-03-01T02:10:00Z".parse().unwrap()));
        assert_eq!(planned_start(&schedule, &backup(json!({}))), None);
        let counts = Counts::default();
        counts.created(&schedule, &backup(slot), "2026-03-01T02:10:07Z".parse().unwrap());
        counts.created(&schedule, &backup(json!({})), "2026-03-01T02:10:07Z".parse().unwrap());
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("d", "d", counts.start_delays.clone());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("d_sum 7.0\n") && text.contains("d_count 1\n"), "{text}");
    }
}
