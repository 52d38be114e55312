//! Cron expressions, time zones and the slots that both make together. Pure: no clock, no I/O.

mod crowded;
mod parse;
mod slots;
mod zone;

pub use parse::{Cron, CronError, LONGEST};
pub use slots::{Note, Slot, Slots};
pub use zone::{ZoneError, zone};
