//! Whether the access keys of all accounts are there when the operator starts: whoever installs it hears of a missing Secret from a pod that is
//! not ready, and not from the first backup.

use std::{sync::Arc, time::Duration};

use tracing::warn;

use super::readiness::Readiness;
use crate::backup::Context;

/// Between two looks. A lack is remembered for 5 s, so a look is at most one GET for each account.
const PAUSE: Duration = Duration::from_secs(6);

/// Says what is missing until each account's key was there once. Ends then.
pub(super) async fn looked_for(context: Arc<Context>, readiness: Arc<Readiness>) {
    let mut said = String::new();
    loop {
        let without = context.accounts.without_credentials().await;
        let Some((account, error)) = without.first() else { break };
        let others = match without.len() - 1 {
            0 => String::new(),
            1 => "; another account lacks its own".to_owned(),
            others => format!("; {others} more accounts lack theirs"),
        };
        let cure = format!("account {account}: {error}{others}");
        if cure != said {
            warn!("{cure}");
            said.clone_from(&cure);
        }
        readiness.lacks_credentials(Some(cure));
        tokio::time::sleep(PAUSE).await;
    }
    readiness.lacks_credentials(None);
}
