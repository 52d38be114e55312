//! Every number and pause of the backups of one instance, each with its reason.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{controller::Backoff, rds::ErrorKind};

/// How long after its preflight an intent may still be written, and after its intent a request may still be sent.
pub const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// What needs an edit or a grant is looked at again this often: by then it is likely that nobody works on it.
pub const STALLED_RECHECK: SignedDuration = SignedDuration::from_mins(5);

/// In its first minutes a person is likely to work on it, and a pipeline waits: Flux stays red until it looks again by its own interval.
pub const FRESHLY_STALLED_RECHECK: SignedDuration = SignedDuration::from_mins(1);

/// How long it counts as fresh.
const FRESHLY_STALLED: SignedDuration = SignedDuration::from_mins(10);

/// How often an object is looked at again that has been Stalled for so long.
pub(super) fn stalled_recheck(stalled_for: SignedDuration) -> SignedDuration {
    if stalled_for < FRESHLY_STALLED { FRESHLY_STALLED_RECHECK } else { STALLED_RECHECK }
}

/// How often the operator looks for credentials that a person must provide.
pub(super) const CREDENTIALS_RECHECK: SignedDuration = SignedDuration::from_secs(60);

/// An object that is paused is looked at again this often. An edit of the object or of the configuration comes first.
pub(super) const PAUSED_RECHECK: SignedDuration = SignedDuration::from_secs(60);

/// How often the operator tries again to read whether a namespace pauses submissions.
pub(super) const PAUSE_UNREAD_RECHECK: SignedDuration = SignedDuration::from_secs(5);

/// How often the operator tries again to read what may hold an instance.
pub(super) const CLAIMS_RECHECK: SignedDuration = SignedDuration::from_secs(60);

/// A retry gives up so long before its schedule starts the next backup, so that the next one finds its place free.
pub(super) const BEFORE_THE_NEXT_START: SignedDuration = SignedDuration::from_secs(30);

/// The CRD keeps this many attempts.
pub(super) const KEPT_ATTEMPTS: usize = 5;

/// So many backups that looks found beside the result are remembered; the rest of the attempts is for what was refused or failed.
pub(super) const MOST_SEEN_BESIDE: usize = 3;

/// Sets are kept in the baseline up to this many; the service allows 20 a day.
pub(super) const LARGEST_BASELINE: usize = 500;

/// How far back a baseline reaches: older sets started before any request that could still be under way.
pub(super) const BASELINE: SignedDuration = SignedDuration::from_hours(24);

/// An instance whose day is used up is looked at again this often: sets may be deleted.
pub(super) const QUOTA_RECHECK: SignedDuration = SignedDuration::from_hours(1);

/// How long an object without a `queueTimeout` of its own waits at most where the day's sets are used up: until the day has turned, and the
/// default of 2 hours.
pub(super) const LONGEST_QUOTA_WAIT: SignedDuration = SignedDuration::from_hours(26);

/// A listed job that has not begun (`NoStart`) is waited for so long. A job that the service accepted begins within minutes; a scheduled
/// one, or one that was forgotten, is listed for ever, and the service is asked in spite of it: it knows whether the job is in the way.
pub(super) const NOT_STARTED_HOLDS: SignedDuration = SignedDuration::from_mins(15);

/// Jobs are kept in the baseline up to this many.
pub(super) const MOST_JOBS_IN_BASELINE: usize = 20;

/// A look that meets a claimed job without a set adopts no set; after this many such looks it no longer waits for the service to tell.
pub(super) const MAPPING_LOOKS: u32 = 5;

/// So long another process may take to clear the intent that it wrote: a list and a write.
///
/// Found by tests/simulation/walks: two operators that work on one object withdrew each other's intents as soon as they saw them, several
/// times a second, and none of them came to send.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// A set that started up to this long before the signed time, floored to the minute, may be ours: the service lists minutes. Where its
/// clocks may differ by more (`protocol.clockSkew`), that is the slack.
pub(super) const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// A set starts at most this long after the service accepted its job: a job may wait. So a job that was accepted this long before a look's
/// window has no set in it, and is not asked for. No such time is documented; the longest backup that was seen took 16 hours.
pub(super) const LONGEST_BEFORE_ITS_SET: SignedDuration = SignedDuration::from_hours(24);

/// An empty answer for a job that is known: this often before its set is looked for instead. How long the service shows an ended job is not
/// documented.
pub(super) const MISSES: u32 = 5;

/// A set that is still unlisted this long after its job finished is worth a status write; most are listed before.
pub(super) const UNLISTED: SignedDuration = SignedDuration::from_mins(2);

/// Jobs shorter than this show no progress: it would be the only thing to write about them.
pub(super) const SHOWS_PROGRESS: SignedDuration = SignedDuration::from_mins(10);

/// A new token may take a minute to arrive after the old one has expired: three tries half a minute apart before a person is called.
pub(super) const STALE_TOKENS: u32 = 3;

/// The pause between the tries with an expired token.
pub(super) const TOKEN_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A key that is refused for the request, and not for the reads before it, was rotated in between: three tries before a person is called.
pub(super) const CHANGED_KEYS: u32 = 3;

/// The pause between the tries with a refused key.
pub(super) const KEY_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The pause of an object after a read of it was throttled, unless the service names one. It does not grow: the account's pace, which all
/// its objects share, is what slows down.
pub(super) const THROTTLED_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The pause before a call is made again that the configuration of a moment ago allowed: nothing has to pass but the change.
pub(super) const RECONFIGURED_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Another object of this process is submitting on the instance: its lock is free again within seconds.
pub(super) const LOCKED_PAUSE: Duration = Duration::from_secs(1);

/// An object that has nothing to say but that it waits says it so much later while many schedules create their backups.
pub(super) const BURST_PAUSE: Duration = Duration::from_secs(2);

/// So many passes work at the same time, over all namespaces. A pass that waits for an answer of the service, or to record one again, gives
/// its place back meanwhile: the objects of two accounts whose endpoints hang took all 16, and those of the other accounts waited for
/// minutes.
pub const PASSES: usize = 16;

/// A set counts as unusable when two answers so long apart say so. Found by tests/faults: one answer that was damaged on its way passed over a
/// good backup, and another was made.
pub(super) const UNUSABLE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// For so long it counts that no backup was found that may be reused; the list that clears an intent looks once more.
pub(super) const REUSE_LOOK_HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// An object whose `ttl` is not over is looked at again at the latest after this long: clocks are set.
pub(super) const LONGEST_TTL_WAIT: SignedDuration = SignedDuration::from_hours(12);

/// How often it is looked whether an object whose `ttl` is over is still the newest usable backup of its instance; and how often a deletion is
/// tried again that the API server refused.
pub(super) const TTL_RECHECK: SignedDuration = SignedDuration::from_hours(1);

/// A set that cannot be deleted now is looked at again this often where only time or a person can change that.
pub(super) const CLEANUP_RECHECK: SignedDuration = SignedDuration::from_hours(24);

/// How long after a refused DeleteBackup, the `failures`th in a row, it is made again. A refusal for what the set or its instance is changes
/// within days, if ever; a grant is asked for again every 5 minutes.
pub(super) fn refused_deletion_pause(kind: ErrorKind, failures: u32) -> SignedDuration {
    match kind {
        ErrorKind::Throttled | ErrorKind::ClockSkew | ErrorKind::ServiceFault | ErrorKind::NonceUsed | ErrorKind::TokenExpired => {
            backoff(failures, STALLED_RECHECK)
        }
        ErrorKind::AccessDenied
        | ErrorKind::InvalidCredentials
        | ErrorKind::AccountProblem
        | ErrorKind::RegionUnavailable
        | ErrorKind::WrongEndpoint
        | ErrorKind::DeniedByService
        | ErrorKind::InstanceNotReady
        | ErrorKind::BackupJobExists => STALLED_RECHECK,
        ErrorKind::InstanceNotFound
        | ErrorKind::UnsupportedMethod
        | ErrorKind::UnsupportedInstance
        | ErrorKind::InvalidParameter
        | ErrorKind::EncryptionKey
        | ErrorKind::DatabaseNotReady
        | ErrorKind::DailyLimit
        | ErrorKind::Unrecognised => CLEANUP_RECHECK,
    }
}

/// 5 s, 10 s, 20 s ... up to `longest`, by how many went wrong before.
pub(super) fn backoff(failures: u32, longest: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(5i64 << failures.saturating_sub(1).min(10)).min(longest)
}

/// The record of an answer is tried again after 0.25 s, 0.5 s ... up to 15 s. It is the only copy of the answer, so there is no last try.
pub(super) const RECORD_BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));

/// A pass that has not come to rest after this many decisions is a fault of ours: it is stopped, logged and made again later, never at
/// once. A good pass has 6: preflight, intent, clear, send, record, first wait.
pub(super) const MOST_STEPS: usize = 30;
