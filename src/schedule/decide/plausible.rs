//! Whether the newest backup set of a schedule is as large as its predecessors. A set that is far smaller is a warning and no failure: data may
//! have been deleted, or the backup may lack some.

use jiff::Timestamp;

use super::{draft::Draft, history::ended};
use crate::{
    api::{Phase, Reason, ScheduleCondition},
    controller::Event,
    schedule::{
        observation::Child,
        policy::{FAR_SMALLER, FEWEST_PREDECESSORS, MOST_PREDECESSORS},
    },
};

/// A set that is far smaller than those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Smaller<'a> {
    pub name: &'a str,
    pub bytes: i64,
    /// The median of the sets before it.
    pub usual: i64,
}

/// Compares the set of the newest success with those before it of the same kind: an incremental backup is no smaller full one.
pub(super) fn smaller<'a>(newest: &str, children: &'a [Child]) -> Option<Smaller<'a>> {
    let newest = children.iter().find(|child| child.name == newest && child.same_target)?;
    let bytes = newest.size_bytes?;
    let own = ended(newest)?;
    let before = |child: &&Child| {
        child.same_target
            && child.phase == Phase::Succeeded
            && !child.set.is_lost()
            && child.kind == newest.kind
            && ended(child) < Some(own.clone())
    };
    let mut sizes: Vec<((Timestamp, String), i64)> =
        children.iter().filter(before).filter_map(|child| Some((ended(child)?, child.size_bytes.filter(|bytes| *bytes > 0)?))).collect();
    sizes.sort_by(|a, b| b.0.cmp(&a.0));
    let mut sizes: Vec<i64> = sizes.into_iter().take(MOST_PREDECESSORS).map(|(_, bytes)| bytes).collect();
    if sizes.len() < FEWEST_PREDECESSORS {
        return None;
    }
    sizes.sort_unstable();
    let usual = *sizes.get(sizes.len() / 2)?;
    (bytes.saturating_mul(FAR_SMALLER) < usual).then_some(Smaller { name: &newest.name, bytes, usual })
}

impl Draft<'_> {
    /// Says of the newest success whether its set is far smaller than those before it.
    pub fn plausible(&mut self) {
        let newest = self.status.last_success.as_ref().map(|success| success.name.clone()).unwrap_or_default();
        let Some(Smaller { name, bytes, usual }) = smaller(&newest, self.observed.children) else {
            return self.drop_condition(ScheduleCondition::Plausible);
        };
        let message = format!(
            "the backup set of {name} has {bytes} bytes, and those before it about {usual}: less than half. Find out whether data was deleted, or is missing in the set, before the older sets go"
        );
        if self.observed.status.condition(ScheduleCondition::Plausible).is_none_or(|said| said.message != message) {
            self.events.push(Event::new(true, Reason::FarSmaller, message.clone()));
        }
        self.set(ScheduleCondition::Plausible, "False", Reason::FarSmaller, &message);
    }
}
