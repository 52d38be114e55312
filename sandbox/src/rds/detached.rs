//! The sets that outlive their instance.

use std::time::Duration;

use super::catalogue::{Engine, InstanceSpec, ReleasedKeep};
use super::clock::Now;
use super::jobs::Job;

/// `DBInstanceStatus` of an instance that is no more.
pub(super) const RELEASED: &str = "Released";

/// What DescribeDetachedBackups lists: sets of a released MySQL instance with local disks, as its policy keeps them.
pub(super) fn sets<'a>(spec: &InstanceSpec, region: &str, jobs: &'a [Job], lag: Duration, now: Now) -> Vec<&'a Job> {
    if spec.status != RELEASED || spec.region != region || spec.engine != Engine::MySQL || !spec.local_disk() {
        return Vec::new();
    }
    let listed = jobs.iter().filter(|job| job.listed(lag, now));
    match spec.policy.released_keep {
        ReleasedKeep::None => Vec::new(),
        ReleasedKeep::Lastest => listed.max_by_key(|job| job.started_at).into_iter().collect(),
        ReleasedKeep::All => listed.collect(),
    }
}
