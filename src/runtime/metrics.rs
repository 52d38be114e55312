//! Metrics. Those about objects are computed from the caches at every scrape, so they are correct right after a restart.

use std::sync::Arc;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

use super::readiness::Readiness;
use crate::{
    api::{ConditionType, Phase},
    backup::Context,
};

pub(super) struct Metrics(Registry);

impl Metrics {
    pub fn new(context: Arc<Context>, readiness: Arc<Readiness>) -> Self {
        let mut registry = Registry::with_prefix("rds_backup_operator");
        let counters = &context.counters;
        registry.register(
            "reconcile_errors",
            "Passes over an object that ended with an error and are tried again",
            counters.failed_passes.clone(),
        );
        registry.register("create_backup_requests", "CreateBackup requests that were sent", counters.requests_sent.clone());
        registry.register(
            "create_backup_unknown_outcomes",
            "CreateBackup requests whose answer was lost",
            counters.outcomes_unknown.clone(),
        );
        registry.register_collector(Box::new(Objects(context, readiness)));
        Self(registry)
    }

    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// The metrics that are computed from the caches and the clients.
struct Objects(Arc<Context>, Arc<Readiness>);

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Objects")
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut by_phase = [0i64; Phase::ALL.len()];
        let (mut stalled, mut unreadable) = (0i64, 0i64);
        for guarded in self.0.cached() {
            let Ok(object) = &guarded.0 else {
                unreadable += 1;
                continue;
            };
            let phase = object.status.as_ref().map_or(Phase::Pending, |status| status.phase);
            if let Some(place) = Phase::ALL.iter().position(|known| *known == phase) {
                by_phase[place] += 1;
            }
            let waits_for_a_person =
                object.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Stalled)) && !phase.is_terminal();
            stalled += i64::from(waits_for_a_person);
        }
        let leads = ConstGauge::new(i64::from(self.0.cluster.may_begin().is_ok()));
        leads.encode(encoder.encode_descriptor("leader", "1 on the replica that leads, 0 on a standby", None, leads.metric_type())?)?;
        let gauge = ConstGauge::new(0i64);
        let mut family = encoder.encode_descriptor("backups", "RdsBackups by phase", None, gauge.metric_type())?;
        for (phase, count) in Phase::ALL.iter().zip(by_phase) {
            let labels = [("phase", phase.as_str())];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        let waiting = ConstGauge::new(stalled);
        waiting.encode(encoder.encode_descriptor(
            "backups_stalled",
            "Unfinished RdsBackups that a person must act on",
            None,
            waiting.metric_type(),
        )?)?;
        let broken = ConstGauge::new(unreadable);
        broken.encode(encoder.encode_descriptor(
            "backups_unreadable",
            "RdsBackups that cannot be read and are not worked on",
            None,
            broken.metric_type(),
        )?)?;
        let accounts = self.1.accounts();
        if !accounts.is_empty() {
            let gauge = ConstGauge::new(0i64);
            let help = "1 if the account's access key can be used, 0 if it is missing or cannot be read";
            let mut family = encoder.encode_descriptor("credentials_usable", help, None, gauge.metric_type())?;
            for (account, usable) in accounts {
                let labels = [("account", account)];
                ConstGauge::new(i64::from(usable)).encode(family.encode_family(&labels)?)?;
            }
        }
        let clients = self.0.accounts.clients();
        if !clients.is_empty() {
            let gauge = ConstGauge::new(0f64);
            let mut family = encoder.encode_descriptor(
                "clock_offset",
                "The service's clock minus ours, by its answers",
                Some(&Unit::Seconds),
                gauge.metric_type(),
            )?;
            for (account, region, client) in clients {
                let labels = [("account", account), ("region", region)];
                ConstGauge::new(client.clock_offset().as_secs_f64()).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
