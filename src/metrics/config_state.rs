//! What the metrics know of the configuration: how much they show, and what became of the newest file.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::settings::MetricsSettings;

/// The state of the configuration file, shared with whoever reads it.
#[derive(Debug)]
pub struct ConfigState(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    settings: MetricsSettings,
    taken_at: Timestamp,
    is_rejected: bool,
}

impl ConfigState {
    /// A configuration with these settings was read at that time.
    pub fn new(settings: MetricsSettings, now: Timestamp) -> Self {
        Self(Mutex::new(State { settings, taken_at: now, is_rejected: false }))
    }

    /// The file has a configuration with these settings, which is in force since `now`.
    pub fn taken(&self, settings: MetricsSettings, now: Timestamp) {
        *self.locked() = State { settings, taken_at: now, is_rejected: false };
    }

    /// The file has no valid configuration: the one before stays in force.
    pub fn rejected(&self) {
        self.locked().is_rejected = true;
    }

    /// The file has the configuration again that is in force.
    pub fn restored(&self) {
        self.locked().is_rejected = false;
    }

    /// The settings that are in force.
    pub fn settings(&self) -> MetricsSettings {
        self.locked().settings
    }

    /// Since when the configuration is in force, and whether the file has it still.
    pub(super) fn last_reload(&self) -> (Timestamp, bool) {
        let state = self.locked();
        (state.taken_at, !state.is_rejected)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
