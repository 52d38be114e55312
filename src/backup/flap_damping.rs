//! Two operators that see an object differently: one cannot reach the service and the other can, one may read the Secret and the other may not.
//! Each would correct the words of the other at once, and be woken by the correction.
//!
//! Found by tests/faults: 1,502 status writes for one backup. A word that is not written is worth little; what was sent, accepted or ended is
//! always written.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::{Phase, RdsBackupStatus},
    controller::Backoff,
};

/// How long this process keeps to itself that it sees something else than the last writer: doubled at each round, up to 16 minutes.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(960));

/// What this process wrote last about an object, and how often it has contradicted another since.
#[derive(Clone, Debug, Default)]
pub struct FlapDamping {
    said: Option<(Instant, RdsBackupStatus)>,
    rounds: u32,
}

impl FlapDamping {
    /// For how long `wanted` must not be written over `seen`: only if it differs in words, somebody else has written since, and this process
    /// had its say a moment ago.
    pub fn quiet_for(&self, observed: &RdsBackupStatus, wanted: &RdsBackupStatus, now: Instant) -> Option<Duration> {
        let (at, said) = self.said.as_ref()?;
        let edited = observed.observed_generation != wanted.observed_generation;
        if said == observed || edited || observed == wanted || substance(observed) != substance(wanted) {
            return None;
        }
        let pause = PAUSE.pause(self.rounds.saturating_add(1));
        pause.checked_sub(now.duration_since(*at)).filter(|left| !left.is_zero())
    }

    /// `after` was written over `before`.
    pub fn said(&mut self, before: &RdsBackupStatus, after: &RdsBackupStatus, now: Instant) {
        let contradicted = self.said.as_ref().is_some_and(|(_, said)| said != before && substance(before) == substance(after));
        self.rounds = if contradicted { self.rounds.saturating_add(1) } else { 0 };
        self.said = Some((now, after.clone()));
    }
}

/// A status without its words.
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

    fn saying(reason: Reason) -> RdsBackupStatus {
        let ready = condition("Ready", "False", reason, "words", 1, Time(jiff::Timestamp::UNIX_EPOCH));
        RdsBackupStatus { observed_generation: 1, phase: Phase::Resolving, conditions: vec![ready], ..RdsBackupStatus::default() }
    }

    #[test]
    fn whoever_is_contradicted_waits_ever_longer_with_its_words() {
        let (ours, theirs) = (saying(Reason::OutcomeUnknown), saying(Reason::ServiceUnavailable));
        let (mut damping, mut now) = (FlapDamping::default(), Instant::now());
        assert_eq!(damping.quiet_for(&theirs, &ours, now), None, "it has said nothing yet");
        damping.said(&RdsBackupStatus::fresh(), &ours, now);
        for pause in [30, 60, 120, 240, 480, 960, 960] {
            let pause = Duration::from_secs(pause);
            assert_eq!(damping.quiet_for(&theirs, &ours, now + Duration::from_secs(1)), Some(pause - Duration::from_secs(1)));
            now += pause;
            assert_eq!(damping.quiet_for(&theirs, &ours, now), None);
            damping.said(&theirs, &ours, now);
        }
        damping.said(&ours, &theirs, now);
        assert_eq!(damping.quiet_for(&ours, &theirs, now), Some(Duration::from_secs(30)), "one that is not contradicted starts anew");
    }

    #[test]
    fn nobody_waits_with_what_happened_or_with_an_edit_or_with_a_change_of_its_own_mind() {
        let (ours, theirs) = (saying(Reason::OutcomeUnknown), saying(Reason::ServiceUnavailable));
        let (mut damping, now) = (FlapDamping::default(), Instant::now());
        damping.said(&RdsBackupStatus::fresh(), &ours, now);
        assert_eq!(damping.quiet_for(&ours, &theirs, now), None, "nobody contradicted");
        let found = RdsBackupStatus { backup_job_id: Some("5".into()), phase: Phase::Running, ..ours.clone() };
        assert_eq!(damping.quiet_for(&theirs, &found, now), None);
        let edited = RdsBackupStatus { observed_generation: 2, ..ours };
        assert_eq!(damping.quiet_for(&theirs, &edited, now), None);
    }
}
