//! Two operators that see an object differently: one cannot reach the service and the other can, one may read the Secret and the other may
//! not. Without damping each would overwrite the message of the other at once, and be woken by the other's write.
//!
//! Found by tests/faults: 1,502 status writes for one backup. A message that is written late costs little; that a request was sent,
//! accepted or ended is always written at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::{Phase, RdsBackupStatus},
    controller::Backoff,
};

/// How long this process waits before it overwrites the message of another process again.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(960));

/// What this process wrote last to an object, and how often in a row it has overwritten another process's message.
#[derive(Clone, Debug, Default)]
pub struct FlapDamping {
    last_write: Option<(Instant, RdsBackupStatus)>,
    rounds: u32,
}

impl FlapDamping {
    /// For how long `wanted` must not be written over `observed`: only if they differ in nothing but messages, another process has written
    /// since, and this process wrote a moment ago.
    pub fn defer(&self, observed: &RdsBackupStatus, wanted: &RdsBackupStatus, now: Instant) -> Option<Duration> {
        let (at, written) = self.last_write.as_ref()?;
        let edited = observed.observed_generation != wanted.observed_generation;
        if written == observed || edited || observed == wanted || substance(observed) != substance(wanted) {
            return None;
        }
        let pause = PAUSE.pause(self.rounds.saturating_add(1));
        pause.checked_sub(now.saturating_duration_since(*at)).filter(|left| !left.is_zero())
    }

    /// This process wrote `after` over `before`.
    pub fn wrote(&mut self, before: &RdsBackupStatus, after: &RdsBackupStatus, now: Instant) {
        let contradicted = self.last_write.as_ref().is_some_and(|(_, written)| written != before && substance(before) == substance(after));
        self.rounds = if contradicted { self.rounds.saturating_add(1) } else { 0 };
        self.last_write = Some((now, after.clone()));
    }
}

/// A status without its messages.
fn substance(status: &RdsBackupStatus) -> RdsBackupStatus {
    let waits = matches!(status.phase, Phase::Pending | Phase::Queued);
    RdsBackupStatus {
        conditions: Vec::new(),
        queue: None,
        last_error: None,
        phase: if waits { Phase::Pending } else { status.phase },
        ..status.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Reason, Time, condition};

    fn with_reason(reason: Reason) -> RdsBackupStatus {
        let ready = condition("Ready", "False", reason, "words", 1, Time(jiff::Timestamp::UNIX_EPOCH));
        RdsBackupStatus { observed_generation: 1, phase: Phase::Resolving, conditions: vec![ready], ..RdsBackupStatus::default() }
    }

    #[test]
    fn a_process_whose_message_is_overwritten_waits_ever_longer_before_it_writes_it_again() {
        let (ours, theirs) = (with_reason(Reason::OutcomeUnknown), with_reason(Reason::ServiceUnavailable));
        let (mut damping, mut now) = (FlapDamping::default(), Instant::now());
        assert_eq!(damping.defer(&theirs, &ours, now), None, "it has written nothing yet");
        damping.wrote(&RdsBackupStatus::fresh(), &ours, now);
        for pause in [30, 60, 120, 240, 480, 960, 960] {
            let pause = Duration::from_secs(pause);
            assert_eq!(damping.defer(&theirs, &ours, now + Duration::from_secs(1)), Some(pause - Duration::from_secs(1)));
            now += pause;
            assert_eq!(damping.defer(&theirs, &ours, now), None);
            damping.wrote(&theirs, &ours, now);
        }
        damping.wrote(&ours, &theirs, now);
        assert_eq!(damping.defer(&ours, &theirs, now), Some(Duration::from_secs(30)), "one that is not contradicted starts anew");
    }

    #[test]
    fn an_event_an_edit_and_a_change_of_the_own_message_are_written_at_once() {
        let (ours, theirs) = (with_reason(Reason::OutcomeUnknown), with_reason(Reason::ServiceUnavailable));
        let (mut damping, now) = (FlapDamping::default(), Instant::now());
        damping.wrote(&RdsBackupStatus::fresh(), &ours, now);
        assert_eq!(damping.defer(&ours, &theirs, now), None, "no other process wrote");
        let found = RdsBackupStatus { backup_job_id: Some("5".into()), phase: Phase::Running, ..ours.clone() };
        assert_eq!(damping.defer(&theirs, &found, now), None);
        let edited = RdsBackupStatus { observed_generation: 2, ..ours };
        assert_eq!(damping.defer(&theirs, &edited, now), None);
    }
}
