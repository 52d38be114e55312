//! From an account's name to a client that may act: the allow-list, the credentials, the pace. The allow-list is checked at every use, and
//! an object never gets credentials that were not meant for it.

mod account;
mod allow;
mod bases;
mod cloud_counts;
mod coverage_settings;
mod credentials;
mod credentials_settings;
mod egress;
mod error;
mod key_state;
mod labels;
mod namespace_selector;
mod read_only;
mod registry;
mod settings;
mod waits;

pub use account::{Access, Account, AccountFacts, Admitted, ClientDeps, ClientFacts, MOST_CALLERS};
pub use allow::{AllowRule, AllowedRegions};
pub use bases::resolve_bases;
pub use cloud_counts::{CallCount, CallDurations};
pub use coverage_settings::CoverageSettings;
pub use credentials::{CredentialsError, NotGiven, RefreshCount, Source, Sources};
pub use credentials_settings::CredentialsSettings;
pub use egress::ProxySettings;
pub use error::AccountError;
pub use key_state::KeyFacts;
pub use labels::{Labels, NamespaceLabels};
pub use namespace_selector::NamespaceSelector;
pub use read_only::{ReadFailure, ReadOnlyAccess, ReadOnlyError};
pub use registry::{AccountChanges, Accounts, CheckedKey};
pub use settings::{AccountSettings, LimitSettings, Network, Signature, Submissions};
pub use waits::{Expiry, Poll, Protocol};
