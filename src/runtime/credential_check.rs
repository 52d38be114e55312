//! Looks whether all accounts have their access keys: for `/readyz?verbose`, a metric and the log. A missing Secret shows before the first
//! backup that needs it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tracing::{info, warn};

use super::readiness::Readiness;
use crate::backup::Context;

/// The pause while a key is missing. That is remembered for 4 s, so a check costs at most one GET for each account.
const WHILE_MISSING: Duration = Duration::from_secs(6);

/// The pause while every key is there: as old as keys may become in use.
const OTHERWISE: Duration = Duration::from_secs(60);

/// Never ends.
pub(super) async fn run(context: Arc<Context>, readiness: Arc<Readiness>) {
    let mut reported: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let checked = context.accounts.credentials().await;
        let mut missing = false;
        for (account, result) in checked {
            let cure = result.err().map(|error| error.to_string());
            missing |= cure.is_some();
            match &cure {
                Some(cure) if reported.get(account) != Some(cure) => {
                    warn!("account {account}: {cure}");
                    reported.insert(account.to_owned(), cure.clone());
                }
                None if reported.remove(account).is_some() => info!("account {account}: its access key is there"),
                _ => {}
            }
            readiness.account(account, cure);
        }
        tokio::time::sleep(if missing { WHILE_MISSING } else { OTHERWISE }).await;
    }
}
