//! RdsBackupSchedule: when backups run.

pub mod cron;
pub mod slots;
