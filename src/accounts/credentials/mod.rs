//! Where the credentials of accounts are read: one file for each source.

mod environment;
mod error;
mod parts;
mod secret;
mod source;

pub use error::CredentialsError;
pub use source::Source;
