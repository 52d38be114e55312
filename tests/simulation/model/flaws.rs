//! Broken variants: the shipped pass with one request or answer bent, or one guard of its surroundings taken away. Each must be caught.

use jiff::SignedDuration;
use rds_backup_operator::{
    api::{RdsBackupStatus, SubmissionOutcome},
    backup::{observation::AccountView, pass::Pass},
    rds::{BackupSet, CreateOutcome, Rejection, SetStatus},
};

use crate::model::{
    laws::{BASELINE, FAILED_RUNS, LED, ONE_ACCEPTED, ONE_RESULT, UNBROKEN},
    process::writes_intent,
    world::status_of,
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
}

impl Flaw {
    /// Each with the law that it violates.
    pub const ALL: [(Self, &str, &str); 10] = [
        (Self::BareIntent, "no resourceVersion on the intent", UNBROKEN),
        (Self::BareWithdrawal, "no resourceVersion on a withdrawal", UNBROKEN),
        (Self::NoClear, "no Clear", ONE_RESULT),
        (Self::NoClaims, "no claim check", ONE_RESULT),
        (Self::NoBaseline, "no baseline", BASELINE),
        (Self::MinuteLooks, "looks a minute apart", ONE_ACCEPTED),
        (Self::FailedSets, "failed sets as candidates", FAILED_RUNS),
        (Self::RetryUnknown, "retry after Unknown", ONE_ACCEPTED),
        (Self::UnsureIsDone, "an unsure write taken as done", UNBROKEN),
        (Self::FenceIgnored, "the fence ignored in the send", LED),
    ];

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

    /// Whether this write of the pass goes without a resourceVersion.
    pub fn is_bare(self, pass: &Pass, status: &RdsBackupStatus) -> bool {
        let withdraws = status_of(pass.object()).open_submission().is_some()
            && status.submission.as_ref().is_some_and(|submission| submission.outcome == Some(SubmissionOutcome::Unsent));
        match self {
            Self::BareIntent => writes_intent(pass),
            Self::BareWithdrawal => withdraws,
            _ => false,
        }
    }
}
