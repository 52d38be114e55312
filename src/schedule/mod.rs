//! RdsBackupSchedule: when backups run. Pure so far: expressions, slots, zones and what a spec asks for.

pub mod cron;
pub mod plan;
pub mod slots;
pub mod zone;
