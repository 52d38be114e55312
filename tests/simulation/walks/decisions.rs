//! What the judge notes of one decision: what was there, what is made of it, and what comes next.

use jiff::{SignedDuration, Timestamp};
use rds_backup_operator::{
    api::{Attempt, ConditionType, Phase, RdsBackup, RdsBackupStatus, Span},
    backup::{
        decide::{Effect, Requeue},
        pass::Decided,
    },
};

use crate::walks::{
    time::{Ms, ms},
    world::{status_of, uid_of},
};

#[derive(Clone, Debug)]
pub struct Judged {
    pub uid: String,
    /// As the process has it.
    pub now: Ms,
    pub before: Place,
    pub after: Place,
    pub changed: bool,
    pub effect: Option<&'static str>,
    pub requeue: Requeue,
    pub hold_until: Option<Timestamp>,
    pub deleting: bool,
    /// The account can be used for what was begun: it is known, and its keys are there.
    pub able: bool,
    pub paused: bool,
    pub longest_poll: Ms,
    pub queue_timeout: Ms,
    pub timeout: Ms,
    pub valid: bool,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub phase: Phase,
    pub reason: String,
    pub stalled: bool,
    /// Its intent is open.
    pub open: bool,
    pub job: Option<String>,
    pub set: Option<String>,
    pub origin: bool,
}

impl Place {
    pub fn of(status: &RdsBackupStatus) -> Self {
        Self {
            phase: status.phase,
            reason: status.ready_reason().unwrap_or_default().to_owned(),
            stalled: status.is_true(ConditionType::Stalled),
            open: status.open_submission().is_some(),
            job: status.backup_job_id.clone(),
            set: status.backup_id.clone(),
            origin: status.origin.is_some(),
        }
    }

    pub fn has_result(&self) -> bool {
        self.job.is_some() || self.set.is_some()
    }

    /// Nothing is under way for it.
    pub fn waits(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Queued) && !self.open && !self.has_result()
    }

    pub fn failed_by(&self, reason: &str) -> bool {
        self.phase == Phase::Failed && self.reason == reason
    }
}

impl Judged {
    /// `object` as it was decided upon.
    pub fn of(object: &RdsBackup, decided: &Decided) -> Self {
        let Decided { decision, observed, .. } = decided;
        let spec = &object.spec;
        let status = status_of(object);
        let span = |span: Option<&Span>, default: SignedDuration| millis(span.map_or(Ok(default), Span::get).unwrap_or(default));
        let spans = [spec.queue_timeout.as_ref(), spec.timeout.as_ref()];
        let account = observed.account.as_ref();
        Self {
            uid: uid_of(object).to_owned(),
            now: ms(observed.now),
            before: Place::of(&status),
            after: Place::of(&decision.status),
            changed: status != decision.status || decision.finalizers.is_some(),
            effect: decision.effect.as_ref().map(name),
            requeue: decision.requeue,
            hold_until: decision.hold_until,
            deleting: object.metadata.deletion_timestamp.is_some(),
            able: account.is_ok_and(|account| account.credentials.is_ok()),
            paused: account.is_ok_and(|account| account.paused),
            longest_poll: account.map_or(0, |account| millis(account.poll.max)),
            // One that is given and cannot be read is not the day's.
            queue_timeout: span(
                spans[0],
                SignedDuration::from_hours(if spans[0].is_none() && waits_for_the_day(&decision.status) { 26 } else { 2 }),
            ),
            timeout: span(spans[1], SignedDuration::from_hours(24)),
            valid: spans.iter().flatten().all(|span| span.get().is_ok()),
        }
    }

    /// When it is looked at again at the latest, if nothing happens; none if something is done first.
    pub fn rests_until(&self) -> Option<Ms> {
        match (self.effect, self.requeue) {
            (None, Requeue::After(time)) => Some(self.now + millis(time)),
            _ => None,
        }
    }
}

/// Without a queueTimeout an object waits for the day to turn whose backups are used up.
fn waits_for_the_day(status: &RdsBackupStatus) -> bool {
    let run = status.submission.as_ref().map(|submission| submission.run);
    let refused = |kept: &Attempt| Some(kept.run) == run && kept.code.as_ref().is_some_and(|code| code.starts_with("Exceeded.BackupTimes"));
    status.queue.as_ref().is_some_and(|queue| queue.reason == "QuotaExceeded") || status.attempts.iter().any(refused)
}

pub fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Preflight { .. } => "Preflight",
        Effect::WriteIntent { .. } => "WriteIntent",
        Effect::Clear { .. } => "Clear",
        Effect::Send { .. } => "Send",
        Effect::Look { .. } => "Look",
        Effect::Follow { .. } => "Follow",
        Effect::ReadSurroundings => "ReadSurroundings",
        Effect::Inspect { .. } => "Inspect",
        Effect::DeleteSet { .. } => "DeleteSet",
        Effect::LookForNewer => "LookForNewer",
        Effect::RemoveObject => "RemoveObject",
        Effect::LookForReusable => "LookForReusable",
        Effect::VerifySet { .. } => "VerifySet",
    }
}

fn millis(time: SignedDuration) -> Ms {
    Ms::try_from(time.as_millis()).unwrap_or(Ms::MAX)
}
