//! Broken variants: the shipped pass with one request or answer bent, or one guard around it taken away. Each must be caught.

use jiff::SignedDuration;
use rds_backup_operator::{
    api::{RdsBackupStatus, SubmissionOutcome},
    backup::{
        decide::{Decision, Effect},
        observation::AccountView,
    },
    rds::{BackupSet, BackupTask, CreateOutcome, Rejection, SetStatus, TaskAction},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No resourceVersion on the write of the intent.
    BareIntent,
    /// None on the write that withdraws an intent which nobody sent.
    BareWithdrawal,
    /// The quorum LIST is not made: every intent is clear.
    NoClear,
    /// What is the result of another object may be adopted.
    NoClaims,
    /// Sets that were there before the request may be adopted.
    NoBaseline,
    /// Two clean looks a minute apart close an attempt, not a listing lag and a minute.
    MinuteLooks,
    /// A failed set may be the outcome.
    FailedSets,
    /// A lost answer is taken for a refusal.
    RetryUnknown,
    /// A write that did not land and whose answer was lost is taken as done.
    UnsureIsDone,
    /// A request leaves although the process leads no longer.
    FenceIgnored,
    /// A job that does not say what began it is taken for the instance's own.
    NamelessIsAutomated,
}

impl Flaw {
    pub fn bend_account(self, account: &mut AccountView) {
        if self == Self::MinuteLooks {
            account.protocol.listing_lag = SignedDuration::ZERO;
        }
    }

    pub fn bend_sets(self, sets: &mut [BackupSet]) {
        if self == Self::FailedSets {
            sets.iter_mut().for_each(|set| set.status = SetStatus::Success);
        }
    }

    pub fn bend_tasks(self, tasks: &mut [BackupTask]) {
        if self == Self::NamelessIsAutomated {
            tasks.iter_mut().for_each(|task| task.action = TaskAction::Scheduled);
        }
    }

    pub fn bend_outcome(self, outcome: &mut CreateOutcome) {
        if self == Self::RetryUnknown && matches!(outcome, CreateOutcome::Unknown(_)) {
            *outcome = CreateOutcome::Rejected(Rejection::NotSent { why: "no answer".into() });
        }
    }

    /// Of what is written as a step of its own: the intent, and the same intent cleared.
    pub fn bend_status(self, status: &mut RdsBackupStatus) {
        if self == Self::NoBaseline
            && let Some(submission) = &mut status.submission
        {
            submission.baseline.backup_ids.clear();
        }
    }

    /// Whether the write of this decision goes without a resourceVersion.
    pub fn is_bare(self, before: &RdsBackupStatus, decision: &Decision) -> bool {
        let withdraws = before.open_submission().is_some()
            && decision.status.submission.as_ref().is_some_and(|submission| submission.outcome == Some(SubmissionOutcome::Unsent));
        match self {
            Self::BareIntent => matches!(decision.effect, Some(Effect::WriteIntent { .. })),
            Self::BareWithdrawal => withdraws,
            _ => false,
        }
    }
}
