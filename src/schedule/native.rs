//! The windows in which the instances make their own backups, as they were read last: noted beside the passes, read by them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    api::{NativeWindow, RdsBackupSchedule},
    audit::Target,
};

/// What is known of an instance's own backup window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Nobody has asked yet.
    #[default]
    Unread,
    /// The policy was read, and this is its window.
    Window(NativeWindow),
    /// It cannot be read, in these words.
    Unreadable(String),
}

/// The newest readings, by account, namespace and instance.
#[derive(Debug, Default)]
pub struct NativeWindows(Mutex<HashMap<Target, Reading>>);

impl NativeWindows {
    /// Takes in a reading. Answers whether it differs from the one before: then the schedules of the instance have something to do.
    pub fn note(&self, target: &Target, reading: Reading) -> bool {
        let mut known = self.locked();
        if known.get(target) == Some(&reading) {
            return false;
        }
        known.insert(target.clone(), reading);
        true
    }

    /// The newest reading.
    pub fn of(&self, target: &Target) -> Reading {
        self.locked().get(target).cloned().unwrap_or_default()
    }

    /// Forgets those that no schedule asks for any more.
    pub fn retain(&self, is_wanted: impl Fn(&Target) -> bool) {
        self.locked().retain(|target, _| is_wanted(target));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Target, Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose window the schedule keeps clear; none without `notDuring`.
pub fn target_of(schedule: &RdsBackupSchedule) -> Option<Target> {
    let spec = &schedule.spec.template.spec;
    schedule.spec.not_during.map(|_| Target {
        account: spec.account.clone(),
        namespace: schedule.metadata.namespace.clone().unwrap_or_default(),
        instance: spec.db_instance_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reading_that_differs_is_news_and_what_nobody_asks_for_is_forgotten() {
        let windows = NativeWindows::default();
        let target = Target { account: "prod".to_owned(), namespace: "team-a".to_owned(), instance: "rm-1".to_owned() };
        assert_eq!(windows.of(&target), Reading::Unread);
        assert!(windows.note(&target, Reading::Unreadable("no right".to_owned())));
        assert!(!windows.note(&target, Reading::Unreadable("no right".to_owned())));
        assert!(windows.note(&target, Reading::Unreadable("no answer".to_owned())));
        assert_eq!(windows.of(&target), Reading::Unreadable("no answer".to_owned()));
        windows.retain(|_| false);
        assert_eq!(windows.of(&target), Reading::Unread);
    }
}
