//! Broken variants: the shipped decision with one input or output bent, or one guard of its surroundings taken away. Each must be caught.

use jiff::SignedDuration;
use rds_backup_operator::{
    api::{RdsBackupStatus, SubmissionOutcome},
    backup::{
        decide::{Decision, Effect},
        observation::{AccountView, LookFacts},
    },
    rds::{CreateOutcome, Rejection, SetStatus},
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
}

impl Flaw {
    pub const ALL: [(Self, &str); 8] = [
        (Self::BareIntent, "no resourceVersion on the intent"),
        (Self::BareWithdrawal, "no resourceVersion on a withdrawal"),
        (Self::NoClear, "no Clear"),
        (Self::NoClaims, "no claim check"),
        (Self::NoBaseline, "no baseline"),
        (Self::MinuteLooks, "looks a minute apart"),
        (Self::FailedSets, "failed sets as candidates"),
        (Self::RetryUnknown, "retry after Unknown"),
    ];

    pub fn bend_account(self, account: &mut AccountView) {
        if self == Self::MinuteLooks {
            account.protocol.listing_lag = SignedDuration::ZERO;
        }
    }

    pub fn bend_facts(self, facts: &mut LookFacts) {
        match self {
            Self::NoClaims => facts.claims.clear(),
            Self::FailedSets => facts.sets.iter_mut().for_each(|set| set.status = SetStatus::Success),
            _ => {}
        }
    }

    pub fn bend_answer(self, answer: &mut CreateOutcome) {
        if self == Self::RetryUnknown && matches!(answer, CreateOutcome::Unknown(_)) {
            *answer = CreateOutcome::Rejected(Rejection::NotSent { why: "no answer".into() });
        }
    }

    pub fn bend_decision(self, decision: &mut Decision) {
        if self == Self::NoBaseline
            && matches!(decision.effect, Some(Effect::WriteIntent { .. }))
            && let Some(submission) = &mut decision.status.submission
        {
            submission.baseline.backup_ids.clear();
        }
    }

    /// Whether this write goes without a resourceVersion.
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
