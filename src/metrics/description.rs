//! What is said of a metric: to a scraper, and in the reference.

use prometheus_client::{metrics::MetricType, registry::Unit};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its whole name; the unit and, of a counter, `_total` are a part of it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The part of the reference that it stands in.
    pub group: Group,
    /// What it says.
    pub help: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up, until the process starts again, or what it is about is created again.
    Counter,
    /// How often a value was below each of some bounds.
    Histogram,
}

/// The parts of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Each RdsBackupSchedule, and all of them.
    Schedules,
    /// The RdsBackups.
    Backups,
    /// The accounts and the service.
    Accounts,
    /// The operator.
    Operator,
    /// Its process.
    Process,
}

impl Kind {
    /// As a scraper knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }

    pub(super) fn to_client(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

impl Group {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Schedules, Self::Backups, Self::Accounts, Self::Operator, Self::Process];
}

impl Description {
    /// Its unit, as the end of its name says it.
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit))
    }

    pub(super) fn client_unit(&self) -> Option<Unit> {
        match self.unit() {
            Some("seconds") => Some(Unit::Seconds),
            Some("bytes") => Some(Unit::Bytes),
            _ => None,
        }
    }

    /// Its name without what the library appends: `_total` of a counter, and the unit.
    pub(super) fn stem(&self) -> &'static str {
        let name = if self.kind == Kind::Counter { self.name.strip_suffix("_total").unwrap_or(self.name) } else { self.name };
        let unit = self.unit().and_then(|unit| name.strip_suffix(unit)?.strip_suffix('_'));
        unit.unwrap_or(name)
    }
}
