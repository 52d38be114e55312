//! The series of the operator itself.

use std::fmt;

use super::{
    catalogue::{
        ADOPTIONS, BUILD_INFO, CONFIG_RELOAD_SUCCESS, CONFIG_RELOAD_SUCCESSFUL, KUBE_REQUESTS, LEADER, RECONCILE_DURATION,
        RECONCILE_ERRORS, UNKNOWN_OUTCOMES,
    },
    config_state::ConfigState,
    exposition::Exposition,
};
use crate::{backup, controller::KubeRequests, controller::PassCounts, schedule};

pub(super) fn write(
    out: &mut Exposition<'_>,
    leads: bool,
    backups: &backup::Counts,
    schedules: &schedule::Counts,
    kube_requests: &KubeRequests,
) -> fmt::Result {
    out.value(&LEADER, Some(f64::from(u8::from(leads))))?;
    out.computed(&BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1.0)])?;
    let controllers: [(&'static str, &PassCounts); 2] = [("RdsBackup", &backups.passes), ("RdsBackupSchedule", &schedules.passes)];
    out.counted_by(&RECONCILE_DURATION, controllers.map(|(kind, passes)| (kind, &passes.durations)))?;
    let errors = controllers
        .iter()
        .flat_map(|(kind, passes)| passes.failures().map(move |(reason, counter)| ([*kind, reason.as_str()], counter.get() as f64)));
    out.computed(&RECONCILE_ERRORS, errors)?;
    out.counted(&KUBE_REQUESTS, &kube_requests.0)?;
    out.counted(&UNKNOWN_OUTCOMES, &backups.unknown_outcomes)?;
    out.counted(&ADOPTIONS, &backups.adoptions)
}

/// Writes what became of the configuration file.
pub(super) fn write_config(out: &mut Exposition<'_>, config: &ConfigState) -> fmt::Result {
    let (taken_at, is_successful) = config.last_reload();
    out.value(&CONFIG_RELOAD_SUCCESSFUL, Some(f64::from(u8::from(is_successful))))?;
    out.value(&CONFIG_RELOAD_SUCCESS, Some(taken_at.as_second() as f64))
}
