//! The state that an endpoint's connections, its deliveries and the handle on it share.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::{Clock, Now};
use super::error::ApiError;
use super::ledger::{CallRecord, JobKind};
use super::state::State;
use crate::tasks::Tasks;

/// Receives each call.
pub type OnCall = Box<dyn Fn(&CallRecord) + Send + Sync>;

/// The state that connections, deliveries and the handle share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: Option<Mutex<File>>,
    pub(super) on_call: Option<OnCall>,
    pub(super) tasks: Tasks,
}

impl Shared {
    /// Everything that can change. Never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is, on both clocks.
    pub(super) fn now(&self, state: &State) -> Now {
        Now::new(self.clock.now(), state.settings.clock_offset_ms)
    }

    pub(super) fn start_job(&self, instance: &str, kind: JobKind, length: Duration) -> Result<String, ApiError> {
        let mut state = self.state();
        let now = self.now(&state);
        let State { cloud, settings, .. } = &mut *state;
        cloud.start(instance, kind, length, settings, now).map(|id| id.to_string())
    }

    /// Reports the call, now that its end is known.
    pub(super) fn report(&self, place: usize) {
        let Some(call) = self.state().calls().get(place).cloned() else { return };
        if let Some(on_call) = &self.on_call {
            on_call(&call);
        }
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            // The log is only informative: a full disk must not change the answers of the endpoint.
            let _ = serde_json::to_string(&call).map(|line| writeln!(log, "{line}"));
        }
    }
}
