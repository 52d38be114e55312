//! The series of accounts, their access keys and their calls. Every replica has those of its own calls.

use std::fmt;

use super::{
    catalogue::{
        CLOUD_CLOCK_OFFSET, CLOUD_DURATION, CLOUD_LIMIT_WAIT, CLOUD_REQUESTS, CREDENTIALS_EXPIRY, CREDENTIALS_REFRESHES,
        CREDENTIALS_USABLE, SUBMISSIONS_PAUSED,
    },
    exposition::Exposition,
};
use crate::accounts::{AccountFacts, Accounts, ClientFacts};

pub(super) fn write(out: &mut Exposition<'_>, accounts: &Accounts) -> fmt::Result {
    let facts = accounts.facts();
    let calls = facts.iter().flat_map(|AccountFacts { name, calls, .. }| {
        calls.iter().map(|call| ([name.as_str(), call.region.as_str(), call.action, call.code], call.count as f64))
    });
    out.computed(&CLOUD_REQUESTS, calls)?;
    out.counted(&CLOUD_DURATION, &accounts.call_durations().0)?;
    write_facts(out, &facts)
}

fn write_facts(out: &mut Exposition<'_>, accounts: &[AccountFacts]) -> fmt::Result {
    let of_clients = |value: fn(&ClientFacts) -> Option<f64>| {
        let of_account = move |account| of_clients(account, value);
        accounts.iter().flat_map(of_account)
    };
    out.computed(&CLOUD_LIMIT_WAIT, of_clients(|client| Some(client.waited_for_limits.as_secs_f64())))?;
    out.computed(&CLOUD_CLOCK_OFFSET, of_clients(|client| Some(client.clock_offset?.as_secs_f64())))?;
    let of_accounts = |value: fn(&AccountFacts) -> Option<f64>| {
        accounts.iter().filter_map(move |account| Some(([account.name.as_str()], value(account)?)))
    };
    let keys = || accounts.iter().flat_map(|account| account.keys.iter().map(|(of, key)| ([account.name.as_str(), of.as_str()], *key)));
    out.computed(&CREDENTIALS_USABLE, keys().map(|(labels, key)| (labels, f64::from(u8::from(key.usable)))))?;
    out.computed(&CREDENTIALS_EXPIRY, keys().filter_map(|(labels, key)| Some((labels, key.ends_at?.as_duration().as_secs_f64()))))?;
    let refreshes = accounts.iter().flat_map(|AccountFacts { name, refreshes, .. }| {
        refreshes.iter().map(|refresh| ([name.as_str(), refresh.source, refresh.result], refresh.count as f64))
    });
    out.computed(&CREDENTIALS_REFRESHES, refreshes)?;
    out.computed(&SUBMISSIONS_PAUSED, of_accounts(|account| Some(f64::from(u8::from(account.paused)))))
}

fn of_clients(account: &AccountFacts, value: fn(&ClientFacts) -> Option<f64>) -> impl Iterator<Item = ([&str; 2], f64)> {
    account.clients.iter().filter_map(move |client| Some(([account.name.as_str(), client.region.as_str()], value(client)?)))
}
