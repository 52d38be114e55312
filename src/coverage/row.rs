//! What a report of coverage says. As JSON it is a format that programs read: a field that is unknown is absent; a field may be added, and
//! none changes its meaning without another `formatVersion`.

use jiff::Timestamp;
use serde::Serialize;

use super::candidates::LeftOut;
use crate::report::{Objective, UnreadableObject, UsableBackup};

/// The version of the JSON format.
pub(super) const FORMAT_VERSION: u32 = 1;

/// The instances of an account, beside the schedules.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The version of this format.
    pub format_version: u32,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The account.
    pub account: String,
    /// The region whose instances are listed.
    pub region_id: String,
    /// The tags that they have, as `key=value`.
    pub tags: Vec<String>,
    /// The namespace whose schedules count; absent where those of all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many instances stand how.
    pub counts: Counts,
    /// One for each instance that can be backed up, by its id.
    pub instances: Vec<InstanceRow>,
    /// The instances that cannot.
    pub left_out: Vec<LeftOut>,
    /// Schedules of the account that name an instance which the listing does not have. Empty where tags narrow the listing.
    pub schedules_without_instance: Vec<ScheduleRow>,
    /// The objects that could not be read: a schedule among them may cover an instance.
    pub unreadable: Vec<UnreadableObject>,
}

/// How many instances stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All of them.
    pub instances: usize,
    /// See [`Covered::Fresh`].
    pub fresh: usize,
    /// See [`Covered::Twice`].
    pub covered_twice: usize,
    /// See [`Covered::Pending`].
    pub pending: usize,
    /// See [`Covered::Stale`].
    pub stale: usize,
    /// See [`Covered::NeverSucceeded`].
    pub never_succeeded: usize,
    /// See [`Covered::Unknown`].
    pub unknown: usize,
    /// See [`Covered::Suspended`].
    pub suspended: usize,
    /// See [`Covered::No`].
    pub not_covered: usize,
}

/// Whether an instance is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Covered {
    /// One schedule that is not suspended, and its data is young enough.
    Fresh,
    /// Two schedules or more that are not suspended; the data of one of them is young enough.
    #[serde(rename = "CoveredTwice")]
    Twice,
    /// No backup has succeeded yet, and none had to.
    Pending,
    /// The newest usable data is too old.
    Stale,
    /// No backup that is there and usable, although there had to be one.
    NeverSucceeded,
    /// It cannot be told: the schedule is not valid and does not say how old its data may become.
    Unknown,
    /// All its schedules are suspended.
    Suspended,
    /// No schedule names it.
    #[serde(rename = "NotCovered")]
    No,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceRow {
    /// The instance.
    pub db_instance_id: String,
    /// The name that people gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `MySQL 8.0`
    pub engine: String,
    /// Its kind of disk, as the service spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// Its edition, where the service tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its state, as the service spells it.
    pub status: String,
    /// Its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<String>,
    /// When it expires; absent where it is paid by use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether it is backed up.
    pub coverage: Covered,
    /// Its schedules.
    pub schedules: Vec<ScheduleRow>,
    /// The time since the start of the newest usable backup, of a schedule or by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_age_seconds: Option<i64>,
    /// How old it may become: the strictest of its schedules that are not suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<i64>,
    /// The newest backup that exists, is usable, and has not expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_usable: Option<UsableBackup>,
}

/// One schedule of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The instance that it names.
    pub db_instance_id: String,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether its newest data is young enough.
    pub objective: Objective,
}

impl Coverage {
    /// Whether every instance is backed up, and recently enough. Suspended schedules count only where they are asked for.
    pub fn is_met(&self, counts_suspended: bool) -> bool {
        let Counts { stale, never_succeeded, unknown, not_covered, suspended, .. } = self.counts;
        stale + never_succeeded + unknown + not_covered == 0 && self.unreadable.is_empty() && !(counts_suspended && suspended > 0)
    }

    /// `30 instances: 21 fresh, 3 stale, 5 not covered, 1 covered twice`
    pub fn sum(&self) -> String {
        let counts = self.counts;
        let parts = [
            (counts.fresh, "fresh"),
            (counts.pending, "pending"),
            (counts.stale, "stale"),
            (counts.never_succeeded, "never succeeded"),
            (counts.unknown, "unknown"),
            (counts.suspended, "suspended"),
            (counts.not_covered, "not covered"),
            (counts.covered_twice, "covered twice"),
        ];
        let told: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let noun = if counts.instances == 1 { "instance" } else { "instances" };
        if told.is_empty() { format!("{} {noun}", counts.instances) } else { format!("{} {noun}: {}", counts.instances, told.join(", ")) }
    }
}

impl Covered {
    /// As JSON and CSV have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "Fresh",
            Self::Twice => "CoveredTwice",
            Self::Pending => "Pending",
            Self::Stale => "Stale",
            Self::NeverSucceeded => "NeverSucceeded",
            Self::Unknown => "Unknown",
            Self::Suspended => "Suspended",
            Self::No => "NotCovered",
        }
    }
}
