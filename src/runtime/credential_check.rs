//! Checks at the start that all accounts have their access keys. A missing Secret shows in a pod that is not ready, and not only in the
//! first backup.

use std::{sync::Arc, time::Duration};

use tracing::warn;

use super::readiness::Readiness;
use crate::backup::Context;

/// The time between two checks. A missing Secret is remembered for 4 s, so a check costs at most one GET for each account.
const PAUSE: Duration = Duration::from_secs(6);

/// Reports missing keys until every account has had its key once. Then it ends.
pub(super) async fn until_present(context: Arc<Context>, readiness: Arc<Readiness>) {
    let mut reported = String::new();
    loop {
        let without = context.accounts.without_credentials().await;
        let Some((account, error)) = without.first() else { break };
        let more = match without.len() - 1 {
            0 => String::new(),
            1 => "; one more account lacks its access key".to_owned(),
            count => format!("; {count} more accounts lack their access keys"),
        };
        let cure = format!("account {account}: {error}{more}");
        if cure != reported {
            warn!("{cure}");
            reported.clone_from(&cure);
        }
        readiness.lacks_credentials(Some(cure));
        tokio::time::sleep(PAUSE).await;
    }
    readiness.lacks_credentials(None);
}
