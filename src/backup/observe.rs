//! Reads what one pass needs besides the object: its account, its credentials, its siblings. Nothing is written here.

use jiff::Timestamp;

use super::{
    Context,
    desk::Turn,
    observation::{AccountView, Blocker, Observation, Randomness, Sibling},
};
use crate::{
    accounts::{Access, Accounts},
    api::RdsBackup,
    rds::Credentials,
};

/// What was observed, kept together with the means to act on it.
pub(super) struct Observed {
    pub account: Result<AccountView, Blocker>,
    pub siblings: Vec<Sibling>,
    pub randomness: Randomness,
    /// The service's time: our clock, corrected by what its answers told.
    pub now: Timestamp,
    /// The client and the credentials; there whenever the account's view says so.
    pub means: Option<(Access, Credentials)>,
}

impl Observed {
    pub fn seen<'a>(&'a self, turn: &'a Turn) -> Observation<'a> {
        Observation {
            object: &turn.object,
            status: &turn.status,
            account: &self.account,
            siblings: &self.siblings,
            memory: &turn.seat.memory,
            randomness: &self.randomness,
        }
    }
}

/// Observes for one step of a pass.
pub(super) async fn observe(turn: &Turn, context: &Context) -> Observed {
    let randomness = Randomness { nonce: context.entropy.nonce(), pause: context.entropy.pause() };
    let local = context.clock.now();
    let access = match context.accounts.access(turn.namespace(), &turn.object.spec) {
        Ok(access) => access,
        Err(error) => {
            let account = Err(Blocker { reason: error.reason(), message: error.to_string(), again_in: None });
            return Observed { account, siblings: Vec::new(), randomness, now: local, means: None };
        }
    };
    let now = local + access.client.clock_offset();
    // A finished object asks for nothing, so nothing is read for it.
    if turn.status.phase.is_terminal() {
        let account = Ok(view(&access, Ok(())));
        return Observed { account, siblings: Vec::new(), randomness, now, means: None };
    }
    let (credentials, means) = match access.account.credentials().await {
        Ok(credentials) => (Ok(()), Some((access.clone(), credentials))),
        Err(error) => (Err(Blocker { reason: error.reason(), message: error.to_string(), again_in: error.again_in() }), None),
    };
    let uid = turn.uid();
    let instance = turn.object.spec.db_instance_id.as_str();
    let siblings = context
        .cached()
        .filter_map(|guarded| {
            let other = guarded.0.as_ref().ok()?;
            let its_uid = other.metadata.uid.as_deref().unwrap_or_default();
            let of_instance = other.spec.db_instance_id == instance && its_uid != uid && !context.desk.has_ended(its_uid);
            of_instance.then(|| sibling(other, &context.accounts)).flatten()
        })
        .collect();
    Observed { account: Ok(view(&access, credentials)), siblings, randomness, now, means }
}

fn view(access: &Access, credentials: Result<(), Blocker>) -> AccountView {
    let settings = &access.account.settings;
    AccountView {
        region_id: access.region_id.clone(),
        protocol: settings.protocol.clone(),
        poll: settings.poll.clone(),
        paused: access.account.paused(),
        credentials,
    }
}

/// Another object as the queue sees it; none if it is finished.
pub(super) fn sibling(other: &RdsBackup, accounts: &Accounts) -> Option<Sibling> {
    let namespace = other.metadata.namespace.as_deref().unwrap_or_default();
    let admissible = accounts.access(namespace, &other.spec).is_ok_and(|access| !access.account.paused());
    Sibling::of(other, admissible, accounts.protocol(&other.spec.account).release_after())
}
