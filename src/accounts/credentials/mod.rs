//! Where the credentials of accounts are read: one file for each source.

mod assume_role;
mod auto;
mod cli_profile;
mod clients;
mod credentials_uri;
mod ecs_ram_role;
mod environment;
mod error;
mod exchange;
mod parts;
mod profile;
mod profile_file;
mod refresh;
mod rrsa;
mod secret;
mod source;
mod sources;

pub use error::{CredentialsError, NotGiven};
pub use refresh::RefreshCount;
pub use source::Source;
pub use sources::Sources;
