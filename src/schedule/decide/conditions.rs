//! The conditions of a schedule. A backup that failed never flips Ready: it would hold up every other deploy that waits for the same set of
//! objects. That it failed shows in `LastBackupSucceeded`, and what it means in `Fresh`.

use jiff::{SignedDuration, Timestamp};

use super::{
    draft::{Draft, HeldUp},
    times::whole_second,
};
use crate::{
    api::{Reason, ScheduleCondition, Span, Time, condition, repeated_condition, set_condition},
    controller::Event,
    schedule::{
        observation::Child,
        policy::WORTH_TELLING,
        problem::Problem,
        spec::{ValidatedSpec, given_max_age, too_many_slots},
    },
    time::SaturatingTime,
};

impl Draft<'_> {
    /// Every condition of a valid schedule. Answers when `Fresh` changes by time alone.
    pub fn conditions(&mut self, valid: &ValidatedSpec) -> Option<Timestamp> {
        match self.held_up.clone() {
            Some(HeldUp { message, unanswered_since: None, .. }) => {
                let message = format!("the API server refuses the RdsBackup that is to be created: {message}");
                self.stall(Reason::ChildRefused, &message);
            }
            Some(HeldUp { message, unanswered_since: Some(since), .. }) if self.now >= since.plus(WORTH_TELLING) => {
                let message =
                    format!("since {} the RdsBackup that is due cannot be created; it is tried again: {message}", whole_second(since).0);
                self.set(ScheduleCondition::Ready, "False", Reason::ChildNotCreated, &message);
                self.set(ScheduleCondition::Reconciling, "True", Reason::ChildNotCreated, &message);
                self.drop_condition(ScheduleCondition::Stalled);
            }
            _ => {
                let (reason, message) = if self.spec.suspend {
                    (Reason::Suspended, "no slot is run until suspend is false again; trigger works")
                } else {
                    (Reason::Scheduled, "nextScheduleTime says when it runs next")
                };
                self.set(ScheduleCondition::Ready, "True", reason, message);
                self.drop_condition(ScheduleCondition::Stalled);
                self.drop_condition(ScheduleCondition::Reconciling);
            }
        }
        self.suspended();
        if valid.has_too_many_slots {
            self.set(ScheduleCondition::TooFrequent, "True", Reason::TooManySlots, &too_many_slots());
        } else {
            self.drop_condition(ScheduleCondition::TooFrequent);
        }
        self.backup_stalled();
        self.last_backup_succeeded();
        self.fresh(valid.max_age)
    }

    /// Every condition of a schedule that is not valid. Answers when `Fresh` changes by time alone.
    pub fn invalid(&mut self, problem: &Problem) -> Option<Timestamp> {
        self.stall(problem.reason, &problem.message);
        self.suspended();
        self.drop_condition(ScheduleCondition::TooFrequent);
        self.backup_stalled();
        self.last_backup_succeeded();
        match given_max_age(self.spec) {
            Some(max_age) => self.fresh(max_age),
            None => {
                let message = "the schedule is not valid, and freshness.maxAge does not say how old a backup may be";
                self.set(ScheduleCondition::Fresh, "Unknown", problem.reason, message);
                self.status.fresh_until = None;
                None
            }
        }
    }

    fn suspended(&mut self) {
        if self.spec.suspend {
            self.set(ScheduleCondition::Suspended, "True", Reason::Suspended, "suspend is true");
        } else {
            self.drop_condition(ScheduleCondition::Suspended);
        }
    }

    /// The schedule, or the cluster, has to be changed.
    fn stall(&mut self, reason: Reason, message: &str) {
        self.set(ScheduleCondition::Ready, "False", reason, message);
        self.set(ScheduleCondition::Stalled, "True", reason, message);
        self.drop_condition(ScheduleCondition::Reconciling);
    }

    /// Whether all objects beyond the history limits may be deleted. After a restart it stays as it is until that was tried again.
    pub fn cleanup(&mut self, beyond: &[&Child]) {
        let refused = &self.observed.memory.refused_deletions;
        let found: Vec<_> =
            beyond.iter().filter_map(|child| Some((child.name.clone(), refused.get(&child.name)?.message.clone()))).collect();
        let Some((name, message)) = found.first() else {
            if beyond.is_empty() {
                self.drop_condition(ScheduleCondition::CleanupBlocked);
            }
            return;
        };
        let others = if found.len() > 1 { format!(", and {} more", found.len() - 1) } else { String::new() };
        let message = format!("{name}{others} beyond the history limits may not be deleted; the others are. It is tried again: {message}");
        if !self.observed.status.is_true(ScheduleCondition::CleanupBlocked) {
            self.events.push(Event::new(true, Reason::DeletionRefused, message.clone()));
        }
        self.set(ScheduleCondition::CleanupBlocked, "True", Reason::DeletionRefused, &message);
    }

    /// A backup of a monthly schedule may wait for a person for a month, and until it ends no condition about ended backups shows that. The
    /// schedule itself is well: its own Stalled would stop deployments that wait for it.
    fn backup_stalled(&mut self) {
        let active = self.observed.children.iter().filter(|child| child.is_active());
        let mut stalled: Vec<_> = active.filter_map(|child| Some((child.name.as_str(), child.stalled.as_ref()?))).collect();
        stalled.sort_by_key(|(name, _)| *name);
        let Some((name, why)) = stalled.first() else {
            self.drop_condition(ScheduleCondition::BackupStalled);
            return;
        };
        let others = if stalled.len() > 1 { format!(", and {} more of the schedule", stalled.len() - 1) } else { String::new() };
        let message = format!("{name}{others} needs a person: {}", why.message);
        let kind = ScheduleCondition::BackupStalled.as_str();
        let fresh = repeated_condition(kind, "True", &why.reason, &message, self.generation(), whole_second(self.now));
        set_condition(&mut self.status.conditions, fresh);
    }

    fn last_backup_succeeded(&mut self) {
        let (success, failure) = (self.status.last_success.clone(), self.status.last_failure.clone());
        match (success, failure) {
            // Also after a change of the account: what was said of the old one does not stand.
            (None, None) => self.drop_condition(ScheduleCondition::LastBackupSucceeded),
            (Some(success), failure) if failure.as_ref().is_none_or(|failure| failure.completed_at.0 < success.completed_at.0) => {
                let message = format!("{} succeeded", success.name);
                self.set(ScheduleCondition::LastBackupSucceeded, "True", Reason::Succeeded, &message);
            }
            (_, Some(failure)) => {
                let reason = Reason::ALL.iter().find(|known| Some(known.as_str()) == failure.reason.as_deref());
                let message = format!("{} failed, {} in a row: see its condition Ready", failure.name, self.status.consecutive_failures);
                self.set(ScheduleCondition::LastBackupSucceeded, "False", reason.copied().unwrap_or(Reason::BackupFailed), &message);
            }
            (Some(_), None) => {}
        }
    }

    fn fresh(&mut self, max_age: SignedDuration) -> Option<Timestamp> {
        let age = Span::of(max_age);
        let (since, known) = match &self.status.last_success {
            Some(success) => (success.completed_at.0, Some(success.name.clone())),
            None => (self.status.account_since.as_ref().map_or_else(|| self.created_at(), |since| since.0.max(self.created_at())), None),
        };
        let begun = if self.status.account_since.is_some() { "its account was changed" } else { "the schedule was created" };
        let until = if known.is_some() { self.fresh_until(since, max_age) } else { since.plus(max_age) };
        self.status.fresh_until = known.is_some().then_some(Time(until));
        let is_fresh = self.now <= until;
        let (status, reason, message) = match (known, is_fresh) {
            (Some(name), true) => ("True", Reason::Fresh, format!("{name} ended at {since}; it may be {age} old")),
            (Some(name), false) => {
                ("False", Reason::TooOld, format!("the newest successful backup, {name}, ended at {since}, more than {age} ago"))
            }
            (None, true) => ("Unknown", Reason::NoBackupYet, format!("no backup has succeeded yet; the first is expected until {until}")),
            (None, false) => ("False", Reason::TooOld, format!("no backup has succeeded since {begun} at {since}, more than {age} ago")),
        };
        self.set(ScheduleCondition::Fresh, status, reason, &message);
        // The first instant at which it is too old.
        is_fresh.then(|| until.plus(SignedDuration::from_secs(1)))
    }

    /// It moves with the newest success and with the spec, and never by time: the longest gap of the coming year, from which `max_age` may
    /// be derived, is another one when a leap year comes into sight.
    fn fresh_until(&self, ended_at: Timestamp, max_age: SignedDuration) -> Timestamp {
        let before = self.observed.status;
        let is_as_before = before.last_success == self.status.last_success && before.observed_generation == self.status.observed_generation;
        let kept = self.status.fresh_until.as_ref().filter(|_| is_as_before);
        kept.map_or_else(|| ended_at.plus(max_age), |until| until.0)
    }

    fn generation(&self) -> i64 {
        self.observed.object.metadata.generation.unwrap_or_default()
    }

    pub fn set(&mut self, kind: ScheduleCondition, status: &str, reason: Reason, message: &str) {
        let fresh = condition(kind.as_str(), status, reason, message, self.generation(), whole_second(self.now));
        set_condition(&mut self.status.conditions, fresh);
    }

    pub fn drop_condition(&mut self, kind: ScheduleCondition) {
        self.status.conditions.retain(|condition| condition.type_ != kind.as_str());
    }
}
