//! Lists the instances of the accounts that ask for it (`coverage`), for the metric of those that no schedule names.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::{
    accounts::CoverageSettings,
    backup::Context,
    coverage::{Listings, candidates},
    time::SaturatingTime,
};

/// How often it is looked whose listing is due: a replica that begins to lead lists within this time.
const LOOK: Duration = Duration::from_secs(10);

/// After a listing that failed the next one follows so much later, or after the usual interval if that is shorter.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(15);

/// Never ends. Only the replica that leads lists.
pub(super) async fn run(context: Arc<Context>, listings: Arc<Listings>) {
    let mut replacements = context.accounts.replacements();
    let mut next: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut failing: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let wanted = context.accounts.coverage();
        let is_asked_for = !wanted.is_empty();
        if is_asked_for && context.cluster.may_begin().is_ok() {
            next.retain(|name, _| wanted.iter().any(|(account, ..)| account == name));
            failing.retain(|name, _| next.contains_key(name));
            let now = context.clock.now();
            let due = wanted.into_iter().filter(|(account, ..)| next.get(account).is_none_or(|at| *at <= now));
            let lists: Vec<_> = due.map(|wanted| list(context.clone(), listings.clone(), wanted)).collect();
            for (account, every, result) in join_all(lists).await {
                let pause = if result.is_ok() { every } else { every.min(AFTER_FAILURE) };
                next.insert(account.clone(), context.clock.now().plus(pause));
                match result {
                    Ok(()) if failing.remove(&account).is_some() => info!("account {account}: its instances are listed again"),
                    Ok(()) => {}
                    Err(why) if failing.get(&account) == Some(&why) => {}
                    Err(why) => {
                        warn!("account {account}: its instances cannot be listed for rdsbackup_uncovered_instances: {why}");
                        failing.insert(account, why);
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK), if is_asked_for => {}
            // Another key, host or region lists other instances. The accounts live as long as this task.
            _ = replacements.changed() => next.clear(),
        }
    }
}

/// The account, its interval, and what became of its listing.
async fn list(
    context: Arc<Context>,
    listings: Arc<Listings>,
    (account, region_id, settings): (String, String, CoverageSettings),
) -> (String, SignedDuration, Result<(), String>) {
    let listed = async {
        let access = context.accounts.read_only(&account, Some(&region_id)).map_err(|error| error.to_string())?;
        let tags: Vec<(String, String)> = settings.tags.clone().into_iter().collect();
        access.instances(&tags).await.map_err(|error| error.to_string())
    };
    let result = listed.await.map(|listed| listings.note(&account, &region_id, &settings, &candidates(listed), context.clock.now()));
    (account, settings.every, result)
}
