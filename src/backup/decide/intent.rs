//! Step 3: the durable intent. After it, and only after it, may something be sent.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    compatibility,
    decision::{Decision, Effect},
    draft::Draft,
    text::clip,
};
use crate::{
    api::{Baseline, Effective, Phase, Reason, Submission, SubmissionOutcome, Time},
    backup::{
        memory::Backups,
        observation::AccountView,
        policy::{LARGEST_BASELINE, MOST_JOBS_IN_BASELINE},
        spec::ValidatedSpec,
    },
    rds::Instance,
};

/// Step 3. The durable intent: after it, and only after it, may something be sent.
pub(super) fn intent(
    mut draft: Draft<'_>,
    valid: &ValidatedSpec,
    account: &AccountView,
    (instance, backups): (&Instance, &Backups),
    read_at: Timestamp,
    (run, attempt): (i32, i32),
) -> Decision {
    // The signed time travels with second precision; what is stored must be what is signed.
    let signed = Timestamp::from_second(draft.now.as_second()).unwrap_or(draft.now);
    let nonce = draft.observed.randomness.nonce.clone();
    let waiting_since = draft.waits_since(Reason::Submitting);
    let unresolved_since = match &draft.observed.status.submission {
        Some(last)
            if last.run == run
                && (last.outcome == Some(SubmissionOutcome::NeverAccepted) || last.unresolved_since.0 < last.timestamp.0) =>
        {
            last.unresolved_since.0
        }
        _ => signed,
    };
    draft.status.submission = Some(Submission {
        run,
        attempt,
        nonce: nonce.clone(),
        timestamp: Time(signed),
        cleared: false,
        baseline: Baseline {
            backup_ids: backups.sets.iter().take(LARGEST_BASELINE).map(|set| set.backup_id.to_string()).collect(),
            job_ids: backups.running.iter().take(MOST_JOBS_IN_BASELINE).map(|task| task.job_id.to_string()).collect(),
            at: Time(read_at),
        },
        outcome: None,
        unresolved_since: Time(unresolved_since),
        waiting_since: Time(waiting_since),
        unknown: BTreeMap::new(),
    });
    draft.status.effective = Some(Effective {
        region_id: Some(account.region_id.clone()),
        method: compatibility::effective_method(&valid.request, &instance.engine).map(clip),
        backup_type: valid.request.backup_type.clone(),
        strategy: valid.request.strategy.clone(),
        engine: Some(clip(instance.engine.as_str())),
        engine_version: instance.engine_version.as_deref().map(clip),
    });
    draft.working(Phase::Submitting, Reason::Submitting, "the request is about to be sent");
    draft.then(Effect::WriteIntent { nonce })
}
