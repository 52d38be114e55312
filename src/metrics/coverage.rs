//! The instances of the accounts that no schedule names.

use std::fmt;

use jiff::Timestamp;

use super::{catalogue::UNCOVERED_INSTANCES, exposition::Exposition};
use crate::{accounts::Accounts, coverage::Listings, schedule::Context};

/// A schedule that cannot be read covers nothing: the operator does not run it.
pub(super) fn write(
    out: &mut Exposition<'_>,
    listings: &Listings,
    accounts: &Accounts,
    schedules: &Context,
    now: Timestamp,
) -> fmt::Result {
    let wanted = accounts.coverage();
    let named = schedules.cached().filter_map(|guarded| {
        let spec = &guarded.0.as_ref().ok()?.spec.template.spec;
        Some((spec.account.clone(), spec.db_instance_id.clone()))
    });
    let uncovered = listings.uncovered(&wanted, named, now);
    out.computed(&UNCOVERED_INSTANCES, uncovered.into_iter().map(|(account, count)| ([account], count as f64)))
}
