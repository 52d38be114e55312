//! The status under way, with one constructor for each kind of place an object can be in (design: conditions, kstatus).

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::{Decision, Effect, Requeue},
    errors::{self, Diagnosis},
    text::clip,
};
use crate::{
    api::{
        Attempt, AttemptOutcome, ConditionType, Phase, Queue, RdsBackupSpec, RdsBackupStatus, Reason, SubmissionOutcome, Time, condition,
        set_condition,
    },
    backup::{
        observation::Observation,
        policy::{self, KEPT_ATTEMPTS, LONGEST_QUOTA_WAIT, MOST_SEEN_BESIDE},
        recorded,
    },
    controller::Event,
    rds::{BackupRef, CallError, ErrorKind},
    time::SaturatingTime,
};

/// Whether as many backups beside the result are remembered as there is room for. More of them change nothing.
pub(super) fn no_more_beside(status: &RdsBackupStatus) -> bool {
    status.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::PossibleDuplicate).count() >= MOST_SEEN_BESIDE
}

pub(super) struct Draft<'a> {
    pub spec: &'a RdsBackupSpec,
    pub observed: &'a Observation<'a>,
    pub now: Timestamp,
    pub status: RdsBackupStatus,
    events: Vec<Event>,
    hold_until: Option<Timestamp>,
    finalizers: Option<Vec<String>>,
    /// The region that is asked, once the account may be used.
    region: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub fn new(spec: &'a RdsBackupSpec, observed: &'a Observation<'a>, now: Timestamp) -> Self {
        Self { spec, observed, now, status: observed.status.clone(), events: Vec::new(), hold_until: None, finalizers: None, region: None }
    }

    /// The account may be used, in this region. The next write fixes the region: an edit of the account does not move the object.
    pub fn admit(&mut self, region: &'a str) {
        self.region = Some(region);
    }

    /// Fixes the region.
    pub fn set_region(&mut self, region: &str) {
        self.status.effective.get_or_insert_default().region_id = Some(clip(region));
    }

    /// Work goes on: Reconciling.
    pub fn working(&mut self, phase: Phase, reason: Reason, message: &str) {
        self.transition(phase, reason, message, reason == Reason::OutcomeUnknown);
        self.ready(false, reason, message);
        self.raise(ConditionType::Reconciling, reason, message);
        self.drop_condition(ConditionType::Stalled);
        if phase != Phase::Queued {
            self.status.queue = None;
        }
    }

    /// It waits on time or on another object. The time of waiting goes on counting from where it began.
    pub fn queue(&mut self, reason: Reason, message: &str) {
        let since = self.waits_since(reason);
        self.working(Phase::Queued, reason, message);
        self.status.queue = Some(Queue { reason: reason.as_str().to_owned(), since: Time(since) });
    }

    /// It needs an edit or a grant. Where nothing was asked for yet the time of waiting goes on counting.
    ///
    /// Found by tests/simulation/walks: it began anew whenever the object's reason changed between one that passes and one that a person
    /// must cure.
    pub fn stall(&mut self, phase: Phase, reason: Reason, message: &str) {
        let since = self.waits_since(reason);
        self.transition(phase, reason, message, true);
        self.ready(false, reason, message);
        self.raise(ConditionType::Stalled, reason, message);
        self.drop_condition(ConditionType::Reconciling);
        self.status.queue = (phase == Phase::Pending).then(|| Queue { reason: reason.as_str().to_owned(), since: Time(since) });
    }

    /// The end, without a usable backup set.
    pub fn fail(&mut self, reason: Reason, message: &str) {
        self.stall(Phase::Failed, reason, message);
        self.status.completed_at.get_or_insert(Time(self.now));
        self.status.progress_percent = None;
    }

    /// The end, with one.
    pub fn succeed(&mut self, message: &str) {
        self.transition(Phase::Succeeded, Reason::Succeeded, message, false);
        self.ready(true, Reason::Succeeded, message);
        self.drop_condition(ConditionType::Reconciling);
        self.drop_condition(ConditionType::Stalled);
        self.status.queue = None;
        self.status.progress_percent = None;
        self.status.last_error = None;
    }

    /// A condition that warns, beside the three of kstatus. It stays for as long as what it warns of is true.
    pub fn warn(&mut self, kind: ConditionType, reason: Reason, message: &str) {
        if self.status.condition(kind).is_none_or(|condition| condition.message != message) {
            self.events.push(Event::new(true, reason, message));
        }
        self.raise(kind, reason, message);
    }

    /// An event of its own, beside that of the transition.
    pub fn event(&mut self, warning: bool, reason: Reason, note: impl Into<String>) {
        self.events.push(Event::new(warning, reason, note));
    }

    /// Remembers a request or a backup that did not become the result.
    pub fn remember(&mut self, attempt: Attempt) {
        self.status.attempts.push(attempt);
        while self.status.attempts.len() > KEPT_ATTEMPTS {
            let oldest = self.status.attempts.iter().position(|kept| kept.outcome != AttemptOutcome::PossibleDuplicate).unwrap_or(0);
            self.status.attempts.remove(oldest);
        }
    }

    /// An attempt of the newest submission.
    pub fn attempt(&self, outcome: AttemptOutcome) -> Attempt {
        let (run, attempt) = self.status.submission.as_ref().map_or((1, 1), |submission| (submission.run, submission.attempt));
        Attempt { run, attempt, outcome, at: Time(self.now), backup_job_id: None, backup_id: None, code: None }
    }

    /// The result that is recorded now.
    pub fn result(&self) -> BackupRef {
        recorded::result(&self.status)
    }

    /// Records the result.
    pub fn set_result(&mut self, backup: &BackupRef) {
        recorded::set_result(&mut self.status, backup);
    }

    /// Takes the result out, with what is said of it, and answers what it was.
    pub fn take_result(&mut self) -> BackupRef {
        let result = self.result();
        self.set_result(&BackupRef::default());
        self.status.origin = None;
        self.status.started_at = None;
        self.status.progress_percent = None;
        result
    }

    /// A look found another backup that may be this object's. Only so many are remembered: one that pushed out another would be found, and
    /// written, again at every look, and would push out the failed job that a retry counts from.
    pub fn seen_beside(&mut self, backup: &BackupRef) {
        if !no_more_beside(&self.status) {
            self.possible_duplicate(backup);
        }
    }

    /// Another backup may have been made for this object: remembered once, never deleted, and reported.
    pub fn possible_duplicate(&mut self, backup: &BackupRef) {
        if self.status.attempts.iter().any(|kept| recorded::of_attempt(kept).is(backup)) {
            return;
        }
        let attempt = self.attempt(AttemptOutcome::PossibleDuplicate);
        self.remember(recorded::with_backup(attempt, backup));
        let message = self.beside();
        self.warn(ConditionType::DuplicateBackup, Reason::PossibleDuplicate, &message);
    }

    /// What was remembered beside the result is the result: it is no duplicate.
    pub fn not_beside(&mut self, backup: &BackupRef) {
        let before = self.status.attempts.len();
        let stays = |kept: &Attempt| kept.outcome != AttemptOutcome::PossibleDuplicate || !recorded::of_attempt(kept).is(backup);
        self.status.attempts.retain(stays);
        if self.status.attempts.len() == before {
            return;
        }
        if self.status.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::PossibleDuplicate) {
            let message = self.beside();
            self.raise(ConditionType::DuplicateBackup, Reason::PossibleDuplicate, &message);
        } else {
            self.drop_condition(ConditionType::DuplicateBackup);
        }
    }

    /// The message that lists the backups which may have been made beside the result.
    fn beside(&self) -> String {
        let listed: Vec<String> = self
            .status
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == AttemptOutcome::PossibleDuplicate)
            .map(|attempt| match recorded::of_attempt(attempt) {
                BackupRef { set: Some(set), .. } => format!("backup set {set}"),
                BackupRef { job: Some(job), set: None } => format!("job {job}"),
                BackupRef { job: None, set: None } => "an unknown job".to_owned(),
            })
            .collect();
        format!(
            "more than one backup may have been made for this object; beside its result: {}. Nothing was deleted: look at them in the console",
            listed.join(", ")
        )
    }

    /// Keeps an error of a read, and answers the message for it. The same error met again keeps the message and the time of its first
    /// answer: the request id differs every time, and an object that waits must not be written at every check.
    pub fn trouble(&mut self, trouble: &Diagnosis, error: &CallError, at: Timestamp) -> String {
        let before = self.observed.status;
        let CallError::Api(error) = error else { return trouble.message.clone() };
        let same = before.ready_reason() == Some(trouble.reason.as_str())
            && before.last_error.as_ref().is_some_and(|last| last.code == error.code);
        if !same {
            self.status.last_error = Some(errors::last_error(error, at));
        }
        match before.condition(ConditionType::Ready) {
            Some(ready) if same => ready.message.clone(),
            _ => trouble.message.clone(),
        }
    }

    /// The object should have these finalizers, and no other.
    pub fn set_finalizers(&mut self, finalizers: Vec<String>) {
        self.finalizers = Some(finalizers);
    }

    /// How long a Stalled object waits before it is looked at again.
    pub fn stalled_recheck(&self) -> SignedDuration {
        let stalled = self.observed.status.condition(ConditionType::Stalled).filter(|condition| condition.status == "True");
        policy::stalled_recheck(stalled.map_or(SignedDuration::ZERO, |since| self.now.duration_since(since.last_transition_time.0)))
    }

    /// No new attempt before this.
    pub fn hold(&mut self, until: Timestamp) {
        self.hold_until = Some(until);
    }

    /// Since when the current run waits to be accepted, if it waited at all.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        if let Some(queue) = &self.status.queue {
            return Some(queue.since.0);
        }
        let submission = self.status.submission.as_ref()?;
        match submission.outcome {
            Some(SubmissionOutcome::Accepted | SubmissionOutcome::Adopted) => None,
            _ => Some(submission.waiting_since.0),
        }
    }

    /// Whether the current run has waited longer than `timeout`. A process that has no answer of the service or of the API server yet does
    /// not know: the clock of its node may be hours ahead.
    pub fn has_waited(&self, timeout: SignedDuration) -> bool {
        self.observed.time_is_known && self.waiting_since().is_some_and(|since| self.now > since.plus(self.longest_wait(timeout)))
    }

    /// `timeout`, or as long as the day may last whose sets are used up. A `queueTimeout` that the user has set is kept.
    pub fn longest_wait(&self, timeout: SignedDuration) -> SignedDuration {
        let waits_for_the_day = self.waits_for_the_day() || self.was_refused_for_the_day();
        if self.spec.queue_timeout.is_none() && waits_for_the_day { timeout.max(LONGEST_QUOTA_WAIT) } else { timeout }
    }

    fn waits_for_the_day(&self) -> bool {
        self.status.queue.as_ref().is_some_and(|queue| queue.reason == Reason::QuotaExceeded.as_str())
    }

    /// Whether a request of the current run was refused because the day's sets are used up.
    fn was_refused_for_the_day(&self) -> bool {
        let run = self.status.submission.as_ref().map(|submission| submission.run);
        let refused = |kept: &Attempt| kept.code.as_deref().is_some_and(|code| errors::kind_of(code) == ErrorKind::DailyLimit);
        self.status.attempts.iter().any(|kept| Some(kept.run) == run && refused(kept))
    }

    /// Since when the current run waits, if it goes on with this reason. Where the day's sets were counted as used up, and nothing was
    /// asked of the service, the wait for the day does not count towards the default of `queueTimeout`.
    pub fn waits_since(&self, reason: Reason) -> Timestamp {
        let day_is_over = self.waits_for_the_day() && reason != Reason::QuotaExceeded && !self.was_refused_for_the_day();
        if day_is_over && self.spec.queue_timeout.is_none() {
            return self.now;
        }
        self.waiting_since().unwrap_or(self.now)
    }

    /// Writes no status, and does this.
    pub fn without_write(self, effect: Option<Effect>, requeue: Requeue) -> Decision {
        Decision {
            status: self.observed.status.clone(),
            effect,
            events: self.events,
            requeue,
            hold_until: None,
            wakes: false,
            finalizers: self.finalizers,
        }
    }

    /// Writes what differs, then does this, then looks at what came of it.
    pub fn then(self, effect: Effect) -> Decision {
        self.finish(Some(effect), Requeue::Now)
    }

    /// Writes what differs and decides again.
    pub fn again(self) -> Decision {
        self.finish(None, Requeue::Now)
    }

    /// Writes what differs and looks again after this long.
    pub fn wait(self, time: SignedDuration) -> Decision {
        self.finish(None, Requeue::After(time.max(SignedDuration::from_millis(100))))
    }

    /// Writes what differs and looks again when the object changes.
    pub fn settled(self) -> Decision {
        self.finish(None, Requeue::OnChange)
    }

    fn finish(mut self, effect: Option<Effect>, requeue: Requeue) -> Decision {
        let unfixed = self.status.effective.as_ref().is_none_or(|effective| effective.region_id.is_none());
        if let Some(region) = self.region
            && unfixed
            && self.status != *self.observed.status
        {
            self.set_region(region);
        }
        // The first look at an object is not worth a write: the intent, or the reason to wait, follows within the same pass.
        if self.observed.status.observed_generation != -1 || self.status != *self.observed.status {
            let generation = self.observed.generation();
            self.status.observed_generation = generation;
            for condition in &mut self.status.conditions {
                condition.observed_generation = Some(generation);
            }
        }
        let (before, after) = (self.observed.status.phase, self.status.phase);
        let waits = |phase| matches!(phase, Phase::Pending | Phase::Queued);
        let wakes = !before.is_terminal() && (after.is_terminal() || (!waits(before) && waits(after)));
        Decision {
            status: self.status,
            effect,
            events: self.events,
            requeue,
            hold_until: self.hold_until,
            wakes,
            finalizers: self.finalizers,
        }
    }

    fn transition(&mut self, phase: Phase, reason: Reason, note: &str, warning: bool) {
        let moved = self.status.phase != phase || self.status.ready_reason() != Some(reason.as_str());
        // The intent and its clearing are two writes within milliseconds; what users want to hear of is the answer.
        if moved && phase != Phase::Submitting {
            self.events.push(Event::new(warning, reason, note));
        }
        self.status.phase = phase;
    }

    fn ready(&mut self, ready: bool, reason: Reason, message: &str) {
        self.set_condition(ConditionType::Ready, if ready { "True" } else { "False" }, reason, message);
    }

    fn raise(&mut self, kind: ConditionType, reason: Reason, message: &str) {
        self.set_condition(kind, "True", reason, message);
    }

    /// Sets a condition that is not always True.
    pub fn set_condition(&mut self, kind: ConditionType, status: &str, reason: Reason, message: &str) {
        let fresh = condition(kind.as_str(), status, reason, message, self.observed.generation(), Time(self.now));
        set_condition(&mut self.status.conditions, fresh);
    }

    /// Takes a condition out.
    pub fn drop_condition(&mut self, kind: ConditionType) {
        self.status.conditions.retain(|condition| condition.type_ != kind.as_str());
    }
}
