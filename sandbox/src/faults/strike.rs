//! Counts the requests of one operator, and says which of them is struck.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::plan::{Blow, Plan};

/// What both proxies of an operator share.
pub(super) struct Strike {
    plan: Option<Plan>,
    pid: AtomicU32,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What the requests were called, in order, and when each came.
    requests: Vec<(String, Instant)>,
    /// So many of those that the plan names came.
    matched: usize,
    fired: bool,
    ended: bool,
    /// A request is held.
    held: bool,
    /// When the last request came, or was held no longer.
    latest: Option<Instant>,
}

impl Strike {
    /// Without a plan it only learns.
    pub(super) fn new(plan: Option<Plan>) -> Self {
        Self { plan, pid: AtomicU32::new(0), seen: Mutex::default() }
    }

    /// The process that a plan may end or stop.
    pub(super) fn aim_at(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// A request came. The blow that is meant for it.
    pub(super) fn arrived(&self, request: &str) -> Option<Blow> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        seen.requests.push((request.to_owned(), now));
        seen.latest = Some(now);
        let plan = self.plan.as_ref().filter(|plan| plan.request == request && !seen.fired)?;
        seen.matched += 1;
        if seen.matched < plan.number {
            return None;
        }
        seen.fired = true;
        seen.held = plan.blow == Blow::Hold;
        Some(plan.blow)
    }

    /// Kills the operator.
    pub(super) fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Tells the operator to end.
    pub(super) fn terminate(&self) {
        self.end(Signal::TERM);
    }

    /// It is noted first: whoever sees the process ended in between would take it for one that ended by itself.
    fn end(&self, signal: Signal) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.signal(signal);
    }

    /// Stops the operator where it stands.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid.load(Ordering::Relaxed)).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself, which whoever started it notices.
            let _ = kill_process(pid, signal);
        }
    }

    pub(super) fn fired(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).fired
    }

    /// The operator was killed, or told to end.
    pub(super) fn ended(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    /// The held request is held no longer.
    pub(super) fn released(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.held, seen.latest) = (false, Some(Instant::now()));
    }

    /// How long there was no request, and none was held.
    pub(super) fn quiet_for(&self) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latest.filter(|_| !seen.held).map_or(Duration::ZERO, |latest| latest.elapsed())
    }

    /// What was asked so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests_since(None).into_iter().map(|(request, _)| request).collect()
    }

    /// What was asked from `since` on, and when.
    pub(super) fn requests_since(&self, since: Option<Instant>) -> Vec<(String, Instant)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests.iter().filter(|(_, at)| since.is_none_or(|since| *at >= since)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn whoever_sees_the_process_ended_knows_that_it_was_ended() {
        for _ in 0..200 {
            let mut process = Command::new("sleep").arg("60").spawn().expect("sleep is there");
            let strike = Strike::new(None);
            strike.aim_at(process.id());
            std::thread::scope(|scope| {
                scope.spawn(|| strike.kill());
                assert!(!process.wait().expect("it ends").success());
                assert!(strike.ended());
            });
        }
    }
}
