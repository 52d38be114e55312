//! Cron expressions, time zones and the slots that both make together. Pure: no clock, no I/O.

mod crowded;
mod local;
mod parse;
mod slots;
mod zone;

pub use crowded::has_more_in_a_day;
pub use local::{first_instant, last_instant};
pub use parse::{Cron, CronError, LONGEST};
pub use slots::{Note, Slot, Slots};
pub use zone::{ZoneError, zone};
