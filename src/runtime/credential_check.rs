//! Looks whether all accounts have their access keys: for `/readyz?verbose`, a metric and the log. A missing Secret shows before the first
//! backup that needs it, and objects that wait for a key are looked at as soon as it is there, or is another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tracing::{info, warn};

use super::readiness::Readiness;
use crate::{
    api::{RdsBackup, Reason},
    backup::Context,
    rpc::Credentials,
};

/// The pause while a key is missing. That is remembered for 4 s, so a check costs at most one GET for each account.
const WHILE_MISSING: Duration = Duration::from_secs(6);

/// The pause while every key is there. A Secret that was read is remembered for 60 s, and a key that the operator renews may end before: to look
/// costs no request.
const OTHERWISE: Duration = Duration::from_secs(10);

/// Whether the object waits for other credentials than it had.
fn waits_for_its_key(object: &RdsBackup) -> bool {
    let reason = object.status.as_ref().and_then(|status| status.ready_reason());
    [
        Reason::CredentialsNotFound,
        Reason::CredentialsExpired,
        Reason::InvalidCredentials,
        Reason::AccessDenied,
        Reason::AccountProblem,
        // Of the service that gives out temporary keys.
        Reason::ServiceUnavailable,
        Reason::Throttled,
        Reason::ClockSkew,
    ]
    .iter()
    .any(|waits| reason == Some(waits.as_str()))
}

/// Never ends.
pub(super) async fn run(context: Arc<Context>, readiness: Arc<Readiness>) {
    let mut reported: BTreeMap<String, String> = BTreeMap::new();
    let mut known: BTreeMap<String, Credentials> = BTreeMap::new();
    let mut replacements = context.accounts.replacements();
    loop {
        let checked = context.accounts.credentials().await;
        let mut missing = false;
        for checked in checked {
            let name = checked.name();
            let cure = match checked.found {
                Ok(found) => {
                    let is_news = reported.contains_key(&name) || known.get(&name).is_some_and(|before| !before.is(&found));
                    known.insert(name.clone(), found);
                    if is_news {
                        let uses = |object: &RdsBackup| {
                            object.spec.account == checked.account
                                && (checked.namespace.is_none() || object.metadata.namespace == checked.namespace)
                        };
                        context.wake_where(|object| uses(object) && waits_for_its_key(object));
                    }
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            missing |= cure.is_some();
            match &cure {
                Some(cure) if reported.get(&name) != Some(cure) => {
                    warn!("account {name}: {cure}");
                    reported.insert(name.clone(), cure.clone());
                }
                None if reported.remove(&name).is_some() => info!("account {name}: its access key is there"),
                _ => {}
            }
            readiness.account(&name, cure);
        }
        // An account may have gone while the keys were read.
        let names = context.accounts.names_of_keys();
        readiness.accounts_are(&names);
        reported.retain(|name, _| names.contains(name));
        known.retain(|name, _| names.contains(name));
        tokio::select! {
            () = tokio::time::sleep(if missing { WHILE_MISSING } else { OTHERWISE }) => {}
            // The accounts live as long as this task.
            _ = replacements.changed() => {}
        }
    }
}
