//! Records the requests of one operator, and chooses the one that the plan's fault is injected at.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::plan::{Plan, RequestFault};

/// The plan of one operator and the requests so far. Both of its proxies share it.
pub(super) struct FaultInjector {
    plan: Option<Plan>,
    pid: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The name of each request, in order, and when it came.
    requests: Vec<(String, Instant)>,
    /// How many of those came that the plan names.
    matched: usize,
    /// The fault was injected.
    injected: bool,
    /// The operator was killed, or asked to end.
    ended: bool,
    /// A request is held.
    held: bool,
    /// When the last request came, or was released.
    latest: Option<Instant>,
}

impl FaultInjector {
    /// Without a plan it only records.
    pub(super) fn new(plan: Option<Plan>) -> Self {
        Self { plan, pid: AtomicU32::new(0), state: Mutex::default() }
    }

    /// The process that a plan may end or stop.
    pub(super) fn set_process(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// Records a request, and returns the fault to inject at it.
    pub(super) fn fault_for(&self, request: &str) -> Option<RequestFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.requests.push((request.to_owned(), now));
        state.latest = Some(now);
        let plan = self.plan.as_ref().filter(|plan| plan.request == request && !state.injected)?;
        state.matched += 1;
        if state.matched < plan.number {
            return None;
        }
        state.injected = true;
        state.held = plan.fault == RequestFault::Hold;
        Some(plan.fault)
    }

    /// Kills the operator.
    pub(super) fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Asks the operator to end (SIGTERM).
    pub(super) fn terminate(&self) {
        self.end(Signal::TERM);
    }

    /// Notes the end before it sends the signal: a caller that sees the process ended in between would think that it ended by itself.
    fn end(&self, signal: Signal) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.signal(signal);
    }

    /// Stops the operator (SIGSTOP).
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid.load(Ordering::Relaxed)).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself, which the code that started it notices.
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether the fault was injected.
    pub(super) fn injected(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).injected
    }

    /// Whether the operator was killed, or asked to end.
    pub(super) fn process_ended(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    /// Notes that the held request was forwarded.
    pub(super) fn released(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.held, state.latest) = (false, Some(Instant::now()));
    }

    /// How long ago the last request came; zero while one is held.
    pub(super) fn idle_for(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.filter(|_| !state.held).map_or(Duration::ZERO, |latest| latest.elapsed())
    }

    /// The names of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests_since(None).into_iter().map(|(request, _)| request).collect()
    }

    /// The requests from `since` on, and when each came.
    pub(super) fn requests_since(&self, since: Option<Instant>) -> Vec<(String, Instant)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.iter().filter(|(_, at)| since.is_none_or(|since| *at >= since)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_is_seen_ended_is_known_to_have_been_ended() {
        for _ in 0..200 {
            let mut process = Command::new("sleep").arg("60").spawn().expect("sleep is there");
            let injector = FaultInjector::new(None);
            injector.set_process(process.id());
            std::thread::scope(|scope| {
                scope.spawn(|| injector.kill());
                assert!(!process.wait().expect("it ends").success());
                assert!(injector.process_ended());
            });
        }
    }
}
