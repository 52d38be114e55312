//! What each schedule promises, for the metrics: a scrape does not work it out, because it takes a walk through a year of slots.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::SignedDuration;

/// What a schedule promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// How old the newest success may become.
    pub max_age: SignedDuration,
    /// The longest gap between two slots of the coming year; none where there is one slot at most, and while the schedule is invalid.
    pub longest_gap: Option<SignedDuration>,
}

/// The objectives by the uids of their schedules, as the newest pass over each left them.
#[derive(Debug, Default)]
pub struct Objectives(Mutex<HashMap<String, Objective>>);

impl Objectives {
    /// What a pass found; none where the schedule is invalid and gives no age.
    pub fn note(&self, uid: &str, objective: Option<Objective>) {
        let mut known = self.locked();
        match objective {
            Some(objective) => match known.get_mut(uid) {
                Some(before) => *before = objective,
                None => _ = known.insert(uid.to_owned(), objective),
            },
            None => _ = known.remove(uid),
        }
    }

    /// The objective of a schedule; none before its first pass, and while it is invalid and gives no age.
    pub fn of(&self, uid: &str) -> Option<Objective> {
        self.locked().get(uid).copied()
    }

    /// Forgets the schedules that are gone.
    pub fn sweep(&self, exists: impl Fn(&str) -> bool) {
        self.locked().retain(|uid, _| exists(uid));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Objective>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_pass_counts_and_what_it_does_not_promise_is_forgotten() {
        let objectives = Objectives::default();
        let hours = |hours| Some(Objective { max_age: SignedDuration::from_hours(hours), longest_gap: None });
        objectives.note("a", hours(1));
        objectives.note("a", hours(2));
        objectives.note("b", hours(3));
        assert_eq!((objectives.of("a"), objectives.of("b"), objectives.of("c")), (hours(2), hours(3), None));
        objectives.note("a", None);
        objectives.sweep(|uid| uid != "b");
        assert_eq!((objectives.of("a"), objectives.of("b")), (None, None));
    }
}
