//! What `/metrics` says. Series of objects are computed from the caches at each scrape: they are there right after a restart, and gone with
//! the object. What is not known has no series, and never 0. The counters that they are completed with live where they count.

mod accounts;
mod backups;
mod catalogue;
mod config_state;
mod coverage;
mod description;
mod exposition;
mod operator;
mod process;
mod schedules;
mod scrape;
mod settings;

pub use catalogue::ALL;
pub use config_state::ConfigState;
pub use description::{Description, Group, Kind};
pub use exposition::Format;
pub use schedules::FRESHNESS;
pub use scrape::{Metrics, Sources};
pub use settings::{MetricsSettings, PerSchedule};

#[cfg(test)]
mod tests;
