//! The accounts that objects name, and what administrators do to them.

use jiff::SignedDuration;
use rds_backup_operator::{
    accounts::{AllowedRegions, Expiry, Poll, Protocol},
    api::Reason,
    backup::observation::{AccountView, Blocker},
};

use crate::walks::time::{Ms, SECOND};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    There,
    Missing,
    Wrong,
    /// The API server does not hand them out since then.
    Unread {
        since: Ms,
    },
}

#[derive(Clone, Debug)]
pub struct Account {
    pub name: &'static str,
    pub exists: bool,
    pub allowed: bool,
    pub paused: bool,
    pub keys: Keys,
    pub protocol: Protocol,
    pub poll: Poll,
}

impl Account {
    /// With the defaults; one that polls more often; one whose service may not refuse old requests.
    pub fn all() -> Vec<Self> {
        let seconds = SignedDuration::from_secs;
        let account = |name| Self {
            name,
            exists: true,
            allowed: true,
            paused: false,
            keys: Keys::There,
            protocol: Protocol::default(),
            poll: Poll::default(),
        };
        let brisk = Poll { first: seconds(5), min: seconds(5), max: seconds(60) };
        let never = Protocol { request_expiry: Expiry::Never, ..Protocol::default() };
        vec![account("default"), Self { poll: brisk, ..account("brisk") }, Self { protocol: never, ..account("never") }]
    }

    /// Whether somebody must act before an object of it can be asked for.
    pub fn is_usable(&self) -> bool {
        self.is_known() && !self.paused && self.keys == Keys::There
    }

    pub fn is_known(&self) -> bool {
        self.exists && self.allowed
    }

    pub fn never_expires(&self) -> bool {
        self.protocol.request_expiry == Expiry::Never
    }

    /// As `observe` has it; of a finished object no credentials are read.
    pub fn view(&self, finished: bool, now: Ms) -> Result<AccountView, Blocker> {
        let blocked =
            |reason: Reason| Blocker { reason, message: format!("account {}: {reason}. Somebody must act", self.name), again_in: None };
        if !self.exists {
            return Err(blocked(Reason::AccountNotFound));
        }
        if !self.allowed {
            return Err(blocked(Reason::NotAllowed));
        }
        let credentials = match self.keys {
            _ if finished => Ok(()),
            Keys::There => Ok(()),
            Keys::Missing => Err(blocked(Reason::CredentialsNotFound)),
            Keys::Unread { since } => {
                let pause = SignedDuration::from_millis(((now - since) / 2).clamp(5 * SECOND, 60 * SECOND));
                Err(Blocker { again_in: Some(pause), ..blocked(Reason::CredentialsNotFound) })
            }
            Keys::Wrong => Err(blocked(Reason::InvalidCredentials)),
        };
        Ok(AccountView {
            connection: 0,
            key_source: "the Secret key-of-the-walks in the operator's namespace".to_owned(),
            region_id: "cn-hangzhou".into(),
            regions: AllowedRegions::new(["*".into()]),
            protocol: self.protocol.clone(),
            poll: self.poll.clone(),
            paused: self.paused,
            credentials,
        })
    }
}
