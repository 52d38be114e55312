//! One scrape: every collector in turn.

use std::{fmt, sync::Arc};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};

use super::{
    accounts, backups,
    catalogue::{SCHEDULE_START_DELAY, UNREADABLE},
    config_state::ConfigState,
    coverage,
    exposition::{Exposition, Format},
    operator, process, schedules,
};
use crate::{
    backup,
    controller::{InitialSync, KubeRequests},
    coverage::Listings,
    schedule,
};

/// What the metrics are made of.
pub struct Sources {
    /// The RdsBackups, and the accounts.
    pub backups: Arc<backup::Context>,
    /// The RdsBackupSchedules.
    pub schedules: Arc<schedule::Context>,
    /// The instances of the accounts that ask for it.
    pub listings: Arc<Listings>,
    /// The requests to the API server.
    pub kube_requests: KubeRequests,
    /// What the configuration asks for, and what became of its file.
    pub config: Arc<ConfigState>,
}

/// The metrics of this process. A scrape reads memory and /proc, and nothing else.
pub struct Metrics(Registry);

impl Metrics {
    /// Sets them up.
    pub fn new(sources: Sources) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Everything(sources)));
        Self(registry)
    }

    /// All of them, as text.
    ///
    /// # Errors
    /// Never in practice: nothing can fail that writes into memory.
    pub fn scrape(&self, format: Format) -> Result<String, fmt::Error> {
        format.encode(&self.0)
    }
}

struct Everything(Sources);

impl fmt::Debug for Everything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Everything")
    }
}

impl Collector for Everything {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Sources { backups, schedules, listings, kube_requests, config } = &self.0;
        let mut out = Exposition(encoder);
        let leads = backups.cluster.may_begin().is_ok();
        // A replica that lost the lease keeps its caches until it ends, and they show what was.
        if leads && shows_anything(schedules.listed.get()) {
            schedules::write(&mut out, schedules, config.settings())?;
            coverage::write(&mut out, listings, &backups.accounts, schedules, backups.clock.now())?;
        }
        out.counted(&SCHEDULE_START_DELAY, &schedules.counts.start_delays)?;
        if leads && shows_anything(backups.listed.get()) {
            backups::write(&mut out, backups)?;
        }
        backups::write_counted(&mut out, backups)?;
        if leads {
            let unreadable = [
                ("RdsBackup", shows_anything(backups.listed.get()).then(|| backups.cached().filter(|object| object.0.is_err()).count())),
                (
                    "RdsBackupSchedule",
                    shows_anything(schedules.listed.get()).then(|| schedules.cached().filter(|object| object.0.is_err()).count()),
                ),
            ];
            out.computed(&UNREADABLE, unreadable.iter().filter_map(|(kind, count)| Some(([*kind], (*count)? as f64))))?;
        }
        accounts::write(&mut out, &backups.accounts)?;
        operator::write(&mut out, leads, &backups.counts, &schedules.counts, kube_requests)?;
        operator::write_config(&mut out, config)?;
        process::write(&mut out)
    }
}

fn shows_anything(listed: Option<&InitialSync>) -> bool {
    listed.is_some_and(InitialSync::shows_anything)
}
