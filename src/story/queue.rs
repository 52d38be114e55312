//! Where a backup stands in the queue of its instance: computed from the objects, as the operator does, and stored nowhere.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    accounts::Protocol,
    api::{Phase, RdsBackup},
    backup::siblings::{Sibling, occupies},
};

/// A place in the queue of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub number: usize,
    /// How many wait.
    pub of: usize,
    /// The one right before it, as namespace/name.
    pub behind: Option<String>,
    /// The one that holds the instance, as namespace/name, and its phase.
    pub held_by: Option<(String, Phase)>,
}

/// The place of an object that waits for its instance; none for one that has begun or ended.
///
/// An object that stands aside (paused, in a backoff, without credentials) lets the others pass. It is counted as the one that asks, since
/// it comes back to the place that its creation gives it.
pub fn place<'a>(of: &RdsBackup, instance: impl Iterator<Item = &'a RdsBackup>, now: Timestamp) -> Option<Place> {
    let phase = of.status.as_ref().map_or(Phase::Pending, |status| status.phase);
    if !matches!(phase, Phase::Pending | Phase::Queued) {
        return None;
    }
    // The numbers of the account are in the operator's configuration, which a person cannot read: these are its defaults.
    let release_after = Protocol::default().release_after();
    let own = of.uid().unwrap_or_default();
    let siblings: Vec<(String, Sibling)> = instance
        .filter(|other| other.spec.db_instance_id == of.spec.db_instance_id)
        .filter_map(|other| Some((full_name(other), Sibling::of(other, true, release_after)?)))
        .collect();
    let held_by =
        siblings.iter().find(|(_, other)| other.uid != own && occupies(other, now)).map(|(name, other)| (name.clone(), other.phase));
    let mut waiting: Vec<&(String, Sibling)> = siblings.iter().filter(|(_, other)| other.uid == own || other.queues).collect();
    waiting.sort_by(|(_, a), (_, b)| (a.created_at, &a.uid).cmp(&(b.created_at, &b.uid)));
    let at = waiting.iter().position(|(_, other)| other.uid == own)?;
    let behind = at.checked_sub(1).and_then(|before| waiting.get(before)).map(|(name, _)| name.clone());
    Some(Place { number: at.saturating_add(1), of: waiting.len(), behind, held_by })
}

impl Place {
    /// For a line of the story.
    pub fn text(&self, instance: &str) -> String {
        let behind = self.behind.as_ref().map(|name| format!(" behind {name}")).unwrap_or_default();
        let held = match &self.held_by {
            Some((name, phase)) => format!("; {name} has the instance ({})", phase.as_str()),
            None => String::new(),
        };
        format!("{} of {} of {instance}{behind}{held}", ordinal(self.number), self.of)
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn full_name(backup: &RdsBackup) -> String {
    format!("{}/{}", backup.namespace().unwrap_or_default(), backup.name_any())
}
