//! What the operator knows of the instances of its accounts, for the metric of those that no schedule names.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::candidates::Candidates;
use crate::{accounts::CoverageSettings, time::SaturatingTime};

/// A listing that is older than so many of its intervals tells nothing of today: twice in a row there was none.
const MOST_INTERVALS: i32 = 3;

/// The newest listing of each account.
#[derive(Debug, Default)]
pub struct Listings(Mutex<BTreeMap<String, Listing>>);

#[derive(Debug)]
struct Listing {
    /// In lower case.
    instances: BTreeSet<String>,
    region_id: String,
    tags: BTreeMap<String, String>,
    at: Timestamp,
}

impl Listings {
    /// Notes what was listed.
    pub fn note(&self, account: &str, region_id: &str, settings: &CoverageSettings, listed: &Candidates, at: Timestamp) {
        let instances = listed.instances.iter().map(|listed| listed.instance.id.as_str().to_ascii_lowercase()).collect();
        let listing = Listing { instances, region_id: region_id.to_owned(), tags: settings.tags.clone(), at };
        self.locked().insert(account.to_owned(), listing);
    }

    /// How many of the instances of each account no schedule names. An account has no number while that is not known: it was not listed
    /// yet, or in another way than it is asked for now, or too long ago. `named`: account and instance of each schedule.
    pub fn uncovered<'a>(
        &self,
        wanted: &'a [(String, String, CoverageSettings)],
        named: impl Iterator<Item = (String, String)>,
        now: Timestamp,
    ) -> Vec<(&'a str, usize)> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let named: HashSet<(String, String)> = named.map(|(account, instance)| (account, instance.to_ascii_lowercase())).collect();
        let listings = self.locked();
        let count = |(account, region_id, settings): &'a (String, String, CoverageSettings)| {
            let listing = listings.get(account)?;
            let longest = settings.every.checked_mul(MOST_INTERVALS).unwrap_or(SignedDuration::MAX);
            let is_known = listing.region_id == *region_id && listing.tags == settings.tags && now <= listing.at.plus(longest);
            let uncovered = |instance: &&String| !named.contains(&(account.clone(), (*instance).clone()));
            is_known.then(|| (account.as_str(), listing.instances.iter().filter(uncovered).count()))
        };
        wanted.iter().filter_map(count).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Listing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
