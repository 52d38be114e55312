//! From an account's name to a client that may act: the allow-list, the credentials, the pace. The allow-list is checked at every use, and
//! an object never gets credentials that were not meant for it.

mod account;
mod allow;
mod credentials;
mod error;
mod settings;

pub use account::{Access, Account, Accounts, Admitted, ClientDeps, MOST_CALLERS};
pub use allow::{AllowRule, AllowedRegions};
pub use credentials::{CredentialsError, Source};
pub use error::AccountError;
pub use settings::{AccountSettings, CredentialsSettings, Expiry, LimitSettings, Network, Poll, Protocol, Signature, Submissions};
