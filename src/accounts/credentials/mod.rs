//! Where the credentials of accounts are read: one file for each source.

mod secret;

pub use secret::{CredentialsError, Source};
