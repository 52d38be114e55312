//! Every number and pause of a schedule, each with its reason.

use std::time::Duration;

use jiff::SignedDuration;

/// The longest name of a schedule: `-` and the twelve digits of a slot make it a name of 63 characters.
pub(super) const LONGEST_NAME: usize = 50;

/// So many objects of backups that succeeded are kept where the spec does not say.
pub(super) const DEFAULT_SUCCESSFUL_HISTORY: usize = 10;

/// So many objects of backups that failed are kept where the spec does not say.
pub(super) const DEFAULT_FAILED_HISTORY: usize = 5;

/// How old the newest success may become where neither the spec nor a gap between two slots says it.
pub(super) const DEFAULT_MAX_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Blackouts that leave no run for so long after the next slot are a mistake: no schedule falls silent for years without a word.
pub(super) const LONGEST_WITHOUT_RUN: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A backup that is due waits so long for the first reading of the instance's own backup window, at most: one at a bad hour beats none.
pub(super) const LONGEST_WAIT_FOR_WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// No wait is longer: clocks are set and machines sleep, and a timer knows of neither.
pub(super) const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(4);

/// A backup that the API server refused is tried again after this long: the schedule or the cluster has to be changed first.
pub(super) const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// A created backup that the cache does not show after this long was deleted at once.
pub(super) const UNSEEN: SignedDuration = SignedDuration::from_mins(2);

/// So many triggers are remembered, by their hashes: more than anybody sets back to by hand or by a revert.
pub(super) const REMEMBERED_TRIGGERS: usize = 20;

/// A trigger whose backup is older than this was used before; a younger one was created just before a crash.
pub(super) const TRIGGER_IS_OLD: SignedDuration = SignedDuration::from_mins(5);

/// A settled slot that is further ahead than this was settled under a wrong clock: without a new start the schedule would be silent until
/// then.
pub(super) const CLOCK_SET_BACK: SignedDuration = SignedDuration::from_mins(10);

/// Slots that are counted one by one, since it is done between two other passes: ten weeks of every minute. Longer ago, the count is a
/// lower bound.
pub(super) const MOST_COUNTED: usize = 100_000;

/// The CRD keeps this many names of backups that wait or run.
pub(super) const MOST_ACTIVE: usize = 10;

/// A waiting backup gives up so long before the next one is due, so that the next finds its place free.
pub(super) const BEFORE_THE_NEXT: SignedDuration = SignedDuration::from_secs(30);

/// No queue timeout is shorter, where no blackout ends it: a busy API server alone may take seconds.
pub(super) const SHORTEST_QUEUE: SignedDuration = SignedDuration::from_secs(30);

/// An API server that is restarted is away for seconds: only a longer outage is told in the conditions.
pub(super) const WORTH_TELLING: SignedDuration = SignedDuration::from_mins(1);

/// A set is far smaller than those before it when it has less than half of their median; compared with the newest five of its kind, if there are
/// two at least.
pub(super) const FAR_SMALLER: i64 = 2;
pub(super) const MOST_PREDECESSORS: usize = 5;
pub(super) const FEWEST_PREDECESSORS: usize = 2;

/// A set that no audit has seen for so long counts as unknown: it is neither counted nor removed by `retention`.
pub(super) const OLDEST_AUDIT: SignedDuration = SignedDuration::from_hours(48);

/// Before a set is deleted for `retention`, an audit no older than this has seen those that must stay.
pub(super) const LIVE_AUDIT: SignedDuration = SignedDuration::from_mins(10);

/// How often a schedule looks whether the audit that it asked for was made.
pub(super) const AUDIT_RECHECK: SignedDuration = SignedDuration::from_secs(30);

/// Objects that one pass deletes; the next pass goes on. A call takes up to 10 s, so an edit of the schedule waits for 100 s at most.
pub(super) const MOST_DELETIONS: usize = 10;

/// A deletion that the API server refused is tried again after this long: an admission policy has to be changed first.
pub(super) const REFUSED_DELETION_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// No deletion is begun when something is due sooner than this, the longest time that a call of the API server takes: an API server that
/// hangs over a deletion delays no slot.
pub(super) const BEFORE_WHAT_IS_DUE: SignedDuration = SignedDuration::from_secs(10);

/// While many schedules create backups at the same moment the backups come first: a status that waits for that is looked at again after this
/// long.
pub(super) const DEFERRAL: Duration = Duration::from_secs(4);

/// A status waits no longer than this for other schedules' backups: a reader of `status` may rely on it, and what it says is in the objects
/// of the backups too. A busy API server takes 100 creations a second, so these are 6,000 schedules of the same minute.
pub(super) const LONGEST_DEFERRAL: SignedDuration = SignedDuration::from_mins(1);

/// A pass that failed is made again sooner than its growing pause says when something is due before, but never sooner than this.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// A pass that has not come to rest after this many decisions is a fault of ours: it is stopped, logged and made again later, never at
/// once. A good pass has 3: create, write, rest.
pub(super) const MOST_DECISIONS: usize = 20;

/// A creation without an answer is tried again after 2 s, 4 s, 8 s ... up to a minute, by how many tries had none.
pub(super) fn unanswered_pause(tries: u32) -> SignedDuration {
    SignedDuration::from_secs(1i64 << tries.min(6)).min(SignedDuration::from_mins(1))
}
